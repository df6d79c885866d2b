"""The users of a user pool, found by their e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from chalicelib.identity import is_sub
from deploy.aws import report_aws_errors
from deploy.cognito import report_cognito_errors
from deploy.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


class AccountError(CommandError):
    """A text names no user, or several."""


def find_sub(pool_id: str, account: str) -> str:
    """Return the sub of the user that `account` names: an e-mail address, or a sub.

    A sub is returned as it is, without a call to Cognito. Raises AccountError, CommandError.
    """
    account = account.strip()
    if is_sub(account.lower()):
        return account.lower()
    if "@" not in account:
        raise AccountError(f"{account} is neither an e-mail address nor a user's sub (a UUID).")
    with (
        report_aws_errors(f"looking {account} up"),
        report_cognito_errors(f"{account} could not be looked up"),
    ):
        subs = list(_subs_with_email(boto3.client("cognito-idp"), pool_id, account))
    if not subs:
        raise AccountError(f"no user in the pool {pool_id} has the e-mail address {account}.")
    if len(subs) > 1:
        raise AccountError(
            f"{len(subs)} users have the e-mail address {account}. Choose one of them by its sub: "
            f"{', '.join(sorted(subs))}"
        )
    return subs[0]


def _subs_with_email(
    client: CognitoIdentityProviderClient, pool_id: str, email: str
) -> Iterator[str]:
    """The subs of the users whose address is `email`, in upper or lower case."""
    pages = client.get_paginator("list_users").paginate(
        UserPoolId=pool_id, Filter=email_filter(email)
    )
    for page in pages:
        for user in page["Users"]:
            attributes = {found["Name"]: found.get("Value", "") for found in user["Attributes"]}
            # Emulators return other users too, if they cannot read the filter.
            if attributes.get("email", "").casefold() == email.casefold():
                yield attributes["sub"]


def email_filter(email: str) -> str:
    """The filter of ListUsers for an e-mail address. Cognito ignores the case."""
    escaped = email.replace("\\", "\\\\").replace('"', '\\"')
    return f'email = "{escaped}"'
