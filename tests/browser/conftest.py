"""The page in a real browser, Chromium driven by Playwright, with the API and the emulator's sign-in page."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from deploy import backend, cognito, page_config
from local import environment, page
from local.api import serving
from local.process import free_ports
from tests.conftest import PASSWORD, ROOT, Api, Cloud, User, copy_of_the_project, users_of

ARGUMENTS = (
    "--no-sandbox",  # of no use to a user who is root already, as in most containers
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCHEMA = {
    "properties": {
        "name": {"maxLength": 100},
        "bio": {"pattern": "^[^<]*$"},
        "born": {"type": "integer"},
    }
}
"""What the stage of these tests wants of profile data, so that fields have something to refuse."""
MODULES = ROOT / "tests" / "browser" / "node_modules"

expect.set_options(timeout=10_000)


@dataclass(frozen=True)
class Site:
    """The page, served, and what is behind it."""

    url: str
    api: Api
    cloud: Cloud
    config: Path

    @contextmanager
    def changed(self, **settings: str) -> Iterator[None]:
        """Another config.json for a while."""
        before = self.config.read_text()
        self._write(json.dumps({**json.loads(before), **settings}))
        try:
            yield
        finally:
            self._write(before)

    def _write(self, text: str) -> None:
        """At once: the server may be reading it."""
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)


@pytest.fixture(scope="session")
def site(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A stage of its own, whose pool sends users back to the page on a free port."""
    folder = tmp_path_factory.mktemp("web")
    project = copy_of_the_project(folder / "user-profile")
    (project / "chalicelib" / "profile.schema.json").write_text(json.dumps(SCHEMA))
    api_port, web_port = free_ports(2)
    url = f"http://localhost:{web_port}"
    parameters = {
        "DomainSuffix": "test",
        "DeletionProtection": "false",
        "CallbackUrls": url,
        "LogoutUrls": url,
    }
    outputs = backend.deploy("web", parameters, progress=print)
    config = folder / "config.json"
    profile = f"http://localhost:{api_port}/user/profile"
    sign_in = f"http://localhost:{cloud.port}"
    config.write_text(
        json.dumps(
            page_config.settings(
                profile, outputs["UserPoolArn"], outputs["UserPoolClientId"], sign_in
            )
        )
    )
    page.install()
    page.install(MODULES.parent)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(project)
            patch.setenv("LOCAL_STATE", str(folder))
            patch.setenv("PROFILE_SCHEMA", "profile.schema.json")
            environment.record(
                environment.for_endpoint(cloud.port) | backend.chalice_environment(outputs)
            )
            stack.enter_context(serving(api_port))
        stack.enter_context(page.serving(web_port, config))
        yield Site(url, Api(api_port), Cloud(cloud.port, folder, outputs), config)


@pytest.fixture(scope="session")
def sign_up(site: Site) -> Callable[[], User]:
    """Make another user of the site's pool."""
    return users_of(site.cloud)


@pytest.fixture
def user(sign_up: Callable[[], User]) -> User:
    return sign_up()


@pytest.fixture
def demo_user(site: Site) -> User:
    """The demo user of `make local`, with nothing stored."""
    arn, client_id = site.cloud.outputs["UserPoolArn"], site.cloud.outputs["UserPoolClientId"]
    cognito.ensure_demo_user(arn)
    tokens = cognito.sign_in(arn, client_id, cognito.DEMO_EMAIL, cognito.DEMO_PASSWORD)
    user = User(
        cognito.DEMO_EMAIL, "", tokens["IdToken"], tokens["AccessToken"], tokens["RefreshToken"]
    )
    assert site.api("DELETE", token=user.id_token).status == 204
    return user


def chromium() -> str:
    """Where the machine's browser is. Fails the test that asks where there is none."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None:
        pytest.fail(
            "The tests of the page need Chromium. On Debian: apt install chromium", pytrace=False
        )
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody before the browser, with one tab or more."""

    site: Site
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def open(self) -> Page:
        """The page in a new tab, which must have nothing to complain of until the end."""
        tab = self.context.new_page()
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("console", self._listen)
        tab.goto(self.site.url)
        return tab

    def _listen(self, message: ConsoleMessage) -> None:
        # Chromium itself tells of every answer from 400 on and of every failed request, whatever a page makes of it.
        expected = message.text.startswith("Failed to load resource") and message.location[
            "url"
        ].endswith(("/user/profile", "/favicon.ico", "/oauth2/token"))
        if message.type in ("error", "warning") and not expected:
            self.complaints.append(message.text)

    def signed_in(self, user: User) -> Page:
        """The page in a new tab, with `user` signed in and the profile loaded."""
        tab = self.open()
        tab.get_by_role("button", name="Sign in").click()
        sign_in(tab, user)
        expect(tab.get_by_label("Name")).to_be_visible()
        return tab


def sign_in(tab: Page, user: User, password: str = PASSWORD) -> None:
    """On the pool's own sign-in page, which sends the user back."""
    tab.get_by_label("Username").fill(user.email)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_text(user.email)).to_be_visible()


@contextmanager
def visiting(browser: Browser, site: Site) -> Iterator[Visitor]:
    """A visitor, with cookies and storage of their own, to whom the page must give nothing to complain of."""
    context = browser.new_context(locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(10_000)
    visitor = Visitor(site, context)
    try:
        yield visitor
    finally:
        context.close()
    assert visitor.complaints == []


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    with visiting(browser, site) as visitor:
        yield visitor


def save(tab: Page) -> None:
    """Press Save, and see that it is."""
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("status")).to_have_text("Saved.")


def form(tab: Page) -> tuple[str, str, str]:
    """What stands in the fields."""
    name, bio, more = (
        tab.get_by_label(label).input_value() for label in ("Name", "Bio", "Everything else")
    )
    return name, bio, re.sub(r"\s+", " ", more)
