"""web/json.js against the service's own merge patch: what the page sends turns what was stored into what was typed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from chalicelib.profile import merge_patch
from tests.browser.conftest import Site

NAMES = st.sampled_from(
    ["a", "b", "a/b", "~", "__proto__", "constructor", "toString", "1", "0", ""]
)
SCALARS = st.sampled_from([0, 1, -1, 0.5, "", "a", "null", True, False])
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS | st.none(), max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
PATCHES = """async pairs => {
    const {mergePatch, parse} = await import("/json.js");
    return pairs.map(pair => JSON.stringify(mergePatch(...parse(pair))));
}"""


def exact(value: object) -> str:
    """To Python, True is 1."""
    return json.dumps(value, sort_keys=True)


@settings(max_examples=3)
@given(st.lists(st.tuples(OBJECTS, OBJECTS), min_size=50, max_size=100))
def test_a_merge_patch_of_what_changed_gives_what_was_typed(
    browser: Browser, site: Site, pairs: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    tab = browser.new_page()
    tab.goto(site.url)
    patches = tab.evaluate(PATCHES, [json.dumps(pair) for pair in pairs])
    tab.close()
    for (before, after), patch in zip(pairs, patches, strict=True):
        assert exact(merge_patch(before, json.loads(patch))) == exact(after)
        assert (patch == "{}") == (exact(before) == exact(after)), (
            "nothing is sent of what did not change"
        )
