"""Deleting the account: the confirmation, the new sign-in, and deletions that are interrupted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from chalicelib.deadline import Deadline
from chalicelib.items import PROFILE
from chalicelib.markers import MarkerStore
from chalicelib.store import ProfileStore
from local.api import serving
from tests.browser.conftest import (
    CORS,
    OtherClient,
    Visitor,
    discard,
    form,
    make_sign_in_older,
    notice,
    open_with_storage,
    press,
    save,
    stored_tokens,
)
from tests.support.browser import Site, sign_in, submit_credentials
from tests.support.cloud import Cloud, record_environment
from tests.support.http_api import Api, assert_problem
from tests.support.users import PASSWORD, User, sign_up_address

ACCOUNT = "**/user"
"""The URL of the account in the API."""

CONFIRMATION = "Delete your account?"
NEW_SIGN_IN = "Sign in again to delete your account"
INCOMPLETE = "Your account may not be deleted completely."


@pytest.fixture
def account(sign_up: Callable[[], User]) -> User:
    """A user whose account the test may delete."""
    return sign_up()


@pytest.fixture
def tab(visitor: Visitor, account: User) -> Page:
    """The page, after `account` has signed in."""
    tab = visitor.open()
    press(tab, "Sign in")
    sign_in(tab, account.email, PASSWORD)
    expect(tab.get_by_label("Name")).to_be_visible()
    return tab


def dialog(tab: Page, title: str) -> Locator:
    return tab.get_by_role("dialog", name=title)


def confirm_deletion(tab: Page) -> None:
    """Confirm the deletion in the dialog, which must be open."""
    confirmation = dialog(tab, CONFIRMATION)
    confirmation.get_by_role("checkbox").check()
    confirmation.get_by_role("button", name="Delete my account").click()


def delete_account(tab: Page) -> None:
    press(tab, "Delete my account")
    confirm_deletion(tab)


def begin_new_sign_in(tab: Page) -> None:
    """Ask for the deletion after an old sign-in, and go to the sign-in page."""
    make_sign_in_older(tab, seconds=86_400)
    press(tab, "Delete my account")
    dialog(tab, NEW_SIGN_IN).get_by_role("button", name="Sign in again").click()
    tab.get_by_label("Password").wait_for()


def expect_signed_out(tab: Page, status: str) -> None:
    """Wait for the page without a user, and expect no trace of the user in the browser."""
    expect(notice(tab)).to_have_text(status)
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    expect(tab.get_by_label("Name")).to_be_hidden()
    expect(tab.get_by_role("button", name="Delete my account")).to_be_hidden()
    assert tab.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def expect_no_dialog(tab: Page) -> None:
    """Wait for the profile, and expect that the page asks nothing."""
    expect(tab.get_by_label("Name")).to_be_visible()
    expect(tab.get_by_role("main")).to_have_attribute("aria-busy", "false")
    expect(tab.get_by_role("dialog")).to_have_count(0)


# --- the confirmation -----------------------------------------------------------------------------


def test_a_user_deletes_the_account(tab: Page, api: Api, account: User) -> None:
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    tab.get_by_label("Bio").fill("never saved")
    with tab.expect_request(lambda request: "/logout?" in request.url):
        delete_account(tab)
    expect_signed_out(tab, "Your account was deleted.")
    assert_problem(api.get(account), 410, "account-erased")

    tab.reload()
    expect(notice(tab)).to_be_empty()
    press(tab, "Sign in")
    submit_credentials(tab, account.email, PASSWORD)
    expect(tab.get_by_text("Incorrect username or password.")).to_be_visible()


def test_the_same_address_can_sign_up_again(tab: Page, site: Site, account: User) -> None:
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    delete_account(tab)
    expect_signed_out(tab, "Your account was deleted.")

    cloud = Cloud(site.emulator_port, site.folder, site.outputs)
    assert sign_up_address(cloud, account.email).sub != account.sub
    press(tab, "Sign in")
    sign_in(tab, account.email, PASSWORD)
    expect(tab.get_by_text("You have no profile yet.")).to_be_visible()
    assert form(tab) == ("", "", "{}")


def test_the_dialog_names_the_account_and_what_is_deleted(
    open_profile: Callable[[], Page], user: User
) -> None:
    tab = open_profile()
    press(tab, "Delete my account")
    for text in (user.email, "your profile", "You cannot undo this"):
        expect(dialog(tab, CONFIRMATION)).to_contain_text(text)


@pytest.mark.parametrize("way", ["Cancel", "Escape"])
def test_a_cancelled_deletion_changes_nothing(
    open_profile: Callable[[], Page], other_client: OtherClient, way: str
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.get_by_label("Bio").fill("half a sen")
    press(tab, "Delete my account")
    confirmation = dialog(tab, CONFIRMATION)
    confirmation.get_by_role("checkbox").check()
    if way == "Cancel":
        confirmation.get_by_role("button", name="Cancel").click()
    else:
        tab.keyboard.press("Escape")
    expect_no_dialog(tab)
    assert form(tab) == ("Ada", "half a sen", "{}")
    assert other_client.read() == {"name": "Ada"}

    press(tab, "Delete my account")
    expect(confirmation.get_by_role("checkbox")).not_to_be_checked()


def test_nothing_is_deleted_without_the_checkbox(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    press(tab, "Delete my account")
    confirmation = dialog(tab, CONFIRMATION)
    confirmation.get_by_role("button", name="Delete my account").click()
    expect(confirmation).to_be_visible()
    expect(confirmation.get_by_role("checkbox")).to_be_focused()
    assert other_client.read() == {"name": "Ada"}


def test_the_keyboard_suffices_and_enter_deletes_nothing(
    tab: Page, api: Api, account: User
) -> None:
    tab.get_by_role("button", name="Delete my account").focus()
    tab.keyboard.press("Enter")
    confirmation = dialog(tab, CONFIRMATION)
    expect(confirmation.get_by_role("heading")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(confirmation).to_be_visible()

    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    expect(confirmation.get_by_role("checkbox")).to_be_checked()
    tab.keyboard.press("Enter")  # presses the first button
    expect_no_dialog(tab)
    expect(tab.get_by_role("button", name="Delete my account")).to_be_focused()
    assert api.get(account).status == 404

    for key in ("Enter", "Tab", "Space", "Tab", "Tab", "Enter"):
        tab.keyboard.press(key)
    expect_signed_out(tab, "Your account was deleted.")


def test_a_stage_that_keeps_accounts_shows_no_button(
    visitor: Visitor, signed_in_storage: dict[str, str], user: User
) -> None:
    config = json.loads(visitor.site.config_file.read_text())
    del config["erasure"]
    visitor.context.route("**/config.json", lambda route: route.fulfill(json=config))
    tab = visitor.new_tab()
    open_with_storage(tab, visitor.site, signed_in_storage)
    expect(tab.get_by_label("Name")).to_be_visible()
    expect(tab.get_by_role("heading", name="Delete")).to_be_hidden()
    expect(tab.get_by_role("button", name="Delete my account")).to_be_hidden()


# --- the new sign-in ------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "title"), [(540, CONFIRMATION), (601, NEW_SIGN_IN)])
def test_an_old_sign_in_must_be_repeated(tab: Page, seconds: int, title: str) -> None:
    make_sign_in_older(tab, seconds)
    press(tab, "Delete my account")
    expect(dialog(tab, title)).to_be_visible()
    dialog(tab, title).get_by_role("button", name="Cancel").click()
    expect_no_dialog(tab)


def test_the_deletion_is_confirmed_after_the_new_sign_in(
    tab: Page, api: Api, account: User
) -> None:
    tab.get_by_label("Name").fill("not saved yet")
    with (
        tab.expect_request(lambda request: "/logout?" in request.url),
        tab.expect_request(lambda request: "prompt=login" in request.url),
    ):
        begin_new_sign_in(tab)
    sign_in(tab, account.email, PASSWORD)
    expect(dialog(tab, CONFIRMATION)).to_be_visible()
    expect(tab.get_by_label("Name")).to_have_value("not saved yet")
    assert api.get(account).status == 404, "deleted without a confirmation"

    confirm_deletion(tab)
    expect_signed_out(tab, "Your account was deleted.")
    assert_problem(api.get(account), 410, "account-erased")


def test_a_deletion_can_be_cancelled_after_the_new_sign_in(
    tab: Page, api: Api, account: User
) -> None:
    begin_new_sign_in(tab)
    sign_in(tab, account.email, PASSWORD)
    dialog(tab, CONFIRMATION).get_by_role("button", name="Cancel").click()
    expect_no_dialog(tab)
    assert api.get(account).status == 404
    tab.reload()
    expect_no_dialog(tab)


def test_another_user_who_signs_in_is_not_asked(
    tab: Page, api: Api, account: User, user: User
) -> None:
    begin_new_sign_in(tab)
    sign_in(tab, user.email, PASSWORD)
    expect_no_dialog(tab)
    press(tab, "Sign out")
    press(tab, "Sign in")
    sign_in(tab, account.email, PASSWORD)
    expect_no_dialog(tab)
    assert [api.get(account).status, api.get(user).status] == [404, 404]


def test_the_back_button_leaves_the_sign_in_page(tab: Page, account: User) -> None:
    begin_new_sign_in(tab)
    tab.go_back()
    press(tab, "Sign in")
    sign_in(tab, account.email, PASSWORD)
    expect(dialog(tab, CONFIRMATION)).to_be_visible()


def test_a_new_sign_in_that_took_long_asks_nothing(
    tab: Page, visitor: Visitor, account: User
) -> None:
    begin_new_sign_in(tab)
    visitor.context.clock.install(time=time.time() + 15 * 60)
    sign_in(tab, account.email, PASSWORD)
    expect_no_dialog(tab)


@pytest.mark.parametrize(
    "pending",
    ["{", "null", '"x"', '{"sub": "SUB", "step": "signing-in"}', '{"expiresAt": 9e15}'],
)
def test_a_malformed_pending_deletion_asks_nothing(
    open_profile: Callable[[], Page], pending: str
) -> None:
    tab = open_profile()
    text = pending.replace("SUB", stored_tokens(tab)["profile"]["sub"])
    tab.evaluate("text => sessionStorage.setItem('pending-account-deletion', text)", text)
    tab.reload()
    expect_no_dialog(tab)
    expect(tab.get_by_role("alert")).to_be_empty()


@pytest.fixture
def strict_api(site: Site, logs: list[Path], tmp_path: Path) -> Iterator[Api]:
    """The page's API with another setting: sign-ins are too old after one second."""
    log = tmp_path / "api.log"
    logs.append(log)
    project = site.folder / "user-profile"
    with mock.patch.dict("os.environ", {"LOCAL_STATE": str(tmp_path)}), chdir(project):
        cloud = Cloud(site.emulator_port, tmp_path, site.outputs)
        record_environment(cloud, ERASURE_MAX_SIGN_IN_AGE="1")
        with serving(0, log) as server:
            yield Api(server.port)


def test_the_api_can_require_a_newer_sign_in_than_the_page(
    tab: Page, strict_api: Api, api: Api, account: User
) -> None:
    url = f"http://127.0.0.1:{strict_api.port}/user"
    time.sleep(2.1)  # longer than the API's limit, in whole seconds
    tab.route(ACCOUNT, lambda route: route.fulfill(response=route.fetch(url=url)), times=1)
    delete_account(tab)
    expect(dialog(tab, NEW_SIGN_IN)).to_be_visible()
    assert api.get(account).status == 404

    dialog(tab, NEW_SIGN_IN).get_by_role("button", name="Sign in again").click()
    sign_in(tab, account.email, PASSWORD)
    confirm_deletion(tab)
    expect_signed_out(tab, "Your account was deleted.")


# --- interrupted deletions, and other tabs --------------------------------------------------------


def unavailable(route: Route) -> None:
    route.fulfill(status=503, headers=CORS, json={"type": "about:blank", "detail": "Tired."})


def failed(route: Route) -> None:
    route.fulfill(status=500, headers=CORS, json={"type": "about:blank", "detail": "Broken."})


def unreachable(route: Route) -> None:
    route.abort("connectionrefused")


def response_lost(route: Route) -> None:
    route.fetch()
    route.abort("connectionreset")


@pytest.mark.parametrize("fault", [unavailable, failed, unreachable, response_lost])
def test_an_interrupted_deletion_can_be_finished(
    tab: Page, api: Api, account: User, fault: Callable[[Route], None]
) -> None:
    tab.route(ACCOUNT, fault, times=1)
    delete_account(tab)
    expect(tab.get_by_role("alert")).to_contain_text(INCOMPLETE)
    press(tab, "Try again")
    expect_signed_out(tab, "Your account was deleted.")
    assert_problem(api.get(account), 410, "account-erased")


def test_an_interrupted_deletion_can_be_finished_after_a_reload(tab: Page) -> None:
    tab.route(ACCOUNT, response_lost, times=1)
    delete_account(tab)
    expect(tab.get_by_role("alert")).to_contain_text(INCOMPLETE)
    tab.reload()
    expect(tab.get_by_role("alert")).to_have_text(f"{INCOMPLETE}Try again")
    press(tab, "Try again")
    expect_signed_out(tab, "Your account was deleted.")


def test_a_new_sign_in_can_finish_an_earlier_deletion(tab: Page, site: Site, account: User) -> None:
    begin_new_sign_in(tab)
    markers = MarkerStore.beside(ProfileStore.connect(site.outputs["TableName"]))
    markers.place(PROFILE, account.sub, Deadline.after())  # the first step of a deletion
    sign_in(tab, account.email, PASSWORD)
    expect(tab.get_by_role("alert")).to_contain_text(INCOMPLETE)
    expect(tab.get_by_role("dialog")).to_have_count(0)
    press(tab, "Try again")
    expect_signed_out(tab, "Your account was deleted.")


def test_the_profile_stays_if_the_deletion_did_not_begin(tab: Page) -> None:
    tab.route(ACCOUNT, unreachable, times=1)
    delete_account(tab)
    expect(tab.get_by_role("alert")).to_contain_text(INCOMPLETE)
    tab.reload()
    expect_no_dialog(tab)
    tab.get_by_label("Name").fill("Ada")
    save(tab)


@pytest.mark.parametrize("act", [partial(press, button="Save"), discard])
def test_another_tab_notices_that_the_account_is_gone(
    tab: Page, visitor: Visitor, site: Site, act: Callable[[Page], None]
) -> None:
    other_tab = visitor.new_tab()
    open_with_storage(other_tab, site, tab.evaluate("({...sessionStorage})"))
    other_tab.get_by_label("Name").fill("never saved")
    delete_account(tab)
    expect_signed_out(tab, "Your account was deleted.")

    act(other_tab)
    expect_signed_out(other_tab, "This account was deleted.")
