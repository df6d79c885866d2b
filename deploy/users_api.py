"""Calls the API as a back end or an operator does: with AWS Signature Version 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy.errors import CommandError

SERVICE = "execute-api"
TIMEOUT_SECONDS = 30


class UsersApiError(CommandError):
    """The API could not be called, or refused the call."""


class NoResponse(UsersApiError):
    """Nothing responds at the API's URL."""


@dataclass
class UsersApi:
    """The API of a stage, called with AWS credentials."""

    url: str
    """The API's URL, without a slash at the end."""
    credentials: Credentials
    region: str
    session: requests.Session = field(default_factory=requests.Session)

    @classmethod
    def with_shell_credentials(cls, url: str) -> UsersApi:
        """The API at `url`, with the shell's credentials and region. Raises UsersApiError."""
        session = boto3.session.Session()
        credentials = session.get_credentials()
        if credentials is None or session.region_name is None:
            raise UsersApiError(
                "AWS credentials and a region are required. Set AWS_PROFILE, or "
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION."
            )
        return cls(url, credentials, session.region_name)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a signed request. Raises NoResponse.

        path: starts with /users.
        body: JSON, as a merge patch for the method PATCH.
        """
        url = self.url + path
        if query:
            url += "?" + urlencode(query)
        all_headers = dict(headers or {})
        if body is not None:
            all_headers.setdefault("Content-Type", _content_type(method))
        data = None if body is None else body.encode()
        request = AWSRequest(method, url, headers=all_headers, data=data)
        SigV4Auth(self.credentials, SERVICE, self.region).add_auth(request)
        signed_headers = dict(request.headers.items())
        try:
            return self.session.request(
                method,
                url,
                data=data,
                headers=signed_headers,
                auth=keep_authorization,
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise NoResponse(f"{self.url} does not respond: {error}") from error


def keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An `auth` of requests that keeps Authorization: without one, ~/.netrc could replace it."""
    return request


def _content_type(method: str) -> str:
    return "application/merge-patch+json" if method == "PATCH" else "application/json"
