"""The store without a database: its requests, and its errors.

The requests are compared, because the emulator does not show every difference. For example, its
reads are always consistent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from chalicelib import items
from chalicelib.dynamodb import ConditionFailed
from chalicelib.errors import (
    InvalidProfile,
    PreconditionFailed,
    ProfileNotFound,
    ProfileTooLarge,
    StoreUnavailable,
)
from chalicelib.metadata import check_metadata
from chalicelib.preconditions import Precondition
from chalicelib.store import (
    MAX_LIST_SECONDS,
    MAX_WRITE_ATTEMPTS,
    READ_LIMIT,
    MetadataStore,
    ProfileStore,
    new_revision,
    random_pause,
    utc_now,
)
from tests.support.store import RecordingClient

KEY = {"pk": {"S": "USERS#ALL"}, "sk": {"S": "USER#5f0c"}}
STORED = KEY | {"profile_data": {"M": {}}, "revision": {"S": "r0"}}
IF_R0 = Precondition(if_match=frozenset({"r0"}))


class OneItem:
    """A DynamoDB client with one item, whose conditions always hold."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": STORED}

    def update_item(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": STORED}

    def delete_item(self, **_: Any) -> dict[str, Any]:
        return {}


class Failing:
    """A DynamoDB client whose every call raises the same exception."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def _fail(self, **_: Any) -> None:
        raise self._error

    get_item = update_item = delete_item = _fail


def store_with(client: Any) -> ProfileStore:
    return ProfileStore(client, "profiles", clock=lambda: "t1", revisions=lambda: "r1")


CALLS: dict[str, Callable[[ProfileStore], object]] = {
    "get": lambda store: store.get("5f0c"),
    "replace": lambda store: store.replace("5f0c", {"a": 1}, IF_R0),
    "patch": lambda store: store.patch("5f0c", {"a": 1}, IF_R0),
    "delete": lambda store: store.delete("5f0c", IF_R0),
}


def requests_of(call: Callable[[ProfileStore], object]) -> list[tuple[str, dict[str, Any]]]:
    client = RecordingClient(OneItem())
    call(store_with(client))
    return client.calls


READ = ("get_item", {"TableName": "profiles", "Key": KEY, "ConsistentRead": True})
"""Consistent: a user must see what they have just saved."""


def test_a_read_is_consistent() -> None:
    assert requests_of(CALLS["get"]) == [READ]


def update(condition: str, name: str) -> tuple[str, dict[str, Any]]:
    arguments = {
        "TableName": "profiles",
        "Key": KEY,
        "UpdateExpression": (
            "SET profile_data = :profile_data, revision = :revision, updated_at = :now, "
            "created_at = if_not_exists(created_at, :now)"
        ),
        "ExpressionAttributeValues": {
            ":profile_data": {"M": {"a": {"N": "1"}}},
            ":revision": {"S": "r1"},
            ":now": {"S": "t1"},
            name: {"S": "r0"},
        },
        "ReturnValues": "ALL_NEW",
        "ConditionExpression": f"{condition} AND attribute_not_exists(erased_at)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return ("update_item", arguments)


def test_a_replacement_is_one_conditional_update() -> None:
    assert requests_of(CALLS["replace"]) == [update("revision IN (:tag0)", ":tag0")]


def test_a_patch_is_a_consistent_read_and_an_update() -> None:
    assert requests_of(CALLS["patch"]) == [READ, update("revision = :seen", ":seen")]


def test_a_delete_is_one_conditional_delete() -> None:
    arguments = {
        "TableName": "profiles",
        "Key": KEY,
        "ExpressionAttributeValues": {":tag0": {"S": "r0"}},
        "ConditionExpression": "revision IN (:tag0) AND attribute_not_exists(erased_at)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    assert requests_of(CALLS["delete"]) == [("delete_item", arguments)]


def test_without_a_precondition_only_erasure_is_a_condition() -> None:
    for write in (lambda store: store.replace("5f0c", {}), lambda store: store.delete("5f0c")):
        ((_, arguments),) = requests_of(write)
        assert arguments["ConditionExpression"] == "attribute_not_exists(erased_at)"


def test_warming_up_reads_nobodys_profile() -> None:
    ((operation, arguments),) = requests_of(ProfileStore.warm_up)
    assert operation == "get_item"
    assert arguments["Key"]["sk"] == {"S": "USER#nobody"}


def test_an_empty_response_means_no_profile() -> None:
    class Empty(OneItem):
        def get_item(self, **_: Any) -> dict[str, Any]:
            return {}

    with pytest.raises(ProfileNotFound):
        store_with(Empty()).get("5f0c")


def test_a_bad_patch_is_reported_before_a_failed_precondition() -> None:
    with pytest.raises(InvalidProfile):
        store_with(OneItem()).patch("5f0c", [], Precondition(if_match=frozenset({"other"})))


# --- Errors ---------------------------------------------------------------------------------------


def client_error(code: str, status: int = 400, message: str = "no") -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(response, "UpdateItem")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("ThrottlingException"),
        client_error("RequestLimitExceeded"),
        client_error("TransactionConflictException"),
        client_error("TransactionInProgressException"),
        client_error("ReplicatedWriteConflictException"),
        client_error("InternalServerError", 500),
        client_error("ServiceUnavailable", 503),
        EndpointConnectionError(endpoint_url="http://127.0.0.1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_busy_or_silent_database_is_unavailable(call: str, error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        CALLS[call](store_with(Failing(error)))
    assert caught.value.__cause__ is error


def test_a_conflict_does_not_show_the_item_it_met() -> None:
    conflict = ConditionFailed({"profile_data": {"S": "secret"}}, outcome_unknown=False)
    assert "secret" not in repr(conflict)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "AccessDeniedException", "ValidationException"]
)
def test_a_deployment_mistake_stays_botocores_error(call: str, code: str) -> None:
    with pytest.raises(ClientError):
        CALLS[call](store_with(Failing(client_error(code, message="something else"))))


@pytest.mark.parametrize(
    "message",
    [
        "Item size has exceeded the maximum allowed size",
        "Item size to update has exceeded the maximum allowed size",
    ],
)
def test_the_databases_own_size_limit_is_recognized(message: str) -> None:
    error = client_error("ValidationException", message=message)
    with pytest.raises(ProfileTooLarge):
        store_with(Failing(error)).replace("5f0c", {})


@pytest.mark.parametrize(
    "message",
    [
        "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size;",
        "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
    ],
)
def test_other_size_limits_are_deployment_mistakes(message: str) -> None:
    error = client_error("ValidationException", message=message)
    with pytest.raises(ClientError):
        store_with(Failing(error)).replace("5f0c", {})


def conflict() -> ClientError:
    error = client_error("ConditionalCheckFailedException")
    error.response["Item"] = STORED  # type: ignore[typeddict-unknown-key]
    return error


class SlowConflicts:
    """A DynamoDB client whose writes always conflict, with a clock that its calls advance."""

    def __init__(self, read_seconds: float, write_seconds: float) -> None:
        self._read_seconds = read_seconds
        self._write_seconds = write_seconds
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def pause(self, _: int) -> None:
        self.seconds += LONGEST_PAUSE_SECONDS

    def get_item(self, **_: Any) -> dict[str, Any]:
        self.seconds += self._read_seconds
        return {"Item": STORED}

    def _write(self, **_: Any) -> None:
        self.seconds += self._write_seconds
        raise conflict()

    update_item = delete_item = _write


LONGEST_PAUSE_SECONDS = 1.0
LONGEST_CALL_SECONDS = 7.0
"""See dynamodb.CLIENT_CONFIG."""


@pytest.mark.parametrize("call", ["replace", "patch", "delete"])
@pytest.mark.parametrize("read_seconds", [0.1, 2.0, LONGEST_CALL_SECONDS])
@pytest.mark.parametrize("write_seconds", [0.1, 0.7, 4.9, LONGEST_CALL_SECONDS])
def test_a_request_with_conflicts_ends_within_14_seconds(
    monkeypatch: pytest.MonkeyPatch, call: str, read_seconds: float, write_seconds: float
) -> None:
    client = SlowConflicts(read_seconds, write_seconds)
    monkeypatch.setattr(time, "monotonic", client.monotonic)
    any_client: Any = client
    store = ProfileStore(any_client, "profiles", pause=client.pause)
    with pytest.raises(StoreUnavailable):
        CALLS[call](store)
    assert client.seconds <= 14


def test_after_the_last_conflict_the_precondition_is_checked() -> None:
    """The profile may no longer exist, so a retry would not help."""
    gone = client_error("ConditionalCheckFailedException")
    with pytest.raises(PreconditionFailed):
        store_with(Failing(gone)).replace("5f0c", {}, IF_R0)


def test_a_revision_has_128_random_bits() -> None:
    assert re.fullmatch(r"[\w-]{22}", new_revision())
    assert new_revision() != new_revision()


def test_times_are_utc_with_microseconds() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", utc_now())


def test_pauses_double_up_to_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    for attempt in range(1, MAX_WRITE_ATTEMPTS):
        random_pause(attempt)
    assert slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert set(slept[4:]) == {1.0}


# --- metadata -------------------------------------------------------------------------------------


def test_a_user_reads_app_metadata_only_and_consistently() -> None:
    """private_metadata does not leave the database."""
    client = RecordingClient(OneItem())
    MetadataStore.beside(store_with(client)).get_app_metadata("5f0c")
    arguments = {
        "TableName": "profiles",
        "Key": {"pk": {"S": "USER#5f0c"}, "sk": {"S": "METADATA#5f0c"}},
        "ProjectionExpression": "app_metadata, erased_at",
        "ConsistentRead": True,
    }
    assert client.calls == [("get_item", arguments)]


def test_metadata_has_the_limit_and_the_clock_of_profiles() -> None:
    profiles = replace(store_with(RecordingClient(OneItem())), max_bytes=100)
    metadata = MetadataStore.beside(profiles)
    assert metadata.max_bytes == 100
    assert metadata.check is check_metadata
    assert (metadata.clock, metadata.revisions) == (profiles.clock, profiles.revisions)


# --- the list -------------------------------------------------------------------------------------


class ForeignItems:
    """A client for a table in which no item belongs to a user. Its reads take seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.limits: list[int] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def query(self, **arguments: Any) -> dict[str, Any]:
        self.now += self.seconds
        self.limits.append(arguments["Limit"])
        key = items.profile_key("zoe")
        return {"Items": [key], "LastEvaluatedKey": key}


def test_a_list_without_users_ends_before_the_functions_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = ForeignItems(monkeypatch, seconds=1)
    with pytest.raises(StoreUnavailable):
        store_with(client).list_after(None, 1)
    assert client.now <= MAX_LIST_SECONDS + 1
    assert client.limits[0] == 1
    assert set(client.limits[1:]) == {READ_LIMIT}, "what is skipped is read in large parts"
