"""Signing up and in, against the emulator's Cognito."""

from typing import Any

import boto3
import jwt
import pytest

from deploy import cognito
from deploy.errors import CognitoError
from local.emulator import EmulatorError, confirmation_code
from local.process import wait_until
from tests.support.cloud import Cloud
from tests.support.users import PASSWORD, User


def sign_in(cloud: Cloud, email: str, password: str) -> dict[str, str]:
    return cognito.sign_in(
        cloud.outputs["UserPoolArn"], cloud.outputs["UserPoolClientId"], email, password
    )


def test_sign_in_gives_three_tokens(cloud: Cloud, ada: User) -> None:
    # On AWS the case of the address does not matter (CaseSensitive: false). ministack ignores that.
    assert {"IdToken", "AccessToken", "RefreshToken"} <= set(sign_in(cloud, ada.email, PASSWORD))


def test_a_refreshed_token_keeps_the_time_of_the_sign_in(cloud: Cloud, ada: User) -> None:
    """As in Cognito. ministack 1.5.33 itself sets the time of the refresh."""
    before = claims_of(ada.id_token)
    refreshed: dict[str, Any] = {}

    def refresh_in_a_later_second() -> bool:
        refreshed.update(claims_of(refreshed_id_token(cloud, ada)))
        return bool(refreshed["iat"] > before["auth_time"])

    assert wait_until(refresh_in_a_later_second, timeout=10)
    assert refreshed["auth_time"] == before["auth_time"]


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def refreshed_id_token(cloud: Cloud, user: User) -> str:
    answer = boto3.client("cognito-idp").initiate_auth(
        ClientId=cloud.outputs["UserPoolClientId"],
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": user.refresh_token},
    )
    return answer["AuthenticationResult"]["IdToken"]


@pytest.mark.parametrize(("email", "password"), [("nobody@example.com", PASSWORD), (None, "wrong")])
def test_unknown_user_and_wrong_password_look_the_same(
    cloud: Cloud, ada: User, email: str | None, password: str
) -> None:
    with pytest.raises(CognitoError, match="Incorrect username or password"):
        sign_in(cloud, email or ada.email, password)


def test_an_unconfirmed_user_cannot_sign_in(cloud: Cloud) -> None:
    cognito.sign_up(cloud.outputs["UserPoolClientId"], "hasty@example.com", PASSWORD)
    with pytest.raises(CognitoError, match="could not sign in"):
        sign_in(cloud, "hasty@example.com", PASSWORD)


def test_a_code_does_not_confirm_an_unknown_user(cloud: Cloud) -> None:
    # On AWS a wrong code confirms nobody. ministack accepts any code of a user who signed up.
    with pytest.raises(CognitoError, match="could not be confirmed"):
        cognito.confirm(cloud.outputs["UserPoolClientId"], "nobody@example.com", "123456")


@pytest.mark.parametrize("password", ["short", "all-lower-case-1", "NoNumbersInHere"])
def test_a_weak_password_is_refused(cloud: Cloud, password: str) -> None:
    with pytest.raises(CognitoError, match="assword"):
        cognito.sign_up(cloud.outputs["UserPoolClientId"], "weak@example.com", password)


def test_an_address_signs_up_once(cloud: Cloud, ada: User) -> None:
    with pytest.raises(CognitoError, match="could not sign up"):
        cognito.sign_up(cloud.outputs["UserPoolClientId"], ada.email, PASSWORD)


def test_without_a_mail_there_is_no_confirmation_code(cloud: Cloud) -> None:
    with pytest.raises(EmulatorError, match="nobody@example"):
        confirmation_code(cloud.port, "nobody@example.com")


def test_a_user_who_must_choose_a_password_cannot_sign_in(cloud: Cloud) -> None:
    boto3.client("cognito-idp").admin_create_user(
        UserPoolId=cloud.outputs["UserPoolId"],
        Username="invited@example.com",
        TemporaryPassword=PASSWORD,
        MessageAction="SUPPRESS",
    )
    with pytest.raises(CognitoError, match="requires more than a password"):
        sign_in(cloud, "invited@example.com", PASSWORD)


def test_when_cognito_does_not_answer_the_error_says_so(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CognitoError, match="make local"):
        sign_in(cloud, "ada@example.com", PASSWORD)
    with pytest.raises(CognitoError, match="make local"):
        cognito.sign_up("client", "ada@example.com", PASSWORD)
