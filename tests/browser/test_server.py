"""What the page's server gives out, and what it does not."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import page_config
from local import page
from local.process import free_port
from tests.browser.conftest import chromium
from tests.conftest import ROOT, Api

CONFIG = {
    "api": "https://api.example.com/api/user/profile",
    "sign_in": "https://acme.auth.us-east-1.amazoncognito.com",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    page.install()
    port = free_port()
    with page.serving(port, tmp_path_factory.mktemp("page") / "config.json"):
        yield Api(port)


@pytest.mark.parametrize(
    ("path", "kind"),
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
def test_what_the_page_needs_is_served_under_its_policy(server: Api, path: str, kind: str) -> None:
    answer = server("GET", path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self' 'sha256-"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/config.json", "/package.json", "/package-lock.json", "/.npmrc", "/node_modules", "/node_modules/",
        "/node_modules/axe-core/axe.js", "/../README.md", "/%2e%2e/README.md", "//etc/passwd", "/./main.js",
        "/node_modules/../../.chalice/config.json", "http://localhost/../app.py", "/main.js%00", "*",
    ],
)  # fmt: skip
def test_nothing_else_is(server: Api, path: str) -> None:
    answer = server("GET", path)
    assert (answer.status, answer.body) in ((404, b"There is nothing here.\n"), (400, answer.body))
    assert b"{" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_only_reads(server: Api, method: str) -> None:
    assert server(method, "/").status == 501


def test_it_listens_on_this_machine_alone(server: Api) -> None:
    with socket.socket() as another:
        another.bind(
            ("127.0.0.2", server.port)
        )  # free: the server did not take all of the machine's addresses


def test_the_policy_allows_just_the_import_map_and_the_two_servers(tmp_path: Path) -> None:
    html = (ROOT / "web" / "index.html").read_bytes()
    (script,) = re.findall(rb'<script type="importmap">(.*?)</script>', html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    config = tmp_path / "config.json"
    config.write_text(f'{{"api": "{CONFIG["api"]}", "sign_in": "{CONFIG["sign_in"]}"}}')
    policy = page_config.content_security_policy(config)
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert (
        "connect-src 'self' https://acme.auth.us-east-1.amazoncognito.com https://api.example.com;"
        in policy
    )
    assert "unsafe" not in policy
    assert html.count(b"<script") == 2, "no other script stands in the page"
    assert not re.search(rb"<style|\sstyle=|\son\w+=", html)


def test_the_issuer_is_the_pools(tmp_path: Path) -> None:
    arn = "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_Abc"
    settings = page_config.settings("https://a", arn, "first,second", "https://b")
    assert settings["issuer"] == "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Abc"
    assert settings["client_id"] == "first"


@pytest.mark.parametrize("folder", ["web", "tests/browser"])
def test_a_lock_file_names_no_registry(folder: str) -> None:
    """Everyone installs from the one they use; the hashes say that it is the same."""
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert all(
        "integrity" in package and "resolved" not in package
        for name, package in packages.items()
        if name
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder whose modules are not installed, and are none."""
    (tmp_path / "package.json").write_text('{"name": "bare"}')
    (tmp_path / "package-lock.json").write_text(
        '{"name": "bare", "lockfileVersion": 3, "packages": {}}'
    )
    return tmp_path


def test_npm_is_asked_once_and_again_when_the_lock_file_changes(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    npm = tmp_path_factory.mktemp("bin") / "npm"
    npm.write_text("#!/bin/sh\necho $1 >> asked.txt\nmkdir -p node_modules\n")
    npm.chmod(0o755)
    monkeypatch.setenv("NPM", str(npm))
    page.install(bare)
    page.install(bare)
    assert (bare / "asked.txt").read_text() == "ci\n"
    (bare / "package-lock.json").write_text("{}")
    page.install(bare)
    assert (bare / "asked.txt").read_text() == "ci\nci\n"


def test_without_npm_and_when_it_fails_that_is_told(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPM", "no-such-npm")
    with pytest.raises(page.PageError, match="npm is not installed"):
        page.install(bare)
    monkeypatch.setenv("NPM", "false")
    with pytest.raises(page.PageError, match="npm ci failed"):
        page.install(bare)


def test_without_a_browser_the_tests_say_how_to_get_one_and_ci_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt install chromium"):
        chromium()
    assert re.search(
        r"^ +apt-get install .* chromium\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE
    )
