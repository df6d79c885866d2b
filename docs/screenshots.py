"""Take the screenshots in docs/images: `python -m docs.screenshots`, which `make screenshots` runs.

The script starts its own local cloud in a temporary folder, on free ports.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from local import environment, users
from local.emulator import emulator
from tests.support.browser import ChromiumNotFoundError, Site, chromium, serving_site, sign_in

PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "docs" / "images"
DESKTOP_WIDTH = 720
PHONE_WIDTH = 360
PHONE_HEIGHT = 720
MIN_HEIGHT = 300
DIALOG_HEIGHT = 560
SETTINGS = {"PROFILE_SCHEMA": "profile.schema.json"}
BIO = "Wrote the first program, for a machine that was never built."


@contextmanager
def temporary_site() -> Iterator[Site]:
    """A running page with the demo user, and without profiles."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with emulator(0, folder) as (_, port):
            environment.enter(environment.for_endpoint(port))
            with serving_site(PROJECT, folder, port, SETTINGS) as site:
                users.ensure_demo_user(site.outputs["UserPoolArn"])
                users.ensure_demo_metadata(site.outputs["UserPoolArn"], site.outputs["TableName"])
                yield site


def open_page(
    browser: Browser,
    site: Site,
    width: int = DESKTOP_WIDTH,
    color_scheme: Literal["light", "dark"] = "light",
) -> Page:
    """The page in a new window, without a signed-in user."""
    context = browser.new_context(
        locale="en-GB",
        timezone_id="UTC",
        viewport={"width": width, "height": MIN_HEIGHT},
        color_scheme=color_scheme,
        device_scale_factor=1.5,
    )
    tab = context.new_page()
    tab.goto(site.url)
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    return tab


def sign_in_demo_user(tab: Page) -> None:
    tab.get_by_role("button", name="Sign in").click()
    sign_in(tab, users.DEMO_EMAIL, users.DEMO_PASSWORD)
    expect(tab.get_by_label("Name")).to_be_visible()


def press_save(tab: Page) -> None:
    tab.get_by_role("button", name="Save", exact=True).click()


def save(tab: Page) -> None:
    press_save(tab)
    expect(tab.locator("#save-status")).to_have_text("Saved.")


def take(tab: Page, name: str, *, full_page: bool = True) -> None:
    path = IMAGES / f"{name}.png"
    tab.screenshot(path=path, full_page=full_page, animations="disabled")
    print(path.relative_to(PROJECT))


def take_signed_out(browser: Browser, site: Site) -> None:
    take(open_page(browser, site), "signed-out")


def take_profile(browser: Browser, site: Site) -> None:
    """Later screenshots also show the profile that this function saves."""
    tab = open_page(browser, site)
    sign_in_demo_user(tab)
    tab.get_by_label("Name").fill("Ada Lovelace")
    tab.get_by_label("Bio").fill(BIO)
    tab.get_by_label("Date of birth").fill("1815-12-10")
    tab.get_by_label("Website").fill("https://example.com/ada")
    tab.get_by_label("Language").select_option("en")
    tab.get_by_label("Send me the newsletter").check()
    save(tab)
    tab.reload()
    expect(tab.get_by_text("Last saved")).to_be_visible()
    expect(tab.get_by_role("heading", name="About your account")).to_be_visible()
    take(tab, "profile")


def take_phone(browser: Browser, site: Site) -> None:
    tab = open_page(browser, site, PHONE_WIDTH, "dark")
    sign_in_demo_user(tab)
    tab.set_viewport_size({"width": PHONE_WIDTH, "height": PHONE_HEIGHT})
    take(tab, "phone", full_page=False)


def take_conflict(browser: Browser, site: Site) -> None:
    tab = open_page(browser, site)
    sign_in_demo_user(tab)
    tab.get_by_label("Name").fill("Augusta Ada King")

    other_tab = open_page(browser, site)
    sign_in_demo_user(other_tab)
    other_tab.get_by_label("Name").fill("Countess of Lovelace")
    other_tab.get_by_label("Website").fill("https://example.com/lovelace")
    save(other_tab)

    tab.set_viewport_size({"width": DESKTOP_WIDTH, "height": DIALOG_HEIGHT})
    press_save(tab)
    expect(tab.get_by_role("dialog")).to_be_visible()
    take(tab, "conflict", full_page=False)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    try:
        with chromium() as browser, temporary_site() as site:
            take_signed_out(browser, site)
            take_profile(browser, site)
            take_phone(browser, site)
            take_conflict(browser, site)
    except ChromiumNotFoundError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
