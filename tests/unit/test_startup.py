"""The cold start: importing app.py on Lambda."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.support.commands import output_of

FUNCTION = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "DYNAMODB_TABLE": "user-profile-test",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
}
"""The environment of a deployed function."""


def run_in_lambda(code: str, **variables: str) -> str:
    """The output of `code` in the environment of a deployed function."""
    return output_of([sys.executable, "-c", code], FUNCTION | variables)


class EmptyDatabase(BaseHTTPRequestHandler):
    """Responds to every DynamoDB request with an empty object, and records the operation."""

    operations: list[str]

    def do_POST(self) -> None:
        self.operations.append(self.headers["X-Amz-Target"].rpartition(".")[2])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def operations() -> list[str]:
    """The operations that the database received."""
    return []


@pytest.fixture
def database(operations: list[str]) -> Iterator[str]:
    """The URL of a database that has no items."""
    handler = type("Handler", (EmptyDatabase,), {"operations": operations})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_starting_makes_one_read(database: str, operations: list[str]) -> None:
    run_in_lambda("import app", AWS_ENDPOINT_URL_DYNAMODB=database)
    assert operations == ["GetItem"]


def test_garbage_collection_is_on_after_starting(database: str) -> None:
    code = "import app, gc; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    assert run_in_lambda(code, AWS_ENDPOINT_URL_DYNAMODB=database).split() == ["True", "True"]


def test_a_chalice_command_is_needed_to_import_local(database: str) -> None:
    code = "import app, sys; print('local' in sys.modules)"
    assert run_in_lambda(code, AWS_ENDPOINT_URL_DYNAMODB=database).strip() == "False"


GET = """
import app
from tests.support.events import api_gateway_event, id_token_claims
event = api_gateway_event("GET", claims=id_token_claims("5f0c", "client"))
answer = app.app(event, None)
print(answer["statusCode"], "request_id" in answer["body"])
"""


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}, "503"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "garbage"}, "500"),
        ({"AWS_DEFAULT_REGION": ""}, "500"),
    ],
)
def test_a_function_that_cannot_connect_still_answers(
    variables: dict[str, str], status: str
) -> None:
    """Without a started function, API Gateway would respond, and the log would have no reason."""
    last_line = run_in_lambda(GET, **variables).splitlines()[-1]
    assert last_line.split() == [status, "True"]
