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
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from socketserver import StreamRequestHandler
from types import FrameType
from typing import Any

import chalice.local
from chalice import Chalice
from chalice.config import Config
from chalice.local import LocalDevServer

from chalicelib.problems import UNEXPECTED, generic_problem
from local.documentation import Documentation
from local.gateway import ApiGateway, credentials_from, verifier_from
from local.http11 import HttpExchange, HttpRequest, HttpResponse, RequestError
from local.process import STOP_WITH_PARENT, stop_with_parent

CLIENT_TIMEOUT_SECONDS = 30
"""The time that a client may be silent within a request before its connection is closed."""
LISTEN_BACKLOG = 128
"""With socketserver's default, 5, the sixth client of a burst would wait for seconds."""
LINGER_SECONDS = 10
"""The time to read on after a request was refused; see RequestHandler."""
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
    credentials = credentials_from(config.chalice_stage, os.environ)
    gateway = ApiGateway(app_obj, config, verifier_from(os.environ), credentials)
    in_flight = RequestsInFlight()
    server.server.RequestHandlerClass = partial(
        RequestHandler,
        gateway=gateway,
        documentation=Documentation(config.chalice_stage),
        in_flight=in_flight,
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


class RequestHandler(StreamRequestHandler):
    """Handles the requests of one connection."""

    timeout = CLIENT_TIMEOUT_SECONDS
    wbufsize = -1  # buffered: a response is sent in one piece

    def __init__(
        self,
        *arguments: Any,
        gateway: ApiGateway,
        documentation: Documentation,
        in_flight: RequestsInFlight,
    ) -> None:
        self._gateway = gateway
        self._documentation = documentation
        self._in_flight = in_flight
        super().__init__(*arguments)

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):  # the client disconnected or is silent
            while self._handle_request():
                pass

    def _handle_request(self) -> bool:
        """Handle one request. Returns whether another one can follow."""
        exchange = HttpExchange(self.rfile, self.wfile)
        try:
            request = exchange.read()
            if request is None:
                return False
            with self._in_flight:
                if self._in_flight.draining:
                    return False
                return self._send(exchange, self._response_to(request))
        except RequestError as error:
            problem = generic_problem(error.status, str(error))
            self._send_last(exchange, self._gateway.error(problem))
        return False

    def _response_to(self, request: HttpRequest) -> HttpResponse:
        try:
            if request.method in ("GET", "HEAD"):  # HttpExchange.send omits the body for HEAD
                document = self._documentation.find(request.target)
                if document is not None:
                    headers = {"Content-Type": document.content_type}
                    return HttpResponse(HTTPStatus.OK, headers, document.content)
            return self._gateway.handle(*request)
        except Exception:
            logging.getLogger(__name__).exception("Unexpected error in the local API Gateway")
            return self._gateway.error(UNEXPECTED)

    def _send(self, exchange: HttpExchange, response: HttpResponse) -> bool:
        """Send a response. Returns whether another request can follow."""
        self._log(exchange, response)
        closes = exchange.send(response, close=self._in_flight.draining)
        self.wfile.flush()
        return not closes

    def _send_last(self, exchange: HttpExchange, response: HttpResponse) -> None:
        """Send a response and stop sending, but read on for a while.

        A connection that is closed while the client sends is reset, and the client may lose the
        response (RFC 9112, section 9.6).
        """
        self._log(exchange, response)
        exchange.send(response, close=True)
        self.wfile.flush()
        deadline = time.monotonic() + LINGER_SECONDS
        with suppress(OSError):  # the client has disconnected, or the time is over
            self.connection.shutdown(socket.SHUT_WR)
            while (remaining := deadline - time.monotonic()) > 0:
                self.connection.settimeout(remaining)
                if not self.rfile.read1(DISCARD_BYTES):
                    break

    def _log(self, exchange: HttpExchange, response: HttpResponse) -> None:
        """Log one line, without the query: it may contain a token."""
        client = self.client_address[0]
        now = time.strftime("%d/%b/%Y %H:%M:%S")
        line = f'{client} - - [{now}] "{exchange.method} {exchange.path}" {response.status}\n'
        sys.stderr.write(line)
