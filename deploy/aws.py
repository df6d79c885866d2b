"""The AWS account that the shell is signed in to, and the errors of AWS calls.

The environment (region, credentials, AWS_ENDPOINT_URL) determines whether AWS calls go to AWS or to
an emulator.
"""

from __future__ import annotations

import http
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import boto3.session
from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from deploy.errors import DeploymentError

HTML_BEGINNINGS = (b"<!doctype html", b"<html")
"""The beginnings of a web page, in lower case."""
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
"""Codes of AWS's errors for temporary credentials that have expired."""


def let_boto3_read_aws_region() -> None:
    """Copy AWS_REGION, which the AWS CLI and Lambda read, to the variable that boto3 reads."""
    region = os.environ.get("AWS_REGION")
    if region is not None and not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


@contextmanager
def report_aws_errors(subject: str) -> Iterator[None]:
    """Raise the errors of AWS calls as DeploymentError. `subject` names what the calls are for."""
    try:
        recognize_web_pages()
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
        code = code_of(error)
        message = message_of(error)
        if not code or is_web_page(message):
            raise not_from_aws(subject) from error
        if code in EXPIRED or "is expired" in message:
            raise DeploymentError(
                f"the AWS credentials of this shell have expired ({subject}). Sign in again "
                "(`aws sso login`), or export new credentials. Then run this command again."
            ) from error
        raise DeploymentError(
            f"AWS refused {error.operation_name} ({subject}): {message}"
        ) from error
    except ResponseParserError as error:
        raise not_from_aws(subject) from error
    # ValueError: boto3 rejects an AWS_ENDPOINT_URL that is not a URL.
    except (BotoCoreError, Boto3Error, ValueError) as error:
        raise DeploymentError(f"cannot call AWS ({subject}): {error}") from error


def recognize_web_pages() -> None:
    """Let boto3's clients raise ResponseParserError for a web page, for example one of a proxy.

    botocore reads a web page as a response without members, or as an error without a code. Clients
    that exist already are not changed.
    """
    session = boto3.DEFAULT_SESSION
    if session is None:
        try:
            session = boto3.session.Session()
        except ProfileNotFound:
            return  # a call that uses the shell's profile reports it
        boto3.DEFAULT_SESSION = session
    _recognize_web_pages_of(session)


def _recognize_web_pages_of(session: boto3.session.Session) -> None:
    session.events.register("before-parse", _refuse_web_page, unique_id="refuse-web-pages")


def _refuse_web_page(response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise ResponseParserError for a web page.

    AWS's load balancers send web pages with status 5xx, which botocore reads as errors and repeats.
    `response_dict` is botocore's; its body is a stream if the response is an object of S3.
    """
    status = response_dict["status_code"]
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    body = response_dict["body"]
    if not isinstance(body, bytes):
        return
    # A response to HEAD has no body. With status 200, its type is that of an object of S3.
    has_page = bool(body) or status >= http.HTTPStatus.MULTIPLE_CHOICES
    is_html = response_dict["headers"].get("content-type", "").startswith("text/html")
    if (has_page and is_html) or body.lstrip().lower().startswith(HTML_BEGINNINGS):
        raise ResponseParserError("the response is a web page")


def code_of(error: ClientError) -> str:
    """Return the code of an error; empty if AWS did not send the response."""
    return error.response.get("Error", {}).get("Code", "")


def message_of(error: ClientError) -> str:
    """Return the message of an error; empty if it has none."""
    return error.response.get("Error", {}).get("Message", "")


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
    session = boto3.session.Session(profile_name=profile)
    _recognize_web_pages_of(session)
    return session.client(service)  # type: ignore[call-overload]


def account_id(profile: str | None = None) -> str:
    """Return the number of the account that the shell is signed in to.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    with report_aws_errors("identifying the account"):
        account: str = create_client("sts", profile).get_caller_identity()["Account"]
    return account
