"""A session of requests that responds without a network, for tests of deploy/users_api.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from botocore.credentials import Credentials

from deploy.users_api import UsersApi

URL = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/api"


def response(
    status: int, body: str = "", headers: Mapping[str, str] | None = None
) -> requests.Response:
    """A response of the API, or of anything else."""
    made = requests.Response()
    made.status_code = status
    made._content = body.encode()
    made.headers.update(headers or {})
    return made


class FakeSession(requests.Session):
    """Returns `responses` one after the other, and notes the URL of each request."""

    def __init__(self, *responses: requests.Response) -> None:
        super().__init__()
        self._responses = list(responses)
        self.urls: list[str] = []

    def request(self, method: str | bytes, url: str | bytes, *_: Any, **__: Any) -> Any:
        self.urls.append(str(url))
        found = self._responses.pop(0)
        found.url = str(url)
        return found


def api_with(session: FakeSession) -> UsersApi:
    """The API at URL, whose responses are those of `session`."""
    return UsersApi(URL, Credentials("AKIA", "secret"), "us-east-1", session)
