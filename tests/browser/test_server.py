"""The server of the page: the files that it serves, and their headers."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib.settings import RouteSettings
from deploy import page_config
from local import page
from tests.support.browser import ChromiumNotFoundError, find_chromium
from tests.support.clone import ROOT
from tests.support.http_api import Answer, Api


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    page.install()
    with page.serving(0, tmp_path_factory.mktemp("page") / "config.json") as port:
        yield Api(port)


def get_from_localhost(server: Api, path: str) -> Answer:
    """The response under the page's own address, http://localhost."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{server.port}"})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/?code=1&state=2", "/index.html"])
def test_the_page_moves_to_the_address_that_the_user_pool_knows(server: Api, path: str) -> None:
    """Cognito's callback URL is http://localhost:<port>, without which sign-in would fail."""
    answer = server("GET", path)
    assert answer.status == 307
    assert answer.headers["Location"] == f"http://localhost:{server.port}{path}"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html"),
        ("/?code=1&state=2", "text/html"),
        ("/main.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
        ("/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js", "text/javascript"),
        ("/node_modules/jwt-decode/build/esm/index.js", "text/javascript"),
    ],
)
def test_the_pages_files_are_served_with_its_policy(
    server: Api, path: str, content_type: str
) -> None:
    answer = get_from_localhost(server, path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/config.json",
        "/package.json",
        "/package-lock.json",
        "/.npmrc",
        "/node_modules",
        "/node_modules/",
        "/node_modules/axe-core/axe.js",
        "/../README.md",
        "/%2e%2e/README.md",
        "//etc/passwd",
        "/./main.js",
        "/node_modules/../../.chalice/config.json",
        "http://localhost/../app.py",
        "/main.js%00",
        "*",
    ],
)
def test_other_files_are_not_served(server: Api, path: str) -> None:
    answer = server("GET", path)
    assert answer.status in (400, 404)
    assert b"{" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_the_server_only_answers_get(server: Api, method: str) -> None:
    assert server(method, "/").status == 501


def test_the_server_only_listens_on_localhost(server: Api) -> None:
    with socket.socket() as other_server:
        # This fails if the server listens on all addresses of the machine.
        other_server.bind(("127.0.0.2", server.port))


def test_the_policy_allows_the_import_map_and_two_servers(tmp_path: Path) -> None:
    html = (ROOT / "web" / "index.html").read_text()
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    config = {
        "api": "https://api.example.com/api/user/profile",
        "sign_in": "https://acme.auth.us-east-1.amazoncognito.com",
    }
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps(config))
    directives = page_config.content_security_policy(config_file).split("; ")
    assert f"script-src 'self' 'sha256-{digest}'" in directives
    assert (
        "connect-src 'self' https://acme.auth.us-east-1.amazoncognito.com https://api.example.com"
        in directives
    )
    assert "unsafe" not in " ".join(directives)


def test_the_page_has_no_inline_scripts_or_styles() -> None:
    html = (ROOT / "web" / "index.html").read_text()
    scripts = re.findall(r"<script\b[^>]*>", html)
    assert scripts == ['<script type="importmap">', '<script type="module" src="main.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)


def test_the_issuer_follows_from_the_pools_arn() -> None:
    arn = "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_Abc"
    settings = page_config.settings("https://a", arn, "first,second", "https://b")
    assert settings["issuer"] == "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Abc"
    assert settings["client_id"] == "first"


@pytest.mark.parametrize(
    ("variables", "erasure"),
    [
        ({}, None),
        ({"ERASURE": "off", "ERASURE_MAX_SIGN_IN_AGE": "60"}, None),
        ({"ERASURE": "account"}, {"url": "https://a/api/user", "max_sign_in_age": 600}),
        (
            {"ERASURE": "account", "ERASURE_MAX_SIGN_IN_AGE": "60"},
            {"url": "https://a/api/user", "max_sign_in_age": 60},
        ),
    ],
)
def test_the_page_knows_whether_accounts_can_be_deleted(
    variables: dict[str, str], erasure: dict[str, object] | None
) -> None:
    arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Abc"
    routes = RouteSettings.from_environment(variables)
    settings = page_config.settings("https://a/api/user/profile", arn, "id", "https://b", routes)
    assert settings.get("erasure") == erasure


@pytest.mark.parametrize("folder", ["web", "tests/browser"])
def test_lock_files_have_hashes_and_name_no_registry(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


@pytest.fixture
def npm_project(tmp_path: Path) -> Path:
    """A folder whose npm packages are not installed yet. It has none."""
    (tmp_path / "package.json").write_text('{"name": "bare"}')
    lock = {"name": "bare", "lockfileVersion": 3, "packages": {}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    return tmp_path


@pytest.fixture
def calls(
    npm_project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The file in which each run of npm writes a line."""
    npm = tmp_path_factory.mktemp("bin") / "npm"
    npm.write_text("#!/bin/sh\necho $1 >> calls.txt\nmkdir -p node_modules\n")
    npm.chmod(0o755)
    monkeypatch.setenv("NPM", str(npm))
    return npm_project / "calls.txt"


def test_npm_runs_once_for_two_processes_at_a_time(npm_project: Path, calls: Path) -> None:
    """Two runs in one folder would delete each other's files."""
    with ThreadPoolExecutor() as threads:
        for started in [threads.submit(page.install, npm_project) for _ in range(4)]:
            started.result()
    assert calls.read_text() == "ci\n"


def test_npm_runs_again_only_if_the_lock_file_changes(npm_project: Path, calls: Path) -> None:
    page.install(npm_project)
    page.install(npm_project)
    assert calls.read_text() == "ci\n"
    (npm_project / "package-lock.json").write_text("{}")
    page.install(npm_project)
    assert calls.read_text() == "ci\nci\n"


@pytest.mark.parametrize(
    ("npm", "message"), [("no-such-npm", "npm is not installed"), ("false", "npm ci failed")]
)
def test_a_missing_or_failing_npm_is_reported(
    npm_project: Path, monkeypatch: pytest.MonkeyPatch, npm: str, message: str
) -> None:
    monkeypatch.setenv("NPM", npm)
    with pytest.raises(page.PageError, match=message):
        page.install(npm_project)


def test_a_missing_chromium_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ChromiumNotFoundError, match="apt install chromium"):
        find_chromium()
