"""The marker of an erased account, in place of an item: nothing reads or replaces it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import items
from chalicelib.errors import AccountErased, ProfileTooLarge
from chalicelib.items import Item
from chalicelib.preconditions import Precondition, Wildcard
from chalicelib.profile import MAX_BYTES
from chalicelib.store import DocumentStore, MetadataStore, ProfileStore

PRECONDITIONS = [
    Precondition(),
    Precondition(required=True),
    Precondition(if_match=Wildcard.ANY),
    Precondition(if_match=frozenset({"r1"})),
    Precondition(if_none_match=Wildcard.ANY),
    Precondition(if_match=Wildcard.ANY, if_none_match=frozenset({"r1"})),
]
CALLS: dict[str, Callable[[DocumentStore, str, Precondition], object]] = {
    "find": lambda store, sub, _: store.find(sub),
    "replace": lambda store, sub, precondition: store.replace(sub, {}, precondition),
    "patch": lambda store, sub, precondition: store.patch(sub, {}, precondition),
    "delete": lambda store, sub, precondition: store.delete(sub, precondition),
}


@pytest.fixture(params=["profiles", "metadata"])
def documents(request: pytest.FixtureRequest, store: ProfileStore) -> DocumentStore:
    if request.param == "profiles":
        return store
    return MetadataStore.beside(store)


@pytest.fixture
def erased_sub(documents: DocumentStore, sub: str) -> str:
    """A user whose item is a marker."""
    marker = documents.kind.key(sub) | {items.ERASED_AT: {"S": "2026-11-29T10:00:00.000000Z"}}
    documents.client.put_item(TableName=documents.table, Item=marker)
    return sub


def stored(documents: DocumentStore, sub: str) -> Item:
    key = documents.kind.key(sub)
    response: Any = documents.client.get_item(
        TableName=documents.table, Key=key, ConsistentRead=True
    )
    item: Item = response["Item"]
    return item


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("precondition", PRECONDITIONS, ids=str)
def test_nothing_reads_or_replaces_a_marker(
    documents: DocumentStore, erased_sub: str, call: str, precondition: Precondition
) -> None:
    """Whatever the precondition: 410 comes before 404, 412 and 428."""
    before = stored(documents, erased_sub)
    with pytest.raises(AccountErased):
        CALLS[call](documents, erased_sub, precondition)
    assert stored(documents, erased_sub) == before


def test_data_that_is_too_large_is_refused_first(store: ProfileStore, sub: str) -> None:
    marker = items.profile_key(sub) | {items.ERASED_AT: {"S": "now"}}
    store.client.put_item(TableName=store.table, Item=marker)
    limited = ProfileStore(store.client, store.table, max_bytes=100)
    for large in ("x" * 200, "x" * MAX_BYTES):
        with pytest.raises(ProfileTooLarge):
            limited.replace(sub, {"text": large})


def test_a_user_reads_no_app_metadata_of_a_marker(store: ProfileStore, sub: str) -> None:
    metadata = MetadataStore.beside(store)
    marker = items.metadata_key(sub) | {items.ERASED_AT: {"S": "now"}}
    store.client.put_item(TableName=store.table, Item=marker)
    with pytest.raises(AccountErased):
        metadata.get_app_metadata(sub)


def test_a_marker_that_appears_during_a_patch_is_kept(store: ProfileStore, sub: str) -> None:
    """Another client erases the account between the read and the write of the patch."""
    store.replace(sub, {"a": 1})
    marker = items.profile_key(sub) | {items.ERASED_AT: {"S": "now"}}

    def erase_and_return_a_time() -> str:
        store.client.put_item(TableName=store.table, Item=marker)
        return "t9"

    patching = ProfileStore(store.client, store.table, clock=erase_and_return_a_time)
    with pytest.raises(AccountErased):
        patching.patch(sub, {"b": 2})
    assert stored(store, sub) == marker


def test_the_list_leaves_out_markers(store: ProfileStore, sub: str) -> None:
    marker = items.profile_key(sub) | {items.ERASED_AT: {"S": "now"}}
    store.client.put_item(TableName=store.table, Item=marker)
    after = None
    while True:
        page = store.list_after(after, 100)
        assert sub not in page.profiles
        if not page.has_more:
            break
        after = list(page.profiles)[-1]
