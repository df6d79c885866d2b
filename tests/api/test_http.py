"""The HTTP server's part of the responses.

On AWS, API Gateway does this part. Here local/server.py and local/gateway.py do it, in the same way
as far as possible. tests/deployed does not run these tests again.
"""

from __future__ import annotations

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.http11 import MAX_BODY, MAX_HEAD
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


def raw_request(user: User, *lines: str, body: bytes = b"", method: str = "PUT") -> bytes:
    head = [
        f"{method} /user/profile HTTP/1.1",
        "Host: a",
        f"Authorization: {user.id_token}",
        "Content-Type: application/json",
        *lines,
        "",
        "",
    ]
    return "\r\n".join(head).encode() + body


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
@pytest.mark.parametrize(
    "length", ["x", "-1", "+7", "0x7", "1.5", "7, 7", "7 7", "", "\u0667", "9" * 25, "9" * 5000]
)
def test_a_malformed_content_length_is_refused(api: Api, user: User, length: str) -> None:
    """RFC 9110, section 8.6: decimal digits only."""
    head = f"Authorization: {user.id_token}\r\nContent-Length: {length}\r\n"
    answer = send_bytes(
        api, b"POST /user/profile HTTP/1.1\r\nHost: a\r\n" + head.encode() + b"\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("length", ["10485761", "99999999999999999999"])
def test_a_large_content_length_is_a_413(api: Api, user: User, length: str) -> None:
    """The response does not wait for the body."""
    assert_problem(api("POST", token=user.id_token, headers=[("Content-Length", length)]), 413)


def test_whitespace_around_a_content_length_is_legal(api: Api, user: User) -> None:
    """RFC 9110, section 5.5."""
    request = raw_request(user, "Content-Length: \t 7 \t", body=b'{"a":1}')
    assert send_bytes(api, request).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "chunks",
    [
        b'7\r\n{"a":1}\r\n0\r\n\r\n',
        b'2\r\n{"\r\n005;extension=x\r\na":1}\r\n0\r\nTrailer: x\r\n\r\n',
        b'9\r\n{"a"\r\n:1}\r\n0\r\n\r\n',
    ],
    ids=["one chunk", "two chunks and a trailer", "a line break in a chunk"],
)
def test_a_chunked_body_is_read(api: Api, user: User, chunks: bytes) -> None:
    """RFC 9112, section 7.1. Node's streams and `curl -T -` send them."""
    request = raw_request(user, "Transfer-Encoding: chunked", body=chunks)
    both = send_bytes(api, request + raw_request(user, "Connection: close", method="GET"))
    assert both.count(b"HTTP/1.1 200 ") == 2
    assert both.count(b'"profile_data":{"a":1}') == 2


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize(
    "chunks",
    [b"", b"x\r\n", b"-1\r\n", b"7\r\n{}", b"2\r\n{}\r\n", b"2\r\n{}x0\r\n\r\n", b"0\r\n"],
)
def test_a_malformed_chunked_body_is_refused(api: Api, user: User, chunks: bytes) -> None:
    request = raw_request(user, "Transfer-Encoding: chunked", body=chunks)
    assert send_bytes(api, request).startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: chunked", "Content-Length: 7"], 400),
        (["Content-Length: 7", "Transfer-Encoding: chunked"], 400),
    ],
)
def test_an_ambiguous_body_is_refused(api: Api, user: User, lines: list[str], status: int) -> None:
    """RFC 9112, sections 6.1 and 6.3. The connection closes, so no request can be smuggled."""
    body = b"0\r\n\r\n" + raw_request(user, method="DELETE")
    answer = send_bytes(api, raw_request(user, *lines, body=body))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.usefixtures("unchanged_profile")
def test_a_chunked_body_beyond_the_limit_is_a_413(api: Api, user: User) -> None:
    body = b"a00001\r\n" + b" " * 0xA00001 + b"\r\n0\r\n\r\n"
    request = raw_request(user, "Transfer-Encoding: chunked", body=body)
    assert send_bytes(api, request).startswith(b"HTTP/1.1 413 ")


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("path", ["/docs", "/docs/openapi.json", "/nowhere", "/user/profile"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "HEAD", "DELETE", "BREW"])
def test_a_body_is_never_read_as_the_next_request(
    api: Api, user: User, path: str, method: str
) -> None:
    """RFC 9112, section 11.2, on every path: the hidden request is not carried out."""
    hidden = raw_request(user, method="PATCH")
    request = (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(hidden)}\r\n\r\n".encode()
    )
    answer = send_bytes(api, request + hidden)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_empty_lines_before_a_request_are_skipped(api: Api) -> None:
    """RFC 9112, section 2.2."""
    answer = send_bytes(api, b"\r\n\r\nOPTIONS /user/profile HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Host: a", "Host: a"],
        ["Host: a", "host: b"],
        ["Host: a b"],
        ["Host: a/b"],
        ["Host: user@a"],
        ["Host: a:port"],
        ["Host: a, b"],
        ["Host: a", "X: a\rb"],
        ["Host: a", "X: a\0b"],
        ["Host: a", "X : a"],
        ["Host: a", "no colon"],
        ["Host: a", ": no name"],
    ],
)
def test_malformed_headers_are_refused(api: Api, lines: list[str]) -> None:
    """RFC 9110, sections 5.5 and 7.2; RFC 9112, sections 3.2 and 5.1."""
    request = "\r\n".join(["OPTIONS /user/profile HTTP/1.1", *lines, "", ""])
    answer = send_bytes(api, request.encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"about:blank" in answer


@pytest.mark.parametrize("value", ["close", "foo, close", "Close", "keep-alive, CLOSE"])
def test_connection_close_closes(api: Api, value: str) -> None:
    """RFC 9112, section 9.6."""
    one = f"OPTIONS /user/profile HTTP/1.1\r\nHost: a\r\nConnection: {value}\r\n\r\n".encode()
    assert send_bytes(api, one + one).count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/9.9"])
def test_an_unknown_version_is_a_505(api: Api, version: str) -> None:
    """RFC 9110, section 15.6.6."""
    answer = send_bytes(api, f"OPTIONS /user/profile {version}\r\nHost: a\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 505 ")


def status_of(api: Api, target: str, method: str = "OPTIONS") -> int:
    answer = send_bytes(api, f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return int(answer.split(b" ")[1])


@pytest.mark.parametrize(
    "target",
    ["/user/profile?a=%20b", "/user/%70rofile", "/%75ser/profile", "HTTP://a/user/profile"],
)
def test_the_same_url_may_be_written_differently(api: Api, target: str) -> None:
    """RFC 3986, section 6.2.2.2; RFC 9112, section 3.2.2."""
    assert status_of(api, target) == 200


@pytest.mark.parametrize(
    "target",
    [
        "/user/profile;x=1",
        "//user/profile",
        "//a/user/profile",
        "/user//profile",
        "/user%2Fprofile",
        "/user/profile%3B",
        "/user/profile#x",
        "/User/profile",
        "http://a",
        "http:/user/profile",
        "a:/user/profile",
        "http://a?b=/user/profile",
        "*",
    ],
)
def test_another_url_is_a_404(api: Api, target: str) -> None:
    assert status_of(api, target) == 404


def test_the_trailers_of_a_chunked_body_have_a_limit(api: Api, user: User) -> None:
    """Like its headers (RFC 9112, section 7.1.2)."""
    head = f"PUT /user/profile HTTP/1.1\r\nHost: a\r\nAuthorization: {user.id_token}\r\n"
    body = b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 4000
    answer = send_bytes(api, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"too large" in answer


def test_the_head_of_a_request_has_a_limit(api: Api) -> None:
    """ "Amazon API Gateway quotas": 10,240 bytes of request line and headers."""
    start = "OPTIONS /user/profile HTTP/1.1\r\nHost: a\r\nX: "
    room = MAX_HEAD - len(start) - len("\r\n")
    for size, status in ((room, 200), (room + 1, 431), (200_000, 431)):
        answer = send_bytes(api, f"{start}{'x' * size}\r\n\r\n".encode())
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize(("quotes", "status"), [(3_100_000, 400), (4_000_000, 413)])
def test_a_body_that_lambda_cannot_take_is_a_413(
    api: Api, user: User, quotes: int, status: int
) -> None:
    """ "Lambda quotas": an event has at most 6 MB, in which each quote takes 2 bytes."""
    answer = api.post(user, '"' * quotes)
    assert answer.status == status


@pytest.mark.usefixtures("unchanged_profile")
def test_a_body_beyond_api_gateways_limit_is_a_413(api: Api, user: User) -> None:
    """The response reaches a client that is still sending."""
    assert_problem(api.post(user, b" " * (MAX_BODY + 1)), 413)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"BREW /user/profile HTTP/1.1\r\nHost: a\r\n\r\n",
        b"BREW /user/profile HTTP/1.1\r\n\r\n",
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
