"""Helpers for the tests of the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib import items
from chalicelib.preconditions import Precondition, Tags
from chalicelib.store import ProfileStore

CHANGES: dict[str, Callable[[ProfileStore, str, Precondition], object]] = {
    "replace": lambda store, sub, precondition: store.replace(sub, {"new": True}, precondition),
    "patch": lambda store, sub, precondition: store.patch(sub, {"new": True}, precondition),
    "delete": lambda store, sub, precondition: store.delete(sub, precondition),
}
"""Each way to change a profile, under a precondition."""


def tags(*revisions: str) -> Tags:
    """The value of an If-Match or If-None-Match header."""
    return frozenset(revisions)


def stored_item(store: ProfileStore, sub: str) -> items.Item:
    """The user's item as it is stored; empty if there is none."""
    response: Any = store.client.get_item(
        TableName=store.table, Key=items.profile_key(sub), ConsistentRead=True
    )
    item: items.Item = response.get("Item", {})
    return item


def put_item(store: ProfileStore, sub: str, **attributes: items.AttributeValue) -> None:
    """Write the user's item directly, as another program might."""
    store.client.put_item(TableName=store.table, Item=items.profile_key(sub) | attributes)


class RecordingClient:
    """A DynamoDB client that records the calls it passes on: (name, arguments)."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.calls]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return getattr(self._client, name)(**arguments)

        return call
