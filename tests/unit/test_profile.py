"""The limits of profile data: both sides of each, and sizes as DynamoDB counts them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from ministack.services.dynamodb import _attribute_value_size as size_in_the_emulator

from chalicelib.errors import InvalidProfile, ProfileTooLarge
from chalicelib.items import from_attribute_value, to_attribute_value
from chalicelib.json_text import write_json
from chalicelib.profile import (
    JSON,
    MAX_BYTES,
    MAX_EXPANSION,
    MAX_RESPONSE_BYTES,
    MAX_VIOLATIONS,
    Document,
    check_profile_data,
)
from tests.support.json_values import nested


def violations(data: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidProfile) as caught:
        check_profile_data(data)
    return [(violation.pointer, violation.detail) for violation in caught.value.violations]


@pytest.mark.parametrize(("data", "members"), [({"a": 1}, {"a": 1}), (["a"], {}), (None, {})])
def test_only_an_object_has_members(data: JSON, members: JSON) -> None:
    assert Document("USERS#ALL", "USER#1", data, "r1").members == members


@pytest.mark.parametrize("data", [None, [], "x", 1, Decimal("1.5"), True])
def test_profile_data_is_an_object(data: JSON) -> None:
    assert [pointer for pointer, _ in violations(data)] == [""]


@pytest.mark.parametrize("kind", ["object", "array"])
def test_31_levels_can_be_stored_and_32_cannot(kind: str) -> None:
    assert check_profile_data(nested(31, kind))
    ((pointer, detail),) = violations(nested(32, kind))
    assert pointer == "/a" + ("/a" if kind == "object" else "/0") * 30
    assert "31" in detail


@pytest.mark.parametrize(
    "number",
    [
        0,
        Decimal("-0.0"),
        Decimal("0E+999"),
        10**37,
        int("9" * 38),
        -int("9" * 38),
        10**125,
        Decimal("9." + "9" * 37 + "E+125"),
        Decimal("1E-130"),
        Decimal("-1E-130"),
        Decimal("1." + "0" * 5000),
        Decimal("0.1"),
        Decimal("12345678901234567890.5"),
    ],
)
def test_numbers_that_can_be_stored(number: int | Decimal) -> None:
    assert check_profile_data({"n": number})


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (int("1" * 39), "38 significant digits"),
        (Decimal("1." + "1" * 38), "38 significant digits"),
        (Decimal("9" * 5000), "38 significant digits"),
        (Decimal("1E+999999999999999999"), "9.99...E+125"),
        (10**126, "9.99...E+125"),
        (Decimal("1E+126"), "9.99...E+125"),
        (Decimal("1E+400"), "9.99...E+125"),
        (Decimal("-1E+126"), "9.99...E+125"),
        (Decimal("9.9E-131"), "1E-130"),
    ],
)
def test_numbers_that_cannot_be_stored(number: int | Decimal, reason: str) -> None:
    ((pointer, detail),) = violations({"a": [0, {"n": number}]})
    assert pointer == "/a/1/n"
    assert reason in detail


def test_an_empty_name_is_refused_at_every_depth() -> None:
    assert [pointer for pointer, _ in violations({"": 1, "a": [{"b": {"": 2}}]})] == [
        "/",
        "/a/0/b/",
    ]


def test_a_name_has_at_most_65535_bytes() -> None:
    assert check_profile_data({"a": {"é" * 32_767 + "e": 1}})
    ((pointer, _),) = violations({"a": {"é" * 32_768: 1}})
    assert pointer.startswith("/a/éé")


def test_a_report_of_many_long_names_stays_small() -> None:
    reason = violations({"n" * 60_000: {"m" * 60_000: [Decimal("1E+400")] * 40_000}})
    assert len(reason) == MAX_VIOLATIONS
    assert sum(len(pointer) for pointer, _ in reason) < 50_000


def test_pointers_are_escaped_as_in_rfc_6901() -> None:
    assert [pointer for pointer, _ in violations({"a/b": {"m~n": {"": 1}}})] == ["/a~1b/m~0n/"]


def test_the_number_of_violations_is_limited() -> None:
    assert len(violations({"a": [{"": 1}] * 1000})) == MAX_VIOLATIONS


@pytest.mark.parametrize("number", [Decimal("1E124"), Decimal("-1E124"), Decimal("1E125")])
def test_data_that_lambda_cannot_return_is_refused(number: Decimal) -> None:
    """AWS: "Lambda quotas", synchronous payloads of 6 MB, less the escaping in its own JSON."""
    width = len(f"{number:f}") + 1  # with its comma
    fitting = (MAX_RESPONSE_BYTES - len('{"n":[]}') - 20) // width
    assert check_profile_data({"n": [number] * fitting}) < MAX_BYTES
    with pytest.raises(ProfileTooLarge, match="in a response"):
        check_profile_data({"n": [number] * (fitting + 2)})


@pytest.mark.parametrize(
    "value", ["x", '"', "\\", "\x01", "é", "😀", True, None, 0, Decimal("1E-130"), [], {}, ""]
)
def test_the_largest_data_of_other_kinds_can_be_returned(value: JSON) -> None:
    """The text of the answer, escaped as in Lambda's response, is below the limit."""
    size_of_one = check_profile_data({"a": [value]}) - check_profile_data({"a": []})
    data: JSON = {"a": [value] * (MAX_BYTES // size_of_one - 10)}
    assert check_profile_data(data) <= MAX_BYTES
    escaped = json.dumps(write_json(data), ensure_ascii=False)
    assert len(escaped.encode()) <= MAX_RESPONSE_BYTES


@pytest.mark.parametrize(
    "value",
    [
        '"\\\x01é😀',
        True,
        None,
        -12,
        10**125,
        Decimal("1E-130"),
        Decimal("-1.5E20"),
        [[]],
        {"a": {}},
    ],
)
def test_no_byte_in_the_database_expands_further(value: JSON) -> None:
    data: JSON = {"a": [value] * 100}
    stored = from_attribute_value(to_attribute_value(data))
    escaped = json.dumps(write_json(stored), ensure_ascii=False)
    assert len(escaped.encode()) <= MAX_EXPANSION * check_profile_data(data)


def test_profile_data_may_take_409_300_bytes() -> None:
    assert MAX_BYTES == 409_300, "docs/api.md names this limit"


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_size_is_exact(character: str) -> None:
    width = len(character.encode())
    room = MAX_BYTES - 3 - 1 - len("text")  # an object, one member, its name
    text = character * (room // width) + "x" * (room % width)
    assert check_profile_data({"text": text}) == MAX_BYTES
    assert check_profile_data({"text": text + "x"}) == MAX_BYTES + 1


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "é😀",
        None,
        True,
        0,
        7,
        -7,
        10,
        12,
        100,
        123,
        1200,
        -1200,
        10**18 - 1,
        10**18,
        1 - 10**18,
        123 * 10**15,
        123 * 10**16,
        10**37,
        int("9" * 38),
        Decimal("0.1"),
        Decimal("0.01"),
        Decimal("0.12"),
        Decimal("1.2"),
        Decimal("12.3"),
        Decimal("-12.34"),
        Decimal("1E-130"),
        Decimal("1E+125"),
        [],
        {},
        [1, [2, {"a": "b"}]],
        {"a": {"b": [None, False]}},
    ],
)
def test_sizes_are_counted_as_the_database_counts(value: JSON) -> None:
    """The emulator counts as AWS does."""
    data: JSON = {"k": value, "pad": ""}
    room = MAX_BYTES - size_in_the_emulator(to_attribute_value(data))
    assert check_profile_data({"k": value, "pad": "x" * room}) == MAX_BYTES
