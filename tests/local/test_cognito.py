"""Signing up and in, with Cognito's own answers."""

import time

import boto3
import jwt
import pytest

from deploy import cognito
from deploy.cognito import UserError
from local.emulator import EmulatorError, confirmation_code
from tests.conftest import PASSWORD, Cloud, User


def sign_in(cloud: Cloud, email: str, password: str) -> dict[str, str]:
    return cognito.sign_in(
        cloud.outputs["UserPoolArn"], cloud.outputs["UserPoolClientId"], email, password
    )


def test_sign_in_gives_three_tokens(cloud: Cloud, ada: User) -> None:
    # In AWS the case of the address does not matter (CaseSensitive: false); the emulator does not know that setting.
    assert {"IdToken", "AccessToken", "RefreshToken"} <= set(sign_in(cloud, ada.email, PASSWORD))


def test_a_refreshed_token_says_when_its_user_signed_in(cloud: Cloud, ada: User) -> None:
    """As Cognito's do. Those of ministack 1.5.33 say when they were refreshed."""
    time.sleep(1.1)  # the claim counts seconds
    refreshed = boto3.client("cognito-idp").initiate_auth(
        ClientId=cloud.outputs["UserPoolClientId"],
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": ada.refresh_token},
    )["AuthenticationResult"]
    before, after = (
        jwt.decode(token, options={"verify_signature": False})
        for token in (ada.id_token, refreshed["IdToken"])
    )
    assert after["auth_time"] == before["auth_time"] < after["iat"]


@pytest.mark.parametrize(("email", "password"), [("nobody@example.com", PASSWORD), (None, "wrong")])
def test_a_stranger_and_a_wrong_password_get_the_same_refusal(
    cloud: Cloud, ada: User, email: str | None, password: str
) -> None:
    with pytest.raises(UserError, match="Incorrect username or password"):
        sign_in(cloud, email or ada.email, password)


def test_who_has_not_confirmed_cannot_sign_in(cloud: Cloud) -> None:
    cognito.sign_up(cloud.outputs["UserPoolClientId"], "hasty@example.com", PASSWORD)
    with pytest.raises(UserError, match="could not sign in"):
        sign_in(cloud, "hasty@example.com", PASSWORD)


def test_a_code_confirms_nobody_who_did_not_sign_up(cloud: Cloud) -> None:
    # In AWS a wrong code confirms nobody at all; the emulator takes any code of a user who did sign up.
    with pytest.raises(UserError, match="could not be confirmed"):
        cognito.confirm(cloud.outputs["UserPoolClientId"], "nobody@example.com", "123456")


@pytest.mark.parametrize("password", ["short", "all-lower-case-1", "NoNumbersInHere"])
def test_the_pools_password_policy_is_told(cloud: Cloud, password: str) -> None:
    with pytest.raises(UserError, match="assword"):
        cognito.sign_up(cloud.outputs["UserPoolClientId"], "weak@example.com", password)


def test_nobody_signs_up_twice(cloud: Cloud, ada: User) -> None:
    with pytest.raises(UserError, match="could not sign up"):
        cognito.sign_up(cloud.outputs["UserPoolClientId"], ada.email, PASSWORD)


def test_no_mail_no_code(cloud: Cloud) -> None:
    with pytest.raises(EmulatorError, match="nobody@example"):
        confirmation_code(cloud.port, "nobody@example.com")


def test_a_user_who_must_choose_a_password_is_told_so(cloud: Cloud) -> None:
    import boto3  # noqa: PLC0415

    boto3.client("cognito-idp").admin_create_user(
        UserPoolId=cloud.outputs["UserPoolId"],
        Username="invited@example.com",
        TemporaryPassword=PASSWORD,
        MessageAction="SUPPRESS",
    )
    with pytest.raises(UserError, match="asks for more than a password"):
        sign_in(cloud, "invited@example.com", PASSWORD)


def test_the_demo_user_is_there_however_often_one_makes_sure(cloud: Cloud) -> None:
    for _ in range(2):
        cognito.ensure_demo_user(cloud.outputs["UserPoolArn"])
        assert sign_in(cloud, cognito.DEMO_EMAIL, cognito.DEMO_PASSWORD)["IdToken"]


def test_a_cloud_that_is_not_running_is_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UserError, match="make local"):
        sign_in(cloud, "ada@example.com", PASSWORD)
    with pytest.raises(UserError, match="make local"):
        cognito.sign_up("client", "ada@example.com", PASSWORD)
