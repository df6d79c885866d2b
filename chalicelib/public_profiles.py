"""Public profiles: the fields of profiles that every signed-in user may read.

The stage's setting PUBLIC_FIELDS names these fields. The database returns them alone (a projection
expression), so no other data reaches this service. A user without a profile, and one whose account
was erased, look the same.

Reads are eventually consistent: they cost half as much, and callers keep a copy for a minute.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from chalicelib import items
from chalicelib.dynamodb import translated_errors
from chalicelib.errors import MalformedQuery, ProfileNotFound, StoreUnavailable
from chalicelib.identity import is_sub, sub_in_path
from chalicelib.items import Item
from chalicelib.profile import JSON
from chalicelib.store import ProfileStore, random_pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_SUBS = 25
"""The most profiles that one request reads. A projection saves no read capacity."""
MAX_READ_SECONDS = 5.0
"""After this time, profiles that are still unread are not asked for again. One call of the database
takes at most 7 s (see dynamodb.py), so that a request takes at most 12 s."""
NOT_FOUND = "There is no profile for this sub."
"""The message for a sub that is absent, erased or malformed. The three look the same."""

PublicFields: TypeAlias = JSON
"""The public fields of a profile, as an object. It is empty if the profile has none of them."""


def requested_sub(event: Mapping[str, Any]) -> str:
    """The sub in the path of a request. Raises ProfileNotFound if it is malformed."""
    sub = sub_in_path(event)
    if sub is None:
        raise ProfileNotFound(NOT_FOUND)
    return sub


def requested_subs(parameters: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The subs in the query of GET /profiles, given as the values of each parameter.

    Raises MalformedQuery.
    """
    for name in parameters:
        if name != "sub":
            raise MalformedQuery(f"There is no parameter {name[:50]!r} here. The parameter is sub.")
    subs = parameters.get("sub", ())
    if not 1 <= len(subs) <= MAX_SUBS:
        raise MalformedQuery(f"Send sub once for each of 1 to {MAX_SUBS} users.")
    if not all(is_sub(sub) for sub in subs):
        raise MalformedQuery("Each sub must be a user's id: a UUID in lower case.")
    if len(set(subs)) < len(subs):
        raise MalformedQuery("Send each sub only once.")
    return subs


@dataclass(frozen=True)
class PublicProfileStore:
    """The public fields of the profiles in one DynamoDB table. Tests replace `pause`."""

    client: DynamoDBClient
    table: str
    fields: tuple[str, ...]
    """The names of the public fields, which are members of the profile data. Each is used as it is:
    a dot or a bracket in it has no meaning."""
    pause: Callable[[int], None] = random_pause

    @classmethod
    def beside(cls, profiles: ProfileStore, fields: tuple[str, ...]) -> PublicProfileStore:
        """The store in the same table, with the same client and pause."""
        return cls(profiles.client, profiles.table, fields, profiles.pause)

    def get(self, sub: str) -> PublicFields:
        """The public fields of user `sub`. Raises ProfileNotFound or StoreUnavailable."""
        item = self._read(sub)
        if not _is_profile(item):
            raise ProfileNotFound(NOT_FOUND)
        return items.PROFILE.data_in(item)

    def get_all(self, subs: Sequence[str]) -> dict[str, PublicFields | None]:
        """The public fields of up to MAX_SUBS different users, by sub, in the order of `subs`.

        None stands for a profile that was not read in time. Users without a profile are left out.
        Raises StoreUnavailable if nothing could be read.
        """
        found, unread = self._read_in_batches(subs)
        fields: dict[str, PublicFields | None] = dict.fromkeys(unread)
        for item in found:
            if _is_profile(item):
                fields[items.sub_of(item)] = items.PROFILE.data_in(item)
        return {sub: fields[sub] for sub in subs if sub in fields}

    def _read(self, sub: str) -> Item:
        with translated_errors():
            response = self.client.get_item(
                TableName=self.table, Key=items.profile_key(sub), **self._projection()
            )
        return response.get("Item", {})

    def _read_in_batches(self, subs: Sequence[str]) -> tuple[list[Item], list[str]]:
        """Read profiles. Returns the items that exist, and the subs that were not read in time.

        One call may leave items unread: if they take more than 1 MB in one partition, and all
        profiles are in one, or if DynamoDB is throttling. They are asked for again. If a later call
        fails, the items of the earlier ones are returned.
        """
        deadline = time.monotonic() + MAX_READ_SECONDS
        found: list[Item] = []
        unread = list(subs)
        for attempt in itertools.count(1):
            try:
                read, unread = self._read_batch(unread)
            except StoreUnavailable:
                if attempt == 1:
                    raise
                break
            found += read
            if not unread:
                break
            self.pause(attempt)
            if time.monotonic() > deadline:
                break
        return found, unread

    def _read_batch(self, subs: Sequence[str]) -> tuple[list[Item], list[str]]:
        """Read profiles in one call. Returns the items that exist, and the subs left unread."""
        keys = [items.profile_key(sub) for sub in subs]
        request: Any = {self.table: {"Keys": keys, **self._projection()}}
        with translated_errors():
            response: Any = self.client.batch_get_item(RequestItems=request)
        unread = response.get("UnprocessedKeys", {}).get(self.table, {}).get("Keys", [])
        return response["Responses"].get(self.table, []), [items.sub_of(key) for key in unread]

    def _projection(self) -> dict[str, Any]:
        """The arguments with which DynamoDB returns the public fields and nothing else of the data.

        The sort key is among the attributes, because an item that has none of them would be
        returned like one that does not exist.
        """
        names = {f"#f{number}": name for number, name in enumerate(self.fields)}
        paths = [f"{items.DATA}.{placeholder}" for placeholder in names]
        return {
            "ProjectionExpression": ", ".join([items.SORT_KEY, items.ERASED_AT, *paths]),
            "ExpressionAttributeNames": names,
        }


def _is_profile(item: Item) -> bool:
    return bool(item) and items.ERASED_AT not in item
