from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import items
from chalicelib.profile import JSON, Profile

EXAMPLE = {
    "pk": {"S": "USERS#ALL"},
    "sk": {"S": "USER#5f0c"},
    "profile_data": {"M": {"name": {"S": "Ada"}}},
}


def number(sign: int, digits: int, first: int) -> Decimal:
    """A number of up to 38 digits, the first of which stands for so many powers of ten."""
    return Decimal((sign, tuple(map(int, str(digits))), first - len(str(digits)) + 1))


numbers = st.integers(-(10**38) + 1, 10**38 - 1) | st.builds(
    number, st.integers(0, 1), st.integers(1, 10**38 - 1), st.integers(-130, 125)
)
scalars = st.none() | st.booleans() | numbers | st.text()
values: st.SearchStrategy[JSON] = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner)
)


def exactly(value: JSON) -> object:
    """`value` in a form that == tells apart where == does not: true is not 1. Numbers are equal as numbers."""
    if isinstance(value, dict):
        return {name: exactly(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exactly(element) for element in value]
    return (type(value) if not isinstance(value, Decimal) else int, value)


def test_the_keys_are_the_examples() -> None:
    assert items.key("5f0c") == {"pk": {"S": "USERS#ALL"}, "sk": {"S": "USER#5f0c"}}


def test_an_item_of_this_service_is_read() -> None:
    times = {
        "created_at": {"S": "2026-11-22T10:00:00Z"},
        "updated_at": {"S": "2026-11-23T10:00:00Z"},
    }
    profile = items.profile_from({**EXAMPLE, **times, "revision": {"S": "r1"}})
    assert profile == Profile(
        "USERS#ALL",
        "USER#5f0c",
        {"name": "Ada"},
        "r1",
        "2026-11-22T10:00:00Z",
        "2026-11-23T10:00:00Z",
    )


def test_an_item_of_the_example_is_read_and_has_no_times() -> None:
    profile = items.profile_from(EXAMPLE)
    assert (profile.data, profile.created_at, profile.updated_at) == ({"name": "Ada"}, None, None)


def test_an_item_without_a_revision_gets_one_that_follows_its_content() -> None:
    def revision(**members: Any) -> str:
        return items.profile_from({**EXAMPLE, "profile_data": {"M": members}}).revision

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
def test_what_somebody_wrote_by_hand_is_read_as_json(stored: dict[str, Any], read: JSON) -> None:
    assert items.profile_from({**EXAMPLE, "profile_data": {"M": {"x": stored}}}).data == {"x": read}
    assert items.profile_from({**EXAMPLE, "profile_data": stored}).data == read


def test_an_item_without_profile_data_is_an_empty_profile() -> None:
    assert (
        items.profile_from(
            {"pk": EXAMPLE["pk"], "sk": EXAMPLE["sk"], "created_at": {"N": "5"}}
        ).data
        == {}
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "7"), (-0, "0"), (Decimal("-0.0"), "0"), (Decimal("1.0"), "1"), (Decimal("0.10"), "0.1"),
        (Decimal("0E+999"), "0"), (Decimal("1." + "0" * 5000), "1"), (10**40, "1" + "0" * 40),
    ],
)  # fmt: skip
def test_zeros_that_say_nothing_are_not_sent(number: int | Decimal, text: str) -> None:
    assert items.to_attribute_value(number) == {"N": text}


@given(values)
def test_any_json_value_comes_back_equal(value: JSON) -> None:
    assert exactly(items.from_attribute_value(items.to_attribute_value(value))) == exactly(value)
