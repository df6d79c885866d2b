"""Users of the pool: sign up, sign in, the demo user. Cognito's own calls, as a front end makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004
from pycognito.aws_srp import AWSSRP
from pycognito.exceptions import WarrantException

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

DEMO_EMAIL = "ada@example.com"
DEMO_PASSWORD = "Ada-Lovelace-1815"  # noqa: S105 - of a pool on this machine, printed by `make local`


class UserError(Exception):
    """Cognito refused. Its text is what Cognito says, or what to do."""


def pool_id(user_pool_arn: str) -> str:
    """arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_abc -> us-east-1_abc"""
    return user_pool_arn.rpartition("/")[2]


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Raise UserError for what Cognito refuses, and for a Cognito that is not there."""
    try:
        yield
    except ClientError as error:
        raise UserError(f"{what}: {error.response['Error']['Message']}") from error
    except (ConnectionError, HTTPClientError) as error:
        raise UserError(
            f"Cognito does not answer. For the stage local, start `make local`. ({error})"
        ) from error


def _public_client() -> CognitoIdentityProviderClient:
    """Cognito as a front end calls it, without credentials."""
    return boto3.client("cognito-idp", config=Config(signature_version=UNSIGNED))


def sign_in(user_pool_arn: str, client_id: str, email: str, password: str) -> dict[str, str]:
    """Sign in by SRP, so that the password itself is never sent.

    Returns Cognito's AuthenticationResult: IdToken, AccessToken, RefreshToken... Raises UserError.
    """
    srp = AWSSRP(email, password, pool_id(user_pool_arn), client_id, client=_public_client())
    with _told(f"{email} could not sign in"):
        try:
            tokens: dict[str, str] = srp.authenticate_user()["AuthenticationResult"]
        except (WarrantException, NotImplementedError) as error:
            raise UserError(
                f"{email} could not sign in: Cognito asks for more than a password. {error}"
            ) from error
    return tokens


def sign_up(client_id: str, email: str, password: str) -> None:
    """Register; Cognito mails a confirmation code to `email`. Raises UserError."""
    with _told(f"{email} could not sign up"):
        _public_client().sign_up(
            ClientId=client_id,
            Username=email,
            Password=password,
            UserAttributes=[{"Name": "email", "Value": email}],
        )


def confirm(client_id: str, email: str, code: str) -> None:
    """Confirm a registration with the code from the mail. Raises UserError."""
    with _told(f"{email} could not be confirmed"):
        _public_client().confirm_sign_up(ClientId=client_id, Username=email, ConfirmationCode=code)


def ensure_demo_user(user_pool_arn: str) -> None:
    """Make sure that the demo user exists and has the demo password. Raises UserError."""
    client = boto3.client("cognito-idp")
    pool = pool_id(user_pool_arn)
    with _told("the demo user could not be made"):
        with suppress(client.exceptions.UsernameExistsException):
            client.admin_create_user(
                UserPoolId=pool,
                Username=DEMO_EMAIL,
                UserAttributes=[
                    {"Name": "email", "Value": DEMO_EMAIL},
                    {"Name": "email_verified", "Value": "true"},
                ],
                MessageAction="SUPPRESS",
            )
        client.admin_set_user_password(
            UserPoolId=pool, Username=DEMO_EMAIL, Password=DEMO_PASSWORD, Permanent=True
        )
