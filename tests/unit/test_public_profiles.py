"""Public profiles without a database: the query, the calls of DynamoDB, and partial results."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import items
from chalicelib.errors import MalformedQuery, ProfileNotFound, StoreUnavailable
from chalicelib.items import Item
from chalicelib.public_profiles import MAX_READ_SECONDS, PublicProfileStore, requested_subs
from tests.support.store import RecordingClient

SUBS = [f"5f0c7a1e-0000-4000-8000-0000000000{number:02}" for number in range(26)]
PROJECTION = {
    "ProjectionExpression": "sk, erased_at, profile_data.#f0, profile_data.#f1",
    "ExpressionAttributeNames": {"#f0": "name", "#f1": "a.b"},
}


# --- the query ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 25])
def test_up_to_25_users_are_read_in_the_order_asked(count: int) -> None:
    subs = SUBS[:count][::-1]
    assert requested_subs({"sub": subs}) == subs


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"sub": []},
        {"sub": SUBS[:26]},
        {"sub": [SUBS[0], SUBS[1], SUBS[0]]},
        {"sub": [SUBS[0], ""]},
        {"sub": ["ada"]},
        {"sub": [SUBS[0].upper()]},
        {"sub": [f"{SUBS[0]},{SUBS[1]}"]},
        {"sub": [f"{SUBS[0]}\n"]},
        {"subs": SUBS[:1]},
        {"sub": SUBS[:1], "fields": ["name"]},
        {"sub[]": SUBS[:1]},
    ],
    ids=str,
)
def test_another_query_is_malformed(parameters: dict[str, list[str]]) -> None:
    with pytest.raises(MalformedQuery):
        requested_subs(parameters)


# --- reading --------------------------------------------------------------------------------------


def profile(sub: str) -> Item:
    """An item as DynamoDB returns it, with one public field."""
    key = {"sk": items.profile_key(sub)["sk"]}
    return key | {"profile_data": {"M": {"name": {"S": f"Name of {sub}"}}}}


def fields_of(sub: str) -> dict[str, str]:
    return {"name": f"Name of {sub}"}


class Batches:
    """A DynamoDB client that reads up to `each` items a call, which takes `seconds`.

    `failing` are the calls that find the database busy: 2 is the second.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        each: int,
        seconds: float = 0.0,
        failing: tuple[int, ...] = (),
    ) -> None:
        self.each = each
        self.seconds = seconds
        self.failing = failing
        self.now = 0.0
        self.calls = 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def batch_get_item(self, **arguments: Any) -> dict[str, Any]:
        ((table, request),) = arguments["RequestItems"].items()
        self.now += self.seconds
        self.calls += 1
        if self.calls in self.failing:
            raise StoreUnavailable("busy")
        keys = request["Keys"]
        read = [profile(items.sub_of(key)) for key in keys[: self.each]]
        read.reverse()  # DynamoDB returns items in any order
        unprocessed = {}
        if len(keys) > self.each:
            unprocessed[table] = request | {"Keys": keys[self.each :]}
        return {"Responses": {table: read}, "UnprocessedKeys": unprocessed}


def store_with(client: Any, pause: Callable[[int], None] = lambda _: None) -> PublicProfileStore:
    return PublicProfileStore(client, "profiles", ("name", "a.b"), pause)


class OneProfile:
    """A DynamoDB client with one profile."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": profile(SUBS[0])}

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        return {"Responses": {"profiles": [profile(SUBS[0])]}, "UnprocessedKeys": {}}


def test_only_public_fields_are_read_of_one_profile() -> None:
    client = RecordingClient(OneProfile())
    assert store_with(client).get(SUBS[0]) == fields_of(SUBS[0])
    arguments = {"TableName": "profiles", "Key": items.profile_key(SUBS[0]), **PROJECTION}
    assert client.calls == [("get_item", arguments)]


def test_only_public_fields_are_read_of_several_profiles() -> None:
    client = RecordingClient(OneProfile())
    assert store_with(client).get_all(SUBS[:2]) == {SUBS[0]: fields_of(SUBS[0])}
    keys = [items.profile_key(sub) for sub in SUBS[:2]]
    request = {"profiles": {"Keys": keys, **PROJECTION}}
    assert client.calls == [("batch_get_item", {"RequestItems": request})]


def test_what_was_left_unread_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB reads up to 1 MB of a partition in one call."""
    client = Batches(monkeypatch, each=10)
    pauses: list[int] = []
    found = store_with(client, pauses.append).get_all(SUBS[:25])
    assert list(found.items()) == [(sub, fields_of(sub)) for sub in SUBS[:25]]
    assert client.calls == 3
    assert pauses == [1, 2]


def test_a_read_ends_before_the_functions_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read until then is returned."""
    client = Batches(monkeypatch, each=1, seconds=2)
    found = store_with(client).get_all(SUBS[:5])
    assert found == {sub: fields_of(sub) for sub in SUBS[:3]} | dict.fromkeys(SUBS[3:5])
    assert list(found) == SUBS[:5]
    assert client.now <= MAX_READ_SECONDS + client.seconds


def test_one_slow_call_is_not_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Batches(monkeypatch, each=1, seconds=7)
    assert store_with(client).get_all(SUBS[:2]) == {SUBS[0]: fields_of(SUBS[0]), SUBS[1]: None}
    assert client.calls == 1


def test_what_was_read_before_a_failure_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Batches(monkeypatch, each=1, failing=(2,))
    assert store_with(client).get_all(SUBS[:2]) == {SUBS[0]: fields_of(SUBS[0]), SUBS[1]: None}


def test_a_database_that_fails_at_once_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailable):
        store_with(Batches(monkeypatch, each=1, failing=(1,))).get_all(SUBS[:2])


@pytest.mark.parametrize("answer", [{}, {"Item": {"sk": {"S": "x"}, "erased_at": {"S": "now"}}}])
def test_absent_and_erased_profiles_are_the_same_error(answer: dict[str, Any]) -> None:
    class Client:
        def get_item(self, **_: Any) -> dict[str, Any]:
            return answer

    with pytest.raises(ProfileNotFound, match=r"^There is no profile for this sub\.$"):
        store_with(Client()).get(SUBS[0])
