"""The DynamoDB client: timeouts, retries, and the translation of its exceptions.

Only exceptions that a caller can act on are translated. A missing table, missing permissions and
missing credentials are deployment mistakes: botocore's exceptions pass unchanged, the API returns
500, and the log contains the traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from chalicelib.errors import ProfileTooLarge, StoreUnavailable
from chalicelib.items import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENT_CONFIG = Config(
    # One call takes at most 7 s: two attempts, each 1 s to connect and 2 s to respond, and up to
    # 1 s between them. The longest request (see store.MAX_CONFLICT_SECONDS) is shorter than the
    # function's timeout (lambda_timeout: 20 s), and that is shorter than API Gateway's (29 s). Two
    # operations are limited only by the function's timeout: resolving a host name, and receiving
    # a response byte by byte.
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
    # items.py builds all values, and profile.py has checked them.
    parameter_validation=False,
)

MAX_CALL_SECONDS = 7.0
"""The longest call with CLIENT_CONFIG."""

RETRYABLE_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Error codes with status 400 that may succeed later (AWS: "Error handling with DynamoDB")."""

database_calls: ContextVar[int] = ContextVar("database_calls", default=0)
"""The number of requests to DynamoDB for this request to the API, including retries."""
_outcome_unknown: ContextVar[bool] = ContextVar("outcome_unknown", default=False)
"""Whether DynamoDB may have carried out an earlier attempt whose response was lost."""


class ConditionFailed(Exception):
    """The condition of a write did not hold.

    `item` is the stored item; empty if there is none.
    `outcome_unknown`: botocore sent the write more than once, and an earlier attempt may have
    been carried out although its response was lost.
    """

    def __init__(self, item: Item, *, outcome_unknown: bool) -> None:
        super().__init__()  # without the item: exceptions are logged, profile data is not
        self.item = item
        self.outcome_unknown = outcome_unknown


def create_client() -> DynamoDBClient:
    """A client with the environment's region, credentials and endpoint. It sends nothing yet."""
    # botocore's session, because importing boto3 takes a quarter longer and adds nothing.
    session = botocore.session.get_session()
    # Without this, botocore puts the same text together twice for each request.
    config = CLIENT_CONFIG.merge(Config(user_agent=session.user_agent()))
    client: Any = session.create_client("dynamodb", config=config)
    client.meta.events.register("response-received.dynamodb", _note_attempt)
    return client  # type: ignore[no-any-return]


def _note_attempt(parsed_response: Any, exception: Exception | None, **_: object) -> None:
    """botocore calls this after each attempt, with a response or an exception."""
    database_calls.set(database_calls.get() + 1)
    if _may_have_been_carried_out(parsed_response, exception):
        _outcome_unknown.set(True)


def _may_have_been_carried_out(parsed_response: Any, exception: Exception | None) -> bool:
    """Whether an attempt failed, and DynamoDB may have carried it out nevertheless."""
    if isinstance(exception, ConnectTimeoutError | EndpointConnectionError):
        return False  # the request was never sent
    if exception is not None:
        return True
    status: int = parsed_response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= 500


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate botocore's exceptions, for exactly one call of the client.

    Raises ConditionFailed, StoreUnavailable, ProfileTooLarge.
    """
    _outcome_unknown.set(False)
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            response: Any = error.response
            raise ConditionFailed(
                response.get("Item", {}), outcome_unknown=_outcome_unknown.get()
            ) from error
        if code in RETRYABLE_CODES or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise StoreUnavailable("The database is busy. Try again shortly.") from error
        if _is_item_too_large(error):
            # profile.py's limit does not count attributes that other writers added to the item.
            raise ProfileTooLarge(
                "The data is too large for the database. Store less of it."
            ) from error
        raise
    except (ConnectionError, HTTPClientError) as error:
        raise StoreUnavailable("The database did not respond. Try again shortly.") from error


def _is_item_too_large(error: ClientError) -> bool:
    """DynamoDB has no error code for this. It returns a ValidationException with a message.

    Errors about other sizes, such as that of the expression or a key, are not caused by callers.
    """
    code = error.response["Error"]["Code"]
    message = error.response["Error"]["Message"]
    return code == "ValidationException" and message.startswith("Item size ")
