"""A stand-in for DynamoDB that responds immediately and stores nothing, so that only the function's
own cost is measured.

GetItem returns one prepared profile, UpdateItem returns the item that it received, and every other
operation returns {}.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from chalicelib import items
from chalicelib.profile import JSON

SUB = "5f0c"
"""The user whose profile is stored."""
PROFILE_RECORD: dict[str, JSON] = {
    "name": "Ada Lovelace",
    "born": 1815,
    "score": 99,
    "active": True,
    "nick": None,
    "tags": ["first", "programmer", "mathematician"],
    "address": {"street": "St James's Square 12", "city": "London", "zip": "SW1Y"},
    "bio": "Wrote notes on the Analytical Engine.",
}
TIME = {"S": "2026-11-22T10:00:00.123456Z"}


def profile(size: int) -> dict[str, JSON]:
    """Profile data of about `size` bytes as JSON: names, numbers, lists and flags, as front ends
    store them."""
    record_size = len('"record000":') + len(json.dumps(PROFILE_RECORD))
    records = max(1, size // record_size)
    return {f"record{number}": PROFILE_RECORD for number in range(records)}


@contextmanager
def database(profile_size: int) -> Iterator[str]:
    """Serve a database whose profile has about `profile_size` bytes. Yields its URL."""
    item = {
        **items.profile_key(SUB),
        items.DATA: items.to_attribute_value(profile(profile_size)),
        items.REVISION: {"S": "jgI2X_Nb26S8yBgzSnxKXA"},
        items.CREATED_AT: TIME,
        items.UPDATED_AT: TIME,
    }
    get_item_response = json.dumps({"Item": item}).encode()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: _Connection(get_item_response), "127.0.0.1", 0)
    )
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


class _Connection(asyncio.Protocol):
    """One HTTP connection: request after request, as botocore sends them."""

    def __init__(self, get_item_response: bytes) -> None:
        self._get_item_response = get_item_response
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        headers = _parse_headers(head)
        if headers.get("expect") == "100-continue" and not body:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        if len(body) < int(headers.get("content-length", 0)):
            return
        self._received = b""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        self._send(self._response(operation, body))

    def _response(self, operation: str, body: bytes) -> bytes:
        if operation == "GetItem":
            return self._get_item_response
        if operation == "UpdateItem":
            return json.dumps({"Attributes": _updated_item(json.loads(body))}).encode()
        return b"{}"

    def _send(self, body: bytes) -> None:
        head = (
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(body)}\r\n"
            "\r\n"
        )
        self._transport.write(head.encode() + body)


def _parse_headers(head: bytes) -> dict[str, str]:
    """The headers of a request, with lower-case names."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return headers


def _updated_item(request: dict[str, Any]) -> dict[str, Any]:
    """The item after the update that the service sends (chalicelib/store.py)."""
    values = request["ExpressionAttributeValues"]
    return {
        **request["Key"],
        items.DATA: values[":profile_data"],
        items.REVISION: values[":revision"],
        items.CREATED_AT: values[":now"],
        items.UPDATED_AT: values[":now"],
    }
