"""Which users a stage's user pool has, for `make import`."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from deploy.aws import report_aws_errors
from deploy.progress import Progress

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_cognito_idp.type_defs import UserTypeTypeDef

MAX_LOOKUPS = 100
"""Users that are looked up one by one. Above, the list of all users takes fewer requests: one for
60 users. Cognito allows 30 ListUsers requests a second by default, for all its callers."""
PAGE_SIZE = 60
"""The most users in one response of ListUsers."""


class UserPool:
    """The users of a user pool, by `sub`.

    The list of all users takes about 100 bytes of memory for each.
    """

    def __init__(self, client: CognitoIdentityProviderClient, pool_id: str) -> None:
        self._client = client
        self._pool_id = pool_id
        self._found: dict[str, bool] = {}
        self._all: set[bytes] | None = None

    @classmethod
    def connect(cls, pool_id: str) -> UserPool:
        """The user pool in the shell's account and region. It sends nothing yet."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 10})
        return cls(boto3.client("cognito-idp", config=config), pool_id)

    def has_user(self, sub: str) -> bool:
        """Whether the pool has a user with this `sub`, which is a UUID. Raises DeploymentError."""
        if self._all is None and sub not in self._found:
            if len(self._found) == MAX_LOOKUPS:
                self._all = self._list_all()
            else:
                self._found[sub] = self._look_up(sub)
        if self._all is None:
            return self._found[sub]
        return uuid.UUID(sub).bytes in self._all

    def _look_up(self, sub: str) -> bool:
        with self._reported_errors():
            response = self._client.list_users(
                UserPoolId=self._pool_id, AttributesToGet=["sub"], Filter=f'sub = "{sub}"'
            )
        return any(_sub_of(user) == sub for user in response["Users"])

    def _list_all(self) -> set[bytes]:
        progress = Progress("users read from the user pool")
        subs: set[bytes] = set()
        pages = self._client.get_paginator("list_users").paginate(
            UserPoolId=self._pool_id,
            AttributesToGet=["sub"],
            PaginationConfig={"PageSize": PAGE_SIZE},
        )
        with self._reported_errors():
            for page in pages:
                subs.update(uuid.UUID(_sub_of(user)).bytes for user in page["Users"])
                progress.show(len(subs))
        progress.close()
        return subs

    def _reported_errors(self) -> AbstractContextManager[None]:
        return report_aws_errors(f"reading the user pool {self._pool_id}")


def _sub_of(user: UserTypeTypeDef) -> str:
    for attribute in user["Attributes"]:
        if attribute["Name"] == "sub":
            return attribute["Value"]
    raise ValueError("Cognito returned a user without a sub")
