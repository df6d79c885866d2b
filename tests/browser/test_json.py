"""The merge patches of web/json.js, compared with the service's own merge patch."""

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
