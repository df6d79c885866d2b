"""A proxy between the store and DynamoDB, which does to requests and answers what a bad network or a bad day does."""

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

from local.process import free_port


class Exchange(BaseHTTPRequestHandler):
    """One connection; for each request, the fault that is next."""

    protocol_version = "HTTP/1.1"
    wire: Wire

    def do_POST(self) -> None:
        self.request_body = self.rfile.read(int(self.headers["Content-Length"]))
        self.wire.seen.append(self.headers["X-Amz-Target"].rpartition(".")[2])
        fault = self.wire.next.popleft() if self.wire.next else self.wire.always
        (cut_before if self.wire.down else fault)(self)

    def forward(self) -> tuple[int, bytes]:
        """Have the database carry the request out: its status and answer."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.wire.database, timeout=10)
        upstream.request("POST", "/", self.request_body, dict(self.headers))
        answer = upstream.getresponse()
        status, body = answer.status, answer.read()
        upstream.close()
        return status, body

    def send(
        self, status: int, body: bytes, *, length: int | None = None, checksum: str | None = None
    ) -> None:
        self.send_response_only(status)
        if checksum is not None:
            self.send_header("x-amz-crc32", checksum)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def cut(self) -> None:
        """Reset the connection: the client must not take it for an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        self.wfile = BytesIO()  # which http.server flushes

    def log_message(self, *_: object) -> None:
        pass


Fault: TypeAlias = Callable[[Exchange], None]


class Wire:
    """What happens to requests: each takes a fault off `next`; when there is none, `always` happens."""

    def __init__(self, database: int) -> None:
        self.database, self.port = database, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.next: deque[Fault] = deque()
        self.always: Fault = passed_on
        self.seen: list[str] = []  # the operations asked for
        self.patience = threading.Event()  # set at the end: nothing hangs any longer
        self.open()

    def open(self) -> None:
        self.down = False
        handler = type("Handler", (Exchange,), {"wire": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and break those that are open when they are used."""
        self.down = True
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def wire_to(database: int) -> Iterator[Wire]:
    """A wire to the DynamoDB on a port of 127.0.0.1."""
    wire = Wire(database)
    try:
        yield wire
    finally:
        wire.patience.set()
        wire.close()


def passed_on(exchange: Exchange) -> None:
    exchange.send(*exchange.forward())


def refused(code: str, status: int = 400, message: str = "no") -> Fault:
    """The database's own error, instead of carrying the request out."""
    body = json.dumps(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    ).encode()
    return lambda exchange: exchange.send(status, body)


def slow(exchange: Exchange) -> None:
    """The database takes a second."""
    answer = exchange.forward()
    exchange.wire.patience.wait(1)
    exchange.send(*answer)


def cut_before(exchange: Exchange) -> None:
    """The connection breaks before the database has heard of the request."""
    exchange.cut()


def cut_after(exchange: Exchange) -> None:
    """The request is carried out, and nobody is told."""
    exchange.forward()
    exchange.cut()


def cut_midway(exchange: Exchange) -> None:
    """The request is carried out, and half of the answer arrives."""
    status, body = exchange.forward()
    exchange.send(status, body[: len(body) // 2], length=len(body))
    exchange.cut()


def silent(exchange: Exchange) -> None:
    """The database takes the request and does nothing, for longer than anybody waits."""
    exchange.wire.patience.wait(30)
    exchange.cut()


def late(exchange: Exchange) -> None:
    """The request is carried out; the answer comes when nobody waits any longer."""
    exchange.forward()
    silent(exchange)


def answered(body: bytes, status: int = 200, checksum: str | None = None) -> Fault:
    """The request is carried out; the answer is `body`, whatever it was."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        exchange.send(status, body, checksum=checksum)

    return fault


def cut_after_and_then(meanwhile: Callable[[], object]) -> Fault:
    """The request is carried out, somebody else does `meanwhile`, and nobody is told."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        meanwhile()
        exchange.cut()

    return fault
