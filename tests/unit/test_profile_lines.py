"""The lines of exports and imports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import items
from chalicelib.profile import JSON
from deploy.profile_lines import KINDS, LineRefused, Record, read_line, record_of, write_line
from tests.support.json_values import json_values

SUB = "00000000-0000-4000-8000-000000000001"
CREATED = "2026-11-22T10:00:00.123456Z"

json_objects = st.dictionaries(st.text(min_size=1), json_values)


def as_item(record: Record, **times: str) -> items.Item:
    """The item that stores a record."""
    item = {**record.key, **record.kind.values_of(record.data)}
    return item | {name: {"S": text} for name, text in times.items()}


def test_a_profile_is_one_line() -> None:
    record = Record(items.PROFILE, SUB, {"text": "a\nb", "n": 1}, CREATED, CREATED)
    assert write_line(record) == (
        f'{{"kind":"profile","sub":"{SUB}","profile_data":{{"text":"a\\nb","n":1}},'
        f'"created_at":"{CREATED}","updated_at":"{CREATED}"}}\n'
    )


def test_metadata_has_both_members() -> None:
    item = items.metadata_key(SUB) | {"app_metadata": {"M": {"plan": {"S": "pro"}}}}
    record = record_of(item)
    assert record is not None
    assert write_line(record) == (
        f'{{"kind":"metadata","sub":"{SUB}","app_metadata":{{"plan":"pro"}},'
        '"private_metadata":{}}\n'
    )


@given(data=json_objects)
def test_a_profile_is_read_as_it_was_stored(data: JSON) -> None:
    item = as_item(Record(items.PROFILE, SUB, data), created_at=CREATED)
    record = record_of(item)
    assert record is not None
    read = read_line(write_line(record).encode())
    assert read == record
    assert read.created_at == CREATED
    assert as_item(read, created_at=CREATED) == item


@given(data=json_objects)
def test_metadata_is_read_as_it_was_stored(data: JSON) -> None:
    stored = Record(items.METADATA, SUB, {"app_metadata": data, "private_metadata": {}})
    record = record_of(as_item(stored))
    assert record is not None
    assert as_item(read_line(write_line(record).encode())) == as_item(stored)


@pytest.mark.parametrize("kind", KINDS)
def test_the_three_forms_of_a_line_are_the_same(kind: str) -> None:
    name = KINDS[kind].attributes[0]
    key = KINDS[kind].key(SUB)
    plain_key = f'"pk":"{key["pk"]["S"]}","sk":"{key["sk"]["S"]}"'
    lines = (
        f'{{"kind":"{kind}","sub":"{SUB}","{name}":{{"n":1.5}}}}',
        f'{{{plain_key},"{name}":{{"n":1.5}}}}',
        f'{{"Item":{{"pk":{{"S":"{key["pk"]["S"]}"}},"sk":{{"S":"{key["sk"]["S"]}"}},'
        f'"{name}":{{"M":{{"n":{{"N":"1.5"}}}}}}}}}}',
    )
    records = [read_line(line.encode()) for line in lines]
    assert records[0] == records[1] == records[2]
    assert records[0].key == key


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"pk": {"S": "USERS#ALL"}},
        {"pk": {"S": "USERS#ALL"}, "sk": {"N": "1"}},
        {"pk": {"S": "USERS#ALL"}, "sk": {"S": "USER#ada"}},
        {"pk": {"S": "USERS#ALL"}, "sk": {"S": f"METADATA#{SUB}"}},
        {"pk": {"S": f"USER#{SUB}"}, "sk": {"S": f"USER#{SUB}"}},
        {"pk": {"S": f"USER#{SUB[:-1]}2"}, "sk": {"S": f"METADATA#{SUB}"}},
    ],
)
def test_an_item_with_another_key_has_no_record(key: dict[str, Any]) -> None:
    assert record_of(key) is None


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.1Z", CREATED],
)
def test_a_time_in_utc_is_accepted(text: str) -> None:
    Record(items.PROFILE, SUB, {}, created_at=text, updated_at=None).check_times()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00:00+01:00",
        "2026-11-22T10:00:00.1234567Z",
        "2026-11-31T10:00:00Z",
        "2026-11-22T25:00:00Z",
        f"{CREATED}\n",
    ],
)
def test_another_time_is_refused(text: str) -> None:
    with pytest.raises(LineRefused, match="updated_at is not a time"):
        Record(items.PROFILE, SUB, {}, updated_at=text).check_times()


PROFILE_LINE = {"kind": "profile", "sub": SUB, "profile_data": {}}
METADATA_LINE = {"kind": "metadata", "sub": SUB, "app_metadata": {}}


@pytest.mark.parametrize(
    "line",
    [
        PROFILE_LINE | {"Profile_data": {}},
        PROFILE_LINE | {"etag": "x"},
        PROFILE_LINE | {"app_metadata": {}},
        METADATA_LINE | {"private_metadta": {}},
        METADATA_LINE | {"profile_data": {}},
        {"pk": "USERS#ALL", "sk": f"USER#{SUB}", "profile_data": {}, "plan": "pro"},
    ],
)
def test_a_member_that_would_be_lost_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises(LineRefused, match="has a member that a"):
        read_line(json.dumps(line).encode())


def test_a_revision_may_be_in_a_line_and_is_ignored() -> None:
    assert read_line(json.dumps(PROFILE_LINE | {"revision": "r1"}).encode()).data == {}


@pytest.mark.parametrize(
    "value",
    [
        {"SS": ["x"]},
        {"NS": ["1"]},
        {"BS": ["AAA="]},
        {"B": "AAA="},
        {"N": " 1_000 "},
        {"N": "NaN"},
        {"N": "01"},
        {"N": 1},
        {"NULL": False},
        {"BOOL": "true"},
        {"S": 5},
        {"S": "a", "N": "1"},
        {"M": []},
        {"L": {}},
        {},
        "text",
        None,
    ],
)
def test_a_value_without_an_equal_in_json_is_refused(value: Any) -> None:
    item = {
        "pk": {"S": "USERS#ALL"},
        "sk": {"S": f"USER#{SUB}"},
        "profile_data": {"M": {"a": {"L": [value]}}},
    }
    with pytest.raises(LineRefused, match="DynamoDB JSON"):
        read_line(json.dumps({"Item": item}).encode())


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(LineRefused, match="byte order mark"):
        read_line(b"\xef\xbb\xbf" + json.dumps(PROFILE_LINE).encode())
