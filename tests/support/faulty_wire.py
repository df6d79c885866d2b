"""A proxy between the store and DynamoDB that simulates faults of network and database."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import TypeAlias


class Exchange(BaseHTTPRequestHandler):
    """One connection from the store. Each request gets the next fault of the wire."""

    protocol_version = "HTTP/1.1"
    wire: Wire

    def do_POST(self) -> None:
        self.request_body = self.rfile.read(int(self.headers["Content-Length"]))
        self.wire.operations.append(self.headers["X-Amz-Target"].rpartition(".")[2])
        fault = self.wire.take_fault()
        fault(self)

    def forward(self) -> tuple[int, bytes]:
        """Forward the request to the database. Returns the status and the body of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.wire.database_port, timeout=10)
        try:
            connection.request("POST", "/", self.request_body, dict(self.headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def send(self, status: int, body: bytes, *, content_length: int | None = None) -> None:
        if content_length is None:
            content_length = len(body)
        self.send_response_only(status)
        self.send_header("Content-Length", str(content_length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def reset(self) -> None:
        """Reset the connection, which a client cannot confuse with a regular end."""
        linger_for_no_time = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        self.close_connection = True
        self.connection.close()
        self.wfile = BytesIO()  # http.server flushes it afterwards

    def log_message(self, *_: object) -> None:
        pass


Fault: TypeAlias = Callable[[Exchange], None]


class Wire:
    """Each request takes a fault from `next_faults`. When there is none, it gets `fault`."""

    def __init__(self, database_port: int) -> None:
        self.database_port = database_port
        self.port = 0  # the system chooses one when the wire is opened
        self.finished = threading.Event()  # ends every wait of a fault
        self.clear()
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def clear(self) -> None:
        """Remove all faults and the record of operations."""
        self.fault: Fault = pass_on
        self.next_faults: deque[Fault] = deque()
        self.operations: list[str] = []

    def take_fault(self) -> Fault:
        if not self._is_open:
            return reset_before
        if self.next_faults:
            return self.next_faults.popleft()
        return self.fault

    def open(self) -> None:
        """Accept connections; on the same port as before, if it was open before."""
        self._is_open = True
        handler = type("Handler", (Exchange,), {"wire": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        serve = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        serve.start()

    def close(self) -> None:
        """Refuse connections, and reset the open ones when they are used."""
        self._is_open = False
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def wire_to(database_port: int) -> Iterator[Wire]:
    """A wire to the DynamoDB on a port of 127.0.0.1."""
    wire = Wire(database_port)
    try:
        yield wire
    finally:
        wire.finished.set()
        wire.close()


# --- Faults ---------------------------------------------------------------------------------------


def pass_on(exchange: Exchange) -> None:
    """No fault."""
    exchange.send(*exchange.forward())


def refuse(code: str, status: int = 400, message: str = "no") -> Fault:
    """The database responds with an error instead of carrying out the request."""
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    body = json.dumps(error).encode()
    return lambda exchange: exchange.send(status, body)


def error_page(exchange: Exchange) -> None:
    """A server in between responds with a page and does not forward the request."""
    exchange.send(502, b"<html>Bad gateway</html>")


def reset_before(exchange: Exchange) -> None:
    """The connection breaks before the database has received the request."""
    exchange.reset()


def reset_after(exchange: Exchange) -> None:
    """The request is carried out, and the connection breaks before the response."""
    exchange.forward()
    exchange.reset()


def reset_midway(exchange: Exchange) -> None:
    """The request is carried out, and half of the response arrives."""
    status, body = exchange.forward()
    exchange.send(status, body[: len(body) // 2], content_length=len(body))
    exchange.reset()


def error_after(exchange: Exchange) -> None:
    """The request is carried out, but the database responds with an error."""
    exchange.forward()
    refuse("InternalServerError", 500)(exchange)


def silence(exchange: Exchange) -> None:
    """The request is not carried out, and no response arrives."""
    exchange.wire.finished.wait(30)
    exchange.reset()


def late_response(exchange: Exchange) -> None:
    """The request is carried out, and no response arrives."""
    exchange.forward()
    silence(exchange)


def slow(exchange: Exchange) -> None:
    """The response takes a second."""
    response = exchange.forward()
    exchange.wire.finished.wait(1)
    exchange.send(*response)


def reset_after_and_then(meanwhile: Callable[[], object]) -> Fault:
    """The request is carried out, the connection breaks, and `meanwhile` happens before a retry."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        meanwhile()
        exchange.reset()

    return fault
