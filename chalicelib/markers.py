"""Markers of erased accounts. A marker replaces an item, and no write replaces a marker.

    erased_at   RFC 3339, UTC         S
    expires_at  seconds since 1970    N  written as the last step of an erasure

A marker with `expires_at` is finished: DynamoDB's TTL removes it after that time. The table may
have another attribute for it: see the setting TTL_ATTRIBUTE.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib import conditions, items
from chalicelib.deadline import Deadline
from chalicelib.dynamodb import MAX_CALL_SECONDS, ConditionFailed, translated_errors
from chalicelib.errors import StoreUnavailable
from chalicelib.items import EXPIRES_AT, METADATA, PROFILE, Item, Kind
from chalicelib.store import DocumentStore, utc_now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KINDS = (PROFILE, METADATA)
"""The items of an account, in the order in which they are erased."""
LIFETIME_SECONDS = 7 * 24 * 60 * 60
"""How long a marker stays. It must be longer than any id token is valid, which is up to a day."""


@dataclass(frozen=True)
class MarkerStore:
    """The markers in one DynamoDB table. Safe to share between threads.

    `expiry` is the name of the table's TTL attribute.
    """

    client: DynamoDBClient
    table: str
    expiry: str = EXPIRES_AT
    clock: Callable[[], str] = utc_now
    seconds_since_1970: Callable[[], float] = time.time

    @classmethod
    def beside(cls, store: DocumentStore, expiry: str = EXPIRES_AT) -> MarkerStore:
        """The markers in the table of a store of documents."""
        return cls(store.client, store.table, expiry, store.clock)

    def has_items(self, sub: str, deadline: Deadline) -> bool:
        """Whether anything is stored for user `sub`: a document or a marker."""
        return any(self._exists(kind, sub, deadline) for kind in KINDS)

    def _exists(self, kind: Kind, sub: str, deadline: Deadline) -> bool:
        deadline.require(MAX_CALL_SECONDS)
        with translated_errors():
            response = self.client.get_item(
                TableName=self.table,
                Key=kind.key(sub),
                ProjectionExpression=items.SORT_KEY,
                ConsistentRead=True,
            )
        return "Item" in response

    def place(self, kind: Kind, sub: str, deadline: Deadline) -> bool:
        """Replace the item of user `sub` by a marker, unless there is one.

        Returns True if there is a finished marker already. Raises StoreUnavailable.
        """
        deadline.require(MAX_CALL_SECONDS)
        marker: Item = {**kind.key(sub), items.ERASED_AT: {"S": self.clock()}}
        try:
            with translated_errors():
                self.client.put_item(
                    TableName=self.table,
                    Item=marker,
                    ConditionExpression=conditions.NOT_ERASED,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ConditionFailed as conflict:
            return self.expiry in conflict.item
        return False

    def finish(self, kind: Kind, sub: str, deadline: Deadline) -> None:
        """Give the marker of user `sub` its expiry, unless it has one. Raises StoreUnavailable."""
        deadline.require(MAX_CALL_SECONDS)
        expires_at = int(self.seconds_since_1970()) + LIFETIME_SECONDS
        try:
            with translated_errors():
                self.client.update_item(
                    TableName=self.table,
                    Key=kind.key(sub),
                    UpdateExpression="SET #expiry = if_not_exists(#expiry, :expires_at)",
                    ConditionExpression=conditions.ERASED,
                    ExpressionAttributeNames={"#expiry": self.expiry},
                    ExpressionAttributeValues={":expires_at": {"N": str(expires_at)}},
                )
        except ConditionFailed as conflict:
            raise StoreUnavailable(
                "Another program has removed the account's marker. Send the request again."
            ) from conflict
