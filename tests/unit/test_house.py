"""Who may import whom, and what importing costs and needs."""

import ast
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from chalicelib import errors, web

ROOT = Path(__file__).parents[2]

ALLOWED = {
    "app": {f"chalicelib.{name}" for name in ("web", "identity", "store", "schema", "settings")}
    | {"local.chalice_command"},
    "chalicelib.schema": {"chalicelib.profile", "chalicelib.errors"},
    "chalicelib.web": {"chalicelib.errors", "chalicelib.identity", "chalicelib.profile"},
    "chalicelib.identity": {"chalicelib.errors"},
    "chalicelib.store": {"chalicelib.items", "chalicelib.profile", "chalicelib.errors"},
    "chalicelib.items": {"chalicelib.profile"},
    "chalicelib.profile": {"chalicelib.errors"},
    "chalicelib.settings": set(),
    "chalicelib.errors": set(),
    "chalicelib": set(),
}
THIRD_PARTY = {
    "app": {"chalice"},
    "chalicelib.web": {"chalice"},
    "chalicelib.schema": {"jsonschema_rs"},
    "chalicelib.store": {"botocore"},
}
SOURCES = {"app": ROOT / "app.py", "chalicelib": ROOT / "chalicelib" / "__init__.py"} | {
    f"chalicelib.{path.stem}": path
    for path in (ROOT / "chalicelib").glob("*.py")
    if path.stem != "__init__"
}


def imports_of(path: Path) -> set[str]:
    """Everything that the module imports when it runs: what stands under TYPE_CHECKING does not."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {"chalicelib", "local"}
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module in inner
                else {node.module}
            )
    return found


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_point_inwards(module: str) -> None:
    ours = {
        name
        for name in imports_of(SOURCES[module])
        if name.split(".")[0] in ("app", "chalicelib", "local", "tests")
    }
    assert ours <= ALLOWED[module]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_third_party_packages_stay_at_the_edges(module: str) -> None:
    packages = {name.split(".")[0] for name in imports_of(SOURCES[module])}
    theirs = packages - {"app", "chalicelib", "local"} - set(sys.stdlib_module_names)
    assert theirs <= THIRD_PARTY.get(module, set())


@pytest.mark.parametrize(
    ("text", "home"),
    [("USER#", "items.py"), ("UpdateExpression", "store.py"), ("from http import", "web.py")],
)
def test_each_kind_of_knowledge_has_one_home(text: str, home: str) -> None:
    assert [
        path.name for path in (ROOT / "chalicelib").glob("*.py") if text in path.read_text()
    ] == [home]


def test_the_service_is_read_in_a_sitting() -> None:
    """Docstrings and comments count; the formatter's blank lines do not (docs/decisions.md)."""
    lines = [
        line for path in SOURCES.values() for line in path.read_text().splitlines() if line.strip()
    ]
    assert len(lines) < 865


def test_every_error_has_its_problem() -> None:
    def leaves(kind: type[errors.ProfileError]) -> set[type[errors.ProfileError]]:
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(leaves, below))

    assert set(web.PROBLEMS) == leaves(errors.ProfileError)


def test_importing_the_app_needs_no_settings_and_no_network_and_leaves_garbage_collection_on() -> (
    None
):
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('a connection was made')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import app\n"
        "assert not {'local', 'jsonschema_rs'} & set(__import__('sys').modules)\n"
        "import gc\n"
        "assert gc.isenabled() and gc.get_freeze_count()\n"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=bare, check=True)


STARTED = """
import socket
import app
from tests.support.events import event
answer = app.app(event("GET", "5f0c", "client"), None)
print(answer["statusCode"], answer["body"])
"""


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [("http://127.0.0.1:9", "us-east-1"), ("garbage", "us-east-1"), ("", "")],
)
def test_what_is_wrong_when_the_function_starts_is_told_to_its_callers(
    endpoint: str, region: str
) -> None:
    """A function that did not start would tell nobody: API Gateway's own error, and no line of ours in the log."""
    shell = {
        "AWS_LAMBDA_FUNCTION_NAME": "f", "DYNAMODB_TABLE": "t", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_DEFAULT_REGION": region, "AWS_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=ROOT,
        env=shell,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("503 {" if endpoint.startswith("http") else "500 {"), done.stdout
    assert "request_id" in done.stdout


def test_the_first_call_is_made_while_the_function_starts_and_costs_one_read() -> None:
    asked: list[str] = []

    class Database(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["X-Amz-Target"].rpartition(".")[2])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Database) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        shell = {
            "AWS_LAMBDA_FUNCTION_NAME": "f", "DYNAMODB_TABLE": "t", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{server.server_port}",
        }  # fmt: skip
        subprocess.run([sys.executable, "-c", "import app"], cwd=ROOT, env=shell, check=True)
        server.shutdown()
    assert asked == ["GetItem"]
