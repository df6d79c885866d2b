"""Storing and reading a profile over HTTP, signed in for real."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from chalicelib import items, web
from chalicelib.profile import JSON
from tests.conftest import Api, User, assert_problem
from tests.unit.test_items import exactly, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def test_a_user_without_a_profile_gets_404(api: Api, new_user: Callable[[], User]) -> None:
    assert_problem(api.get(new_user()), 404, "profile-not-found")


def test_what_is_posted_is_what_is_read_back(api: Api, new_user: Callable[[], User]) -> None:
    user = new_user()
    posted = api.post(
        user, '{"name": "Ada", "tags": ["first", ""], "nothing": null, "o": {}, "a": []}'
    )
    read = api.get(user)
    assert posted.status == read.status == 200
    assert posted.json() == read.json()
    body = read.json()
    assert body["pk"] == "USERS#ALL"
    assert body["sk"] == f"USER#{user.sub}"
    assert body["profile_data"] == {
        "name": "Ada",
        "tags": ["first", ""],
        "nothing": None,
        "o": {},
        "a": [],
    }
    assert list(body) == ["pk", "sk", "profile_data", "created_at", "updated_at"]
    for answer in (posted, read):
        assert answer.headers["Content-Type"] == "application/json"
        assert re.fullmatch(r'"[\w-]{22}"', answer.headers["ETag"])
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"
    assert posted.headers["ETag"] == read.headers["ETag"]


def test_times_are_utc_and_now(api: Api, new_user: Callable[[], User]) -> None:
    user = new_user()
    first, second = api.post(user, "{}").json(), api.post(user, '{"a": 1}').json()
    assert first["created_at"] == first["updated_at"] == second["created_at"]
    assert second["updated_at"] > second["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["created_at"])
    age = datetime.now(UTC) - datetime.fromisoformat(first["created_at"])
    assert abs(age.total_seconds()) < 60


def test_a_post_replaces_the_whole_profile_and_its_etag(
    api: Api, new_user: Callable[[], User]
) -> None:
    user = new_user()
    first, second = api.post(user, '{"a": 1, "b": 2}'), api.post(user, '{"b": 3}')
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
def test_numbers_survive_exactly(api: Api, ada: User, number: str) -> None:
    assert api.post(ada, f'{{"n": {number}}}').status == 200
    assert Decimal(str(api.get(ada).json()["profile_data"]["n"])) == Decimal(number)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_any_json_within_the_limits_comes_back_equal(api: Api, ada: User, value: JSON) -> None:
    posted = api.post(ada, web.dump_json({"value": value}))
    assert posted.status == 200, posted.body
    assert exactly(api.get(ada).json()["profile_data"]) == exactly({"value": value})


def test_users_see_their_own_profile_alone(api: Api, new_user: Callable[[], User]) -> None:
    one, two = new_user(), new_user()
    api.post(one, '{"whose": "one"}')
    assert_problem(api.get(two), 404, "profile-not-found")
    api.post(two, '{"whose": "two", "pk": "USERS#ALL", "sk": "USER#someone"}')
    assert api.get(one).json()["profile_data"] == {"whose": "one"}
    assert api.get(two).json()["sk"] == f"USER#{two.sub}"


def test_an_item_of_the_example_is_served_and_replaced(
    api: Api, table: str, dynamodb: "DynamoDBClient", new_user: Callable[[], User]
) -> None:
    user = new_user()
    dynamodb.put_item(
        TableName=table, Item=items.key(user.sub) | {"profile_data": {"M": {"name": {"S": "Ada"}}}}
    )
    read = api.get(user)
    assert read.json() == {
        "pk": "USERS#ALL",
        "sk": f"USER#{user.sub}",
        "profile_data": {"name": "Ada"},
    }
    assert read.headers["ETag"] == api.get(user).headers["ETag"]
    assert api.post(user, '{"name": "Grace"}').json()["profile_data"] == {"name": "Grace"}


def test_an_item_with_values_that_are_not_json_is_served(
    api: Api, table: str, dynamodb: "DynamoDBClient", new_user: Callable[[], User]
) -> None:
    user = new_user()
    by_hand = {
        "M": {"photo": {"B": b"\x00\xff"}, "tags": {"SS": ["a"]}, "ratings": {"NS": ["1.5"]}}
    }
    dynamodb.put_item(TableName=table, Item=items.key(user.sub) | {"profile_data": by_hand})
    expected = {"photo": "AP8=", "tags": ["a"], "ratings": [Decimal("1.5")]}
    assert api.get(user).json()["profile_data"] == expected


@pytest.mark.parametrize("method", METHODS)
def test_the_preflight_lets_a_browser_send_what_the_api_takes(api: Api, method: str) -> None:
    asked = [("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", method)]
    answer = api("OPTIONS", headers=asked)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert set(answer.headers["Access-Control-Allow-Methods"].split(",")) == {*METHODS, "OPTIONS"}
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(","))
    assert {"Authorization", "Content-Type", "If-Match", "If-None-Match"} <= allowed
    assert answer.headers["Access-Control-Max-Age"] == "600"


def test_several_requests_go_over_one_connection(api: Api, ada: User) -> None:
    import http.client  # noqa: PLC0415

    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    for method in ("HEAD", "GET", "DELETE", "GET", "OPTIONS", "GET"):
        connection.request(method, "/user/profile", headers={"Authorization": ada.id_token})
        response = connection.getresponse()
        response.read()
        connection.auto_open = 0
        assert response.status in (200, 204, 404, 405)
    connection.close()
