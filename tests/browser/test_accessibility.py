"""Accessibility: axe-core's rules, phones, light and dark colors, and the keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    NODE_MODULES,
    OtherClient,
    Visitor,
    expect_error,
    expect_saved,
    fill_advanced,
    form,
    make_sign_in_older,
    notice,
    press,
    replace_stored_tokens,
)

FIELDS = [
    "field/name",
    "field/bio",
    "field/picture",
    "field/birthdate",
    "field/birthdate",  # day, month and year are three stops
    "field/birthdate",
    "field/birthdate",  # the button that opens the calendar
    "field/language",
    "field/newsletter",
    "field/height",
    "field/hobbies",
    "field/address/street",
    "field/address/city",
    "field/plan",
]
"""The ids of the fields, in the order of the Tab key."""
DISPLAYS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1000), ("dark", 320))
"""Color schemes, each with a width in pixels. No style depends on both."""

VIOLATIONS = """async () => {
    const {violations} = await axe.run();
    return violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`);
}"""


@pytest.fixture
def signed_out(visitor: Visitor) -> Page:
    tab = visitor.open()
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    return tab


@pytest.fixture
def profile(open_profile: Callable[[], Page]) -> Page:
    return open_profile()


@pytest.fixture
def validation_errors(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    tab.get_by_label("Name").fill("A" * 101)
    press(tab, "Save")
    expect_error(tab, "Name", "100")
    return tab


@pytest.fixture
def problem(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    tab.context.set_offline(True)
    press(tab, "Save")
    expect(tab.get_by_role("button", name="Try again")).to_be_visible()
    return tab


@pytest.fixture
def conflict(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    long_word = "Lovelace" * 20
    other_client.save('{"name": "Ada", "x": {"y": 1}}')
    tab = open_profile()
    other_client.save(json.dumps({"name": "Ada Lovelace", "x": {"y": long_word}}))
    tab.get_by_label("Name").fill("Augusta Ada King, Countess of Lovelace")
    fill_advanced(tab, '{"x": {"y": [1, 2]}}')
    press(tab, "Save")
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


@pytest.fixture
def deleted_elsewhere(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    other_client.delete()
    tab.get_by_label("Name").fill("Grace")
    press(tab, "Save")
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


@pytest.fixture
def discarding(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    press(tab, "Discard changes")
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


@pytest.fixture
def signing_out(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    press(tab, "Sign out")
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


@pytest.fixture
def full_profile(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    """A saved profile with unsaved changes, a notice and long words."""
    long_word = "Lovelace" * 12
    profile = {"name": long_word, "plan": "pro", "x": {"y": long_word}}
    other_client.save(json.dumps(profile))
    tab = open_profile()
    tab.get_by_label("Hobbies").fill("chess")
    tab.reload()
    expect(notice(tab)).not_to_be_empty()
    tab.get_by_text("Advanced", exact=True).click()
    return tab


@pytest.fixture
def loading(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    tab.route("**/user/profile", lambda _: None)
    tab.reload()
    expect(tab.get_by_role("img", name="Loading your profile")).to_be_visible()
    return tab


@pytest.fixture
def session_ended(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    replace_stored_tokens(tab, expires_at=1, refresh_token="revoked")
    tab.get_by_label("Name").fill("Ada")
    press(tab, "Save")
    expect(notice(tab)).to_contain_text("Sign in again")
    return tab


@pytest.fixture
def deletion(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    press(tab, "Delete profile")
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


@pytest.fixture
def account_deletion(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    press(tab, "Delete my account")
    expect(tab.get_by_role("dialog", name="Delete your account?")).to_be_visible()
    return tab


@pytest.fixture
def old_sign_in(open_profile: Callable[[], Page]) -> Page:
    tab = open_profile()
    make_sign_in_older(tab, seconds=86_400)
    press(tab, "Delete my account")
    expect(tab.get_by_role("dialog", name="Sign in again")).to_be_visible()
    return tab


STATES = [
    "signed_out",
    "profile",
    "validation_errors",
    "problem",
    "conflict",
    "deleted_elsewhere",
    "discarding",
    "signing_out",
    "full_profile",
    "loading",
    "session_ended",
    "deletion",
    "account_deletion",
    "old_sign_in",
]


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible_and_fits_a_phone(
    state: str, request: pytest.FixtureRequest
) -> None:
    assert_accessible(request.getfixturevalue(state))


def assert_accessible(tab: Page) -> None:
    """axe-core finds nothing in a page, in light and dark colors, and it fits a phone."""
    tab.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())  # not subject to the CSP
    for scheme, width in DISPLAYS:
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 700})
        assert tab.evaluate(VIOLATIONS) == [], f"{scheme}, {width} px wide"
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("state", ["full_profile", "conflict"])
def test_the_page_fits_at_200_percent(state: str, request: pytest.FixtureRequest) -> None:
    tab: Page = request.getfixturevalue(state)
    tab.set_viewport_size({"width": 640, "height": 512})  # of 1280 x 1024
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 640
    script = (
        "[...document.querySelectorAll('dialog[open]')].every(d => d.scrollWidth <= innerWidth)"
    )
    assert tab.evaluate(script)


def test_forced_colors_show_what_is_disabled_and_primary(
    open_profile: Callable[[], Page],
) -> None:
    tab = open_profile()
    tab.emulate_media(forced_colors="active")
    color = "element => getComputedStyle(element).backgroundColor"
    button = tab.get_by_role("button", name="Save", exact=True)
    disabled = button.evaluate(color)
    tab.get_by_label("Name").fill("Ada")
    expect(button).to_be_enabled()
    assert button.evaluate(color) != disabled
    press(tab, "Save")
    expect_saved(tab)
    assert tab.locator("#avatar").evaluate("e => getComputedStyle(e).borderWidth") == "1px"


def focused(tab: Page) -> str:
    """The id of the focused element, or its text if it has no id."""
    script = "document.activeElement.id || document.activeElement.textContent"
    return str(tab.evaluate(script))


def test_the_tab_key_reaches_every_control_visibly(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save("{}")
    tab = open_profile()
    tab.get_by_text("Advanced", exact=True).click()
    tab.get_by_role("main").focus()
    controls = [*FIELDS, "Advanced", "other", "save", "discard", "delete", "delete-account"]
    for control in controls:
        tab.keyboard.press("Tab")
        assert focused(tab) == control
        outline = tab.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px", f"the focus on {control} is not visible"


def test_enter_saves_and_escape_closes_the_conflict(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").focus()
    tab.keyboard.type("Ada")
    tab.keyboard.press("Enter")
    expect_saved(tab)
    other_client.save('{"name": "Grace"}')
    tab.keyboard.type(" Lovelace")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()
    for key in ("Tab", "Tab", "Enter"):  # past the choices without choosing
        tab.keyboard.press(key)
    expect(tab.get_by_role("dialog")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_be_hidden()
    assert focused(tab) == "field/name"
    assert form(tab)[0] == "Ada Lovelace"


def test_a_conflict_is_resolved_with_the_keyboard(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    other_client.save('{"name": "Grace"}')
    tab.get_by_label("Name").fill("Mary")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()
    for key in ("Tab", "Space", "ArrowDown", "ArrowUp", "Enter"):  # "Your change", and save
        tab.keyboard.press(key)
    expect_saved(tab)
    assert other_client.read() == {"name": "Mary"}


def test_the_focus_stays_in_place_when_its_button_goes(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.get_by_label("Name").fill("Grace")
    tab.context.set_offline(True)
    press(tab, "Save")
    tab.get_by_role("button", name="Try again").focus()
    tab.context.set_offline(False)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("main")).to_be_focused()
    expect_saved(tab)
    expect(tab.get_by_role("alert")).to_be_empty()
    tab.keyboard.press("Tab")
    assert focused(tab) == "field/name"

    tab.get_by_role("button", name="Delete profile").focus()
    for key in ("Enter", "Tab", "Enter"):  # open the dialog, go to "Delete", press it
        tab.keyboard.press(key)
    expect(notice(tab)).to_have_text("Profile deleted.")
    assert focused(tab) == "field/name"
