"""The HTTP server of `chalice local`: reads requests, passes them to ApiGateway, writes responses.

`chalice local` creates its server with chalice.local.create_local_server and has no setting for it.
`replace_chalice_server` replaces that function. Chalice still creates the server; only the class
that handles its requests is ours. If a later Chalice no longer calls the function,
tests/api/test_tokens.py fails, because Chalice's own server accepts forged tokens.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import FrameType
from typing import Any

import chalice.local
from chalice import Chalice
from chalice.config import Config
from chalice.local import LocalDevServer

from chalicelib.problems import generic_problem
from local.documentation import documentation
from local.gateway import MAX_BODY, ApiGateway, HttpResponse, verifier_from
from local.process import STOP_WITH_PARENT, stop_with_parent

CLIENT_TIMEOUT_SECONDS = 30
"""The time that a client may be silent within a request before its connection is closed."""
LISTEN_BACKLOG = 128
"""With socketserver's default, 5, the sixth client of a burst would wait for seconds."""
MAX_LENGTH_DIGITS = 15
"""The most digits of a Content-Length. int() refuses thousands of digits."""
DISCARD_BYTES = 65_536

create_chalice_server = chalice.local.create_local_server


def replace_chalice_server() -> None:
    """Make `chalice local` create its server with `create_server`. Other commands ignore this."""
    chalice.local.create_local_server = create_server


def create_server(app_obj: Chalice, config: Config, host: str, port: int) -> LocalDevServer:
    """Chalice's local server, with RequestHandler as its handler."""
    try:
        server = create_chalice_server(app_obj, config, host, port)
    except OSError as error:
        sys.exit(
            f"error: cannot serve on port {port}: {error.strerror}. Choose another: --port ..."
        )
    server.port = server.server.server_port  # Chalice prints it; `port` may be 0, any free one
    gateway = ApiGateway(app_obj, config, verifier_from(os.environ))
    in_flight = RequestsInFlight()
    server.server.RequestHandlerClass = partial(
        RequestHandler, gateway=gateway, in_flight=in_flight
    )
    server.server.socket.listen(LISTEN_BACKLOG)
    atexit.register(in_flight.drain, config.lambda_timeout)
    # With autoreload, the server runs in another thread, and Chalice ends the process.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _exit)
    if STOP_WITH_PARENT in os.environ:
        stop_with_parent()
    return server


def _exit(number: int, _: FrameType | None) -> None:
    """Exit, which runs `RequestsInFlight.drain`. A second signal must not interrupt that."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


class RequestsInFlight:
    """Counts the requests in progress. A thread enters it for one request."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()
        self.draining = False

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait until no request is in progress, for at most `seconds`."""
        with self._changed:
            self.draining = True
            self._changed.wait_for(lambda: self._count == 0, timeout=seconds)


class RequestError(Exception):
    """The request cannot be read as HTTP. The text is for the client."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class RequestHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = CLIENT_TIMEOUT_SECONDS
    # For responses to requests whose first line cannot be read.
    command = ""
    path = ""

    def __init__(self, *arguments: Any, gateway: ApiGateway, in_flight: RequestsInFlight) -> None:
        self._gateway = gateway
        self._in_flight = in_flight
        super().__init__(*arguments)

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):  # the client disconnected or is silent
            super().handle()

    def __getattr__(self, name: str) -> Any:
        # http.server calls do_GET, do_POST and so on. ApiGateway decides which methods exist.
        if name.startswith("do_"):
            return self.handle_request
        raise AttributeError(name)

    def handle_request(self) -> None:
        """Respond to the request, whose first line and headers have been read."""
        try:
            self._handle_request()
        except RequestError as error:
            self.send_error(error.status, str(error))
        except OSError:
            raise  # a connection error; see `handle`
        except Exception:
            logging.getLogger(__name__).exception("Unexpected error in the local API Gateway")
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _handle_request(self) -> None:
        body = self._read_body()
        if self.command == "GET":
            document = documentation(self.path)
            if document is not None:
                headers = {"Content-Type": document.content_type}
                self._send(HttpResponse(HTTPStatus.OK, headers, document.content))
                return
        with self._in_flight:
            if not self._in_flight.draining:
                self._send(self._gateway.handle(self.command, self.path, self.headers, body))
            if self._in_flight.draining:
                self.close_connection = True

    def _read_body(self) -> bytes:
        """The request's body. Raises RequestError."""
        length = self._content_length()
        if length > MAX_BODY:
            self._discard(length)
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A body may have at most {MAX_BODY:,} bytes.",
            )
        body = self.rfile.read(length)
        if len(body) < length:
            raise RequestError(
                HTTPStatus.BAD_REQUEST,
                f"The body ended after {len(body):,} of {length:,} bytes.",
            )
        return body

    def _content_length(self) -> int:
        """The body's length in bytes, according to the headers. Raises RequestError."""
        values = self.headers.get_all("Content-Length", ["0"])
        is_number = values[0].isdecimal() and len(values[0]) <= MAX_LENGTH_DIGITS
        if "Transfer-Encoding" in self.headers or not is_number:
            raise RequestError(
                HTTPStatus.LENGTH_REQUIRED, "Send the body's length in Content-Length."
            )
        if len(values) > 1 or self.headers.defects:
            raise RequestError(HTTPStatus.BAD_REQUEST, "The request's headers are malformed.")
        return int(values[0])

    def _discard(self, length: int) -> None:
        """Read and discard a body: a client that is still sending would not read a response."""
        while length > 0:
            chunk = self.rfile.read(min(length, DISCARD_BYTES))
            if not chunk:
                return
            length -= len(chunk)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Send an error in the API's format, and close the connection.

        http.server also calls this, for requests that it cannot read.
        """
        self.close_connection = True
        status = HTTPStatus(code)
        if status == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED:
            status = HTTPStatus.BAD_REQUEST
        problem = generic_problem(status, message or status.phrase, {"Connection": "close"})
        self._send(self._gateway.error(problem))

    def _send(self, response: HttpResponse) -> None:
        # For clients of HTTP/0.9, http.server would omit the status line and the headers.
        self.request_version = "HTTP/1.1"
        self.send_response(response.status)
        for name, value in response.headers.items():
            values = value if isinstance(value, list) else [value]
            for line in values:
                self.send_header(name, line)
        if response.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Log one line, without the query: it may contain a token."""
        self.log_message('"%s %s" %s', self.command, self.path.partition("?")[0], code)
