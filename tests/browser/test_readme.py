"""The front end of README.md, built as it says there, against `make local`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from local import page, users
from local.process import running, wait_until
from tests.browser.conftest import NODE_MODULES, TIMEOUT_MS, press
from tests.local import make
from tests.support.browser import submit_credentials
from tests.support.clone import copy_of_the_project
from tests.support.commands import output_of
from tests.support.documents import README, commands, example
from tests.support.ports import free_ports

SECTION = "Use it from your app"
START_SECONDS = 30


@dataclass(frozen=True)
class FrontEnd:
    """The front end of README.md, served by Vite, and the folder of the project beside it."""

    url: str
    clone: Path


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    start, *create, install = commands(README, SECTION)
    clone = copy_of_the_project(tmp_path_factory.mktemp("readme") / "user-profile")
    (port,) = free_ports(1)
    assert start.startswith("make local CALLBACK_URLS=")
    callback_urls = start.partition("=")[2].replace("5173", str(port))
    with make.running(clone, CALLBACK_URLS=callback_urls, WEB="no"):
        output_of(["bash", "-euc", "\n".join(create)], os.environ, clone)
        app = clone.parent / "my-app"
        (app / "index.html").write_text(example(README, SECTION, "html"))
        install_as(install, app)
        with serving_with_vite(app, port):
            yield FrontEnd(f"http://localhost:{port}", clone)


def install_as(command: str, app: Path) -> None:
    """Install what the `npm install` of README.md installs, from the lock of the tests."""
    page.install(NODE_MODULES.parent)
    (app / "node_modules").symlink_to(NODE_MODULES)
    for package, version in re.findall(r" ([\w-]+)@([\d.]+)", command):
        installed = json.loads((NODE_MODULES / package / "package.json").read_text())["version"]
        assert f"{installed}.".startswith(f"{version}."), f"README.md names another {package}"


@contextmanager
def serving_with_vite(app: Path, port: int) -> Iterator[None]:
    vite = app / "node_modules" / ".bin" / "vite"
    command: list[str | Path] = [vite, "--host", "127.0.0.1", "--port", str(port), "--strictPort"]
    log = app / "vite.log"
    with running(command, os.environ, log, cwd=app) as process:
        assert wait_until(lambda: make.listens(port), timeout=START_SECONDS, process=process), (
            log.read_text()
        )
        yield


@pytest.fixture
def tab(browser: Browser, front_end: FrontEnd) -> Iterator[Page]:
    """The front end in a new browser. It goes to the sign-in page."""
    context = browser.new_context()
    context.set_default_timeout(TIMEOUT_MS)
    tab = context.new_page()
    tab.goto(front_end.url)
    yield tab
    context.close()


def save_name(tab: Page, name: str) -> None:
    """Save a name, and wait for the message that it is saved."""
    tab.get_by_label("Name").fill(name)
    press(tab, "Save")
    expect(tab.get_by_role("status")).to_have_text("Saved.")


def test_the_front_end_of_the_readme_saves_a_profile(tab: Page, front_end: FrontEnd) -> None:
    submit_credentials(tab, users.DEMO_EMAIL, users.DEMO_PASSWORD)
    expect(tab).to_have_url(f"{front_end.url}/")
    save_name(tab, "Ada Lovelace")
    tab.reload()
    expect(tab.get_by_label("Name")).to_have_value("Ada Lovelace")
    assert tab.context.storage_state()["origins"] == [], "tokens are in localStorage"

    press(tab, "Sign out")
    expect(tab.get_by_label("Password")).to_be_visible()
    assert tab.url.startswith("http://127.0.0.1:")


def test_an_old_sign_in_response_leads_to_a_new_sign_in(tab: Page, front_end: FrontEnd) -> None:
    expect(tab.get_by_label("Password")).to_be_visible()
    tab.goto(f"{front_end.url}/?error=access_denied&state=unknown")
    expect(tab.get_by_label("Password")).to_be_visible()


def test_a_refused_save_is_shown(tab: Page) -> None:
    submit_credentials(tab, users.DEMO_EMAIL, users.DEMO_PASSWORD)
    tab.get_by_label("Name").fill("x" * 70_000)
    press(tab, "Save")
    expect(tab.get_by_role("status")).to_contain_text("65,536")


def test_a_newcomer_signs_up_without_leaving_the_browser(tab: Page, front_end: FrontEnd) -> None:
    tab.get_by_role("link", name="Sign up").click()
    tab.get_by_label("E-mail address").fill("mary@example.com")
    tab.get_by_label("Password").fill("Mary-Somerville-1780")
    press(tab, "Sign up")
    press(tab, "Confirm")
    tab.get_by_role("link", name="Sign in").click()
    submit_credentials(tab, "mary@example.com", "Mary-Somerville-1780")
    expect(tab).to_have_url(f"{front_end.url}/")
    save_name(tab, "Mary Somerville")
