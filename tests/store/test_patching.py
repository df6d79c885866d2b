"""Merge patches, alone and together with other writes of the same profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from chalicelib.errors import (
    InvalidProfile,
    PreconditionFailed,
    ProfileNotFound,
    ProfileTooLarge,
    StoreUnavailable,
)
from chalicelib.preconditions import Precondition, Wildcard
from chalicelib.profile import JSON, MAX_BYTES
from chalicelib.store import MAX_WRITE_ATTEMPTS, ProfileStore
from tests.support.json_values import nested
from tests.support.store import RecordingClient, put_item, tags


def test_a_patch_merges_deeply(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"a": {"b": 1, "c": 2}, "d": [1, 2], "e": "x"})
    patched = store.patch(sub, {"a": {"c": None, "f": Decimal("0.1")}, "d": [3], "e": None})
    assert patched.data == {"a": {"b": 1, "f": Decimal("0.1")}, "d": [3]}
    assert patched == store.get(sub)
    assert patched.created_at == "t1"
    assert patched.updated_at == "t2"
    assert patched.revision == "r2"


def test_a_patch_creates_a_missing_profile(store: ProfileStore, sub: str) -> None:
    assert store.patch(sub, {"a": {"b": None, "c": 1}}).data == {"a": {"c": 1}}


@pytest.mark.parametrize(
    "patch",
    [{}, {"a": 1}, {"x": None}, {"n": Decimal("1E+5")}, {"o": {}}, {"n": Decimal("100000.0")}],
)
def test_a_patch_without_effect_writes_nothing(store: ProfileStore, sub: str, patch: JSON) -> None:
    before = store.replace(sub, {"a": 1, "n": 100_000, "o": {"p": [Decimal("0.5")]}})
    client: Any = RecordingClient(store.client)
    assert replace(store, client=client).patch(sub, patch) == before
    assert client.operations == ["get_item"]


@pytest.mark.parametrize("patch", [{"a": True}, {"a": "1"}, {"a": [1]}, {"b": False}])
def test_a_change_of_type_is_a_change(store: ProfileStore, sub: str, patch: JSON) -> None:
    before = store.replace(sub, {"a": 1, "b": 0})
    assert store.patch(sub, patch).revision != before.revision


@pytest.mark.parametrize(
    "patch",
    [[], None, "x", 1, {"a": {"": 1}}, {"n": 10**126}, nested(32)],
    ids=["list", "null", "string", "number", "empty name", "range", "too deep"],
)
def test_a_refused_patch_changes_nothing(store: ProfileStore, sub: str, patch: JSON) -> None:
    before = store.replace(sub, {"kept": True})
    with pytest.raises(InvalidProfile):
        store.patch(sub, patch)
    assert store.get(sub) == before


def test_patches_can_be_too_large_together(store: ProfileStore, sub: str) -> None:
    before = store.patch(sub, {"a": "x" * 300_000})
    with pytest.raises(ProfileTooLarge):
        store.patch(sub, {"b": "x" * 300_000})
    assert store.get(sub) == before


def test_a_patch_without_effect_passes_over_old_faults(store: ProfileStore, sub: str) -> None:
    """Another writer has stored more data than this service allows, up to DynamoDB's limit."""
    text = "x" * MAX_BYTES
    put_item(store, sub, profile_data={"M": {"text": {"S": text}}})
    assert store.patch(sub, {}).data == {"text": text}
    with pytest.raises(ProfileTooLarge):
        store.patch(sub, {"a": 1})


# --- Conflicts ------------------------------------------------------------------------------------


def interrupted(store: ProfileStore, *interruptions: Callable[[], object]) -> ProfileStore:
    """`store`, with one interruption right before each of its first writes."""
    pending = list(interruptions)

    def clock() -> str:  # the store reads it right before it writes
        if pending:
            pending.pop(0)()
        return "now"

    return replace(store, clock=clock, pause=lambda _: None)


@pytest.mark.parametrize(
    ("start", "interruption", "expected"),
    [
        ({"old": True}, "patch", {"old": True, "theirs": 1, "mine": 2}),
        ({"old": True}, "replace", {"theirs": 1, "mine": 2}),
        ({"old": True}, "delete", {"mine": 2}),
        (None, "replace", {"theirs": 1, "mine": 2}),
    ],
)
def test_an_overtaken_patch_is_applied_to_the_new_state(
    other: ProfileStore, sub: str, start: JSON, interruption: str, expected: JSON
) -> None:
    if start is not None:
        other.replace(sub, start)
    interruptions: dict[str, Callable[[], object]] = {
        "patch": lambda: other.patch(sub, {"theirs": 1}),
        "replace": lambda: other.replace(sub, {"theirs": 1}),
        "delete": lambda: other.delete(sub),
    }
    store = interrupted(other, interruptions[interruption])
    assert store.patch(sub, {"mine": 2}).data == expected


def test_a_patch_that_is_always_overtaken_gives_up(other: ProfileStore, sub: str) -> None:
    numbers = count()
    pauses: list[int] = []

    def clock() -> str:
        other.replace(sub, {"theirs": next(numbers)})
        return "now"

    store = replace(other, clock=clock, pause=pauses.append)
    with pytest.raises(StoreUnavailable):
        store.patch(sub, {"mine": 1})
    assert other.get(sub).data == {"theirs": MAX_WRITE_ATTEMPTS - 1}
    assert pauses == list(range(1, MAX_WRITE_ATTEMPTS))


def test_an_overtaken_patch_still_needs_its_precondition(other: ProfileStore, sub: str) -> None:
    seen = other.replace(sub, {}).revision
    store = interrupted(other, lambda: other.replace(sub, {"theirs": 1}))
    with pytest.raises(PreconditionFailed):
        store.patch(sub, {"mine": 1}, Precondition(if_match=tags(seen)))
    assert other.get(sub).data == {"theirs": 1}


@pytest.mark.parametrize("attributes", [{}, {"profile_data": {"M": {"a": {"N": "1"}}}}])
def test_a_patch_does_not_bring_back_a_deleted_item(
    other: ProfileStore, sub: str, attributes: dict[str, Any]
) -> None:
    """The item has no revision, so its data is compared."""
    put_item(other, sub, **attributes)
    store = interrupted(other, lambda: other.delete(sub))
    with pytest.raises(PreconditionFailed):
        store.patch(sub, {"x": 1}, Precondition(if_match=Wildcard.ANY))
    with pytest.raises(ProfileNotFound):
        other.get(sub)
