"""Sign-up and sign-in, with the calls that a front end makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004
from botocore.parsers import ResponseParserError
from pycognito.aws_srp import AWSSRP
from pycognito.exceptions import WarrantException

from deploy.arn import UserPoolArn
from deploy.aws import code_of, is_web_page, message_of, not_from_aws, recognize_web_pages
from deploy.errors import CognitoError

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


@contextmanager
def report_cognito_errors(problem: str) -> Iterator[None]:
    """Raise CognitoError for botocore's errors. `problem` starts the message.

    Raises DeploymentError for a response that is not Cognito's.
    """
    try:
        yield
    except ClientError as error:
        message = message_of(error)
        if not code_of(error) or is_web_page(message):
            raise not_from_aws(problem) from error
        raise CognitoError(f"{problem}: {message}") from error
    except ResponseParserError as error:
        raise not_from_aws(problem) from error
    except (ConnectionError, HTTPClientError) as error:
        raise CognitoError(
            f"{problem}: Cognito does not respond ({error}). "
            "For the stage local, start `make local`."
        ) from error


def _client() -> CognitoIdentityProviderClient:
    """A client without credentials, like a front end."""
    recognize_web_pages()
    return boto3.client("cognito-idp", config=Config(signature_version=UNSIGNED))


def sign_in(user_pool_arn: str, client_id: str, email: str, password: str) -> dict[str, str]:
    """Sign in with the Secure Remote Password protocol (SRP), which does not send the password.

    Returns Cognito's AuthenticationResult: IdToken, AccessToken, RefreshToken...

    Raises CognitoError, and DeploymentError for a response that is not Cognito's.
    """
    pool_id = UserPoolArn.parse(user_pool_arn).pool_id
    srp = AWSSRP(email, password, pool_id, client_id, client=_client())
    problem = f"{email} could not sign in"
    with report_cognito_errors(problem):
        try:
            tokens: dict[str, str] = srp.authenticate_user()["AuthenticationResult"]
        except (WarrantException, NotImplementedError) as error:
            raise CognitoError(
                f"{problem}: Cognito requires more than a password. {error}"
            ) from error
    return tokens


def sign_up(client_id: str, email: str, password: str) -> None:
    """Register a user. Cognito then mails a confirmation code. Raises CognitoError."""
    with report_cognito_errors(f"{email} could not sign up"):
        _client().sign_up(
            ClientId=client_id,
            Username=email,
            Password=password,
            UserAttributes=[{"Name": "email", "Value": email}],
        )


def confirm(client_id: str, email: str, code: str) -> None:
    """Confirm a registration with the code from the mail. Raises CognitoError."""
    with report_cognito_errors(f"{email} could not be confirmed"):
        _client().confirm_sign_up(ClientId=client_id, Username=email, ConfirmationCode=code)
