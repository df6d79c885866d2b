"""Storing and reading a profile over HTTP, by users who signed in to the emulator."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import items
from chalicelib.profile import JSON
from tests.support.http_api import Api, assert_problem
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_a_user_without_a_profile_gets_a_404(api: Api, user: User) -> None:
    assert_problem(api.get(user), 404, "profile-not-found")


def test_what_is_stored_is_what_is_read(api: Api, user: User) -> None:
    data: JSON = {"name": "Ada", "tags": ["first", ""], "nothing": None, "object": {}, "array": []}
    stored = api.send(user, "POST", data)
    read = api.get(user)
    assert stored.status == read.status == 200
    assert stored.body == read.body
    body = read.json()
    assert list(body) == ["pk", "sk", "profile_data", "created_at", "updated_at"]
    assert body["pk"] == "USERS#ALL"
    assert body["sk"] == f"USER#{user.sub}"
    assert body["profile_data"] == data


def test_a_write_and_a_read_have_the_same_headers(api: Api, user: User) -> None:
    stored = api.post(user, "{}")
    read = api.get(user)
    for answer in (stored, read):
        assert answer.headers["Content-Type"] == "application/json"
        assert re.fullmatch(r'"[\w-]{22}"', answer.headers["ETag"])
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"
    assert stored.headers["ETag"] == read.headers["ETag"]


def test_times_are_in_utc(api: Api, user: User) -> None:
    before = datetime.now(UTC)
    created_at = api.post(user, "{}").json()["created_at"]
    after = datetime.now(UTC)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created_at)
    assert before <= datetime.fromisoformat(created_at) <= after


def test_a_second_write_keeps_the_time_of_creation(api: Api, user: User) -> None:
    first = api.post(user, "{}").json()
    second = api.post(user, '{"a": 1}').json()
    assert first["created_at"] == first["updated_at"] == second["created_at"]
    assert second["updated_at"] > second["created_at"]


def test_a_post_replaces_the_whole_profile(api: Api, user: User) -> None:
    first = api.post(user, '{"a": 1, "b": 2}')
    second = api.post(user, '{"b": 3}')
    assert api.get(user).json()["profile_data"] == {"b": 3}
    assert first.headers["ETag"] != second.headers["ETag"]


@pytest.mark.parametrize(
    "number",
    [
        "0.1",
        "12345678901234567890.5",
        "1e-130",
        "9.9999999999999999999999999999999999999E+125",
        "-7",
        "9" * 38,
    ],
)
def test_numbers_are_read_back_exactly(api: Api, user: User, number: str) -> None:
    assert api.post(user, f'{{"n": {number}}}').status == 200
    assert Decimal(str(api.get(user).json()["profile_data"]["n"])) == Decimal(number)


def test_users_see_only_their_own_profile(api: Api, user: User, other_user: User) -> None:
    api.send(user, "POST", {"whose": "one"})
    assert_problem(api.get(other_user), 404, "profile-not-found")
    api.send(other_user, "POST", {"whose": "two", "pk": "USERS#ALL", "sk": f"USER#{user.sub}"})
    assert api.get(user).json()["profile_data"] == {"whose": "one"}
    assert api.get(other_user).json()["sk"] == f"USER#{other_user.sub}"


def write_by_hand(dynamodb: DynamoDBClient, table: str, user: User, data: Any) -> None:
    """Write an item with the attributes that the original example writes, and no others."""
    dynamodb.put_item(
        TableName=table, Item=items.profile_key(user.sub) | {"profile_data": {"M": data}}
    )


def test_an_item_of_the_original_example_is_read(
    api: Api, table: str, dynamodb: DynamoDBClient, user: User
) -> None:
    write_by_hand(dynamodb, table, user, {"name": {"S": "Ada"}})
    read = api.get(user)
    assert read.json() == {
        "pk": "USERS#ALL",
        "sk": f"USER#{user.sub}",
        "profile_data": {"name": "Ada"},
    }
    assert read.headers["ETag"] == api.get(user).headers["ETag"]


def test_an_item_of_the_original_example_is_replaced(
    api: Api, table: str, dynamodb: DynamoDBClient, user: User
) -> None:
    write_by_hand(dynamodb, table, user, {"name": {"S": "Ada"}})
    replaced = api.send(user, "POST", {"name": "Grace"}, If_Match=api.get(user).headers["ETag"])
    assert replaced.status == 200
    assert replaced.json()["profile_data"] == {"name": "Grace"}


def test_stored_values_that_json_lacks_are_converted(
    api: Api, table: str, dynamodb: DynamoDBClient, user: User
) -> None:
    data = {"photo": {"B": b"\x00\xff"}, "tags": {"SS": ["a"]}, "ratings": {"NS": ["1.5"]}}
    write_by_hand(dynamodb, table, user, data)
    expected = {"photo": "AP8=", "tags": ["a"], "ratings": [Decimal("1.5")]}
    assert api.get(user).json()["profile_data"] == expected
