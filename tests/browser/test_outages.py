"""Networks, APIs and sign-in services that do not respond."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    CORS,
    OtherClient,
    Visitor,
    expect_saved,
    open_with_storage,
    press,
    replace_stored_tokens,
)


def test_edits_made_offline_can_be_saved_later(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    tab.context.set_offline(True)
    press(tab, "Save")
    expect(tab.get_by_role("alert")).to_contain_text("offline")
    press(tab, "Try again")
    expect(tab.get_by_role("main")).to_have_attribute("aria-busy", "false")
    expect(tab.get_by_role("alert")).to_contain_text("offline")
    tab.context.set_offline(False)
    press(tab, "Try again")
    expect_saved(tab)
    expect(tab.get_by_role("alert")).to_be_empty()
    assert other_client.read() == {"name": "Ada"}


def test_the_session_survives_a_refresh_while_offline(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    replace_stored_tokens(tab, expires_at=1)
    tab.context.set_offline(True)
    press(tab, "Save")
    expect(tab.get_by_role("alert")).to_contain_text("offline")
    tab.context.set_offline(False)
    press(tab, "Try again")
    expect_saved(tab)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (503, "text/html", "<html>Down</html>"),
        (503, "application/json", ""),
        (429, "application/json", '{"message": "x"}'),
    ],
)
def test_the_session_survives_an_unavailable_sign_in_service(
    open_profile: Callable[[], Page],
    shared_visitor: Visitor,
    status: int,
    content_type: str,
    body: str,
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    replace_stored_tokens(tab, expires_at=1)
    tab.route(
        "**/oauth2/token",
        lambda route: route.fulfill(
            status=status, content_type=content_type, body=body, headers=CORS
        ),
        times=1,
    )
    press(tab, "Save")
    press(tab, "Try again")
    expect_saved(tab)
    shared_visitor.console_errors.clear()  # oidc-client-ts logs the failed refresh


def test_an_api_that_is_down_at_the_start_can_be_retried(
    visitor: Visitor, signed_in_storage: dict[str, str]
) -> None:
    visitor.context.route(
        "**/user/profile", lambda route: route.abort("connectionrefused"), times=1
    )
    tab = visitor.new_tab()
    open_with_storage(tab, visitor.site, signed_in_storage)
    expect(tab.get_by_role("alert")).to_contain_text("Cannot reach the service")
    expect(tab.get_by_label("Name")).to_be_hidden()
    press(tab, "Try again")
    expect(tab.get_by_label("Name")).to_be_visible()


def answer_once(tab: Page, status: int) -> None:
    """Respond to the next request for the profile with a problem document."""
    problem = {
        "type": "about:blank",
        "status": status,
        "detail": "The store is tired.",
        "request_id": "42",
    }
    tab.route(
        "**/user/profile",
        lambda route: route.fulfill(
            status=status,
            content_type="application/problem+json",
            headers=CORS,
            body=json.dumps(problem),
        ),
        times=1,
    )


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_request_to_a_busy_api_can_be_retried(
    open_profile: Callable[[], Page], status: int
) -> None:
    tab = open_profile()
    answer_once(tab, status)
    tab.get_by_label("Name").fill("Ada")
    press(tab, "Save")
    expect(tab.get_by_role("alert")).to_contain_text("The store is tired.")
    expect(tab.get_by_label("Name")).to_have_value("Ada")
    press(tab, "Try again")
    expect_saved(tab)


def test_an_error_of_the_api_is_shown_with_its_request_id(
    open_profile: Callable[[], Page],
) -> None:
    tab = open_profile()
    answer_once(tab, 500)
    tab.get_by_label("Name").fill("Ada")
    press(tab, "Save")
    alert = tab.get_by_role("alert")
    expect(alert).to_contain_text("Something went wrong in the service.")
    expect(alert.get_by_text("The store is tired.")).to_be_hidden()
    alert.get_by_text("Details").click()
    expect(alert.get_by_text("The store is tired. Request ID: 42")).to_be_visible()
    expect(tab.get_by_label("Name")).to_have_value("Ada")
    expect(tab.get_by_role("button", name="Try again")).to_be_hidden()
