"""Writes the records of an import to a table: one conditional UpdateItem for a new item.

The expressions are here and not in chalicelib/store.py, because the package for Lambda does not
need them. Like the store's, every write contains its condition. No write changes the marker of an
erased account, or an item that was changed after it was compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib import conditions, items
from chalicelib.dynamodb import ConditionFailed, translated_errors
from chalicelib.items import Item
from chalicelib.store import MAX_WRITE_ATTEMPTS, condition_arguments, new_revision, utc_now
from deploy.profile_lines import LineRefused, Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Outcome(Enum):
    """What became of a line. The values are the members of the final report."""

    WRITTEN = "written"
    EQUAL = "skipped as equal"
    KEPT = "kept as stored"
    ERASED = "of erased accounts"
    REFUSED = "refused"


class Times(StrEnum):
    """The times of an item that is written. A line without times always gets the present time."""

    KEEP = "keep"
    """Those of the line."""
    NOW = "now"
    """The present time. An item that is replaced keeps the time of its creation."""


class Stopped(Exception):
    """The import was stopped before this request."""


class Pace:
    """Limits the requests of all threads to a number a second, evenly spaced."""

    def __init__(self, per_second: int) -> None:
        self._interval = 1 / per_second
        self._lock = threading.Lock()
        self._next = time.monotonic()
        self._stop = threading.Event()

    def wait(self) -> None:
        """Wait for this thread's turn. Raises Stopped."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval
        if self._stop.wait(max(0.0, turn - time.monotonic())):
            raise Stopped

    def stop(self) -> None:
        """Let all threads that wait, now or later, raise Stopped."""
        self._stop.set()


class Writer(Protocol):
    """Writes records. Safe to share between threads."""

    def write(self, record: Record) -> Outcome:
        """Write a record, unless what is stored is to be kept.

        Raises LineRefused, Stopped, ProfileTooLarge, StoreUnavailable or botocore's errors.
        """


@dataclass(frozen=True)
class TableWriter:
    """Writes where nothing is stored, and with `overwrite` also over what is stored."""

    client: DynamoDBClient
    table: str
    pace: Pace
    overwrite: bool
    times: Times
    clock: Callable[[], str] = utc_now
    revisions: Callable[[], str] = new_revision

    def write(self, record: Record) -> Outcome:
        """See Writer."""
        stored: Item = {}
        for _ in range(MAX_WRITE_ATTEMPTS):
            try:
                self._update(record, stored)
            except ConditionFailed as conflict:
                stored = conflict.item
            else:
                return Outcome.WRITTEN
            outcome = outcome_over(stored, record, overwrite=self.overwrite)
            if outcome is not Outcome.WRITTEN:
                return outcome
        raise LineRefused("other clients keep changing this item. Import the line again later.")

    def _update(self, record: Record, stored: Item) -> None:
        """Write over `stored`, which is empty if nothing is stored. Raises ConditionFailed."""
        self.pace.wait()
        now = self.clock()
        created_at = None
        updated_at = None
        if self.times is Times.KEEP:
            created_at = record.created_at
            # One time stands for both, so that no profile is changed before it was created.
            updated_at = record.updated_at or record.created_at
        revision = {"S": self.revisions()}
        condition = conditions.unchanged(stored, record.kind)
        attributes = record.kind.values_of(record.data)
        created = ":created_at"
        if created_at is None:
            created = f"if_not_exists({items.CREATED_AT}, :created_at)"
        assignments = [
            *(f"{name} = :{name}" for name in attributes),
            f"{items.REVISION} = :revision",
            f"{items.CREATED_AT} = {created}",
            f"{items.UPDATED_AT} = :updated_at",
        ]
        values = {
            **{f":{name}": value for name, value in attributes.items()},
            ":revision": revision,
            ":created_at": {"S": created_at or updated_at or now},
            ":updated_at": {"S": updated_at or now},
            **condition.values,
        }
        try:
            with translated_errors():
                self.client.update_item(
                    TableName=self.table,
                    Key=record.key,
                    UpdateExpression="SET " + ", ".join(assignments),
                    ExpressionAttributeValues=values,
                    **condition_arguments(condition),
                )
        except ConditionFailed as conflict:
            # If not, botocore sent this write twice, and the response of the first was lost.
            if conflict.item.get(items.REVISION) != revision:
                raise


@dataclass(frozen=True)
class DryRun:
    """Writes nothing, and returns what TableWriter would. Each record is compared on its own."""

    client: DynamoDBClient
    table: str
    pace: Pace
    overwrite: bool

    def write(self, record: Record) -> Outcome:
        """See Writer. Nothing is written."""
        self.pace.wait()
        with translated_errors():
            response: Any = self.client.get_item(TableName=self.table, Key=record.key)
        stored: Item = response.get("Item", {})
        return outcome_over(stored, record, overwrite=self.overwrite)


def outcome_over(stored: Item, record: Record, *, overwrite: bool) -> Outcome:
    """What is to become of a record where `stored` is; WRITTEN: it is to be written.

    The data decides whether both are equal. Times and revisions may differ.
    """
    if not stored:
        return Outcome.WRITTEN
    if items.ERASED_AT in stored:
        return Outcome.ERASED
    stored_data = record.kind.data_in(stored)
    if record.kind.values_of(stored_data) == record.kind.values_of(record.data):
        return Outcome.EQUAL
    if overwrite:
        return Outcome.WRITTEN
    return Outcome.KEPT
