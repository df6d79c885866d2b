"""The API's description at /docs, in Swagger UI: what a new front-end developer tries first."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OtherClient, Visitor
from tests.support.users import User


def open_documentation(visitor: Visitor, user: User) -> Page:
    """Open /docs with the user's token entered."""
    tab = visitor.new_tab()
    tab.goto(f"http://127.0.0.1:{visitor.site.api_port}/docs")
    tab.get_by_role("button", name="Authorize").click()
    dialog = tab.locator(".modal-ux")
    dialog.locator(".auth-container", has_text="idToken").get_by_role("textbox").fill(user.id_token)
    dialog.locator(".auth-container", has_text="idToken").get_by_role(
        "button", name="Apply credentials"
    ).click()
    dialog.get_by_role("button", name="Close").first.click()
    return tab


def try_out(tab: Page, operation: str) -> Locator:
    """Send the request of an operation as Swagger UI fills it in. Returns the live response."""
    block = tab.locator(f"[id='operations-users-{operation}']")
    block.locator(".opblock-summary-control").first.click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table")


def test_try_it_out_creates_and_reads_a_profile(
    visitor: Visitor, user: User, other_client: OtherClient
) -> None:
    tab = open_documentation(visitor, user)
    expect(try_out(tab, "replaceProfile").locator(".response-col_status").last).to_contain_text(
        "200"
    )
    assert other_client.read() == {"name": "Ada"}, "the members that the schema knows"
    response = try_out(tab, "getProfile")
    expect(response.locator(".response-col_status").last).to_contain_text("200")
    expect(response).to_contain_text('"name": "Ada"')
