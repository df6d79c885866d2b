"""The users of a stage's user pool, for commands: by e-mail address, by `sub`, or all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from chalicelib.identity import is_sub
from deploy.aws import report_aws_errors
from deploy.errors import CommandError
from deploy.progress import Progress

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_cognito_idp.type_defs import UserTypeTypeDef

MAX_LOOKUPS = 100
"""Users that are looked up one by one. Above, the list of all users takes fewer requests: one for
60 users. Cognito allows 30 ListUsers requests a second by default, for all its callers."""
PAGE_SIZE = 60
"""The most users in one response of ListUsers."""


class AccountError(CommandError):
    """A text names no user, or several."""


class NoAccount(AccountError):
    """No user has the e-mail address."""


@dataclass(frozen=True)
class Account:
    """A user of a user pool."""

    sub: str
    user_name: str
    email: str
    """As Cognito has it. Empty if it has none."""


class UserPool:
    """A user pool, read by ListUsers. Each function raises DeploymentError."""

    def __init__(self, client: CognitoIdentityProviderClient, pool_id: str) -> None:
        self._client = client
        self._pool_id = pool_id

    @classmethod
    def connect(cls, pool_id: str) -> UserPool:
        """The user pool in the shell's account and region. It sends nothing yet."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 10})
        return cls(boto3.client("cognito-idp", config=config), pool_id)

    def find(self, sub: str) -> Account | None:
        """The user with this `sub`, which is a UUID."""
        for account in self._accounts(f'sub = "{sub}"'):
            # Emulators return other users too, if they cannot read the filter.
            if account.sub == sub:
                return account
        return None

    def find_by_email(self, email: str) -> list[Account]:
        """The users whose address is `email`, in upper or lower case."""
        return [
            account
            for account in self._accounts(email_filter(email))
            if account.email.casefold() == email.casefold()
        ]

    def _accounts(self, user_filter: str) -> Iterator[Account]:
        for users in self._pages(Filter=user_filter):
            yield from map(_account_of, users)

    def pages_of_subs(self) -> Iterator[list[str]]:
        """The subs of all users, PAGE_SIZE at a time. Each page is read when it is needed."""
        for users in self._pages(AttributesToGet=["sub"], PaginationConfig={"PageSize": PAGE_SIZE}):
            yield [_account_of(user).sub for user in users]

    def _pages(self, **arguments: Any) -> Iterator[list[UserTypeTypeDef]]:
        pages = self._client.get_paginator("list_users").paginate(
            UserPoolId=self._pool_id, **arguments
        )
        iterator = iter(pages)
        while True:
            with self._reported_errors():
                page = next(iterator, None)
            if page is None:
                return
            yield page["Users"]

    def _reported_errors(self) -> AbstractContextManager[None]:
        return report_aws_errors(f"reading the user pool {self._pool_id}")


def _account_of(user: UserTypeTypeDef) -> Account:
    attributes = {found["Name"]: found.get("Value", "") for found in user["Attributes"]}
    return Account(
        sub=attributes["sub"],
        user_name=user.get("Username", ""),
        email=attributes.get("email", ""),
    )


def email_filter(email: str) -> str:
    """The filter of ListUsers for an e-mail address. Cognito ignores the case."""
    escaped = email.replace("\\", "\\\\").replace('"', '\\"')
    return f'email = "{escaped}"'


def find_sub(pool_id: str, account: str) -> str:
    """Return the sub of the user that `account` names: an e-mail address, or a sub.

    A sub is returned as it is, without a call to Cognito. Raises AccountError, DeploymentError.
    """
    account = account.strip()
    if is_sub(account.lower()):
        return account.lower()
    if "@" not in account:
        raise AccountError(f"{account} is neither an e-mail address nor a user's sub (a UUID).")
    found = UserPool.connect(pool_id).find_by_email(account)
    if not found:
        raise NoAccount(f"no user in the pool {pool_id} has the e-mail address {account}.")
    if len(found) > 1:
        subs = sorted(user.sub for user in found)
        raise AccountError(
            f"{len(found)} users have the e-mail address {account}. Choose one of them by its sub: "
            f"{', '.join(subs)}"
        )
    return found[0].sub


class KnownUsers:
    """Whether a user pool has a user, for many users.

    The list of all users takes about 100 bytes of memory for each.
    """

    def __init__(self, pool: UserPool) -> None:
        self._pool = pool
        self._found: dict[str, bool] = {}
        self._all: set[bytes] | None = None

    def has_user(self, sub: str) -> bool:
        """Whether the pool has a user with this `sub`, which is a UUID. Raises DeploymentError."""
        if self._all is None and sub not in self._found:
            if len(self._found) == MAX_LOOKUPS:
                self._all = self._list_all()
            else:
                self._found[sub] = self._pool.find(sub) is not None
        if self._all is None:
            return self._found[sub]
        return uuid.UUID(sub).bytes in self._all

    def _list_all(self) -> set[bytes]:
        progress = Progress("users read from the user pool")
        subs: set[bytes] = set()
        for page in self._pool.pages_of_subs():
            subs.update(uuid.UUID(sub).bytes for sub in page)
            progress.show(len(subs))
        progress.close()
        return subs
