"""RFC 7396, JSON Merge Patch."""

import copy
from decimal import Decimal

import pytest
from hypothesis import given

from chalicelib.errors import InvalidProfile
from chalicelib.profile import JSON, merge_patch
from tests.support.json_values import json_values

APPENDIX_A: list[tuple[JSON, JSON, JSON]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), APPENDIX_A)
def test_the_examples_of_rfc_7396_appendix_a(target: JSON, patch: JSON, result: JSON) -> None:
    assert merge_patch(target, patch) == result


def test_the_example_of_rfc_7396_section_3() -> None:
    target: JSON = {
        "title": "Goodbye!",
        "author": {"givenName": "John", "familyName": "Doe"},
        "tags": ["example", "sample"],
        "content": "This will be unchanged",
    }
    patch: JSON = {
        "title": "Hello!",
        "phoneNumber": "+01-123-456-7890",
        "author": {"familyName": None},
        "tags": ["example"],
    }
    assert merge_patch(target, patch) == {
        "title": "Hello!",
        "author": {"givenName": "John"},
        "tags": ["example"],
        "content": "This will be unchanged",
        "phoneNumber": "+01-123-456-7890",
    }


@given(target=json_values, patch=json_values)
def test_a_merge_is_idempotent_and_changes_no_input(target: JSON, patch: JSON) -> None:
    before = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert (target, patch) == before


def test_numbers_stay_exact() -> None:
    assert merge_patch({"n": Decimal("0.1")}, {"m": Decimal("12345678901234567890.5")}) == {
        "n": Decimal("0.1"),
        "m": Decimal("12345678901234567890.5"),
    }


def test_a_patch_nested_too_deep_is_refused() -> None:
    patch: JSON = None
    for _ in range(900):
        patch = {"a": patch}
    with pytest.raises(InvalidProfile):
        merge_patch({}, patch)
