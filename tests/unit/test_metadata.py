"""Metadata: its members, and the limits that it shares with profile data."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.errors import InvalidProfile
from chalicelib.metadata import check_metadata
from chalicelib.profile import MAX_VIOLATIONS, size_of


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"app_metadata": {}},
        {"private_metadata": {"customer": "c1"}},
        {"app_metadata": {"plan": "pro"}, "private_metadata": {"notes": ["a", {"b": 1}]}},
    ],
)
def test_two_objects_are_metadata(data: Any) -> None:
    both = {"app_metadata": {}, "private_metadata": {}} | data
    assert check_metadata(data) == size_of(both), "a missing member is stored as {}"


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        ([], [""]),
        ("x", [""]),
        (None, [""]),
        ({"plan": "pro"}, ["/plan"]),
        ({"app_metadata": None}, ["/app_metadata"]),
        ({"app_metadata": [], "private_metadata": 1}, ["/app_metadata", "/private_metadata"]),
        ({"app_metadata": {"a": {"": 1}}}, ["/app_metadata/a/"]),
        ({"app_metadata": {}, "profile_data": {}, "a/b": 1}, ["/profile_data", "/a~1b"]),
    ],
)
def test_anything_else_is_invalid_and_located(data: Any, pointers: list[str]) -> None:
    with pytest.raises(InvalidProfile) as refused:
        check_metadata(data)
    assert [violation.pointer for violation in refused.value.violations] == pointers


def test_the_number_of_violations_is_limited() -> None:
    with pytest.raises(InvalidProfile) as refused:
        check_metadata({f"name {number}": 1 for number in range(1000)})
    assert len(refused.value.violations) == MAX_VIOLATIONS
