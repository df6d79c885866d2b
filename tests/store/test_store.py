"""The contract of the DynamoDB access layer, on a real DynamoDB API.

It runs against the local cloud's, or any other that STORE_TEST_ENDPOINT names (with the shell's credentials and
region): DynamoDB Local, or AWS itself ("https://dynamodb.eu-west-1.amazonaws.com"). There it makes a table of its own
and deletes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings

from chalicelib import items
from chalicelib.errors import InvalidProfile, ProfileNotFound, ProfileTooLarge, StoreUnavailable
from chalicelib.profile import JSON, MAX_BYTES
from chalicelib.store import CLIENT_CONFIG, ProfileStore
from tests.conftest import Cloud
from tests.unit.test_items import exactly, values
from tests.unit.test_profile import nested

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENDPOINT = os.environ.get("STORE_TEST_ENDPOINT")
SHELL = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    if ENDPOINT is None:
        yield request.getfixturevalue("dynamodb")
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in SHELL.items():
            patch.setenv(name, value)
        yield boto3.client("dynamodb", endpoint_url=ENDPOINT, config=CLIENT_CONFIG)


@pytest.fixture(scope="module")
def table(client: DynamoDBClient, request: pytest.FixtureRequest) -> Iterator[str]:
    if ENDPOINT is None:
        yield request.getfixturevalue("cloud").outputs["TableName"]
        return
    name = f"user-profile-test-{uuid.uuid4().hex[:12]}"
    client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name)
    yield name
    client.delete_table(TableName=name)


@pytest.fixture
def ticking() -> Callable[[], str]:
    count = iter(range(1, 100))
    return lambda: f"t{next(count)}"


@pytest.fixture
def counting() -> Callable[[], str]:
    count = iter(range(1, 100))
    return lambda: f"r{next(count)}"


@pytest.fixture
def store(client: DynamoDBClient, table: str, ticking: Callable[[], str], counting: Callable[[], str]) -> ProfileStore:
    return ProfileStore(client, table, clock=ticking, revisions=counting)


@pytest.fixture
def sub() -> str:
    return str(uuid.uuid4())


def stored(store: ProfileStore, sub: str) -> Mapping[str, Any]:
    return store.client.get_item(TableName=store.table, Key=items.key(sub), ConsistentRead=True).get("Item", {})


def write_by_hand(store: ProfileStore, sub: str, **attributes: Any) -> None:
    store.client.put_item(TableName=store.table, Item=items.key(sub) | attributes)


def test_nothing_is_found_where_nothing_was_stored(store: ProfileStore, sub: str) -> None:
    with pytest.raises(ProfileNotFound):
        store.get(sub)


def test_a_new_profile_is_stored_in_the_examples_layout(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"name": "Ada"})
    assert stored(store, sub) == {
        "pk": {"S": "USERS#ALL"},
        "sk": {"S": f"USER#{sub}"},
        "profile_data": {"M": {"name": {"S": "Ada"}}},
        "revision": {"S": "r1"},
        "created_at": {"S": "t1"},
        "updated_at": {"S": "t1"},
    }


def test_a_write_returns_what_a_read_returns(store: ProfileStore, sub: str) -> None:
    data: JSON = {"n": [1, Decimal("1.0"), Decimal("1E+5"), Decimal("0.10")], "s": "", "o": {}, "a": []}
    written = store.replace(sub, data)
    assert written == store.get(sub)
    assert written.data == data


def test_replacing_takes_all_of_the_new_and_none_of_the_old(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"a": 1, "b": {"c": 2}})
    profile = store.replace(sub, {"b": {"d": 3}})
    assert profile.data == {"b": {"d": 3}}
    assert (profile.revision, profile.created_at, profile.updated_at) == ("r2", "t1", "t2")


def test_each_write_gets_a_revision_of_its_own_even_with_the_same_data(
    client: DynamoDBClient, table: str, sub: str
) -> None:
    store = ProfileStore(client, table)
    assert len({store.replace(sub, {}).revision for _ in range(5)}) == 5


def test_users_do_not_see_each_other(store: ProfileStore, sub: str) -> None:
    other = sub[:-1]
    store.replace(sub, {"whose": "mine"})
    with pytest.raises(ProfileNotFound):
        store.get(other)
    store.replace(other, {"whose": "theirs"})
    assert store.get(sub).data == {"whose": "mine"}


def test_an_item_of_the_example_is_read_and_replaced(store: ProfileStore, sub: str) -> None:
    write_by_hand(store, sub, profile_data={"M": {"name": {"S": "Ada"}}})
    profile = store.get(sub)
    assert (profile.data, profile.created_at, profile.updated_at) == ({"name": "Ada"}, None, None)
    assert profile.revision == store.get(sub).revision
    replaced = store.replace(sub, {"name": "Grace"})
    assert replaced == store.get(sub)
    assert replaced.revision != profile.revision


def test_an_item_with_values_that_are_not_json_is_read_and_replaced(store: ProfileStore, sub: str) -> None:
    write_by_hand(store, sub, profile_data={"M": {"b": {"B": b"\x00\xff"}, "s": {"SS": ["a"]}}}, hand={"NS": ["1"]})
    assert store.get(sub).data == {"b": "AP8=", "s": ["a"]}
    assert store.replace(sub, {}).data == {}
    assert stored(store, sub)["hand"] == {"NS": ["1"]}, "attributes of other writers stay"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_any_json_comes_back_equal(client: DynamoDBClient, table: str, value: JSON) -> None:
    store = ProfileStore(client, table)
    assert store.replace("anybody", {"value": value}).data == {"value": value}
    assert exactly(store.get("anybody").data) == exactly({"value": value})


def test_the_deepest_and_the_largest_that_pass_the_limits_are_stored(store: ProfileStore, sub: str) -> None:
    deepest = nested(31)
    assert store.replace(sub, deepest).data == deepest
    largest: JSON = {"text": "x" * (MAX_BYTES - 8)}
    assert store.replace(sub, largest).data == largest
    assert store.replace(sub, {"n": [10**125, Decimal("1E-130")]}).data == {"n": [10**125, Decimal("1E-130")]}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ([], InvalidProfile),
        ({"": 1}, InvalidProfile),
        (nested(32), InvalidProfile),
        ({"n": 10**126}, InvalidProfile),
        ({"text": "x" * (MAX_BYTES - 7)}, ProfileTooLarge),
    ],
)
def test_a_refused_write_changes_nothing(store: ProfileStore, sub: str, data: JSON, error: type[Exception]) -> None:
    store.replace(sub, {"kept": True})
    before = stored(store, sub)
    with pytest.raises(error):
        store.replace(sub, data)
    assert stored(store, sub) == before


def test_the_databases_own_limit_is_answered_the_same(store: ProfileStore, sub: str) -> None:
    """Somebody else's attributes count as well; only the database knows them."""
    write_by_hand(store, sub, profile_data={"M": {}}, theirs={"S": "x" * 300_000})
    with pytest.raises(ProfileTooLarge):
        store.replace(sub, {"text": "x" * 200_000})
    assert store.get(sub).data == {}


@pytest.mark.skipif(ENDPOINT is not None, reason="this is the run that it makes")
def test_the_contract_runs_against_any_endpoint(cloud: Cloud) -> None:
    shell = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "eu-west-1"}
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))}
    endpoint = {"STORE_TEST_ENDPOINT": f"http://127.0.0.1:{cloud.port}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider", __file__, "-k", "layout or example"],
        env=bare | shell | endpoint, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "user-profile-test-" not in str(boto3.client("dynamodb", region_name="eu-west-1").list_tables())


# --- when the database does not do what it is asked -------------------------------------------------------------------


class Refusing:
    """A DynamoDB client that answers each call with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def _refuse(self, **_: object) -> None:
        raise self._error

    get_item = update_item = _refuse


def aws_error(code: str, status: int, message: str = "no") -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "UpdateItem")


def refusing(error: Exception) -> ProfileStore:
    client: Any = Refusing(error)
    return ProfileStore(client, "table")


@pytest.mark.parametrize(
    "error",
    [
        aws_error("ProvisionedThroughputExceededException", 400),
        aws_error("ThrottlingException", 400),
        aws_error("RequestLimitExceeded", 400),
        aws_error("InternalServerError", 500),
        aws_error("ServiceUnavailable", 503),
    ],
)
def test_a_busy_database_is_told_as_such(error: ClientError) -> None:
    store = refusing(error)
    with pytest.raises(StoreUnavailable):
        store.get("anybody")
    with pytest.raises(StoreUnavailable):
        store.replace("anybody", {})


def test_a_database_that_cannot_be_reached_is_told_as_such(store: ProfileStore) -> None:
    once = CLIENT_CONFIG.merge(Config(retries={"total_max_attempts": 1}))
    nowhere = boto3.client(
        "dynamodb",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=once,
    )
    with pytest.raises(StoreUnavailable):
        replace(store, client=nowhere).get("anybody")


@pytest.mark.parametrize(
    "error",
    [
        aws_error("ResourceNotFoundException", 400),
        aws_error("AccessDeniedException", 400),
        aws_error("ValidationException", 400, "something else"),
    ],
)
def test_a_deployment_mistake_is_not_blamed_on_the_caller(error: ClientError) -> None:
    with pytest.raises(ClientError):
        refusing(error).replace("anybody", {})


def test_the_worst_case_ends_inside_the_functions_timeout() -> None:
    """Every try times out, with the longest pauses of botocore's standard mode: up to 1 s, then up to 2 s."""
    options: Any = CLIENT_CONFIG
    tries = options.retries["total_max_attempts"]
    worst = tries * (options.connect_timeout + options.read_timeout) + sum(2**n for n in range(tries - 1))
    assert worst <= 12
