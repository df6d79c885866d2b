"""Signing in and out, and sessions that expire."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import (
    OtherClient,
    Visitor,
    form,
    notice,
    open_with_storage,
    press,
    replace_stored_tokens,
    save,
    stored_tokens,
    with_invalid_signature,
)
from tests.support.browser import Site, sign_in, submit_credentials
from tests.support.users import PASSWORD, User


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def open_sign_in_page(visitor: Visitor) -> Page:
    tab = visitor.open()
    press(tab, "Sign in")
    tab.get_by_label("Password").wait_for()
    return tab


def test_a_user_signs_in_on_the_pools_page(visitor: Visitor, site: Site, user: User) -> None:
    tab = open_sign_in_page(visitor)
    query = query_of(tab.url)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]

    sign_in(tab, user.email, PASSWORD)
    expect(tab.get_by_label("Name")).to_be_visible()
    assert tab.url == f"{site.url}/", "the authorization code is still in the address"
    assert stored_tokens(tab)["profile"]["email"] == user.email
    assert visitor.context.storage_state()["origins"] == [], "localStorage was used"


def test_signing_out_ends_the_session_here_and_at_the_pool(visitor: Visitor, user: User) -> None:
    tab = open_sign_in_page(visitor)
    sign_in(tab, user.email, PASSWORD)
    tab.get_by_label("Name").fill("never saved")
    with tab.expect_request(lambda request: "/logout?" in request.url) as logout:
        press(tab, "Sign out")
        press(tab, "Sign out without saving")
    assert set(query_of(logout.value.url)) == {"client_id", "logout_uri"}, "a token was sent"

    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    assert tab.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    for return_to_page in (tab.reload, tab.go_back):
        return_to_page()
        expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
        expect(tab.get_by_text(user.email)).to_be_hidden()
        expect(tab.get_by_label("Name")).to_be_hidden()


def test_a_user_can_retry_if_the_sign_in_page_does_not_load(visitor: Visitor) -> None:
    visitor.context.clock.install()
    tab = visitor.open()
    no_content = 204  # the browser stays on the current page
    tab.route("**/oauth2/authorize?*", lambda route: route.fulfill(status=no_content), times=1)
    with tab.expect_response("**/oauth2/authorize?*"):
        press(tab, "Sign in")
    tab.clock.fast_forward(3_000)
    expect(tab.get_by_role("main")).to_have_attribute("aria-busy", "false")
    press(tab, "Sign in")
    tab.get_by_label("Password").wait_for()


def test_a_refused_sign_in_is_shown(visitor: Visitor, site: Site) -> None:
    tab = open_sign_in_page(visitor)
    (state,) = query_of(tab.url)["state"]
    tab.goto(f"{site.url}/?error=access_denied&error_description=Not+you&state={state}")
    expect(tab.get_by_role("alert")).to_contain_text("Not you")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    assert tab.url == f"{site.url}/"


# --- addresses with an old response of the sign-in page -------------------------------------------

OLD_RESPONSES = ["?code=1&state=2", "?code=1", "?error=access_denied&state=2", "?error=x"]


@pytest.mark.parametrize("query", OLD_RESPONSES)
def test_a_bookmarked_response_asks_for_a_sign_in(visitor: Visitor, site: Site, query: str) -> None:
    tab = visitor.new_tab()
    tab.goto(f"{site.url}/{query}")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    expect(tab.get_by_role("alert")).to_be_empty()
    assert tab.url == f"{site.url}/"


@pytest.mark.parametrize("query", OLD_RESPONSES)
def test_an_old_response_keeps_the_user_signed_in(
    open_profile: Callable[[], Page], site: Site, query: str
) -> None:
    tab = open_profile()
    tab.goto(f"{site.url}/{query}")
    expect(tab.get_by_label("Name")).to_be_visible()
    expect(tab.get_by_role("alert")).to_be_empty()
    assert tab.url == f"{site.url}/"


def test_signing_in_again_after_going_back_works(visitor: Visitor, user: User) -> None:
    tab = open_sign_in_page(visitor)
    sign_in(tab, user.email, PASSWORD)
    tab.go_back()
    sign_in(tab, user.email, PASSWORD)
    expect(tab.get_by_label("Name")).to_be_visible()
    expect(tab.get_by_role("alert")).to_be_empty()


# --- signing out ----------------------------------------------------------------------------------


def refresh_status(site: Site, refresh_token: str) -> int:
    """The status of the sign-in service's response to a refresh token."""
    form_data = {
        "grant_type": "refresh_token",
        "client_id": site.outputs["UserPoolClientId"],
        "refresh_token": refresh_token,
    }
    url = f"http://127.0.0.1:{site.emulator_port}/oauth2/token"
    return requests.post(url, data=form_data, timeout=10).status_code


def test_signing_out_revokes_the_refresh_token(visitor: Visitor, site: Site, user: User) -> None:
    tab = open_sign_in_page(visitor)
    sign_in(tab, user.email, PASSWORD)
    refresh_token = stored_tokens(tab)["refresh_token"]
    assert refresh_status(site, refresh_token) == 200
    press(tab, "Sign out")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    assert refresh_status(site, refresh_token) == 400


def test_signing_out_works_if_the_token_cannot_be_revoked(
    open_profile: Callable[[], Page], site: Site
) -> None:
    tab = open_profile()
    replace_stored_tokens(tab, refresh_token="x")  # the other tests need the real one
    cognito_api = f"http://127.0.0.1:{site.emulator_port}/"
    tab.route(cognito_api, lambda route: route.abort())
    press(tab, "Sign out")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    assert tab.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_signing_out_offline_signs_out_on_this_page(
    open_profile: Callable[[], Page], site: Site
) -> None:
    tab = open_profile()
    replace_stored_tokens(tab, refresh_token="x")  # the other tests need the real one
    tab.context.set_offline(True)
    press(tab, "Sign out")
    expect(tab.get_by_role("alert")).to_contain_text("You are signed out on this page.")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    expect(tab.get_by_label("Name")).to_be_hidden()
    expect(tab.locator("#account")).to_be_hidden()
    assert tab.evaluate("sessionStorage.length") == 0
    press(tab, "Try again")
    expect(tab.get_by_role("alert")).to_contain_text("You are signed out on this page.")
    tab.context.set_offline(False)
    with tab.expect_navigation(url=site.url + "/"):
        press(tab, "Try again")
    expect(tab.get_by_role("alert")).to_be_empty()


def test_signing_in_offline_stays_on_the_page(visitor: Visitor) -> None:
    tab = visitor.open()
    visitor.context.set_offline(True)
    press(tab, "Sign in")
    expect(tab.get_by_role("alert")).to_contain_text("You may be offline.")
    visitor.context.set_offline(False)
    press(tab, "Try again")
    tab.get_by_label("Password").wait_for()


def test_a_wrong_password_stays_on_the_pools_page(visitor: Visitor, user: User) -> None:
    tab = open_sign_in_page(visitor)
    submit_credentials(tab, user.email, "wrong" + PASSWORD)
    expect(tab.get_by_text("Incorrect username or password.")).to_be_visible()


def test_a_missing_configuration_names_its_command(visitor: Visitor) -> None:
    visitor.context.route("**/config.json", lambda route: route.fulfill(status=404))
    tab = visitor.open()
    expect(tab.get_by_role("alert")).to_contain_text("make web-config")
    (error,) = visitor.console_errors
    assert "404" in error
    visitor.console_errors.clear()


def test_tokens_are_refreshed_before_they_expire(
    visitor: Visitor, signed_in_storage: dict[str, str]
) -> None:
    visitor.context.clock.install()
    tab = visitor.new_tab()
    open_with_storage(tab, visitor.site, signed_in_storage)
    expect(tab.get_by_label("Name")).to_be_visible()
    before = stored_tokens(tab)
    with tab.expect_response("**/oauth2/token") as refreshed:
        tab.clock.fast_forward("59:30")
    assert refreshed.value.status == 200
    tab.wait_for_function(
        "token => Object.values(sessionStorage).some(text => !text.includes(token))",
        arg=before["id_token"],
    )
    after = stored_tokens(tab)
    assert after["id_token"] != before["id_token"]
    assert after["profile"]["sub"] == before["profile"]["sub"]


def test_an_expired_token_is_refreshed_before_a_save(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    expired = stored_tokens(tab)["id_token"]
    replace_stored_tokens(tab, expires_at=1)
    tab.get_by_label("Name").fill("Ada")
    with tab.expect_request(lambda request: request.method == "PUT") as put:
        save(tab)
    assert put.value.headers["authorization"] != f"Bearer {expired}"


def test_a_save_is_repeated_with_a_new_token_after_401(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    statuses: list[int] = []

    def note_status(response: Response) -> None:
        if response.request.method == "PUT":
            statuses.append(response.status)

    tab.on("response", note_status)
    replace_stored_tokens(tab, id_token=with_invalid_signature(stored_tokens(tab)["id_token"]))
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert statuses == [401, 200]
    assert other_client.read() == {"name": "Ada"}


def test_edits_survive_an_expired_session(
    open_profile: Callable[[], Page], other_client: OtherClient, user: User
) -> None:
    other_client.save('{"name": "Ada", "exact": 0.10000000000000000001}')
    tab = open_profile()
    replace_stored_tokens(
        tab,
        id_token=with_invalid_signature(stored_tokens(tab)["id_token"]),
        refresh_token="revoked",
    )
    tab.get_by_label("Name").fill("Ada Lovelace")
    press(tab, "Save")
    expect(notice(tab)).to_contain_text("Your session has ended.")
    expect(tab.get_by_role("alert")).to_be_empty()
    assert form(tab)[0] == "Ada Lovelace"

    press(tab, "Sign in again")
    sign_in(tab, user.email, PASSWORD)
    expect(notice(tab)).to_contain_text("still here")
    assert form(tab) == ("Ada Lovelace", "", '{ "exact": 0.10000000000000000001 }')
    save(tab)
    assert other_client.read()["name"] == "Ada Lovelace"


def test_edits_of_one_user_are_not_shown_to_the_next(
    open_profile: Callable[[], Page], sign_up: Callable[[], User]
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("a secret")
    replace_stored_tokens(tab, expires_at=1, refresh_token="revoked")
    press(tab, "Save")
    press(tab, "Sign in again")
    sign_in(tab, sign_up().email, PASSWORD)
    expect(tab.get_by_label("Name")).to_be_visible()
    assert form(tab) == ("", "", "{}")


def test_edits_survive_a_reload(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Bio").fill("half a sen")
    tab.reload()
    expect(tab.get_by_label("Bio")).to_have_value("half a sen")
    save(tab)
    tab.reload()
    expect(tab.get_by_text("Last saved")).to_be_visible()
    expect(notice(tab)).to_be_empty()


@pytest.mark.parametrize(
    "draft",
    [
        '{"sub": "SUB", "base": null, "texts"',
        "null",
        '{"sub": "SUB"}',
        '{"sub": "SUB", "stored": null, "typed": {"name": "", "bio": "", "more": "{}"}}',
        '{"sub": "SUB", "base": null, "texts": {"/name": "", "/bio": ""}}',
        '{"sub": "SUB", "base": null, "texts": {"/name": "", "advanced": {}}}',
        '{"sub": "SUB", "base": {"etag": "1"}, "texts": {"/name": "", "advanced": "{}"}}',
        '{"sub": "SUB", "base": {"data": {}}, "texts": {"/name": "", "advanced": "{}"}}',
    ],
)
def test_a_malformed_draft_gives_way_to_the_saved_profile(
    open_profile: Callable[[], Page], other_client: OtherClient, draft: str
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.get_by_label("Name").fill("Grace")
    key = tab.evaluate("Object.keys(sessionStorage).find(key => !key.startsWith('oidc.'))")
    replace_item = "([key, text]) => sessionStorage.setItem(key, text)"
    tab.evaluate(replace_item, [key, draft.replace("SUB", stored_tokens(tab)["profile"]["sub"])])
    tab.reload()
    expect(tab.get_by_label("Name")).to_have_value("Ada")
    expect(tab.get_by_role("alert")).to_be_empty()
    assert tab.evaluate("key => sessionStorage.getItem(key)", key) is None
