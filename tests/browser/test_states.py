"""What users see while they edit: loading, unsaved changes, saving, warnings, problems in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from chalicelib.metadata import APP, PRIVATE
from chalicelib.preconditions import Precondition
from chalicelib.store import MetadataStore, ProfileStore
from tests.browser.conftest import (
    CORS,
    OtherClient,
    Visitor,
    discard,
    expect_saved,
    notice,
    open_with_storage,
    press,
    replace_stored_tokens,
    save,
    save_status,
)
from tests.support.browser import Site
from tests.support.users import User

PROFILE = "**/user/profile"


def save_button(tab: Page, name: str = "Save") -> Any:
    return tab.get_by_role("button", name=name, exact=True)


def hold_next_request(tab: Page) -> list[Route]:
    """The next request for the profile, as soon as it is made. It waits for `continue_`."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.route(PROFILE, hold, times=1)
    return held


def place(tab: Page, label: str) -> float:
    """The distance of a field from the top of the document."""
    script = "element => element.getBoundingClientRect().top + scrollY"
    distance: float = tab.get_by_label(label).evaluate(script)
    return distance


# --- loading --------------------------------------------------------------------------------------


def test_a_skeleton_is_shown_while_the_profile_loads(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    held = hold_next_request(tab)
    tab.reload()
    expect(tab.get_by_role("img", name="Loading your profile")).to_be_visible()
    expect(tab.get_by_label("Name")).to_be_hidden()
    held[0].continue_()
    expect(tab.get_by_label("Name")).to_be_visible()
    expect(tab.get_by_role("img", name="Loading your profile")).to_be_hidden()


def test_a_user_without_a_profile_is_invited(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    expect(tab.get_by_role("heading", name="Welcome")).to_be_visible()
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    expect(tab.get_by_role("heading", name="Welcome")).to_be_hidden()


# --- unsaved changes ------------------------------------------------------------------------------


def test_save_is_enabled_only_if_something_changed(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    unsaved = tab.get_by_text("Unsaved changes", exact=True)
    expect(save_button(tab)).to_be_disabled()
    expect(unsaved).to_be_hidden()
    tab.get_by_label("Name").fill("Grace")
    expect(save_button(tab)).to_be_enabled()
    expect(unsaved).to_be_visible()
    tab.get_by_label("Name").fill("Ada")
    expect(save_button(tab)).to_be_disabled()
    expect(unsaved).to_be_hidden()
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.get_by_label("Name").press("Enter")
    tab.get_by_label("Name").fill("Grace")
    save(tab)
    assert len(requests) == 1, "Enter has sent a profile without a change"


def test_saving_is_shown_and_announced(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    held = hold_next_request(tab)
    press(tab, "Save")
    expect(save_button(tab, "Saving…")).to_be_visible()
    expect(save_status(tab)).to_have_text("Saving…")
    expect(save_status(tab)).to_have_role("status")
    held[0].continue_()
    expect_saved(tab)
    expect(save_button(tab)).to_be_focused()
    expect(save_button(tab)).to_be_disabled()


def test_saved_goes_when_typing_goes_on_and_nothing_moves(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    where = place(tab, "Bio")
    tab.get_by_label("Name").fill("Grace")
    save(tab)
    assert place(tab, "Bio") == where
    tab.get_by_label("Name").press("End")
    tab.keyboard.type("!")
    expect(save_status(tab)).to_be_empty()
    assert place(tab, "Bio") == where


def test_choices_cannot_be_changed_during_a_save(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    held = hold_next_request(tab)
    press(tab, "Save")
    expect(save_button(tab, "Saving…")).to_be_visible()
    tab.get_by_label("Send me the newsletter").click()
    expect(tab.get_by_label("Send me the newsletter")).not_to_be_checked()
    tab.get_by_label("Language").press("f")
    expect(tab.get_by_label("Language")).to_have_value("")
    held[0].continue_()
    expect_saved(tab)
    assert other_client.read() == {"name": "Ada"}
    tab.get_by_label("Send me the newsletter").click()
    expect(tab.get_by_label("Send me the newsletter")).to_be_checked()


@pytest.mark.parametrize(
    ("button", "title"),
    [("Discard changes", "Discard your changes?"), ("Sign out", "Sign out without saving?")],
)
@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_unsaved_changes_are_not_lost_without_a_question(
    open_profile: Callable[[], Page], button: str, title: str, key: str
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    press(tab, button)
    expect(tab.get_by_role("dialog", name=title)).to_be_visible()
    tab.keyboard.press(key)
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_label("Name")).to_have_value("Ada")


def test_discarding_leaves_no_draft(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    discard(tab)
    expect(tab.get_by_label("Name")).to_have_value("")
    tab.reload()
    expect(tab.get_by_label("Name")).to_have_value("")
    expect(notice(tab)).to_be_empty()


def close(tab: Page) -> list[str]:
    """Try to close a tab. Returns the types of the questions that the browser asks before."""
    questions: list[str] = []

    def answer(dialog: Dialog) -> None:
        questions.append(dialog.type)
        dialog.dismiss()

    tab.on("dialog", answer)
    tab.close(run_before_unload=True)
    tab.context.pages[0].wait_for_timeout(500)
    tab.remove_listener("dialog", answer)
    return questions


def test_closing_a_tab_with_unsaved_changes_is_questioned(
    open_profile: Callable[[], Page],
) -> None:
    open_profile()
    tab = open_profile()
    tab.get_by_label("Name").press_sequentially("Ada")
    assert close(tab) == ["beforeunload"]
    discard(tab)
    expect(tab.get_by_label("Name")).to_have_value("")
    assert close(tab) == []


def test_a_restored_draft_is_a_notice(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_label("Send me the newsletter").check()
    tab.get_by_label("Height").fill("not a number")
    tab.reload()
    expect(notice(tab)).to_contain_text("Your unsaved changes are still here.")
    expect(save_status(tab)).to_be_empty()
    expect(tab.get_by_role("alert")).to_be_empty()
    expect(tab.get_by_text("Unsaved changes", exact=True)).to_be_visible()
    expect(tab.get_by_label("Send me the newsletter")).to_be_checked()
    expect(tab.get_by_label("Height")).to_have_value("not a number")


# --- the session ----------------------------------------------------------------------------------


def test_a_session_that_ended_asks_for_a_sign_in(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    replace_stored_tokens(tab, expires_at=1, refresh_token="revoked")
    tab.reload()
    expect(notice(tab)).to_have_text("Your session has ended.")
    expect(tab.get_by_role("alert")).to_be_empty()
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    expect(tab.get_by_role("button", name="Sign out")).to_be_hidden()
    tab.reload()
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    expect(notice(tab)).to_be_empty()


# --- problems in words ----------------------------------------------------------------------------


def respond_once(tab: Page, status: int, content_type: str, body: str) -> None:
    tab.route(
        PROFILE,
        lambda route: route.fulfill(
            status=status, content_type=content_type, headers=CORS, body=body
        ),
        times=1,
    )


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (403, "<html>Forbidden</html>", "The service refused this request."),
        (404, "<html>Not found</html>", "The service could not do this."),
        (500, "<html>Error</html>", "Something went wrong in the service."),
        (502, "<html>Bad gateway</html>", "The service is busy."),
        (200, "<html>Please sign in to this network</html>", "Another server answered"),
        (200, "null", "Another server answered"),
        (403, "null", "The service refused this request."),
    ],
)
def test_an_answer_of_another_server_is_not_called_offline(
    open_profile: Callable[[], Page], status: int, body: str, text: str
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    respond_once(tab, status, "text/html", body)
    press(tab, "Save")
    expect(tab.get_by_role("alert")).to_contain_text(text)
    expect(tab.get_by_role("alert")).not_to_contain_text("offline")
    expect(tab.get_by_role("alert")).to_contain_text("Your changes are kept.")
    expect(tab.get_by_label("Name")).to_have_value("Ada")


def test_a_profile_that_is_too_large_is_explained(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    problem = {
        "type": "urn:problem-type:user-profile:profile-too-large",
        "detail": "The profile data takes 70,000 bytes.",
        "request_id": "42",
    }
    tab.get_by_label("Name").fill("Ada")
    respond_once(tab, 413, "application/problem+json", json.dumps(problem))
    press(tab, "Save")
    alert = tab.get_by_role("alert")
    expect(alert.get_by_text("Your profile is too long to be saved.")).to_be_visible()
    expect(alert.get_by_text("70,000 bytes")).to_be_hidden()
    alert.get_by_text("Details").click()
    expect(alert.get_by_text("70,000 bytes. Request ID: 42")).to_be_visible()


# --- metadata -------------------------------------------------------------------------------------


@pytest.fixture
def set_metadata(site: Site, user: User) -> Callable[[dict[str, Any]], None]:
    """Store `app_metadata` of the user, as a back end does."""
    metadata = MetadataStore.beside(ProfileStore.connect(site.outputs["TableName"]))

    def replace(app: dict[str, Any]) -> None:
        metadata.replace(user.sub, {APP: app, PRIVATE: {"secret": "x"}}, Precondition())

    return replace


def test_metadata_is_shown_and_cannot_be_changed(
    open_profile: Callable[[], Page], set_metadata: Callable[[dict[str, Any]], None]
) -> None:
    set_metadata({"plan": "pro", "is_verified": True, "limits": {"seats": 5}})
    tab = open_profile()
    section = tab.get_by_role("region", name="About your account")
    for text in ("plan", "pro", "is verified", "Yes", '"seats": 5'):
        expect(section).to_contain_text(text)
    expect(section).not_to_contain_text("secret")
    expect(section.get_by_role("textbox")).to_have_count(0)
    set_metadata({})
    tab.reload()
    expect(tab.get_by_label("Name")).to_be_visible()
    expect(section).to_be_hidden()


def test_metadata_is_shown_after_a_retry(
    open_profile: Callable[[], Page], set_metadata: Callable[[dict[str, Any]], None]
) -> None:
    set_metadata({"plan": "pro"})
    tab = open_profile()
    tab.route(PROFILE, lambda route: route.abort(), times=1)
    tab.reload()
    press(tab, "Try again")
    expect(tab.get_by_role("region", name="About your account")).to_contain_text("pro")
    set_metadata({})


def test_the_page_works_without_the_metadata(
    visitor: Visitor, signed_in_storage: dict[str, str], user: User
) -> None:
    visitor.context.route("**/user/metadata", lambda route: route.abort())
    tab = visitor.new_tab()
    open_with_storage(tab, visitor.site, signed_in_storage)
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    expect(tab.get_by_role("alert")).to_be_empty()
