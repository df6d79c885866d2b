"""The Cognito user pool: find a user's account by `sub`, and delete it.

The client is created, and Cognito's service model is loaded, when an account is first erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
)

from chalicelib.deadline import Deadline
from chalicelib.errors import StoreUnavailable
from chalicelib.identity import is_sub

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    # One attempt. If the response to a deletion were lost and botocore repeated it, a federated
    # user who had signed up again meanwhile, under the same user name, would lose the new account.
    retries={"mode": "standard", "total_max_attempts": 1},
)
MAX_CALL_SECONDS = 4.0
"""The longest call: connect_timeout and read_timeout."""
RETRYABLE_CODES = frozenset(
    {"LimitExceededException", "ThrottlingException", "TooManyRequestsException"}
)
"""Error codes with status 400 that may succeed later (AWS: "Quotas in Amazon Cognito", and "Common
errors")."""
SEND_AGAIN = "The account may not be erased completely. Send the request again."


class AmbiguousUserName(Exception):
    """The user name of one account is the `sub` of another. Neither was deleted.

    AdminDeleteUser also accepts a sub in place of a user name (AWS: its API reference), so it could
    delete the other account. Users can choose such a name if the pool does not sign in by e-mail
    address.
    """


@dataclass(frozen=True)
class UserPool:
    """A user pool in the environment's region and account. Safe to share between threads."""

    client: CognitoIdentityProviderClient
    pool_id: str

    @classmethod
    def connect(cls, user_pool_arn: str) -> UserPool:
        """The user pool with this ARN. It sends nothing yet."""
        client: Any = botocore.session.get_session().create_client(
            "cognito-idp", config=CLIENT_CONFIG
        )
        return cls(client, user_pool_arn.rpartition("/")[2])

    def has_user(self, sub: str, deadline: Deadline) -> bool:
        """Whether an account has this `sub`. Raises StoreUnavailable."""
        return self._user_name(sub, deadline) is not None

    def delete_user(self, sub: str, deadline: Deadline) -> None:
        """Delete the account with this `sub`, if there is one.

        Only a user name that Cognito returned for the sub is deleted. A path or a claim is never
        used as a user name, because a user name can be the sub of another account.

        Raises StoreUnavailable or AmbiguousUserName.
        """
        user_name = self._user_name(sub, deadline)
        if user_name is None:
            return
        may_be_a_sub = user_name != sub and is_sub(user_name.lower())
        if may_be_a_sub and self.has_user(user_name.lower(), deadline):
            raise AmbiguousUserName(
                f"The user name of {sub} is the sub of another user, so Cognito could delete the "
                "wrong account. Erase the other user first, or ask AWS Support."
            )
        deadline.require(MAX_CALL_SECONDS)
        with _translated_errors():
            try:
                self.client.admin_delete_user(UserPoolId=self.pool_id, Username=user_name)
            except self.client.exceptions.UserNotFoundException:
                return  # another request has deleted it

    def _user_name(self, sub: str, deadline: Deadline) -> str | None:
        """The user name of the account with this `sub`; None if there is none."""
        arguments: dict[str, Any] = {
            "UserPoolId": self.pool_id,
            "AttributesToGet": ["sub"],
            "Filter": f'sub = "{sub}"',
        }
        while True:
            deadline.require(MAX_CALL_SECONDS)
            with _translated_errors():
                page = self.client.list_users(**arguments)
            for user in page["Users"]:
                # Emulators return other users too, if they cannot read the filter.
                if {"Name": "sub", "Value": sub} in user["Attributes"]:
                    return user["Username"]
            if "PaginationToken" not in page:
                return None
            arguments["PaginationToken"] = page["PaginationToken"]


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate botocore's exceptions. Raises StoreUnavailable.

    Deployment mistakes, such as missing permissions, pass unchanged.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in RETRYABLE_CODES or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise StoreUnavailable(f"The user pool is busy. {SEND_AGAIN}") from error
        raise
    except (ConnectionError, HTTPClientError) as error:
        raise StoreUnavailable(f"The user pool did not respond. {SEND_AGAIN}") from error
