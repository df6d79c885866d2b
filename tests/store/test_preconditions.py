"""Preconditions, evaluated by the database in the write itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.errors import PreconditionFailed, PreconditionRequired
from chalicelib.preconditions import UNCONDITIONAL, Precondition, Wildcard
from chalicelib.store import ProfileStore
from tests.support.store import CHANGES, RecordingClient, put_item, stored_item, tags

ANY = Wildcard.ANY


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "precondition",
    [
        Precondition(if_match=tags("r1")),
        Precondition(if_match=tags("r0", "r1")),
        Precondition(if_match=ANY),
        Precondition(if_none_match=tags("r0")),
        Precondition(if_match=tags("r1"), if_none_match=tags("r0")),
        Precondition(if_match=tags("r1"), required=True),
        Precondition(if_match=ANY, required=True),
    ],
)
def test_an_existing_profile_is_changed_if_it_holds(
    store: ProfileStore, sub: str, change: str, precondition: Precondition
) -> None:
    before = store.replace(sub, {"old": True})
    CHANGES[change](store, sub, precondition)
    after = stored_item(store, sub)
    assert bool(after) == (change != "delete")
    assert after.get("revision") != {"S": before.revision}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "precondition",
    [
        Precondition(if_none_match=ANY),
        Precondition(if_none_match=tags("r1")),
        Precondition(required=True),
    ],
)
def test_a_missing_profile_is_changed_if_it_holds(
    store: ProfileStore, sub: str, change: str, precondition: Precondition
) -> None:
    CHANGES[change](store, sub, precondition)
    assert bool(stored_item(store, sub)) == (change != "delete")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "precondition",
    [
        Precondition(if_match=tags("r0")),
        Precondition(if_match=tags()),
        Precondition(if_none_match=ANY),
        Precondition(if_none_match=tags("r1")),
        Precondition(if_match=tags("r1"), if_none_match=tags("r1")),
        Precondition(if_match=ANY, if_none_match=tags("r1")),
    ],
)
def test_an_existing_profile_stays_if_it_does_not_hold(
    store: ProfileStore, sub: str, change: str, precondition: Precondition
) -> None:
    store.replace(sub, {"old": True})
    before = stored_item(store, sub)
    with pytest.raises(PreconditionFailed) as caught:
        CHANGES[change](store, sub, precondition)
    assert caught.value.revision == "r1"
    assert stored_item(store, sub) == before


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "precondition",
    [
        Precondition(if_match=tags("r1")),
        Precondition(if_match=ANY),
        Precondition(if_match=ANY, if_none_match=tags("r0")),
    ],
)
def test_a_missing_profile_is_not_created_without_a_match(
    store: ProfileStore, sub: str, change: str, precondition: Precondition
) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        CHANGES[change](store, sub, precondition)
    assert caught.value.revision is None
    assert stored_item(store, sub) == {}


@pytest.mark.parametrize("change", CHANGES)
def test_a_required_precondition_must_be_sent(store: ProfileStore, sub: str, change: str) -> None:
    store.replace(sub, {"old": True})
    with pytest.raises(PreconditionRequired):
        CHANGES[change](store, sub, Precondition(required=True))
    assert store.get(sub).data == {"old": True}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("header", ["if_match", "if_none_match"])
def test_preconditions_work_on_items_of_the_example(
    store: ProfileStore, sub: str, change: str, header: str
) -> None:
    """Such an item has no revision. Its ETag is a hash of its data."""
    put_item(store, sub, profile_data={"M": {"name": {"S": "Ada"}}})
    before = stored_item(store, sub)
    current = tags(store.get(sub).revision)
    another = tags("r0")
    if header == "if_match":
        holds = Precondition(if_match=current)
        fails = Precondition(if_match=another)
    else:
        holds = Precondition(if_none_match=another)
        fails = Precondition(if_none_match=current)
    with pytest.raises(PreconditionFailed):
        CHANGES[change](store, sub, fails)
    assert stored_item(store, sub) == before
    CHANGES[change](store, sub, holds)
    assert stored_item(store, sub) != before


@pytest.mark.parametrize("if_match", [tags(), tags("")])
def test_an_empty_revision_written_by_hand_never_matches(
    store: ProfileStore, sub: str, if_match: frozenset[str]
) -> None:
    put_item(store, sub, profile_data={"M": {}}, revision={"S": ""})
    with pytest.raises(PreconditionFailed):
        store.replace(sub, {"x": 1}, Precondition(if_match=if_match))


@pytest.mark.parametrize(
    ("change", "precondition", "operations"),
    [
        ("replace", UNCONDITIONAL, ["update_item"]),
        ("replace", Precondition(if_match=tags("r1")), ["update_item"]),
        ("replace", Precondition(if_match=tags("r0")), ["update_item"]),
        ("replace", Precondition(if_none_match=ANY), ["update_item"]),
        ("delete", UNCONDITIONAL, ["delete_item"]),
        ("delete", Precondition(if_match=tags("r0")), ["delete_item"]),
        ("patch", UNCONDITIONAL, ["get_item", "update_item"]),
        ("patch", Precondition(if_match=tags("r0")), ["get_item"]),
    ],
)
def test_a_precondition_costs_no_call_of_its_own(
    store: ProfileStore,
    sub: str,
    change: str,
    precondition: Precondition,
    operations: list[str],
) -> None:
    store.replace(sub, {"old": True})
    client: Any = RecordingClient(store.client)
    with suppress(PreconditionFailed):
        CHANGES[change](replace(store, client=client), sub, precondition)
    assert client.operations == operations
