"""Users of the local user pool: `make token`, `make sign-up`, and the demo user."""

from __future__ import annotations

import os
from contextlib import suppress

import boto3

from chalicelib.deadline import Deadline
from chalicelib.erasure import Erasure
from chalicelib.errors import AccountErased, PreconditionFailed, StoreUnavailable
from chalicelib.markers import MarkerStore
from chalicelib.preconditions import Precondition, Wildcard
from chalicelib.profile import JSON
from chalicelib.store import MetadataStore, ProfileStore
from chalicelib.user_pool import UserPool
from deploy import chalice_config, cognito, time_to_live
from deploy.arn import UserPoolArn
from deploy.chalice_config import RecordedBackend
from deploy.checks import use_region_of
from deploy.options import option
from local import environment
from local.emulator import confirmation_code, require_emulator
from local.errors import LocalError
from local.ports import parse_port

DEMO_EMAIL = "ada@example.com"
DEMO_PASSWORD = "Ada-Lovelace-1815"  # noqa: S105 - only valid in the AWS emulator; `make local` prints it
DEMO_METADATA: JSON = {
    "app_metadata": {"plan": "pro"},
    "private_metadata": {"note": "Introduced by Charles Babbage."},
}


def print_token(email: str, password: str, stage: str) -> None:
    """Sign a user in and print only the id token.

    In the stage `local` an empty `email` means the demo user. Raises CommandError.
    """
    if email and not password:
        raise LocalError(
            f"PASSWORD is required with EMAIL: make -s token EMAIL={email} PASSWORD=..."
        )
    if stage == environment.STAGE:
        recorded = use_local_backend()
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


def use_local_backend() -> RecordedBackend:
    """The AWS emulator's table and user pool. From now on, AWS clients call the emulator.

    Raises LocalError.
    """
    environment.load()
    if option("AWS_PORT"):
        environment.use_port(parse_port(option("AWS_PORT")))
    require_emulator(environment.emulator_port())
    return RecordedBackend.from_environment(os.environ, environment.STAGE)


def sign_up(email: str, password: str) -> None:
    """Register a user, and confirm the registration with the code from the e-mail.

    Raises CommandError.
    """
    if not email or not password:
        raise LocalError(
            "EMAIL and PASSWORD are required: "
            f"make sign-up EMAIL={email or 'grace@example.com'} PASSWORD=..."
        )
    client_id = use_local_backend().first_client_id
    cognito.sign_up(client_id, email, password)
    code = confirmation_code(environment.emulator_port(), email)
    cognito.confirm(client_id, email, code)
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


def ensure_demo_metadata(user_pool_arn: str, table: str) -> None:
    """Give the demo user metadata, unless there is some already. Raises CommandError.

    If an erasure of the demo user was interrupted, it is finished, and the user is created again:
    nothing can be stored for the erased one.
    """
    try:
        try:
            _store_demo_metadata(_demo_sub(user_pool_arn), table)
        except AccountErased:
            _finish_demo_erasure(user_pool_arn, table)
            ensure_demo_user(user_pool_arn)
            _store_demo_metadata(_demo_sub(user_pool_arn), table)
    except StoreUnavailable as error:
        raise LocalError(f"the demo user's metadata could not be stored. {error}") from error


def _demo_sub(user_pool_arn: str) -> str:
    """The sub of the demo user, who exists. Raises CognitoError."""
    client = boto3.client("cognito-idp")
    pool_id = UserPoolArn.parse(user_pool_arn).pool_id
    with cognito.report_cognito_errors("the demo user could not be read"):
        demo_user = client.admin_get_user(UserPoolId=pool_id, Username=DEMO_EMAIL)
    attributes = {found["Name"]: found.get("Value", "") for found in demo_user["UserAttributes"]}
    return attributes["sub"]


def _store_demo_metadata(sub: str, table: str) -> None:
    """Raises AccountErased, also if only the profile is erased yet, or StoreUnavailable."""
    profiles = ProfileStore.connect(table)
    profiles.find(sub)
    metadata = MetadataStore.beside(profiles)
    only_if_absent = Precondition(if_none_match=Wildcard.ANY)
    with suppress(PreconditionFailed):
        metadata.replace(sub, DEMO_METADATA, only_if_absent)


def _finish_demo_erasure(user_pool_arn: str, table: str) -> None:
    """Finish the erasure of the demo user. Raises CommandError or StoreUnavailable."""
    sub = _demo_sub(user_pool_arn)
    variables = chalice_config.environment(environment.STAGE)
    expiry = time_to_live.attribute_of(variables, environment.STAGE)
    markers = MarkerStore.beside(ProfileStore.connect(table), expiry)
    user_pool = UserPool.connect(user_pool_arn)
    Erasure(markers, user_pool).erase(sub)
    # If the markers were finished already, `erase` has not looked for the account.
    user_pool.delete_user(sub, Deadline.after())
