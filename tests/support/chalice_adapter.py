"""The calls of `chalice deploy` that the emulator does not support.

This is a proxy in front of the emulator. ministack 1.5.33 has no ImportRestApi and no PutRestApi,
but its CloudFormation accepts the same definition as the Body of an API: the proxy deploys the
definition as a stack with that one API. The proxy also responds to Chalice's UpdateRestApi for
minimumCompressionSize, because Chalice cannot read the emulator's response. It holds back a changed
function until the change is complete. All other requests pass unchanged.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from deploy import polling, stacks

POLL_SECONDS = 0.01
"""serve_forever's poll_interval: the longest time to stop the proxy."""
API_PATH = re.compile(r"/restapis/(\w+)")
FUNCTION_PATH = re.compile(r"/2015-03-31/functions/[^/]+/configuration")
CHANGE_SECONDS = 30
HOP_BY_HOP = ("connection", "content-length", "transfer-encoding")
"""Headers that concern one connection only, which a proxy sets itself."""


@dataclass(frozen=True)
class Response:
    """A response of the emulator."""

    status: int
    headers: dict[str, str]
    content: bytes


class ChaliceAdapter(BaseHTTPRequestHandler):
    """Handles one connection of the AWS SDK."""

    protocol_version = "HTTP/1.1"
    emulator_port: int
    stack_of_api: dict[str, str]
    """The stack of each API that was imported, by the API's id."""

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        mode = parse_qs(url.query).get("mode")
        api = API_PATH.fullmatch(url.path)
        if self.command == "POST" and url.path == "/restapis" and mode == ["import"]:
            self._send_json(201, {"id": self._create_api(body)})
        elif api and self.command == "PUT" and mode == ["overwrite"]:
            api_id = api.group(1)
            self._send_json(200, {"id": self._deploy_api(self.stack_of_api[api_id], body)})
        elif api and self.command == "PATCH" and b"minimumCompressionSize" in body:
            self._send_json(200, {"id": api.group(1)})
        elif self.command == "GET" and FUNCTION_PATH.fullmatch(url.path):
            self._pass_on_settled_function()
        else:
            self._pass_on(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_request  # noqa: N815

    def _create_api(self, definition: bytes) -> str:
        stack = f"imported-api-{uuid.uuid4().hex[:8]}"
        api_id = self._deploy_api(stack, definition)
        self.stack_of_api[api_id] = stack
        return api_id

    def _deploy_api(self, stack: str, definition: bytes) -> str:
        """Deploy a stack with one API that has this definition; return the API's id."""
        body = json.loads(definition)
        api = {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {"Name": body["info"]["title"], "Body": body},
        }
        template = {"Resources": {"Api": api}, "Outputs": {"Id": {"Value": {"Ref": "Api"}}}}
        outputs = stacks.deploy(stack, json.dumps(template), {}, progress=lambda _: None)
        return outputs["Id"]

    def _pass_on(self, body: bytes) -> None:
        response = self._ask_emulator(body)
        self._send(response.status, response.headers, response.content)

    def _pass_on_settled_function(self) -> None:
        """Respond when no change of the function is in progress.

        Chalice reads the function after each change, and repeats that only every 5 seconds.
        """
        polling.wait_until(lambda: not self._function_is_changing(), timeout=CHANGE_SECONDS)
        self._pass_on(b"")

    def _function_is_changing(self) -> bool:
        function = json.loads(self._ask_emulator(b"").content)
        is_starting = function.get("State") == "Pending"
        is_being_updated = function.get("LastUpdateStatus") == "InProgress"
        return bool(is_starting or is_being_updated)

    def _ask_emulator(self, body: bytes) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator_port, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        headers = {
            name: value for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP
        }
        return Response(response.status, headers, content)

    def _send_json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def chalice_endpoint(emulator_port: int, stack_of_api: dict[str, str]) -> Iterator[str]:
    """Run the proxy and yield its URL.

    `stack_of_api` is filled here; pass the same dictionary for every command about the same API.
    """
    attributes = {"emulator_port": emulator_port, "stack_of_api": stack_of_api}
    handler = type("Handler", (ChaliceAdapter,), attributes)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
