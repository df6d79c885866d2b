"""The README's pictures, made by the page itself: `make screenshots` writes them to docs/images/."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from local import users
from tests.browser.conftest import Site, Visitor, sign_in
from tests.conftest import ROOT, User

FOLDER = ROOT / "docs" / "images"
ADA = """{
  "name": "Ada Lovelace",
  "bio": "Wrote the first program, for a machine that was never built.",
  "born": 1815, "languages": ["en", "fr"], "newsletter": true
}"""


@pytest.fixture
def ada(site: Site, demo_user: User) -> User:
    """The demo user, with a profile."""
    assert site.api.post(demo_user, ADA).status == 200
    return demo_user


@pytest.fixture
def tab(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page in a window of a certain width."""
    context = browser.new_context(
        locale="en-GB",
        timezone_id="UTC",
        viewport={"width": request.param, "height": 300},
        device_scale_factor=1.5,
    )
    yield Visitor(site, context).open()
    context.close()


def enter(tab: Page, user: User) -> None:
    tab.get_by_role("button", name="Sign in").click()
    sign_in(tab, user, users.DEMO_PASSWORD)
    expect(tab.get_by_label("Name")).to_be_visible()


def take(tab: Page, name: str, *, full_page: bool = True) -> None:
    FOLDER.mkdir(exist_ok=True)
    picture = tab.screenshot(
        path=FOLDER / f"{name}.png", full_page=full_page, animations="disabled"
    )
    assert len(picture) < 150_000


@pytest.mark.parametrize("tab", [720], indirect=True)
def test_signed_out(tab: Page) -> None:
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    take(tab, "signed-out")


@pytest.mark.parametrize("tab", [720], indirect=True)
def test_profile(tab: Page, ada: User) -> None:
    enter(tab, ada)
    take(tab, "profile")


@pytest.mark.parametrize("tab", [720], indirect=True)
def test_conflict(tab: Page, site: Site, ada: User) -> None:
    enter(tab, ada)
    assert site.api.post(ada, ADA.replace("1815", '1815, "died": 1852')).status == 200
    tab.get_by_label("Name").fill("Augusta Ada King")
    tab.set_viewport_size({"width": 720, "height": 560})
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("dialog")).to_be_visible()
    take(tab, "conflict", full_page=False)


@pytest.mark.parametrize("tab", [360], indirect=True)
def test_phone(tab: Page, ada: User) -> None:
    tab.emulate_media(color_scheme="dark")
    enter(tab, ada)
    take(tab, "phone")
