"""The HTTP server's part of the responses.

On AWS, API Gateway does this part. Here local/server.py and local/gateway.py do it, in the same way
as far as possible. tests/deployed does not run these tests again.
"""

from __future__ import annotations

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.gateway import MAX_BODY
from tests.support.bad_bodies import NOT_UTF_8
from tests.support.http_api import Api, assert_problem
from tests.support.users import User

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def send_bytes(api: Api, request: bytes) -> bytes:
    """Send these bytes. Return all bytes that the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as file:
            return file.read()


@pytest.mark.parametrize("method", METHODS)
def test_a_preflight_allows_what_the_api_takes(api: Api, method: str) -> None:
    preflight = [("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", method)]
    answer = api("OPTIONS", headers=preflight)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert set(answer.headers["Access-Control-Allow-Methods"].split(",")) == {*METHODS, "OPTIONS"}
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(","))
    assert {"Authorization", "Content-Type", "If-Match", "If-None-Match"} <= allowed
    assert answer.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.usefixtures("unchanged_profile")
def test_a_body_that_is_not_utf_8_is_refused(api: Api, user: User) -> None:
    assert_problem(api.post(user, NOT_UTF_8.body), NOT_UTF_8.status, NOT_UTF_8.problem)


def test_an_unknown_method_is_a_405(api: Api, ada: User) -> None:
    answer = api("HEAD", token=ada.id_token)
    assert answer.status == 405
    assert answer.body == b""
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.usefixtures("unchanged_profile")
def test_a_body_that_is_cut_short_is_refused(api: Api, user: User) -> None:
    lines = [
        "POST /user/profile HTTP/1.1",
        "Host: a",
        f"Authorization: {user.id_token}",
        "Content-Length: 50",
        "",
        '{"cut": 1}',
    ]
    answer = send_bytes(api, "\r\n".join(lines).encode())
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("unchanged_profile")
def test_two_content_lengths_are_refused(api: Api, user: User) -> None:
    lengths = [("Content-Length", "2"), ("Content-Length", "9")]
    assert_problem(api("POST", token=user.id_token, headers=lengths), 400)


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("length", ["x", "-1", "1.5", "9" * 5000])
def test_a_malformed_content_length_is_refused(api: Api, user: User, length: str) -> None:
    assert_problem(api("POST", token=user.id_token, headers=[("Content-Length", length)]), 411)


@pytest.mark.usefixtures("unchanged_profile")
def test_a_body_of_unknown_length_is_refused(api: Api, user: User) -> None:
    chunked = [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")]
    assert_problem(api("POST", token=user.id_token, headers=chunked), 411)


@pytest.mark.usefixtures("unchanged_profile")
def test_a_body_beyond_api_gateways_limit_is_a_413(api: Api, user: User) -> None:
    """The response reaches a client that is still sending."""
    assert_problem(api.post(user, b" " * (MAX_BODY + 1)), 413)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"BREW /user/profile HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n",
    ],
)
def test_a_malformed_request_is_answered(api: Api, request_bytes: bytes) -> None:
    answer = send_bytes(api, request_bytes)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ", b"HTTP/1.1 405 "))
    assert b"about:blank" in answer
    assert b"Access-Control-Allow-Origin: *" in answer


def test_a_burst_of_clients_is_answered(api: Api, ada: User) -> None:
    clients = 80
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda _: api.get(ada), range(clients)))
    assert {answer.status for answer in answers} <= {200, 404}


def test_several_requests_go_over_one_connection(api: Api, ada: User) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    connection.connect()
    connection.auto_open = 0  # a connection that the server closed is an error
    for method in ("HEAD", "GET", "DELETE", "GET", "OPTIONS", "GET"):
        connection.request(method, "/user/profile", headers={"Authorization": ada.id_token})
        response = connection.getresponse()
        response.read()
        assert response.status in (200, 204, 404, 405)
    connection.close()
