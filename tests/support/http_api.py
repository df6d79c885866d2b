"""A client of the API over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.support.users import User

PROFILE = "/user/profile"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Answer:
    """An HTTP response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as JSON, with exact numbers."""
        return json.loads(self.body, parse_float=Decimal)


@dataclass(frozen=True)
class Api:
    """The API on a port of 127.0.0.1. It sends any request, valid or not.

    `prefix` is the first part of every path, where the deployed API has one.
    """

    port: int
    prefix: str = ""

    def __call__(
        self,
        method: str,
        path: str = PROFILE,
        *,
        token: str | None = None,
        body: bytes | str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send a request with these headers and no others, except Host and Content-Length."""
        raw = body.encode() if isinstance(body, str) else body
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, self.prefix + path, skip_accept_encoding=True)
            if token is not None:
                connection.putheader("Authorization", f"Bearer {token}")
            for name, value in headers:
                connection.putheader(name, value)
            if raw is not None:
                connection.putheader("Content-Length", str(len(raw)))
            connection.endheaders(raw)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, user: User) -> Answer:
        """Read the user's profile."""
        return self("GET", token=user.id_token)

    def post(
        self, user: User, body: bytes | str, content_type: str | None = "application/json"
    ) -> Answer:
        """Send `body` unchanged. `content_type` None: without that header."""
        headers = []
        if content_type is not None:
            headers.append(("Content-Type", content_type))
        return self("POST", token=user.id_token, body=body, headers=headers)

    def send(self, user: User, method: str, data: object = None, **headers: str) -> Answer:
        """Send `data` as JSON with the method's content type. `data` None: without a body.

        Header names are written with underscores: If_Match for If-Match.
        """
        lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
        body = None
        if data is not None:
            body = json.dumps(data)
            if "Content_Type" not in headers:
                lines.append(("Content-Type", _content_type(method)))
        return self(method, token=user.id_token, body=body, headers=lines)


def _content_type(method: str) -> str:
    return MERGE_PATCH if method == "PATCH" else "application/json"


def assert_problem(answer: Answer, status: int, name: str | None = None) -> dict[str, Any]:
    """Assert that the response is this problem, complete, and readable by scripts in a browser.

    `name` is the end of its type, urn:problem-type:user-profile:<name>; None stands for
    about:blank. Returns the problem.
    """
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"
    assert answer.headers["Cache-Control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    expected_type = "about:blank" if name is None else f"urn:problem-type:user-profile:{name}"
    assert problem["type"] == expected_type
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]
    members = {"type", "title", "status", "detail", "request_id", "errors", "max_age"}
    assert set(problem) <= members
    return problem
