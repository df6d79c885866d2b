"""The users of a table: who has a profile or metadata, and whose account was erased."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from chalicelib import conditions, items
from chalicelib.dynamodb import ConditionFailed, translated_errors
from chalicelib.items import Item, Kind
from deploy import time_to_live
from deploy.aws import report_aws_errors
from deploy.profile_lines import KINDS, owner_of
from deploy.progress import Progress
from deploy.table_scan import projection, scan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Sub: TypeAlias = bytes
"""The 16 bytes of a UUID. As a text, a sub would take twice the memory."""


def to_bytes(sub: str) -> Sub:
    """A sub, which is a UUID, in less memory."""
    return uuid.UUID(sub).bytes


def to_text(sub: Sub) -> str:
    """A sub as Cognito writes it."""
    return str(uuid.UUID(bytes=sub))


@dataclass
class TableAccounts:
    """What the table has of each user: about 100 bytes of memory for each, and no data."""

    with_data: set[Sub] = field(default_factory=set)
    """The users who have a profile, metadata or both."""
    erased: set[Sub] = field(default_factory=set)
    """The users with a marker in place of the profile, the metadata or both."""
    unfinished: set[Sub] = field(default_factory=set)
    """Those of `erased` with a marker that does not expire: the erasure has not ended."""
    expired: list[tuple[Kind, Sub]] = field(default_factory=list)
    """The markers whose time has passed."""
    profiles: int = 0
    others: int = 0
    """Items of other programs."""


@dataclass(frozen=True)
class Orphan:
    """What is stored for a user who is gone."""

    sub: str
    stored: tuple[str, ...]
    """The names of the kinds of items: profile, metadata or both."""
    updated_at: str | None
    """The latest time at which one of them was written. None: items of the original example."""


@dataclass(frozen=True)
class AccountTable:
    """A stage's table. `expiry` is the name of its attribute for the TTL."""

    client: DynamoDBClient
    name: str
    expiry: str

    def read(self) -> TableAccounts:
        """Read the whole table. Raises DeploymentError."""
        progress = Progress("items read from the table")
        accounts = TableAccounts()
        now = Decimal(time.time())
        attributes = [items.PARTITION_KEY, items.SORT_KEY, items.ERASED_AT, self.expiry]
        for count, item in enumerate(scan(self.client, self.name, attributes), start=1):
            self._add(accounts, item, now)
            progress.show(count)
        progress.close()
        return accounts

    def _add(self, accounts: TableAccounts, item: Item, now: Decimal) -> None:
        owner = owner_of(item)
        if owner is None:
            accounts.others += 1
            return
        kind, text = owner
        sub = to_bytes(text)
        if items.ERASED_AT not in item:
            accounts.with_data.add(sub)
            if kind is items.PROFILE:
                accounts.profiles += 1
            return
        accounts.erased.add(sub)
        if self.expiry not in item:
            accounts.unfinished.add(sub)
        elif Decimal(item[self.expiry].get("N", "Infinity")) < now:
            accounts.expired.append((kind, sub))

    def find_orphan(self, sub: str) -> Orphan | None:
        """What is stored for a user at present; None if there is nothing, or only a marker.

        Raises DeploymentError.
        """
        stored = []
        times = []
        for name, kind in KINDS.items():
            item = self._get(kind.key(sub))
            if item and items.ERASED_AT not in item:
                stored.append(name)
                times.append(item.get(items.UPDATED_AT, {}).get("S", ""))
        if not stored:
            return None
        return Orphan(sub, tuple(stored), max(times) or None)

    def _get(self, key: Item) -> Item:
        attributes = [items.SORT_KEY, items.ERASED_AT, items.UPDATED_AT]
        with report_aws_errors(f"reading the table {self.name}"):
            response: Any = self.client.get_item(
                TableName=self.name, Key=key, ConsistentRead=True, **projection(attributes)
            )
        item: Item = response.get("Item", {})
        return item

    # --- expired markers --------------------------------------------------------------------------

    def removes_expired_markers(self) -> bool:
        """Whether DynamoDB's TTL is on for the markers. Raises DeploymentError."""
        ttl = time_to_live.describe(self.name)
        return ttl.is_on and ttl.attribute == self.expiry

    def remove_marker(self, kind: Kind, sub: str) -> bool:
        """Remove a marker whose time has passed. Return False if there is none any more.

        Raises StoreUnavailable or botocore's errors.
        """
        try:
            with translated_errors():
                self.client.delete_item(
                    TableName=self.name,
                    Key=kind.key(sub),
                    ConditionExpression=f"{conditions.ERASED} AND #expiry < :now",
                    ExpressionAttributeNames={"#expiry": self.expiry},
                    ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
                )
        except ConditionFailed:
            return False
        return True
