"""The examples of docs/clients.md run as they are printed there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.browser.conftest import NODE_MODULES, OtherClient
from tests.support.browser import Site
from tests.support.clone import ROOT
from tests.support.http_api import Api
from tests.support.users import User

DOCUMENT = ROOT / "docs" / "clients.md"


def example(heading: str) -> str:
    """The fenced code below a heading of docs/clients.md."""
    assert DOCUMENT.exists(), "there is no docs/clients.md: delete tests/browser/test_clients.py"
    for section in DOCUMENT.read_text().split("\n## ")[1:]:
        code = re.search(r"^```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        if section.startswith(f"{heading}\n") and code is not None:
            return code.group(1)
    pytest.fail(
        f'docs/clients.md has no example below "## {heading}". Write one, or delete the test of it.'
    )


@pytest.fixture
def folder(site: Site, tmp_path: Path) -> Path:
    """A folder with the files that the examples read from the project."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "config.json").write_text(site.config_file.read_text())
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path


@pytest.fixture
def demo_client(api: Api, demo_user: User) -> OtherClient:
    return OtherClient(api, demo_user)


def run(folder: Path, *command: str | Path, **variables: str) -> str:
    """Run a command without the AWS settings of the tests. Returns its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | variables,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_curl_example_saves_a_profile(site: Site, demo_client: OtherClient) -> None:
    script = example("curl").replace("localhost:8000", f"localhost:{site.api_port}")
    run(ROOT, "bash", "-euc", script, LOCAL_STATE=str(site.folder))
    assert demo_client.read() == {"name": "Ada", "born": 1815}


def test_the_python_example_creates_a_profile(demo_client: OtherClient, folder: Path) -> None:
    output = run(folder, sys.executable, "-W", "error", "-c", example("Python"))
    assert json.loads(output)["profile_data"] == {"name": "Ada Lovelace"}


def test_the_python_example_changes_a_profile(demo_client: OtherClient, folder: Path) -> None:
    demo_client.save('{"born": 1815}')
    output = run(folder, sys.executable, "-W", "error", "-c", example("Python"))
    assert json.loads(output)["profile_data"] == {"born": 1815, "name": "Ada Lovelace"}


def test_the_javascript_example_counts_visits(demo_user: User, folder: Path) -> None:
    (folder / "example.mjs").write_text(example("JavaScript"))
    for visits in (1, 2):
        output = run(folder, "node", "example.mjs", TOKEN=demo_user.id_token)
        assert json.loads(output)["profile_data"] == {"visits": visits}


def test_the_javascript_example_gives_up_after_five_conflicts(tmp_path: Path) -> None:
    writes = 0

    class AlwaysChanging(BaseHTTPRequestHandler):
        """A profile whose ETag never matches."""

        def do_GET(self) -> None:
            self.respond(200)

        def do_PUT(self) -> None:
            nonlocal writes
            writes += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            self.respond(412)

        def respond(self, status: int) -> None:
            self.send_response(status)
            self.send_header("ETag", '"old"')
            self.end_headers()
            self.wfile.write(b'{"profile_data": {}}')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), AlwaysChanging) as server:
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        (tmp_path / "web").mkdir()
        config = {"api": f"http://127.0.0.1:{server.server_port}"}
        (tmp_path / "web" / "config.json").write_text(json.dumps(config))
        (tmp_path / "example.mjs").write_text(example("JavaScript"))
        done = subprocess.run(
            ["node", "example.mjs"], cwd=tmp_path, check=False, capture_output=True, text=True
        )
        server.shutdown()
    assert "Other clients keep changing the profile" in done.stderr
    assert writes == 5


def test_the_amplify_example_reads_the_profile(demo_client: OtherClient, folder: Path) -> None:
    demo_client.save('{"name": "Ada"}')
    (folder / "example.mjs").write_text(example("AWS Amplify"))
    output = run(folder, "node", "example.mjs")
    assert json.loads(output)["profile_data"] == {"name": "Ada"}


def test_the_local_cloud_refuses_the_implicit_flow(site: Site) -> None:
    """Cognito allows it if the backend's parameter ImplicitFlow is set. ministack never does."""
    query = urlencode(
        {
            "client_id": site.outputs["UserPoolClientId"],
            "response_type": "token",
            "scope": "openid email",
            "redirect_uri": site.url,
        }
    )
    answer = Api(site.emulator_port)("GET", f"/oauth2/authorize?{query}")
    assert answer.status == 400
    assert answer.json()["error"] == "unsupported_response_type"
