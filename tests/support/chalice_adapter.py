"""What `chalice deploy` needs of API Gateway and the emulator lacks, as the calls that it has.

ministack 1.5.33 has no ImportRestApi and no PutRestApi; its CloudFormation takes the same definition as the `Body` of
an API. So a definition that Chalice sends is deployed as a stack of that one API. UpdateRestApi with an empty
minimumCompressionSize, with which Chalice says "none", is answered here: the emulator's answer cannot be read.
Everything else is handed on as it came.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from deploy import stacks


class Adapter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    emulator = 0  # its port
    imported: dict[str, str]  # the stack of each API, by the API's id

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        mode = parse_qs(url.query).get("mode")
        api = re.fullmatch(r"/restapis/(\w+)", url.path)
        if (self.command, url.path, mode) == ("POST", "/restapis", ["import"]):
            self._answer(
                201, {"id": self._imported(f"imported-api-{len(self.imported) + 1}", body)}
            )
        elif api and (self.command, mode) == ("PUT", ["overwrite"]):
            self._answer(200, {"id": self._imported(self.imported[api[1]], body)})
        elif api and self.command == "PATCH" and b"minimumCompressionSize" in body:
            self._answer(200, {"id": api[1]})
        else:
            self._hand_on(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_request  # noqa: N815

    def _imported(self, stack: str, definition: bytes) -> str:
        body = json.loads(definition)
        resource = {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {"Name": body["info"]["title"], "Body": body},
        }
        template = {"Resources": {"Api": resource}, "Outputs": {"Id": {"Value": {"Ref": "Api"}}}}
        api_id = stacks.deploy(stack, json.dumps(template), {}, progress=lambda _: None)["Id"]
        self.imported[api_id] = stack
        return api_id

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _hand_on(self, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        hop = ("connection", "content-length", "transfer-encoding")
        self._send(
            answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in hop}, content
        )

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def chalice_can_import(port: int, imported: dict[str, str]) -> Iterator[str]:
    """The URL of an endpoint before the emulator on `port`; `imported` is what it must know the next time."""
    handler = type("Handler", (Adapter,), {"emulator": port, "imported": imported})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
