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

from chalicelib.settings import InvalidSetting
from deploy import page_config
from local import page
from tests.support.browser import ChromiumNotFoundError, find_chromium
from tests.support.clone import ROOT
from tests.support.http_api import Answer, Api

POOL_ARN = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Abc"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    page.install()
    with page.serving(0, tmp_path_factory.mktemp("page") / "config.json") as port:
        yield Api(port)


def get_from_localhost(server: Api, path: str, **headers: str) -> Answer:
    """The response under the page's own address, http://localhost."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{server.port}", **headers})
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
    "path", ["/main.js", "/style.css", "/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js"]
)
def test_a_browser_downloads_an_unchanged_file_once(server: Api, path: str) -> None:
    first = get_from_localhost(server, path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = get_from_localhost(server, path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
    changed = get_from_localhost(server, path, **{"If-None-Match": '"another"'})
    assert (changed.status, changed.body) == (200, first.body)


def test_a_browser_keeps_no_copy_of_the_page_itself(server: Api) -> None:
    answer = get_from_localhost(server, "/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


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


def test_the_policy_allows_the_import_map_and_the_services(tmp_path: Path) -> None:
    html = (ROOT / "web" / "index.html").read_text()
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    config = {
        "api": "https://api.example.com/api/user/profile",
        "sign_in": "https://acme.auth.us-east-1.amazoncognito.com",
        "cognito_api": "https://cognito-idp.us-east-1.amazonaws.com",
    }
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps(config))
    directives = page_config.content_security_policy(config_file).split("; ")
    assert f"script-src 'self' 'sha256-{digest}'" in directives
    assert (
        "connect-src 'self' https://acme.auth.us-east-1.amazoncognito.com https://api.example.com "
        "https://cognito-idp.us-east-1.amazonaws.com" in directives
    )
    assert "unsafe" not in " ".join(directives)


@pytest.mark.parametrize(
    ("schema", "directive"),
    [
        (None, "img-src 'self'"),
        ({"properties": {"name": {"type": "string"}}}, "img-src 'self'"),
        ({"properties": {"picture": {"type": "string"}}}, "img-src 'self' https:"),
    ],
)
def test_pictures_of_other_servers_need_a_schema_with_a_picture(
    tmp_path: Path, schema: object, directive: str
) -> None:
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps({} if schema is None else {"schema": schema}))
    assert directive in page_config.content_security_policy(config_file).split("; ")


def test_the_page_has_no_inline_scripts_or_styles() -> None:
    html = (ROOT / "web" / "index.html").read_text()
    scripts = re.findall(r"<script\b[^>]*>", html)
    assert scripts == ['<script type="importmap">', '<script type="module" src="main.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)


def test_the_issuer_follows_from_the_pools_arn() -> None:
    arn = "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_Abc"
    stage = page_config.StageSettings.from_environment({})
    settings = page_config.settings("https://a", arn, "first,second", "https://b", stage)
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
    tmp_path: Path, variables: dict[str, str], erasure: dict[str, object] | None
) -> None:
    assert page_settings(variables, tmp_path).get("erasure") == erasure


def page_settings(variables: dict[str, str], folder: Path) -> dict[str, object]:
    stage = page_config.StageSettings.from_environment(variables, folder)
    return page_config.settings("https://a/api/user/profile", POOL_ARN, "id", "https://b", stage)


def test_the_page_knows_the_stages_schema(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"title": "Profile"}')
    assert page_settings({"PROFILE_SCHEMA": "a.json"}, tmp_path)["schema"] == {"title": "Profile"}


def test_a_stage_without_a_schema_has_none_in_the_page(tmp_path: Path) -> None:
    assert "schema" not in page_settings({}, tmp_path)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_an_unreadable_schema_names_its_file(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(InvalidSetting, match=re.escape("chalicelib/a.json")):
        page_settings({"PROFILE_SCHEMA": "a.json"}, tmp_path)


def test_the_page_revokes_tokens_in_the_pools_region(tmp_path: Path) -> None:
    settings = page_settings({}, tmp_path)
    assert settings["cognito_api"] == "https://cognito-idp.us-east-1.amazonaws.com"


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
