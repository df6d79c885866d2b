"""Reads HTTP/1.1 requests from a connection, and writes responses. h11 implements the protocol.

A request that cannot be read unambiguously is refused, and the caller must then close the
connection. Otherwise one program could read bytes as a body that another program reads as the next
request (RFC 9112, section 11.2: request smuggling).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from typing import NamedTuple

import h11

MAX_BODY = 10 * 1024 * 1024
"""Bytes. Source: "Amazon API Gateway quotas", payload size."""
MAX_HEAD = 10_240
"""Bytes of the request line and all headers. Source: the same page."""
MAX_CONTENT_LENGTH_DIGITS = 20
"""The most digits of a Content-Length that are read as a number; more are malformed."""
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
"""RFC 9110, section 7.2: a host and an optional port, as in RFC 3986, section 3.2."""
CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
"""The header's value in the bytes of a head. In h11's events, `7, 7` has already become 7."""
WHOLE_URL = re.compile("https?://[^/?#]*", re.IGNORECASE)
"""The scheme and host of a URL."""
END_OF_HEAD = (b"\r\n", b"\n")
SUPPORTED_VERSIONS = (b"1.0", b"1.1")
NOT_VALID = "The request is not valid HTTP/1.1."
REASONS = {
    HTTPStatus.NOT_IMPLEMENTED: "The only supported Transfer-Encoding is chunked.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The fields of the chunked body are too large.",
}
"""Why h11 refuses a request, by its status. For all others: NOT_VALID."""


class RequestError(Exception):
    """The request is refused. The text is for the client; the connection must be closed."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpRequest(NamedTuple):
    """A request. `target` is the path with the query, without scheme and host."""

    method: str
    target: str
    headers: Message
    body: bytes


class HttpResponse(NamedTuple):
    """A response to send. A header with several values has a list of them."""

    status: int
    headers: Mapping[str, str | list[str]]
    body: bytes


class HttpExchange:
    """One request on a connection, and the response to it."""

    def __init__(self, rfile: BufferedIOBase, wfile: BufferedIOBase) -> None:
        self._rfile = rfile
        self._wfile = wfile
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self.method = ""
        self.path = ""
        """Of the request, for the log; empty if it was refused before h11 accepted its head."""

    def read(self) -> HttpRequest | None:
        """The request; None if the client closed the connection before it. Raises RequestError."""
        head = self._read_head()
        if not head:
            return None
        length = _content_length(head)
        try:
            self._connection.receive_data(head)
            request = self._connection.next_event()
            if not isinstance(request, h11.Request):
                raise RequestError(HTTPStatus.BAD_REQUEST, "The request ended too early.")
            self.method = request.method.decode("ascii")
            target = _origin_form(request.target.decode("ascii"))
            self.path = target.partition("?")[0]
            self._refuse_ambiguous(request)
            body = self._read_body(length)
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            raise RequestError(status, REASONS.get(status, NOT_VALID)) from error
        headers = Message()
        for name, value in request.headers.raw_items():
            headers[name.decode("ascii")] = value.decode("latin-1")
        return HttpRequest(self.method, target, headers, body)

    def _read_head(self) -> bytes:
        """The request line and headers; empty or incomplete at the end of the connection."""
        line = self._rfile.readline(MAX_HEAD + 1)
        while line in END_OF_HEAD:  # empty lines before a request are skipped (RFC 9112, 2.2)
            line = self._rfile.readline(MAX_HEAD + 1)
        head = line
        while line and line not in END_OF_HEAD:
            if len(head) > MAX_HEAD:
                raise RequestError(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"The request line and headers may have at most {MAX_HEAD:,} bytes together.",
                )
            line = self._rfile.readline(MAX_HEAD + 1)
            head += line
        return head

    def _refuse_ambiguous(self, request: h11.Request) -> None:
        """Refuse what h11 accepts and other programs may read differently. Raises RequestError."""
        if request.http_version not in SUPPORTED_VERSIONS:
            raise RequestError(
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are supported."
            )
        names = [name for name, _ in request.headers]
        if b"transfer-encoding" in names and b"content-length" in names:
            # RFC 9112, section 6.1: this may be an attempt at request smuggling.
            raise RequestError(
                HTTPStatus.BAD_REQUEST, "Send either Content-Length or Transfer-Encoding, not both."
            )
        for name, value in request.headers:
            if name == b"host" and not HOST.fullmatch(value):
                raise RequestError(HTTPStatus.BAD_REQUEST, "The Host header is not valid.")

    def _read_body(self, length: int | None) -> bytes:
        """The body, of `length` bytes if the request says so. Raises RequestError."""
        if self._connection.they_are_waiting_for_100_continue:
            continue_response = h11.InformationalResponse(status_code=100, headers=[])
            self._wfile.write(self._connection.send(continue_response) or b"")
            self._wfile.flush()
        body = bytearray()
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                return bytes(body)
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    raise _body_too_large()
            elif event is h11.NEED_DATA:
                self._receive(length, len(body))

    def _receive(self, length: int | None, received: int) -> None:
        """Pass more of the body to h11, but nothing of the next request."""
        if length is not None:
            data = self._rfile.read(length - received)
        else:
            # A chunked body is read by lines: its last line ends where the next request begins.
            data = self._rfile.readline(MAX_HEAD)
        if not data:
            raise RequestError(HTTPStatus.BAD_REQUEST, "The body ended too early.")
        self._connection.receive_data(data)

    def send(self, response: HttpResponse, *, close: bool = False) -> bool:
        """Write the response. Returns whether the caller must close the connection.

        close: whether to close it in any case. It must be set after a RequestError.
        """
        lines = list(_header_lines(response))
        if response.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            lines.append(("Content-Length", str(len(response.body))))
        if close:
            lines.append(("Connection", "close"))
        head = h11.Response(
            status_code=response.status,
            headers=lines,
            reason=HTTPStatus(response.status).phrase,
        )
        data = self._connection.send(head) or b""
        if self.method != "HEAD":
            data += self._connection.send(h11.Data(data=response.body)) or b""
        data += self._connection.send(h11.EndOfMessage()) or b""
        self._wfile.write(data)
        return self._connection.our_state is not h11.DONE


def _header_lines(response: HttpResponse) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in response.headers.items():
        values = value if isinstance(value, list) else [value]
        lines.extend((name, one_value) for one_value in values)
    return lines


def _content_length(head: bytes) -> int | None:
    """The length of the body in bytes; None if `head` does not name it. Raises RequestError.

    `7, 7` is refused. RFC 9112, section 6.3, also allows to read it as 7.
    """
    values = CONTENT_LENGTH.findall(head)
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > MAX_CONTENT_LENGTH_DIGITS:
        raise RequestError(HTTPStatus.BAD_REQUEST, "Content-Length must be one whole number.")
    length = int(values[0])
    if length > MAX_BODY:
        raise _body_too_large()
    return length


def _origin_form(target: str) -> str:
    """The path and query of a target. A server also accepts whole URLs (RFC 9112, 3.2.2)."""
    if not WHOLE_URL.match(target):
        return target
    path_and_query = WHOLE_URL.sub("", target)
    if not path_and_query.startswith("/"):
        path_and_query = "/" + path_and_query  # an empty path is / (RFC 9110, section 4.2.3)
    return path_and_query


def _body_too_large() -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body may have at most {MAX_BODY:,} bytes."
    )
