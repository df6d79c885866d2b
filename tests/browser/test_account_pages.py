"""Sign-up and password reset beside the emulator's sign-in page, in a browser."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor, press
from tests.browser.test_accessibility import assert_accessible
from tests.support.browser import sign_in, submit_credentials
from tests.support.users import PASSWORD

NEW_PASSWORD = "Another-Horse-43"


@pytest.fixture
def sign_in_page(visitor: Visitor) -> Page:
    tab = visitor.open()
    press(tab, "Sign in")
    tab.get_by_label("Password").wait_for()
    return tab


@pytest.fixture
def email() -> str:
    """An address that nobody has signed up with."""
    return f"new-{uuid.uuid4().hex[:12]}@example.com"


def follow(tab: Page, link: str) -> None:
    tab.get_by_role("link", name=link, exact=True).click()


def sign_up(tab: Page, email: str) -> None:
    """From the sign-in page to the page for the code."""
    follow(tab, "Sign up")
    tab.get_by_label("E-mail address").fill(email)
    tab.get_by_label("Password").fill(PASSWORD)
    press(tab, "Sign up")
    expect(tab.get_by_label("Code")).to_have_value("123456")


def test_a_user_signs_up_and_then_in(sign_in_page: Page, email: str) -> None:
    sign_up(sign_in_page, email)
    assert_accessible(sign_in_page)
    press(sign_in_page, "Confirm")
    expect(sign_in_page.get_by_role("heading")).to_have_text("You are signed up")
    assert_accessible(sign_in_page)
    follow(sign_in_page, "Sign in")
    sign_in(sign_in_page, email, PASSWORD)


def test_a_user_finishes_the_sign_up_later(sign_in_page: Page, email: str) -> None:
    sign_up(sign_in_page, email)
    follow(sign_in_page, "Back to sign in")
    submit_credentials(sign_in_page, email, PASSWORD)
    expect(sign_in_page.get_by_text("User is not confirmed.")).to_be_visible()
    follow(sign_in_page, "Enter the code of a sign-up")
    sign_in_page.get_by_label("E-mail address").fill(email)
    press(sign_in_page, "Send the code")
    press(sign_in_page, "Confirm")
    follow(sign_in_page, "Sign in")
    sign_in(sign_in_page, email, PASSWORD)


def test_a_user_who_needs_a_new_code_is_not_asked_who(sign_in_page: Page, email: str) -> None:
    sign_up(sign_in_page, email)
    follow(sign_in_page, "Get a new code")
    expect(sign_in_page.get_by_label("E-mail address")).to_have_value(email)
    press(sign_in_page, "Send the code")
    expect(sign_in_page.get_by_label("Code")).to_have_value("123456")


def test_a_user_resets_the_password(sign_in_page: Page, email: str) -> None:
    sign_up(sign_in_page, email)
    press(sign_in_page, "Confirm")
    follow(sign_in_page, "Sign in")
    follow(sign_in_page, "Forgot your password?")
    sign_in_page.get_by_label("E-mail address").fill(email)
    press(sign_in_page, "Send a code")
    expect(sign_in_page.get_by_label("Code")).to_have_value("654321")
    sign_in_page.get_by_label("Password").fill(NEW_PASSWORD)
    press(sign_in_page, "Save the password")
    follow(sign_in_page, "Sign in")
    sign_in(sign_in_page, email, NEW_PASSWORD)


def test_a_weak_password_is_explained(visitor: Visitor, sign_in_page: Page, email: str) -> None:
    follow(sign_in_page, "Sign up")
    sign_in_page.get_by_label("E-mail address").fill(email)
    sign_in_page.get_by_label("Password").fill("short")
    press(sign_in_page, "Sign up")
    expect(sign_in_page.get_by_role("alert")).to_contain_text("Password did not conform")
    expect(sign_in_page.get_by_label("E-mail address")).to_have_value(email)
    assert_accessible(sign_in_page)
    visitor.console_errors.clear()  # Chromium logs the status 400
