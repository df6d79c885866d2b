from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from chalicelib import items
from chalicelib.profile import JSON, Document
from tests.support.json_values import json_values, typed

EXAMPLE = {
    "pk": {"S": "USERS#ALL"},
    "sk": {"S": "USER#5f0c"},
    "profile_data": {"M": {"name": {"S": "Ada"}}},
}


def test_keys_are_those_of_the_original_example() -> None:
    assert items.profile_key("5f0c") == {"pk": {"S": "USERS#ALL"}, "sk": {"S": "USER#5f0c"}}


def test_an_item_of_this_service_is_read() -> None:
    times = {
        "created_at": {"S": "2026-11-22T10:00:00Z"},
        "updated_at": {"S": "2026-11-23T10:00:00Z"},
    }
    profile = items.PROFILE.document_in({**EXAMPLE, **times, "revision": {"S": "r1"}})
    assert profile == Document(
        "USERS#ALL",
        "USER#5f0c",
        {"name": "Ada"},
        "r1",
        "2026-11-22T10:00:00Z",
        "2026-11-23T10:00:00Z",
    )


def test_an_item_of_the_example_has_no_times() -> None:
    profile = items.PROFILE.document_in(EXAMPLE)
    assert profile.data == {"name": "Ada"}
    assert profile.created_at is None
    assert profile.updated_at is None


def test_a_missing_revision_follows_the_content() -> None:
    def revision(**members: Any) -> str:
        return items.PROFILE.document_in({**EXAMPLE, "profile_data": {"M": members}}).revision

    assert revision(a={"N": "1"}, b={"S": "x"}) == revision(b={"S": "x"}, a={"N": "1"})
    contents = [
        {},
        {"a": {"N": "1"}},
        {"a": {"N": "1.5"}},
        {"a": {"S": "1.5"}},
        {"a": {"S": "1"}},
        {"b": {"N": "1"}},
    ]
    assert len({revision(**content) for content in contents}) == len(contents)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ({"B": b"\x00\xff"}, "AP8="),
        ({"B": "AP8="}, "AP8="),
        ({"SS": ["a", "b"]}, ["a", "b"]),
        ({"NS": ["1", "2.5"]}, [1, Decimal("2.5")]),
        ({"BS": [b"\x00"]}, ["AA=="]),
        ({"N": "1E+100"}, Decimal("1E+100")),
        ({"M": {"": {"NULL": True}}}, {"": None}),
    ],
)
def test_values_written_by_hand_are_read_as_json(stored: dict[str, Any], read: JSON) -> None:
    assert items.PROFILE.document_in({**EXAMPLE, "profile_data": {"M": {"x": stored}}}).data == {
        "x": read
    }
    assert items.PROFILE.document_in({**EXAMPLE, "profile_data": stored}).data == read


def test_an_item_without_profile_data_is_an_empty_profile() -> None:
    item = items.profile_key("5f0c") | {"created_at": {"N": "5"}}
    assert items.PROFILE.document_in(item).data == {}


def test_no_item_has_no_revision() -> None:
    assert items.PROFILE.revision_of({}) is None
    assert items.PROFILE.revision_of(EXAMPLE | {"revision": {"S": "r1"}}) == "r1"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "7"),
        (-0, "0"),
        (Decimal("-0.0"), "0"),
        (Decimal("1.0"), "1"),
        (Decimal("0.10"), "0.1"),
        (Decimal("0E+999"), "0"),
        (Decimal("1." + "0" * 5000), "1"),
        (10**40, "1" + "0" * 40),
    ],
)
def test_numbers_are_stored_without_useless_zeros(number: int | Decimal, text: str) -> None:
    assert items.to_attribute_value(number) == {"N": text}


@given(json_values)
def test_any_json_value_comes_back_equal(value: JSON) -> None:
    assert typed(items.from_attribute_value(items.to_attribute_value(value))) == typed(value)
