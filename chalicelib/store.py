"""The DynamoDB access layer: one user's profile in, out, in one call each.

botocore's errors become ProfileErrors here, once. What is left as it came (no such table, no permission, no
credentials) is a deployment mistake: nothing the caller does can mend it, so it ends as a 500 with its trace logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from chalicelib import items
from chalicelib.errors import ProfileNotFound, ProfileTooLarge, StoreUnavailable
from chalicelib.profile import JSON, Profile, check_profile_data

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRY_AGAIN = (
    "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ThrottlingException", "TransactionConflictException",
)  # fmt: skip
"""Error codes, beside all of status 5xx, of requests that may succeed when sent again (AWS: Error handling)."""

CLIENT_CONFIG = Config(
    # At worst about 12 s: 3 tries of 1 s to connect and 2 s to answer, with up to 1 s and 2 s between them. That is
    # inside the function's timeout (lambda_timeout, 20 s), and that inside API Gateway's 29 s.
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
    # What reaches the client is built in items.py and has been checked there and in profile.py.
    parameter_validation=False,
)


def utc_now() -> str:
    """The time in RFC 3339, UTC, with microseconds: 2026-11-22T10:00:00.123456Z."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_revision() -> str:
    """128 random bits: no two changes share a revision, a re-created profile's first one included."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class ProfileStore:
    """The profiles in one DynamoDB table. Safe to share between threads."""

    client: DynamoDBClient
    table: str
    clock: Callable[[], str] = utc_now
    revisions: Callable[[], str] = new_revision

    @classmethod
    def connect(cls, table: str) -> ProfileStore:
        """The store in `table`, with the region, credentials and endpoint of the environment. Sends nothing yet."""
        return cls(boto3.client("dynamodb", config=CLIENT_CONFIG), table)

    def get(self, sub: str) -> Profile:
        """The profile of user `sub`, with every write that was acknowledged before (a strongly consistent read).

        Raises ProfileNotFound, StoreUnavailable.
        """
        with _errors_translated():
            answer = self.client.get_item(TableName=self.table, Key=items.key(sub), ConsistentRead=True)
        if "Item" not in answer:
            raise ProfileNotFound("No profile is stored for you yet. POST one to create it.")
        return items.profile_from(answer["Item"])

    def replace(self, sub: str, data: JSON) -> Profile:
        """Make `data` the profile of user `sub`, whether or not there is one. Attributes of other writers stay.

        Raises InvalidProfile, ProfileTooLarge, StoreUnavailable.
        """
        checked = check_profile_data(data)
        with _errors_translated():
            answer = self.client.update_item(
                TableName=self.table,
                Key=items.key(sub),
                UpdateExpression="SET #data = :data, #revision = :revision, #updated = :now,"
                " #created = if_not_exists(#created, :now)",
                ExpressionAttributeNames={
                    "#data": items.DATA,
                    "#revision": items.REVISION,
                    "#updated": items.UPDATED_AT,
                    "#created": items.CREATED_AT,
                },
                ExpressionAttributeValues={
                    ":data": items.to_attribute_value(checked),
                    ":revision": {"S": self.revisions()},
                    ":now": {"S": self.clock()},
                },
                ReturnValues="ALL_NEW",
            )
        return items.profile_from(answer["Attributes"])


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in TRY_AGAIN or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise StoreUnavailable("The database is busy. Try again shortly.") from error
        if code == "ValidationException" and "size" in message and "exceeded" in message:
            # Our own limit counts what this service writes; another writer's attributes in the item count too.
            raise ProfileTooLarge("The profile does not fit into the database. Store less in it.") from error
        raise
    except (ConnectionError, HTTPClientError) as error:
        raise StoreUnavailable("The database did not answer. Try again shortly.") from error
