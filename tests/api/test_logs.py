"""The log of `chalice local`, and the data that it must not contain.

At the end of a session, tests/conftest.py checks all logs again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.http_api import Api
from tests.support.secret_texts import PLANTED
from tests.support.users import User


class Log:
    """The text that a server writes to its log file from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._start = file.stat().st_size

    def text(self) -> str:
        """All of the new text."""
        return self._file.read_bytes()[self._start :].decode()

    def requests(self) -> list[str]:
        """The function's lines, one for each request that reached it."""
        return [line for line in self.text().splitlines() if line.startswith("user-profile - ")]


@pytest.fixture
def log(cloud: Cloud, api: Api) -> Log:
    return Log(cloud.folder / "api.log")


def test_each_request_is_logged_in_a_readable_line(api: Api, ada: User, log: Log) -> None:
    request_id = api("PUT", token=ada.id_token, body="{").json()["request_id"]
    (line,) = log.requests()
    assert line.startswith("user-profile - INFO - PUT /user/profile: 400 in ")
    assert line.endswith(f" ms (request_id {request_id})")


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (f'{{"{PLANTED}": "{PLANTED}"}}', 200),
        (f'{{"{PLANTED}": "{PLANTED}"', 400),
        (f'{{"{PLANTED}": 1}} {PLANTED}', 400),
        (f'{{"{PLANTED}": 1, "{PLANTED}": 2}}', 400),
        (f'{{"{PLANTED}": "\\ud800"}}', 400),
        (f'{{"{PLANTED}": 1e999}}', 422),
        (f'{{"{PLANTED}":' * 40 + "1" + "}" * 40, 422),
        (f'"{PLANTED}"', 422),
    ],
)
def test_profile_data_is_not_logged(
    api: Api, ada: User, log: Log, method: str, body: str, status: int
) -> None:
    assert api(method, token=ada.id_token, body=body).status == status
    assert len(log.requests()) == 1
    assert PLANTED not in log.text()


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("If-Match", f'"{PLANTED}"', 412),
        ("If-Match", PLANTED, 400),
        ("If-None-Match", f'"{PLANTED}"', 200),
        ("Content-Type", f"text/{PLANTED}", 415),
        ("X-Planted", PLANTED, 200),
        ("Cookie", PLANTED, 200),
    ],
)
def test_headers_are_not_logged(
    api: Api, ada: User, log: Log, name: str, value: str, status: int
) -> None:
    answer = api("PUT", token=ada.id_token, body="{}", headers=[(name, value)])
    assert answer.status == status
    assert len(log.requests()) == 1
    assert PLANTED not in log.text()


def test_tokens_and_claims_are_not_logged(api: Api, ada: User, log: Log) -> None:
    claims = ada.id_token.split(".")[1]
    tokens = [PLANTED, f"{ada.id_token}{PLANTED}", ada.access_token, ada.refresh_token]
    assert [api("GET", token=token).status for token in tokens] == [401] * len(tokens)
    assert api.get(ada).status in (200, 404)
    assert len(log.requests()) == 1, "a request without a valid token reached the function"
    for secret in (*tokens, ada.id_token, claims, ada.email):
        assert secret not in log.text()


@pytest.mark.parametrize("path", ["/user/profile?id_token=", "/nowhere?email="])
def test_queries_are_not_logged(api: Api, log: Log, path: str) -> None:
    api("GET", path + PLANTED)
    assert path.partition("?")[0] in log.text()
    assert PLANTED not in log.text()
