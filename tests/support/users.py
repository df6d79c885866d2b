"""Users who sign up and sign in to the emulated Cognito."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import jwt

from deploy import cognito
from local.emulator import confirmation_code
from tests.support import secret_texts
from tests.support.cloud import Cloud

PASSWORD = "Correct-Horse-42"


@dataclass(frozen=True)
class User:
    """A signed-in user. The tokens are valid for an hour."""

    email: str
    sub: str
    id_token: str
    access_token: str
    refresh_token: str


def sign_up_user(cloud: Cloud) -> User:
    """Sign up a user with a new address, confirm it with the mailed code, and sign in."""
    return sign_up_address(cloud, f"user-{uuid.uuid4().hex[:12]}@example.com")


def sign_up_address(cloud: Cloud, email: str) -> User:
    """Sign up `email`, confirm it with the mailed code, and sign in."""
    pool_arn = cloud.outputs["UserPoolArn"]
    client_id = cloud.outputs["UserPoolClientId"]
    cognito.sign_up(client_id, email, PASSWORD)
    cognito.confirm(client_id, email, confirmation_code(cloud.port, email))
    tokens = cognito.sign_in(pool_arn, client_id, email, PASSWORD)
    claims = jwt.decode(tokens["IdToken"], options={"verify_signature": False})
    user = User(
        email=email,
        sub=claims["sub"],
        id_token=tokens["IdToken"],
        access_token=tokens["AccessToken"],
        refresh_token=tokens["RefreshToken"],
    )
    secret_texts.add_user(user.email, user.id_token, user.access_token, user.refresh_token)
    return user
