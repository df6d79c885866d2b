"""Scripts and content of other origins: the API's CORS headers, and the page's policy."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import Visitor
from tests.support.browser import Site
from tests.support.users import User

FETCH = """async ([url, method, headers, body]) => {
    const response = await fetch(url, {method, headers, body});
    const etag = response.headers.get("ETag");
    return {status: response.status, etag, body: await response.text()};
}"""
VIOLATE_POLICY = """() => {
    window.blocked = [];
    document.addEventListener("securitypolicyviolation", ({effectiveDirective}) => {
        blocked.push(effectiveDirective);
    });
    const append = (name, properties) => {
        document.body.append(Object.assign(document.createElement(name), properties));
    };
    append("img", {src: "http://example.com/x.png"});
    append("style", {textContent: "body {}"});
    append("iframe", {src: "https://example.com"});
    fetch("https://example.com").catch(() => {});
    try { document.body.innerHTML = "<p onclick=x>"; } catch { blocked.push("innerHTML"); }
    try { document.createElement("script").src = "x.js"; } catch { blocked.push("script.src"); }
}"""


def fetch(
    tab: Page, method: str, url: str, headers: dict[str, str], body: str | None = None
) -> Any:
    return tab.evaluate(FETCH, [url, method, headers, body])


def test_a_script_can_call_the_api_and_read_its_errors(
    visitor: Visitor, site: Site, user: User
) -> None:
    tab = visitor.open()
    url = f"http://127.0.0.1:{site.api_port}/user/profile"
    headers = {"Authorization": f"Bearer {user.id_token}", "Content-Type": "application/json"}

    refused = fetch(tab, "PATCH", url, {"Authorization": "Bearer x", "If-Match": '"a"'}, "{}")
    assert refused["status"] == 401
    assert json.loads(refused["body"])["type"].endswith(":not-signed-in")

    saved = fetch(tab, "PUT", url, {**headers, "If-None-Match": "*"}, '{"a": 1}')
    assert saved["status"] == 200

    conflict = fetch(tab, "PATCH", url, {**headers, "If-Match": '"another"'}, "{}")
    assert conflict["status"] == 412
    assert conflict["etag"] == saved["etag"]

    deleted = fetch(tab, "DELETE", url, {**headers, "If-Match": saved["etag"]})
    assert deleted["status"] == 204


def test_the_policy_blocks_foreign_content(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.evaluate(VIOLATE_POLICY)
    tab.wait_for_function("blocked.length >= 8")
    assert set(tab.evaluate("blocked")) == {
        "img-src",
        "style-src-elem",
        "frame-src",
        "connect-src",
        "innerHTML",
        "script.src",
        "require-trusted-types-for",
    }
    visitor.console_errors.clear()
