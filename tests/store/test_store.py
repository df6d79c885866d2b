"""The contract of the DynamoDB access layer, on a real DynamoDB API.

It runs against the local cloud's, or any other that STORE_TEST_ENDPOINT names (with the shell's credentials and
region): DynamoDB Local, or AWS itself ("https://dynamodb.eu-west-1.amazonaws.com"). There it makes a table of its own
and deletes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings

from chalicelib import items
from chalicelib.errors import (
    InvalidProfile,
    PreconditionFailed,
    PreconditionRequired,
    ProfileNotFound,
    ProfileTooLarge,
    StoreUnavailable,
)
from chalicelib.profile import JSON, MAX_BYTES, Precondition
from chalicelib.store import CLIENT_CONFIG, TRIES, ProfileStore, pause
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
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
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
def store(
    client: DynamoDBClient, table: str, ticking: Callable[[], str], counting: Callable[[], str]
) -> ProfileStore:
    return ProfileStore(client, table, clock=ticking, revisions=counting)


@pytest.fixture
def sub() -> str:
    return str(uuid.uuid4())


def item_of(store: ProfileStore, sub: str) -> Mapping[str, Any]:
    return store.client.get_item(
        TableName=store.table, Key=items.key(sub), ConsistentRead=True
    ).get("Item", {})


def write_by_hand(store: ProfileStore, sub: str, **attributes: Any) -> None:
    store.client.put_item(TableName=store.table, Item=items.key(sub) | attributes)


def test_nothing_is_found_where_nothing_was_stored(store: ProfileStore, sub: str) -> None:
    with pytest.raises(ProfileNotFound):
        store.get(sub)


def test_a_new_profile_is_stored_in_the_examples_layout(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"name": "Ada"})
    assert item_of(store, sub) == {
        "pk": {"S": "USERS#ALL"},
        "sk": {"S": f"USER#{sub}"},
        "profile_data": {"M": {"name": {"S": "Ada"}}},
        "revision": {"S": "r1"},
        "created_at": {"S": "t1"},
        "updated_at": {"S": "t1"},
    }


def test_a_write_returns_what_a_read_returns(store: ProfileStore, sub: str) -> None:
    data: JSON = {
        "n": [1, Decimal("1.0"), Decimal("1E+5"), Decimal("0.10")],
        "s": "",
        "o": {},
        "a": [],
    }
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


def test_an_item_with_values_that_are_not_json_is_read_and_replaced(
    store: ProfileStore, sub: str
) -> None:
    write_by_hand(
        store,
        sub,
        profile_data={"M": {"b": {"B": b"\x00\xff"}, "s": {"SS": ["a"]}}},
        hand={"NS": ["1"]},
    )
    assert store.get(sub).data == {"b": "AP8=", "s": ["a"]}
    assert store.replace(sub, {}).data == {}
    assert item_of(store, sub)["hand"] == {"NS": ["1"]}, "attributes of other writers stay"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_any_json_comes_back_equal(client: DynamoDBClient, table: str, value: JSON) -> None:
    store = ProfileStore(client, table)
    assert store.replace("anybody", {"value": value}).data == {"value": value}
    assert exactly(store.get("anybody").data) == exactly({"value": value})


def test_the_deepest_and_the_largest_that_pass_the_limits_are_stored(
    store: ProfileStore, sub: str
) -> None:
    deepest = nested(31)
    assert store.replace(sub, deepest).data == deepest
    largest: JSON = {"text": "x" * (MAX_BYTES - 8)}
    assert store.replace(sub, largest).data == largest
    assert store.replace(sub, {"n": [10**125, Decimal("1E-130")]}).data == {
        "n": [10**125, Decimal("1E-130")]
    }


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
def test_a_refused_write_changes_nothing(
    store: ProfileStore, sub: str, data: JSON, error: type[Exception]
) -> None:
    store.replace(sub, {"kept": True})
    before = item_of(store, sub)
    with pytest.raises(error):
        store.replace(sub, data)
    assert item_of(store, sub) == before


def test_the_databases_own_limit_is_answered_the_same(store: ProfileStore, sub: str) -> None:
    """Somebody else's attributes count as well; only the database knows them."""
    write_by_hand(store, sub, profile_data={"M": {}}, theirs={"S": "x" * 300_000})
    with pytest.raises(ProfileTooLarge):
        store.replace(sub, {"text": "x" * 200_000})
    assert store.get(sub).data == {}


@pytest.mark.skipif(ENDPOINT is not None, reason="this is the run that it makes")
def test_the_contract_runs_against_any_endpoint(cloud: Cloud) -> None:
    shell = {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    bare = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))
    }
    endpoint = {"STORE_TEST_ENDPOINT": f"http://127.0.0.1:{cloud.port}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider", __file__, "-k", "layout or example"],
        env=bare | shell | endpoint, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "user-profile-test-" not in str(
        boto3.client("dynamodb", region_name="eu-west-1").list_tables()
    )


# --- preconditions ----------------------------------------------------------------------------------------------------


def tags(*revisions: str) -> frozenset[str]:
    return frozenset(revisions)


class Counting:
    """A DynamoDB client that notes which calls are made."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self._client, name)


CHANGES: dict[str, Callable[[ProfileStore, str, Precondition], object]] = {
    "replace": lambda store, sub, condition: store.replace(sub, {"new": True}, condition),
    "patch": lambda store, sub, condition: store.patch(sub, {"new": True}, condition),
    "delete": lambda store, sub, condition: store.delete(sub, condition),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("condition", "stored", "holds"),
    [
        (Precondition(match=tags("r1")), True, True),
        (Precondition(match=tags("r0", "r1")), True, True),
        (Precondition(match=tags("r0")), True, False),
        (Precondition(match=tags()), True, False),
        (Precondition(match=tags("r1")), False, False),
        (Precondition(match=Precondition.ANY), True, True),
        (Precondition(match=Precondition.ANY), False, False),
        (Precondition(none_match=Precondition.ANY), True, False),
        (Precondition(none_match=Precondition.ANY), False, True),
        (Precondition(none_match=tags("r1")), True, False),
        (Precondition(none_match=tags("r0")), True, True),
        (Precondition(none_match=tags("r1")), False, True),
        (Precondition(tags("r1"), tags("r0")), True, True),
        (Precondition(tags("r1"), tags("r1")), True, False),
        (Precondition(Precondition.ANY, tags("r1")), True, False),
        (Precondition(Precondition.ANY, tags("r0")), False, False),
        (Precondition(match=tags("r1"), required=True), True, True),
        (Precondition(match=Precondition.ANY, required=True), True, True),
        (Precondition(required=True), False, True),
    ],
)
def test_a_change_is_made_just_when_its_condition_holds(
    store: ProfileStore,
    sub: str,
    change: str,
    condition: Precondition,
    *,
    stored: bool,
    holds: bool,
) -> None:
    if stored:
        store.replace(sub, {"old": True})
    before = item_of(store, sub)
    if holds:
        CHANGES[change](store, sub, condition)
        after = item_of(store, sub)
        assert after.get("revision", {}) != before.get("revision", {"S": "none"})
        assert bool(after) == (change != "delete")
        return
    with pytest.raises(PreconditionFailed) as caught:
        CHANGES[change](store, sub, condition)
    assert caught.value.revision == ("r1" if stored else None)
    assert item_of(store, sub) == before


@pytest.mark.parametrize("change", CHANGES)
def test_where_conditions_are_required_an_existing_profile_is_not_changed_without_one(
    store: ProfileStore, sub: str, change: str
) -> None:
    store.replace(sub, {"old": True})
    with pytest.raises(PreconditionRequired):
        CHANGES[change](store, sub, Precondition(required=True))
    assert store.get(sub).data == {"old": True}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("header", ["match", "none_match"])
def test_conditions_work_on_an_item_of_the_example_too(
    store: ProfileStore, sub: str, change: str, header: str
) -> None:
    write_by_hand(store, sub, profile_data={"M": {"name": {"S": "Ada"}}})
    content = store.get(sub).revision
    for revision in (content, "r0"):
        condition = (
            Precondition(tags(revision))
            if header == "match"
            else Precondition(none_match=tags(revision))
        )
        if (revision == content) == (header == "match"):
            CHANGES[change](store, sub, condition)
            break
        with pytest.raises(PreconditionFailed):
            CHANGES[change](store, sub, condition)
    else:
        pytest.fail("no condition held")
    assert item_of(store, sub).get("profile_data") != {"M": {"name": {"S": "Ada"}}}


@pytest.mark.parametrize(
    ("change", "condition", "calls"),
    [
        ("replace", Precondition(), ["update_item"]),
        ("replace", Precondition(match=tags("r1")), ["update_item"]),
        ("replace", Precondition(match=tags("r0")), ["update_item"]),
        ("replace", Precondition(none_match=Precondition.ANY), ["update_item"]),
        ("delete", Precondition(), ["delete_item"]),
        ("delete", Precondition(match=tags("r0")), ["delete_item"]),
        ("patch", Precondition(), ["get_item", "update_item"]),
        ("patch", Precondition(match=tags("r0")), ["get_item"]),
    ],
)
def test_a_condition_costs_no_call_of_its_own(
    store: ProfileStore, sub: str, change: str, condition: Precondition, calls: list[str]
) -> None:
    store.replace(sub, {"old": True})
    counting: Any = Counting(store.client)
    with suppress(PreconditionFailed):
        CHANGES[change](replace(store, client=counting), sub, condition)
    assert counting.calls == calls


def test_a_revision_never_comes_back(client: DynamoDBClient, table: str, sub: str) -> None:
    store = ProfileStore(client, table)
    seen = set()
    for _ in range(3):
        seen.add(store.replace(sub, {}).revision)
        seen.add(store.patch(sub, {"a": len(seen)}).revision)
        store.delete(sub)
    assert len(seen) == 6


# --- delete and patch -------------------------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {})
    for _ in range(2):
        store.delete(sub)
        with pytest.raises(ProfileNotFound):
            store.get(sub)


def test_a_patch_merges_deeply(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"a": {"b": 1, "c": 2}, "d": [1, 2], "e": "x"})
    patched = store.patch(sub, {"a": {"c": None, "f": Decimal("0.1")}, "d": [3], "e": None})
    assert patched.data == {"a": {"b": 1, "f": Decimal("0.1")}, "d": [3]}
    assert patched == store.get(sub)
    assert (patched.created_at, patched.updated_at, patched.revision) == ("t1", "t2", "r2")


def test_a_patch_of_nothing_creates(store: ProfileStore, sub: str) -> None:
    assert store.patch(sub, {"a": {"b": None, "c": 1}}).data == {"a": {"c": 1}}


@pytest.mark.parametrize(
    "patch",
    [{}, {"a": 1}, {"x": None}, {"n": Decimal("1E+5")}, {"o": {}}, {"n": Decimal("100000.0")}],
)
def test_a_patch_that_changes_nothing_writes_nothing(
    store: ProfileStore, sub: str, patch: JSON
) -> None:
    before = store.replace(sub, {"a": 1, "n": 100_000, "o": {"p": [Decimal("0.5")]}})
    counting: Any = Counting(store.client)
    assert replace(store, client=counting).patch(sub, patch) == before
    assert counting.calls == ["get_item"]


@pytest.mark.parametrize("patch", [{"a": True}, {"a": "1"}, {"a": [1]}, {"b": False}])
def test_a_patch_that_changes_a_type_is_a_change(
    store: ProfileStore, sub: str, patch: JSON
) -> None:
    before = store.replace(sub, {"a": 1, "b": 0})
    assert store.patch(sub, patch).revision != before.revision


@pytest.mark.parametrize("patch", [[], None, "x", 1, {"a": {"": 1}}, {"n": 10**126}, nested(32)])
def test_a_patch_obeys_the_limits_and_what_is_refused_changes_nothing(
    store: ProfileStore, sub: str, patch: JSON
) -> None:
    before = store.replace(sub, {"kept": True})
    with pytest.raises(InvalidProfile):
        store.patch(sub, patch)
    assert store.get(sub) == before


def test_patches_that_fit_alone_may_be_too_large_together(store: ProfileStore, sub: str) -> None:
    before = store.patch(sub, {"a": "x" * 300_000})
    with pytest.raises(ProfileTooLarge):
        store.patch(sub, {"b": "x" * 300_000})
    assert store.get(sub) == before


@pytest.mark.parametrize("meanwhile", ["patch", "replace", "delete", "create"])
def test_a_patch_that_is_overtaken_is_made_over_what_the_other_left(
    client: DynamoDBClient, table: str, sub: str, meanwhile: str
) -> None:
    other = ProfileStore(client, table)
    if meanwhile != "create":
        other.replace(sub, {"old": True})
    overtake: dict[str, Callable[[], object]] = {
        "patch": lambda: other.patch(sub, {"theirs": 1}),
        "replace": lambda: other.replace(sub, {"theirs": 1}),
        "delete": lambda: other.delete(sub),
        "create": lambda: other.replace(sub, {"theirs": 1}),
    }
    left = {
        "patch": {"old": True, "theirs": 1}, "replace": {"theirs": 1}, "delete": {}, "create": {"theirs": 1},
    }  # fmt: skip
    pending = [overtake[meanwhile]]

    def clock() -> str:  # asked just before the write: the moment at which to be overtaken
        if pending:
            pending.pop()()
        return "now"

    assert ProfileStore(client, table, clock=clock).patch(sub, {"mine": 2}).data == left[
        meanwhile
    ] | {"mine": 2}


def test_a_patch_that_is_always_overtaken_gives_up_and_changes_nothing(
    client: DynamoDBClient, table: str, sub: str
) -> None:
    other, pauses = ProfileStore(client, table), list[int]()
    count = iter(range(1000))

    def clock() -> str:
        other.replace(sub, {"theirs": next(count)})
        return "now"

    busy = ProfileStore(client, table, clock=clock, pause=pauses.append)
    with pytest.raises(StoreUnavailable):
        busy.patch(sub, {"mine": 1})
    assert "mine" not in dict(other.get(sub).data)  # type: ignore[arg-type]
    assert pauses == list(range(1, TRIES))


def test_a_patch_under_a_condition_that_is_overtaken_is_refused(
    client: DynamoDBClient, table: str, sub: str
) -> None:
    other = ProfileStore(client, table)
    seen = other.replace(sub, {}).revision

    def clock() -> str:
        other.replace(sub, {"theirs": 1})
        return "now"

    with pytest.raises(PreconditionFailed):
        ProfileStore(client, table, clock=clock).patch(
            sub, {"mine": 1}, Precondition(match=tags(seen))
        )
    assert other.get(sub).data == {"theirs": 1}


@pytest.mark.parametrize("attributes", [{}, {"profile_data": {"M": {"a": {"N": "1"}}}}])
def test_an_item_without_a_revision_that_is_deleted_meanwhile_is_not_brought_back(
    client: DynamoDBClient, table: str, sub: str, attributes: dict[str, Any]
) -> None:
    other = ProfileStore(client, table)
    write_by_hand(other, sub, **attributes)

    def clock() -> str:
        other.delete(sub)
        return "now"

    with pytest.raises(PreconditionFailed):
        ProfileStore(client, table, clock=clock).patch(
            sub, {"x": 1}, Precondition(match=Precondition.ANY)
        )
    with pytest.raises(ProfileNotFound):
        other.get(sub)


def test_an_empty_revision_written_by_hand_matches_no_tag(store: ProfileStore, sub: str) -> None:
    write_by_hand(store, sub, profile_data={"M": {}}, revision={"S": ""})
    for condition in (Precondition(match=tags()), Precondition(match=tags(""))):
        with pytest.raises(PreconditionFailed):
            store.replace(sub, {"x": 1}, condition)


def test_a_patch_that_changes_nothing_is_no_write_even_where_the_data_would_be_refused(
    store: ProfileStore, sub: str
) -> None:
    write_by_hand(store, sub, profile_data={"M": {"": {"S": "by hand"}}})
    assert store.patch(sub, {}).data == {"": "by hand"}
    with pytest.raises(InvalidProfile):
        store.patch(sub, {"a": 1})


def test_pauses_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    longest = [min(1, 0.05 * 2**attempt) for attempt in range(1, TRIES)]
    for attempt in range(1, TRIES):
        pause(attempt)
    assert all(0 <= seconds <= most for seconds, most in zip(slept, longest, strict=True))


# --- when the database does not do what it is asked -------------------------------------------------------------------


class Refusing:
    """A DynamoDB client that answers each call with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def _refuse(self, **_: object) -> None:
        raise self._error

    get_item = update_item = delete_item = _refuse


def aws_error(code: str, status: int, message: str = "no") -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "UpdateItem"
    )


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
    with pytest.raises(StoreUnavailable):
        store.patch("anybody", {})
    with pytest.raises(StoreUnavailable):
        store.delete("anybody")


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
