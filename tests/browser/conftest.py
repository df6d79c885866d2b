"""Fixtures for tests of the page in Chromium, with a real API and the emulator's sign-in page."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from deploy import cognito
from local import page, users
from tests.support.browser import (
    ChromiumNotFoundError,
    Site,
    chromium,
    serving_site,
    sign_in,
)
from tests.support.clone import ROOT, copy_of_the_project
from tests.support.cloud import Cloud
from tests.support.http_api import Api
from tests.support.users import PASSWORD, User, sign_up_user

TIMEOUT_MS = 10_000
NODE_MODULES = ROOT / "tests" / "browser" / "node_modules"
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"title": "Name", "type": "string", "maxLength": 100},
        "bio": {"title": "Bio", "type": "string", "maxLength": 1000, "pattern": "^[^<]*$"},
        "picture": {"title": "Picture", "type": "string", "format": "uri", "pattern": "^https://"},
        "birthdate": {"title": "Date of birth", "type": "string", "format": "date"},
        "language": {"title": "Language", "enum": ["en", "fr"], "description": "For e-mails."},
        "newsletter": {"title": "Send me the newsletter", "type": "boolean"},
        "height": {"title": "Height", "type": "number", "minimum": 0, "maximum": 3},
        "hobbies": {
            "title": "Hobbies",
            "type": "array",
            "items": {"type": "string", "maxLength": 20},
        },
        "address": {
            "title": "Address",
            "type": "object",
            "properties": {
                "street": {"title": "Street", "type": "string"},
                "city": {"title": "City", "type": "string"},
            },
            "required": ["city"],
        },
        "plan": {"title": "Plan", "type": "string", "readOnly": True},
    },
    "patternProperties": {"^born$": {"type": "integer"}},
}
"""The profile's JSON Schema in these tests. Every kind of field can have an error. So can the JSON
under "Advanced", by its member `born`."""

ADVANCED = "Other data (JSON)"
"""The label of the JSON under "Advanced"."""

CORS = {"Access-Control-Allow-Origin": "*"}
"""The header that a response of a test's own needs, so that the page can read it."""

MAY_FAIL = (
    "/user/profile",
    "/user/metadata",
    "/user",
    "/oauth2/token",
    "/logout",
    "/",
    "/favicon.ico",
    "/icon.svg",
)
"""Chromium logs each failed request to these paths, even if the page handles the failure. `/` is
Cognito's API."""

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="session")
def site(
    cloud: Cloud, logs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browser")
    project = copy_of_the_project(folder / "user-profile")
    (project / "chalicelib" / "profile.schema.json").write_text(json.dumps(SCHEMA))
    page.install(NODE_MODULES.parent)
    with serving_site(
        project, folder, cloud.port, {"PROFILE_SCHEMA": "profile.schema.json"}
    ) as site:
        logs.append(site.api_log)
        yield site


@pytest.fixture(scope="session")
def api(site: Site) -> Api:
    """The API that the page calls."""
    return Api(site.api_port)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as browser:
            yield browser
    except ChromiumNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def sign_up(site: Site) -> Callable[[], User]:
    return partial(sign_up_user, Cloud(site.emulator_port, site.folder, site.outputs))


@pytest.fixture(scope="session")
def signed_up_user(sign_up: Callable[[], User]) -> User:
    return sign_up()


@pytest.fixture
def user(signed_up_user: User, api: Api) -> User:
    """The user of most tests, without a profile."""
    assert api("DELETE", token=signed_up_user.id_token).status == 204
    return signed_up_user


@pytest.fixture
def demo_user(site: Site, api: Api) -> User:
    """The demo user of `make local`, without a profile."""
    pool_arn = site.outputs["UserPoolArn"]
    users.ensure_demo_user(pool_arn)
    tokens = cognito.sign_in(
        pool_arn, site.outputs["UserPoolClientId"], users.DEMO_EMAIL, users.DEMO_PASSWORD
    )
    user = User(
        users.DEMO_EMAIL, "", tokens["IdToken"], tokens["AccessToken"], tokens["RefreshToken"]
    )
    assert api("DELETE", token=user.id_token).status == 204
    return user


@dataclass(frozen=True)
class OtherClient:
    """Another client of the same user. It reads and changes the profile without the page."""

    api: Api
    user: User

    def read(self) -> Any:
        """The saved profile data; None if there is no profile."""
        answer = self.api.get(self.user)
        if answer.status == 404:
            return None
        assert answer.status == 200
        return answer.json()["profile_data"]

    def etag(self) -> str:
        return str(self.api.get(self.user).headers["ETag"])

    def save(self, body: str) -> None:
        assert self.api.post(self.user, body).status == 200

    def delete(self) -> None:
        assert self.api("DELETE", token=self.user.id_token).status == 204


@pytest.fixture
def other_client(api: Api, user: User) -> OtherClient:
    return OtherClient(api, user)


@dataclass
class Visitor:
    """A visitor of the page, with cookies and storage of their own."""

    site: Site
    context: BrowserContext
    console_errors: list[str] = field(default_factory=list)
    """Errors and warnings in the browser's console."""

    def open(self) -> Page:
        """The page in a new tab."""
        tab = self.new_tab()
        tab.goto(self.site.url)
        return tab

    def new_tab(self) -> Page:
        tab = self.context.new_page()
        tab.on("pageerror", lambda error: self.console_errors.append(str(error)))
        tab.on("console", self._note_errors)
        return tab

    def _note_errors(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        url = message.location["url"]
        is_failed_request = message.text.startswith("Failed to load resource")
        if is_failed_request and urlsplit(url).path in MAY_FAIL:
            return
        self.console_errors.append(f"{message.text} ({url})")


def new_visitor(browser: Browser, site: Site) -> Visitor:
    context = browser.new_context(locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(TIMEOUT_MS)
    return Visitor(site, context)


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    """A new visitor. Errors in the console fail the test, unless it clears `console_errors`."""
    visitor = new_visitor(browser, site)
    yield visitor
    visitor.context.close()
    assert visitor.console_errors == []


@pytest.fixture(scope="session")
def signed_in_storage(browser: Browser, site: Site, signed_up_user: User) -> dict[str, str]:
    """The page's sessionStorage for the signed-in user. The user signs in once."""
    visitor = new_visitor(browser, site)
    tab = visitor.open()
    press(tab, "Sign in")
    sign_in(tab, signed_up_user.email, PASSWORD)
    storage: dict[str, str] = tab.evaluate("({...sessionStorage})")
    visitor.context.close()
    return storage


def open_with_storage(tab: Page, site: Site, storage: dict[str, str]) -> None:
    """Open the page in a tab whose sessionStorage has only `storage`."""
    tab.goto(f"{site.url}/icon.svg")  # of the page's origin, without its script
    script = "storage => { sessionStorage.clear(); Object.assign(sessionStorage, storage); }"
    tab.evaluate(script, storage)
    tab.goto(site.url)


@pytest.fixture(scope="session")
def shared_visitor(browser: Browser, site: Site) -> Visitor:
    return new_visitor(browser, site)


@pytest.fixture(scope="session")
def shared_tab(shared_visitor: Visitor) -> Page:
    """The first tab of most tests. Chromium needs almost a second for a new one."""
    return shared_visitor.new_tab()


@pytest.fixture
def open_profile(
    shared_visitor: Visitor, shared_tab: Page, user: User, signed_in_storage: dict[str, str]
) -> Iterator[Callable[[], Page]]:
    """Open the page in another tab with the user signed in, and wait until the profile is loaded.

    Errors in the console fail the test.
    """
    tabs: list[Page] = []

    def open_next_tab() -> Page:
        tab = shared_visitor.new_tab() if tabs else shared_tab
        tabs.append(tab)
        open_with_storage(tab, shared_visitor.site, signed_in_storage)
        expect(tab.get_by_label("Name")).to_be_visible()
        return tab

    yield open_next_tab

    for tab in tabs[1:]:
        tab.close()
    shared_visitor.context.set_offline(False)
    shared_visitor.context.clear_cookies()
    shared_tab.unroute_all()
    shared_tab.emulate_media(color_scheme="light", forced_colors="none")
    shared_tab.set_viewport_size({"width": 1280, "height": 720})
    shared_tab.goto("about:blank")
    console_errors = shared_visitor.console_errors.copy()
    shared_visitor.console_errors.clear()
    assert console_errors == []


def press(tab: Page, button: str) -> None:
    tab.get_by_role("button", name=button, exact=True).click()


def notice(tab: Page) -> Locator:
    """The notice at the top of the page."""
    return tab.locator("#notice")


def save_status(tab: Page) -> Locator:
    """The status next to "Save"."""
    return tab.locator("#save-status")


def expect_saved(tab: Page) -> None:
    expect(save_status(tab)).to_have_text("Saved.")


def save(tab: Page) -> None:
    """Press "Save" and wait until the profile is saved."""
    press(tab, "Save")
    expect_saved(tab)


def discard(tab: Page) -> None:
    """Press "Discard changes" and confirm it."""
    press(tab, "Discard changes")
    press(tab, "Discard")


def fill_advanced(tab: Page, text: str) -> None:
    """Open "Advanced", and replace the JSON."""
    field = tab.get_by_label(ADVANCED)
    if not field.is_visible():
        tab.get_by_text("Advanced", exact=True).click()
    field.fill(text)


def form(tab: Page) -> tuple[str, str, str]:
    """The name, the bio and the JSON. White space in the JSON is reduced to single spaces."""
    name = tab.get_by_label("Name").input_value()
    bio = tab.get_by_label("Bio").input_value()
    other = tab.get_by_label(ADVANCED).input_value()
    return name, bio, re.sub(r"\s+", " ", other)


def expect_error(tab: Page, label: str, error: str) -> None:
    """Expect an error next to a field, for eyes and for screen readers."""
    field = tab.get_by_label(label)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(re.escape(error)))


def expect_no_error(tab: Page, label: str) -> None:
    expect(tab.get_by_label(label)).to_have_attribute("aria-invalid", "false")


def stored_tokens(tab: Page) -> dict[str, Any]:
    """The data of the signed-in user that oidc-client-ts stores."""
    script = "Object.entries(sessionStorage).find(([key]) => key.startsWith('oidc.user:'))[1]"
    tokens: dict[str, Any] = json.loads(tab.evaluate(script))
    return tokens


def replace_stored_tokens(tab: Page, **changes: object) -> None:
    """Change the data of the signed-in user that oidc-client-ts stores."""
    script = """changes => {
        const isUser = ([key]) => key.startsWith('oidc.user:');
        const [key, text] = Object.entries(sessionStorage).find(isUser);
        sessionStorage.setItem(key, JSON.stringify({...JSON.parse(text), ...changes}));
    }"""
    tab.evaluate(script, changes)


def make_sign_in_older(tab: Page, seconds: int) -> None:
    """Change the time of the sign-in in the page's copy of the id token. The API refuses it."""
    header, payload, signature = stored_tokens(tab)["id_token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["auth_time"] -= seconds
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    replace_stored_tokens(tab, id_token=f"{header}.{changed}.{signature}")


def with_invalid_signature(token: str) -> str:
    unsigned = token.rpartition(".")[0]
    return f"{unsigned}.{'A' * 342}"
