"""The DynamoDB access layer: one user's profile in, out, in one call each.

botocore's errors become ProfileErrors here, once. What is left as it came (no such table, no permission, no
credentials) is a deployment mistake: nothing the caller does can mend it, so it ends as a 500 with its trace logged.
"""

from __future__ import annotations

import random
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import botocore.session
from botocore import exceptions
from botocore.config import Config

from chalicelib import items
from chalicelib.errors import ProfileNotFound, ProfileTooLarge, StoreUnavailable
from chalicelib.profile import JSON, Precondition, Profile, check_profile_data, merge_patch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")
Item: TypeAlias = dict[str, Any]  # as DynamoDB returns it; {} where nothing is stored
Guard: TypeAlias = tuple[
    str, dict[str, items.AttributeValue]
]  # a condition expression, "" for none, and its values

TRY_AGAIN = (
    "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ThrottlingException", "TransactionConflictException",
)  # fmt: skip
"""Error codes, beside all of status 5xx, of requests that may succeed when sent again (AWS: Error handling)."""

CLIENT_CONFIG = Config(
    # A call takes 7 s at worst: 2 tries of 1 s to connect and 2 s to answer, and up to 1 s between them. A patch is two
    # calls, 14 s: inside the function's timeout (lambda_timeout, 20 s), and that inside API Gateway's 29 s. Looking up
    # a name has no timeout but the function's, and neither has an answer that dribbles.
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
    # What reaches the client is built in items.py and has been checked there and in profile.py.
    parameter_validation=False,
)
TRIES, PATIENCE = (
    10,
    5.0,
)  # of a change that others keep overtaking: how many, and for how many seconds
UNCONDITIONALLY = Precondition()
UPDATE = "SET #data = :data, #revision = :revision, #updated = :now, #created = if_not_exists(#created, :now)"
NAMES = {  # all are aliased: many a name is a reserved word
    "#sk": "sk",
    "#data": items.DATA,
    "#revision": items.REVISION,
    "#updated": items.UPDATED_AT,
    "#created": items.CREATED_AT,
}


def utc_now() -> str:
    """The time in RFC 3339, UTC, with microseconds: 2026-11-22T10:00:00.123456Z."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_revision() -> str:
    """128 random bits: no two changes share a revision, a re-created profile's first one included."""
    return secrets.token_urlsafe(16)


def pause(attempt: int) -> None:
    """Let the others go first: up to 0.1 s before the second attempt, twice that before each further, 1 s at most."""
    time.sleep(random.uniform(0, min(1, 0.05 * 2**attempt)))  # noqa: S311 - no secret


class _Changed(Exception):
    """The guard of a write did not hold of `item`, which is stored."""

    def __init__(self, item: Item) -> None:
        super().__init__()  # without the item: what an exception holds may be logged
        self.item = item


database_calls: ContextVar[int] = ContextVar("database_calls", default=0)
"""How many requests to the database this context (a request to the API) has made, with those that were sent again."""
_unsure: ContextVar[bool] = ContextVar("unsure", default=False)
"""Whether one of botocore's tries of this call may have been carried out without our being told."""


def _note_try(parsed_response: Any, exception: Exception | None, **_: object) -> None:
    database_calls.set(database_calls.get() + 1)
    never_sent = isinstance(
        exception, exceptions.ConnectTimeoutError | exceptions.EndpointConnectionError
    )
    if not never_sent and (
        exception or parsed_response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    ):
        _unsure.set(True)


def _fail_damaged(response_dict: Any, **_: object) -> None:
    """botocore takes an answer that is not JSON for an empty one: nothing is stored, a front end would understand. Here
    it is an error, of a kind that botocore tries again, and raises (`_raise_damaged`) if that does not help."""
    body, checksum = response_dict["body"], response_dict["headers"].get("x-amz-crc32")
    sound = str(zlib.crc32(body)) == checksum if checksum else body[:1] + body[-1:] == b"{}"
    if response_dict["status_code"] == 200 and not sound:
        response_dict.update(
            status_code=500, body=b'{"__type": "RequestTimeout", "message": "damaged answer"}'
        )


def _raise_damaged(http_response: Any, parsed: Any, **_: object) -> None:
    http_response.status_code = parsed["ResponseMetadata"]["HTTPStatusCode"]


@dataclass(frozen=True)
class ProfileStore:
    """The profiles in one DynamoDB table. Safe to share between threads.

    `check` refuses data that may not be stored; the others are the world's part, to be replaced in tests.
    """

    client: DynamoDBClient
    table: str
    check: Callable[[JSON], JSON] = check_profile_data
    clock: Callable[[], str] = utc_now
    revisions: Callable[[], str] = new_revision
    pause: Callable[[int], None] = pause

    @classmethod
    def connect(
        cls, table: str, check: Callable[[JSON], JSON] = check_profile_data
    ) -> ProfileStore:
        """The store in `table`, with the region, credentials and endpoint of the environment. Sends nothing yet."""
        # botocore's own session: boto3's, on top of it, is a quarter more to import, for nothing that is used here.
        client: Any = botocore.session.get_session().create_client("dynamodb", config=CLIENT_CONFIG)
        client.meta.events.register("response-received.dynamodb", _note_try)
        client.meta.events.register("before-parse.dynamodb", _fail_damaged)
        client.meta.events.register("after-call.dynamodb", _raise_damaged)
        return cls(client, table, check)

    def warm_up(self) -> None:
        """Read what is not there, so that no user waits for what a first call takes: endpoint rules, credentials,
        imports, the TLS connection."""
        self._read("nobody")

    def get(self, sub: str) -> Profile:
        """The profile of user `sub`, with every write that was acknowledged before. Raises ProfileNotFound,
        StoreUnavailable."""
        item = self._read(sub)
        if not item:
            raise ProfileNotFound("No profile is stored for you yet. POST one to create it.")
        return items.profile_from(item)

    def replace(self, sub: str, data: JSON, condition: Precondition = UNCONDITIONALLY) -> Profile:
        """Make `data` the profile of user `sub`, whether or not there is one. Attributes of other writers stay.

        Raises InvalidProfile, ProfileTooLarge, PreconditionFailed, PreconditionRequired, StoreUnavailable.
        """
        checked = self.check(data)
        return self._settle(condition, lambda _, guard: self._set(sub, checked, guard))

    def patch(self, sub: str, patch: JSON, condition: Precondition = UNCONDITIONALLY) -> Profile:
        """Apply a merge patch to the profile of user `sub`, or to an empty one, without losing anybody's change.

        A patch that changes nothing writes nothing. Raises what `replace` does.
        """

        def apply(item: Item, guard: Guard) -> Profile:
            current = items.profile_from(item) if item else None
            merged = merge_patch(current.data if current else {}, patch)
            if current and items.to_attribute_value(merged) == items.to_attribute_value(
                current.data
            ):
                return current
            return self._set(sub, self.check(merged), guard)

        check_profile_data(
            merge_patch({}, patch)
        )  # what is wrong whatever is stored is told before what depends on it
        return self._settle(condition, apply, lambda: self._read(sub))

    def delete(self, sub: str, condition: Precondition = UNCONDITIONALLY) -> None:
        """Remove the profile of user `sub`, if there is one. Raises what `replace` does, of the last three."""
        self._settle(condition, lambda _, guard: self._remove(sub, guard))

    def _settle(
        self,
        condition: Precondition,
        write: Callable[[Item, Guard], T],
        read: Callable[[], Item] | None = None,
    ) -> T:
        """Write if `condition` holds: at once, or over what `read` shows; over the newer if somebody was quicker."""
        deadline = time.monotonic() + PATIENCE
        item, guard = (read(), None) if read else ({}, _guard(condition))
        for attempt in range(TRIES):
            if guard is None:
                condition.check(items.revision_of(item) if item else None)
            if attempt and time.monotonic() > deadline:
                break
            if attempt:
                self.pause(attempt)
            try:
                return write(item, guard or _while_unchanged(item))
            except _Changed as changed:
                item, guard = changed.item, None
        raise StoreUnavailable(
            "Too many changes of this profile at once. Yours was not made; try again shortly."
        )

    def _read(self, sub: str) -> Item:
        with _errors_translated():
            return self.client.get_item(
                TableName=self.table, Key=items.key(sub), ConsistentRead=True
            ).get("Item", {})

    def _set(self, sub: str, data: JSON, guard: Guard) -> Profile:
        revision = {"S": self.revisions()}
        change = {
            ":data": items.to_attribute_value(data),
            ":revision": revision,
            ":now": {"S": self.clock()},
        }
        try:
            with _errors_translated():
                answer = self.client.update_item(
                    TableName=self.table,
                    Key=items.key(sub),
                    UpdateExpression=UPDATE,
                    ReturnValues="ALL_NEW",
                    **_conditional(guard, UPDATE, change),
                )
            return items.profile_from(answer["Attributes"])
        except _Changed as changed:
            if changed.item.get(items.REVISION) == revision:
                # Our own: it was written, the answer was lost, and botocore sent it again.
                return items.profile_from(changed.item)
            raise _told(changed) from changed.__cause__

    def _remove(self, sub: str, guard: Guard) -> None:
        try:
            with _errors_translated():
                self.client.delete_item(
                    TableName=self.table, Key=items.key(sub), **_conditional(guard)
                )
        except _Changed as changed:
            if changed.item or not _unsure.get():  # else it was our own first try that removed it
                raise _told(changed) from changed.__cause__


def _told(changed: _Changed) -> Exception:
    """What a refused write comes to. Where an earlier try of it may have been carried out, but what is stored is the
    work of another, nobody knows: one more try might undo that, and a 412 might be untrue."""
    lost = "The database's answer was lost, and the profile is another by now. GET it and decide again."
    return StoreUnavailable(lost) if _unsure.get() else changed


def _guard(condition: Precondition) -> Guard:
    """The precondition as DynamoDB can check it in the write itself. Where it cannot (both headers at once, tags of an
    item without a revision) the write is refused first, and done over the item that the refusal shows."""
    if condition.match is None:
        absent = condition.none_match is not None or condition.required
        return ("attribute_not_exists(#sk)" if absent else ""), {}
    if condition == Precondition(match=Precondition.ANY, required=condition.required):
        return "attribute_exists(#sk)", {}
    tags = condition.match - {""} if condition.none_match is None else ()
    values = {f":tag{number}": {"S": tag} for number, tag in enumerate(sorted(tags))}
    never = "attribute_exists(#sk) AND attribute_not_exists(#sk)"
    return (f"#revision IN ({', '.join(values)})" if values else never), values


def _while_unchanged(item: Item) -> Guard:
    """The condition that what is stored is still just this."""
    if not item:
        return "attribute_not_exists(#sk)", {}
    if items.REVISION in item:
        return "#revision = :seen", {":seen": item[items.REVISION]}
    data = {":seen": item[items.DATA]} if items.DATA in item else {}
    same = "#data = :seen" if data else "attribute_not_exists(#data)"
    return f"attribute_exists(#sk) AND attribute_not_exists(#revision) AND {same}", data


def _conditional(
    guard: Guard, update: str = "", change: dict[str, items.AttributeValue] | None = None
) -> Any:
    """The request's part that says under which condition, and what the names and values in its expressions are."""
    expression, values = guard[0], {**guard[1], **(change or {})}
    names = {alias: name for alias, name in NAMES.items() if alias in expression + update}
    arguments: dict[str, Any] = {
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    if expression:
        arguments |= {
            "ConditionExpression": expression,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    return {name: value for name, value in arguments.items() if value}


@contextmanager
def _errors_translated() -> Iterator[None]:
    _unsure.set(False)
    try:
        yield
    except exceptions.ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ConditionalCheckFailedException":
            response: Any = error.response
            raise _Changed(response.get("Item", {})) from error
        if code in TRY_AGAIN or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise StoreUnavailable("The database is busy. Try again shortly.") from error
        if code == "ValidationException" and "size" in message and "exceeded" in message:
            # Our own limit counts what this service writes; another writer's attributes in the item count too.
            raise ProfileTooLarge(
                "The profile does not fit into the database. Store less in it."
            ) from error
        raise
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise StoreUnavailable("The database did not answer. Try again shortly.") from error
