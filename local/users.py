"""Users of the local user pool: `make token`, `make sign-up`, and the demo user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

import boto3

from deploy import chalice_config, cognito
from deploy.arn import UserPoolArn
from deploy.chalice_config import RecordedBackend
from deploy.checks import use_region_of
from local import environment
from local.emulator import confirmation_code
from local.errors import LocalError

DEMO_EMAIL = "ada@example.com"
DEMO_PASSWORD = "Ada-Lovelace-1815"  # noqa: S105 - only valid in the emulator; `make local` prints it


def print_token(email: str, password: str, stage: str) -> None:
    """Sign a user in and print only the id token.

    In the stage `local` an empty `email` means the demo user. Raises CommandError.
    """
    if email and not password:
        raise LocalError(
            f"PASSWORD is required with EMAIL: make -s token EMAIL={email} PASSWORD=..."
        )
    if stage == environment.STAGE:
        recorded = RecordedBackend.from_environment(_local_settings(), stage)
        if not email:
            email = DEMO_EMAIL
            password = password or DEMO_PASSWORD
    else:
        if not email:
            raise LocalError(
                "EMAIL and PASSWORD are required: "
                f"make -s token STAGE={stage} EMAIL=... PASSWORD=..."
            )
        use_region_of(stage)
        recorded = chalice_config.recorded_backend(stage)
    tokens = cognito.sign_in(recorded.user_pool_arn, recorded.first_client_id, email, password)
    print(tokens["IdToken"])


def _local_settings() -> Mapping[str, str]:
    """The environment, after the AWS emulator's settings were loaded into it."""
    environment.load()
    return os.environ


def sign_up(email: str, password: str) -> None:
    """Register a user, and confirm the registration with the code from the e-mail.

    Raises CommandError.
    """
    if not email or not password:
        raise LocalError(
            "EMAIL and PASSWORD are required: make sign-up EMAIL=grace@example.com PASSWORD=..."
        )
    settings = _local_settings()
    client_id = settings["USER_POOL_CLIENT_ID"]
    port = int(settings["AWS_ENDPOINT_URL"].rpartition(":")[2])
    cognito.sign_up(client_id, email, password)
    cognito.confirm(client_id, email, confirmation_code(port, email))
    print(f"{email} is signed up and confirmed.")


def ensure_demo_user(user_pool_arn: str) -> None:
    """Create the demo user if necessary, and set the demo password. Raises CognitoError."""
    client = boto3.client("cognito-idp")
    pool_id = UserPoolArn.parse(user_pool_arn).pool_id
    with cognito.report_cognito_errors("the demo user could not be created"):
        with suppress(client.exceptions.UsernameExistsException):
            client.admin_create_user(
                UserPoolId=pool_id,
                Username=DEMO_EMAIL,
                UserAttributes=[
                    {"Name": "email", "Value": DEMO_EMAIL},
                    {"Name": "email_verified", "Value": "true"},
                ],
                MessageAction="SUPPRESS",
            )
        client.admin_set_user_password(
            UserPoolId=pool_id, Username=DEMO_EMAIL, Password=DEMO_PASSWORD, Permanent=True
        )
