"""A DynamoDB that answers at once and remembers nothing: what is measured is the function's own cost.

    python -m bench.stub PORT BYTES

GetItem finds a profile whose data takes about BYTES; UpdateItem returns what it was sent; all else is empty.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

from chalicelib import items
from chalicelib.profile import JSON


def profile(size: int) -> dict[str, JSON]:
    """Profile data as front ends store it (names, numbers, lists, flags), of about `size` bytes as JSON."""
    record: dict[str, JSON] = {
        "name": "Ada Lovelace", "born": 1815, "score": 99, "active": True, "nick": None,
        "tags": ["first", "programmer", "mathematician"],
        "address": {"street": "St James's Square 12", "city": "London", "zip": "SW1Y"},
        "bio": "Wrote notes on the Analytical Engine.",
    }  # fmt: skip
    length = len(json.dumps(record))
    return {f"record{number}": record for number in range(max(1, size // (length + 12)))}


class Stub(asyncio.Protocol):
    found = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._received = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        if headers.get(b"expect") == b"100-continue" and not body:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        if len(body) < int(headers.get(b"content-length", 0)):
            return
        self._received = b""
        target = headers.get(b"x-amz-target", b"").rpartition(b".")[2]
        answer = b"{}"
        if target == b"getitem":
            answer = self.found
        elif target == b"updateitem":
            values = json.loads(body)["ExpressionAttributeValues"]
            key = json.loads(body)["Key"]
            item = {**key, items.DATA: values[":data"], items.REVISION: values[":revision"]}
            item |= {items.CREATED_AT: values[":now"], items.UPDATED_AT: values[":now"]}
            answer = json.dumps({"Attributes": item}).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%b"
            % (len(answer), answer)
        )


async def serve(port: int, size: int) -> None:
    now = {"S": "2026-11-22T10:00:00.123456Z"}
    item = {
        **items.key("5f0c"), items.DATA: items.to_attribute_value(profile(size)),
        items.REVISION: {"S": "jgI2X_Nb26S8yBgzSnxKXA"}, items.CREATED_AT: now, items.UPDATED_AT: now,
    }  # fmt: skip
    Stub.found = json.dumps({"Item": item}).encode()
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
