"""The AWS account that the shell is signed in to, and the errors of AWS calls.

The environment (region, credentials, AWS_ENDPOINT_URL) determines whether AWS calls go to AWS or to
an emulator.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from botocore.parsers import ResponseParserError

from deploy.errors import DeploymentError


def let_boto3_read_aws_region() -> None:
    """Copy AWS_REGION, which the AWS CLI and Lambda read, to the variable that boto3 reads."""
    region = os.environ.get("AWS_REGION")
    if region is not None and not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


@contextmanager
def report_aws_errors(subject: str) -> Iterator[None]:
    """Raise the errors of AWS calls as DeploymentError. `subject` names what the calls are for."""
    try:
        yield
    except NoRegionError as error:
        raise DeploymentError(
            "no AWS region is set. Set one: export AWS_DEFAULT_REGION=eu-central-1"
        ) from error
    except NoCredentialsError as error:
        raise DeploymentError(
            "there are no AWS credentials. Sign in (`aws configure`, `aws sso login`), or export "
            "AWS_PROFILE=..."
        ) from error
    except ClientError as error:
        message = error.response["Error"]["Message"]
        if is_web_page(message):
            raise not_from_aws(subject) from error
        raise DeploymentError(
            f"AWS refused {error.operation_name} ({subject}): {message}"
        ) from error
    except ResponseParserError as error:
        raise not_from_aws(subject) from error
    # ValueError: boto3 rejects an AWS_ENDPOINT_URL that is not a URL.
    except (BotoCoreError, Boto3Error, ValueError) as error:
        raise DeploymentError(f"cannot call AWS ({subject}): {error}") from error


def is_web_page(message: str) -> bool:
    """Return whether the message of a ClientError is the body of a response that AWS did not send.

    botocore takes the whole body as the message then.
    """
    return message.lstrip().startswith("<")


def not_from_aws(subject: str) -> DeploymentError:
    """Return the error for a response that is a web page, for example one of a proxy."""
    return DeploymentError(
        f"the response to a call of AWS ({subject}) is not one of AWS, but probably a web page of "
        "a proxy or of your network. Sign in to the network, and check HTTPS_PROXY and "
        "AWS_ENDPOINT_URL."
    )


def create_client(service: str, profile: str | None) -> Any:
    """Return a client of an AWS service for the AWS profile `profile`, None for the shell's."""
    if profile is None:
        return boto3.client(service)  # type: ignore[call-overload]
    return boto3.session.Session(profile_name=profile).client(service)  # type: ignore[call-overload]


def account_id(profile: str | None = None) -> str:
    """Return the number of the account that the shell is signed in to.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    subject = "identifying the account"
    with report_aws_errors(subject):
        try:
            account: str = create_client("sts", profile).get_caller_identity()["Account"]
        except KeyError as error:  # botocore raises it, too, for a page that is valid XML
            raise not_from_aws(subject) from error
    return account
