"""Back ends and operators: requests with AWS Signature Version 4."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from botocore.credentials import Credentials

from deploy.users_api import UsersApi
from tests.support.http_api import Api


def operator_of(api: Api) -> UsersApi:
    """A back end that may call everything under /users of the API of `chalice local`."""
    url = f"http://127.0.0.1:{api.port}{api.prefix}"
    return UsersApi(url, Credentials("local", "local"), "us-east-1")


@contextmanager
def shell_of_make_local(api: Api) -> Iterator[None]:
    """Set the variables that `make local API_PORT=...` sets, and restore all at the end."""
    before = dict(os.environ)
    os.environ["OPTION_API_PORT"] = str(api.port)
    yield
    os.environ.clear()
    os.environ.update(before)


def assert_operator_problem(
    response: requests.Response, status: int, name: str | None = None
) -> dict[str, Any]:
    """Assert that the response is this problem, without CORS headers. Returns the problem."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert not [header for header in response.headers if header.lower().startswith("access-")]
    problem: dict[str, Any] = response.json()
    expected_type = "about:blank" if name is None else f"urn:problem-type:user-profile:{name}"
    assert problem["type"] == expected_type
    return problem
