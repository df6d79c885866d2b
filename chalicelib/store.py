"""The DynamoDB access layer: read and write a user's profile and metadata, and list profiles.

A write that has a condition sends it in the same request. If the condition fails, DynamoDB returns
the stored item with the refusal, and the next attempt starts from that item. No change is lost.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, TypeAlias, TypeVar

from chalicelib import conditions, items
from chalicelib.conditions import Condition
from chalicelib.dynamodb import ConditionFailed, create_client, translated_errors
from chalicelib.errors import AccountErased, ProfileNotFound, StoreUnavailable
from chalicelib.identity import is_sub
from chalicelib.items import Item, Kind
from chalicelib.metadata import APP, check_metadata
from chalicelib.preconditions import UNCONDITIONAL, Precondition
from chalicelib.profile import (
    JSON,
    MAX_BYTES,
    Document,
    ProfileCheck,
    check_profile_data,
    merge_patch,
    size_of,
    too_large,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Result = TypeVar("Result")
ConditionalWrite: TypeAlias = Callable[[Item, Condition], Result]
"""A function that writes under a condition, over the item last seen. Raises ConditionFailed."""

MAX_WRITE_ATTEMPTS = 10
MAX_CONFLICT_SECONDS = 5.0
"""The limits for repeating a write that conflicts with other writes. The time starts with the first
call, so that a patch takes at most 14 s: a read and a write of 7 s each (see dynamodb.py)."""
MAX_LIST_SECONDS = 8.0
"""After this time, a part of the list without users is not followed by another read. A read takes
at most 7 s."""
READ_LIMIT = 1_000
"""The items of a read that follows a part of the list without users."""


def utc_now() -> str:
    """The time in RFC 3339, UTC, with microseconds: 2026-11-22T10:00:00.123456Z."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_revision() -> str:
    """128 random bits. A revision is never reused, not even after a profile is created again."""
    return secrets.token_urlsafe(16)


def random_pause(attempt: int) -> None:
    """Wait a random time before the next attempt: up to 0.1 s, doubled each time up to 1 s."""
    longest_seconds = min(1.0, 0.05 * 2**attempt)
    time.sleep(random.uniform(0, longest_seconds))  # noqa: S311 - not a secret


@dataclass(frozen=True)
class DocumentStore:
    """The documents of one kind in one DynamoDB table. Safe to share between threads.

    `check` refuses data that may not be stored. Data larger than `max_bytes` is refused unless it
    makes a larger stored document smaller. Tests replace `clock`, `revisions` and `pause`.
    """

    kind: ClassVar[Kind]

    client: DynamoDBClient
    table: str
    check: ProfileCheck = check_profile_data
    max_bytes: int = MAX_BYTES
    clock: Callable[[], str] = utc_now
    revisions: Callable[[], str] = new_revision
    pause: Callable[[int], None] = random_pause

    def find(self, sub: str) -> Document | None:
        """The document of user `sub`; None if there is none. It includes every write that was
        confirmed before. Raises StoreUnavailable.
        """
        item = self._read(sub)
        _refuse_erased(item)
        if not item:
            return None
        return self.kind.document_in(item)

    def replace(self, sub: str, data: JSON, precondition: Precondition = UNCONDITIONAL) -> Document:
        """Store `data` as the document of user `sub`: create it, or replace its data.

        Attributes that other writers added to the item are kept.
        Raises InvalidProfile, ProfileTooLarge, PreconditionFailed, PreconditionRequired or
        StoreUnavailable.
        """
        size = self.check(data)
        self._require_storable(size)
        deadline = _conflict_deadline()
        item: Item = {}
        condition = conditions.from_precondition(precondition)
        if size > self.max_bytes:
            # Only allowed if the stored document is larger, so read it first.
            item = self._read(sub)
            self._require_room(size, item)
            _refuse_erased(item)
            precondition.check(self.kind.revision_of(item))
            condition = conditions.unchanged(item, self.kind)

        def update(stored: Item, condition: Condition) -> Document:
            self._require_room(size, stored)
            return self._update(sub, data, condition)

        return self._retry_conflicts(update, precondition, item, condition, deadline)

    def patch(self, sub: str, patch: JSON, precondition: Precondition = UNCONDITIONAL) -> Document:
        """Apply a merge patch (RFC 7396) to the document of user `sub`, or to an empty one.

        A patch that changes nothing writes nothing, unless nothing is stored.
        Raises the same errors as `replace`.
        """
        # Errors that do not depend on what is stored take precedence.
        self._require_storable(check_profile_data(merge_patch({}, patch)))

        def merge_and_update(stored: Item, condition: Condition) -> Document:
            current = self.kind.data_in(stored)
            merged = merge_patch(current, patch)
            if stored and self.kind.values_of(merged) == self.kind.values_of(current):
                return self.kind.document_in(stored)
            size = self.check(merged)
            self._require_room(size, stored)
            return self._update(sub, merged, condition)

        deadline = _conflict_deadline()
        item = self._read(sub)
        _refuse_erased(item)
        precondition.check(self.kind.revision_of(item))
        condition = conditions.unchanged(item, self.kind)
        return self._retry_conflicts(merge_and_update, precondition, item, condition, deadline)

    def delete(self, sub: str, precondition: Precondition = UNCONDITIONAL) -> None:
        """Remove the document of user `sub`, if there is one.

        Raises PreconditionFailed, PreconditionRequired or StoreUnavailable.
        """

        def remove(_: Item, condition: Condition) -> None:
            self._delete(sub, condition)

        condition = conditions.from_precondition(precondition)
        self._retry_conflicts(remove, precondition, {}, condition, _conflict_deadline())

    def _retry_conflicts(
        self,
        write: ConditionalWrite[Result],
        precondition: Precondition,
        item: Item,
        condition: Condition,
        deadline: float,
    ) -> Result:
        """Write under `condition`. If another writer was faster, repeat the write over the item
        that is stored now, as long as `precondition` holds for it.

        `item` is the item that was read before; empty if none was read.
        """
        for attempt in range(1, MAX_WRITE_ATTEMPTS + 1):
            try:
                return write(item, condition)
            except ConditionFailed as conflict:
                item = conflict.item
            _refuse_erased(item)
            precondition.check(self.kind.revision_of(item))
            if attempt == MAX_WRITE_ATTEMPTS or time.monotonic() > deadline:
                break
            condition = conditions.unchanged(item, self.kind)
            self.pause(attempt)
        raise StoreUnavailable(
            "Too many clients are changing this data. Your change was not made. Try again shortly."
        )

    def _require_storable(self, size: int) -> None:
        """Raise ProfileTooLarge if data of `size` bytes fits no item, whatever is stored."""
        if size > MAX_BYTES:
            raise too_large(size, self.max_bytes)

    def _require_room(self, size: int, item: Item) -> None:
        """Raise ProfileTooLarge if data of `size` bytes is too large to be stored over `item`.

        MAX_PROFILE_BYTES may have been lowered after a larger document was stored. Such a document
        can be changed as long as it becomes smaller.
        """
        self._require_storable(size)
        if size <= self.max_bytes:
            return
        if items.ERASED_AT in item or not item or size >= size_of(self.kind.data_in(item)):
            raise too_large(size, self.max_bytes)

    def _read(self, sub: str) -> Item:
        with translated_errors():
            response = self.client.get_item(
                TableName=self.table,
                Key=self.kind.key(sub),
                ConsistentRead=True,  # a user must see what they have just saved
            )
        return response.get("Item", {})

    def _update(self, sub: str, data: JSON, condition: Condition) -> Document:
        revision = {"S": self.revisions()}
        attributes = self.kind.values_of(data)
        assignments = [
            *(f"{name} = :{name}" for name in attributes),
            f"{items.REVISION} = :revision",
            f"{items.UPDATED_AT} = :now",
            f"{items.CREATED_AT} = if_not_exists({items.CREATED_AT}, :now)",
        ]
        values = {
            **{f":{name}": value for name, value in attributes.items()},
            ":revision": revision,
            ":now": {"S": self.clock()},
            **condition.values,
        }
        try:
            with translated_errors():
                response = self.client.update_item(
                    TableName=self.table,
                    Key=self.kind.key(sub),
                    UpdateExpression="SET " + ", ".join(assignments),
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                    **condition_arguments(condition),
                )
        except ConditionFailed as conflict:
            if conflict.item.get(items.REVISION) == revision:
                # botocore sent this write twice. The first succeeded, but its response was lost.
                return self.kind.document_in(conflict.item)
            if conflict.outcome_unknown:
                _refuse_erased(conflict.item)
                _raise_outcome_unknown(conflict)
            raise
        return self.kind.document_in(response["Attributes"])

    def _delete(self, sub: str, condition: Condition) -> None:
        arguments = condition_arguments(condition)
        if condition.values:
            arguments["ExpressionAttributeValues"] = condition.values
        try:
            with translated_errors():
                self.client.delete_item(TableName=self.table, Key=self.kind.key(sub), **arguments)
        except ConditionFailed as conflict:
            if not conflict.outcome_unknown:
                raise
            if conflict.item:
                _refuse_erased(conflict.item)
                _raise_outcome_unknown(conflict)
            # botocore sent this delete twice. The first succeeded, but its response was lost.


class ProfileStore(DocumentStore):
    """The profiles in one DynamoDB table."""

    kind = items.PROFILE

    @classmethod
    def connect(
        cls, table: str, check: ProfileCheck = check_profile_data, max_bytes: int = MAX_BYTES
    ) -> ProfileStore:
        """The store in `table`, in the environment's region and account. It sends nothing yet."""
        return cls(create_client(), table, check, max_bytes)

    def warm_up(self) -> None:
        """Read an item that does not exist, so that no user waits for the first call's endpoint
        rules, credentials, late imports and TLS connection."""
        self._read("nobody")

    def get(self, sub: str) -> Document:
        """The profile of user `sub`. Raises ProfileNotFound or StoreUnavailable."""
        profile = self.find(sub)
        if profile is None:
            raise ProfileNotFound("No profile is stored yet. POST one to create it.")
        return profile

    def list_after(self, sub: str | None, limit: int) -> ProfilePage:
        """Up to `limit` profiles after `sub`, sorted by the users' subs; None: the first ones.

        Reads are eventually consistent. Markers of erased accounts, and items of other programs
        that belong to no user, are skipped. Raises StoreUnavailable.
        """
        start = None if sub is None else items.profile_key(sub)
        deadline = time.monotonic() + MAX_LIST_SECONDS
        read_limit = limit
        while True:
            response = self._query(start, read_limit)
            found = [item for item in response["Items"] if _is_listed(item)]
            start = response.get("LastEvaluatedKey")
            if found or start is None:
                profiles = {
                    items.sub_of(item): self.kind.document_in(item) for item in found[:limit]
                }
                has_more = start is not None or len(found) > limit
                return ProfilePage(profiles, has_more)
            read_limit = READ_LIMIT
            if time.monotonic() > deadline:
                raise StoreUnavailable("The list took too long. Try again shortly.")

    def _query(self, start: Item | None, limit: int) -> dict[str, Any]:
        """Read up to `limit` items, and at most 1 MB, after the key `start`."""
        arguments: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": (
                f"{items.PARTITION_KEY} = :all AND begins_with({items.SORT_KEY}, :user)"
            ),
            "ExpressionAttributeValues": {
                ":all": {"S": items.USERS_PARTITION},
                ":user": {"S": items.USER_PREFIX},
            },
            "Limit": limit,
        }
        if start is not None:
            arguments["ExclusiveStartKey"] = start
        with translated_errors():
            response: dict[str, Any] = self.client.query(**arguments)  # type: ignore[assignment]
        return response


class ProfilePage(NamedTuple):
    """A part of the list of profiles."""

    profiles: dict[str, Document]
    """By `sub`, in the list's order. It is empty only at the list's end."""
    has_more: bool
    """Whether the list may go on after the last of them."""


@dataclass(frozen=True)
class MetadataStore(DocumentStore):
    """The metadata of users, in the same table as their profiles."""

    kind = items.METADATA
    check: ProfileCheck = check_metadata

    @classmethod
    def beside(cls, profiles: ProfileStore) -> MetadataStore:
        """The store in the same table, with the same client, limit, clock, revisions and pause."""
        return cls(
            client=profiles.client,
            table=profiles.table,
            max_bytes=profiles.max_bytes,
            clock=profiles.clock,
            revisions=profiles.revisions,
            pause=profiles.pause,
        )

    def patch(self, sub: str, patch: JSON, precondition: Precondition = UNCONDITIONAL) -> Document:
        """Apply a merge patch to the metadata of user `sub`. See DocumentStore.patch."""
        check_metadata(merge_patch({}, patch))  # before any precondition: it is the patch's error
        return super().patch(sub, patch, precondition)

    def get_app_metadata(self, sub: str) -> JSON:
        """The `app_metadata` of user `sub`; {} if there is none. Nothing else leaves the database.

        Raises StoreUnavailable.
        """
        with translated_errors():
            response = self.client.get_item(
                TableName=self.table,
                Key=self.kind.key(sub),
                ProjectionExpression=f"{APP}, {items.ERASED_AT}",
                ConsistentRead=True,
            )
        item = response.get("Item", {})
        _refuse_erased(item)
        return items.from_attribute_value(item.get(APP, items.NO_DATA))


def _refuse_erased(item: Item) -> None:
    """Raise AccountErased if `item` is the marker of an erased account."""
    if items.ERASED_AT in item:
        raise AccountErased


def _is_listed(item: Item) -> bool:
    return is_sub(items.sub_of(item)) and items.ERASED_AT not in item


def _conflict_deadline() -> float:
    return time.monotonic() + MAX_CONFLICT_SECONDS


def condition_arguments(condition: Condition) -> dict[str, Any]:
    """The condition of a write. No write replaces the marker of an erased account."""
    expression = conditions.NOT_ERASED
    if condition.expression:
        expression = f"{condition.expression} AND {expression}"
    return {
        "ConditionExpression": expression,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _raise_outcome_unknown(conflict: ConditionFailed) -> NoReturn:
    """Report that the result of the write is unknown.

    botocore's first attempt may have been carried out, and another writer has changed the data
    since. A 412 could be wrong, and another attempt could undo the other writer's change.
    """
    raise StoreUnavailable(
        "The database's response was lost, and the data has changed since. "
        "Read it before you try again."
    ) from conflict.__cause__
