"""The merges of the page: merge patches, compared with the service's own, and three-way merges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from chalicelib.profile import merge_patch
from tests.support.browser import Site

NAMES = st.sampled_from(
    ["a", "b", "a/b", "~", "__proto__", "constructor", "toString", "1", "0", ""]
)
SCALARS = st.sampled_from([0, 1, -1, 0.5, "", "a", "null", True, False])
LISTS = st.lists(SCALARS | st.none(), max_size=2)
VALUES = st.recursive(
    SCALARS | LISTS,
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
MERGE_PATCHES = """async pairs => {
    const {mergePatch, parse} = await import("/json.js");
    return pairs.map(pair => JSON.stringify(mergePatch(...parse(pair))));
}"""

MERGES = """async triples => {
    const {parse} = await import("/json.js");
    const {mergeChanges, useEdited} = await import("/merge.js");
    return triples.map(triple => {
        const {data, conflicts} = mergeChanges(...parse(triple));
        const merged = JSON.stringify(data);
        conflicts.forEach(conflict => useEdited(data, conflict));
        return [merged, conflicts.length, JSON.stringify(data)];
    });
}"""
DUPLICATES = """async texts => {
    const {duplicateName} = await import("/json.js");
    return texts.map(duplicateName);
}"""


@pytest.fixture(scope="module")
def tab(browser: Browser, site: Site) -> Iterator[Page]:
    tab = browser.new_page()
    tab.goto(site.url)
    yield tab
    tab.close()


def canonical(value: object) -> str:
    """A JSON text for comparisons. In Python, True == 1."""
    return json.dumps(value, sort_keys=True)


@settings(max_examples=3)
@given(st.lists(st.tuples(OBJECTS, OBJECTS), min_size=50, max_size=100))
def test_a_merge_patch_turns_the_old_object_into_the_new(
    tab: Page, pairs: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    patches = tab.evaluate(MERGE_PATCHES, [json.dumps(pair) for pair in pairs])
    for (before, after), patch in zip(pairs, patches, strict=True):
        merged = merge_patch(before, json.loads(patch))
        assert canonical(merged) == canonical(after)
        is_unchanged = canonical(before) == canonical(after)
        assert (patch == "{}") == is_unchanged


@settings(max_examples=3)
@given(st.lists(st.tuples(OBJECTS, OBJECTS), min_size=50, max_size=100))
def test_a_change_on_one_side_only_is_kept(
    tab: Page, pairs: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    changed_here = [json.dumps([before, before, after]) for before, after in pairs]
    changed_elsewhere = [json.dumps([before, after, before]) for before, after in pairs]
    changed_alike = [json.dumps([before, after, after]) for before, after in pairs]
    for triples in (changed_here, changed_elsewhere, changed_alike):
        merges = tab.evaluate(MERGES, triples)
        for (_, after), (merged, conflicts, _) in zip(pairs, merges, strict=True):
            assert canonical(json.loads(merged)) == canonical(after)
            assert conflicts == 0


@settings(max_examples=3)
@given(st.lists(st.tuples(OBJECTS, OBJECTS, OBJECTS), min_size=50, max_size=100))
def test_members_that_one_side_changed_need_no_question(
    tab: Page, triples: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]
) -> None:
    merges = tab.evaluate(MERGES, [json.dumps(triple) for triple in triples])
    for (base, saved, edited), (merged, _, chosen) in zip(triples, merges, strict=True):
        for name in {*base, *saved, *edited}:
            values = [canonical(data.get(name, "none")) for data in (base, saved, edited)]
            before, elsewhere, here = values
            result = canonical(json.loads(merged).get(name, "none"))
            if before == here:
                assert result == elsewhere
            elif before == elsewhere:
                assert result == here
            if not isinstance(edited.get(name), dict) and before != here:
                assert canonical(json.loads(chosen).get(name, "none")) == here


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{}", None),
        ('{"a": {"a": [{"a": 1}, {"a": 1}]}, "b": "a"}', None),
        ('["a", "a", "{", "\\"a\\": 1"]', None),
        ('{"a": 1, "b": 2, "a": 3}', "a"),
        ('{"x": [1, {"b": {}, "b": []}]}', "b"),
        ('{"\\u0061": 1, "a": 2}', "a"),
        ('{"\\"": 1, "\\"": 2}', '"'),
        ('{"": 1, "": 2}', ""),
    ],
)
def test_a_name_that_occurs_twice_is_found(tab: Page, text: str, name: str | None) -> None:
    assert tab.evaluate(DUPLICATES, [text]) == [name]
