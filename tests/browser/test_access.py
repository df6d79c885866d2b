"""Whether everybody can use the page: axe-core's rules, the keyboard alone, a phone's width, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MODULES, Site, Visitor, form
from tests.conftest import User


def open_signed_out(visitor: Visitor, user: User) -> Page:
    return visitor.open()


def open_form(visitor: Visitor, user: User) -> Page:
    return visitor.signed_in(user)


def open_faults(visitor: Visitor, user: User) -> Page:
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("A" * 101)
    tab.get_by_label("Everything else").fill('{"born": ""}')
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator("#more-error")).to_contain_text("/born")
    return tab


def open_complaint(visitor: Visitor, user: User) -> Page:
    tab = visitor.signed_in(user)
    visitor.context.set_offline(True)
    tab.get_by_role("button", name="Discard changes").click()
    expect(tab.get_by_role("button", name="Try again")).to_be_visible()
    return tab


def open_conflict(visitor: Visitor, user: User) -> Page:
    visitor.site.api.post(user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    visitor.site.api.post(user, '{"name": "Ada Lovelace", "died": 1852}')
    tab.get_by_label("Name").fill("Augusta Ada King, Countess of Lovelace")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


def open_deletion(visitor: Visitor, user: User) -> Page:
    visitor.site.api.post(user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    tab.get_by_role("button", name="Delete profile").click()
    expect(tab.get_by_role("dialog")).to_be_visible()
    return tab


VIEWS = [open_signed_out, open_form, open_faults, open_complaint, open_conflict, open_deletion]


@pytest.mark.parametrize("opened", VIEWS)
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(
    visitor: Visitor, user: User, opened: Callable[[Visitor, User], Page]
) -> None:
    tab = opened(visitor, user)
    tab.evaluate(
        (MODULES / "axe-core" / "axe.min.js").read_text()
    )  # past the page's policy, which stays as it is
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        for width in (1000, 320):
            tab.emulate_media(color_scheme=scheme)
            tab.set_viewport_size({"width": width, "height": 700})
            found = tab.evaluate(
                "axe.run().then(({violations}) => violations.map(({id, nodes}) => [id, nodes[0].html]))"
            )
            assert (scheme, width, found) == (scheme, width, [])
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_alone_does_for_everything(visitor: Visitor, site: Site, user: User) -> None:
    tab = visitor.signed_in(user)
    keys = tab.keyboard

    def focused() -> str:
        text: str = tab.evaluate("document.activeElement.id || document.activeElement.textContent")
        return text

    tab.locator("body").press("Tab")
    order: list[str] = []
    while focused() not in order and len(order) < 20:
        order.append(focused())
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px", (
            "it can be seen"
        )
        keys.press("Tab")
    assert order[:6] == ["sign-out", "name", "bio", "more", "Save", "discard"]

    tab.get_by_label("Name").focus()
    keys.type("Ada")
    keys.press("Enter")
    expect(tab.get_by_role("status")).to_have_text("Saved.")
    site.api.post(user, '{"name": "Grace"}')
    keys.type(" Lovelace")
    keys.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    assert (focused(), form(tab)[0]) == ("name", "Ada Lovelace"), (
        "back where one was, and nothing is lost"
    )

    visitor.context.set_offline(True)
    keys.press("Enter")
    tab.get_by_role("button", name="Try again").focus()
    visitor.context.set_offline(False)
    keys.press("Enter")
    tab.get_by_role("dialog").get_by_role("button", name="Take the stored one").focus()
    keys.press("Enter")
    expect(tab.get_by_label("Name")).to_have_value("Grace")
    keys.press("Tab")
    assert focused() == "name", "on from where the button was"
    tab.get_by_role("button", name="Delete profile").focus()
    keys.press("Enter")
    keys.press("Tab")
    keys.press("Enter")
    expect(tab.get_by_role("status")).to_have_text("Deleted.")
    assert focused() == "name"
