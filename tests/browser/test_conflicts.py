"""A profile that is changed or deleted elsewhere while it is edited in the page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import (
    CORS,
    OtherClient,
    expect_saved,
    fill_advanced,
    form,
    notice,
    press,
    save,
    save_status,
)

CHANGED = "This profile was changed elsewhere"
DELETED = "This profile was deleted elsewhere"


def lose_response(expected_status: int) -> Callable[[Route], None]:
    """A handler that forwards a request to the API and drops the response."""

    def handle(route: Route) -> None:
        assert route.fetch().status == expected_status
        route.abort()

    return handle


def dialog(tab: Page, title: str) -> Locator:
    return tab.get_by_role("dialog", name=title)


def choose(tab: Page, field: str, version: str) -> None:
    """Choose a version of a field in the open dialog."""
    group = dialog(tab, CHANGED).get_by_role("group", name=field)
    group.get_by_label(version).check()


def submit_choices(tab: Page) -> None:
    dialog(tab, CHANGED).get_by_role("button", name="Save").click()


# --- changes that do not overlap ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elsewhere", "after"),
    [
        ({"name": "Ada", "bio": "New"}, {"name": "Grace", "bio": "New"}),
        ({"name": "Grace", "n": 1}, {"name": "Grace", "n": 1}),
        ({"name": "Ada"}, {"name": "Grace"}),
        ({"name": "Ada", "n": None}, {"name": "Grace", "n": None}),
    ],
)
def test_changes_that_do_not_overlap_are_saved_without_a_dialog(
    open_profile: Callable[[], Page],
    other_client: OtherClient,
    elsewhere: dict[str, object],
    after: dict[str, object],
) -> None:
    other_client.save('{"name": "Ada", "bio": "Old", "n": 0}')
    tab = open_profile()
    tab.get_by_label("Name").fill("Grace")
    other_client.save(json.dumps(elsewhere))
    save(tab)
    expect(notice(tab)).to_contain_text("made elsewhere are included")
    assert other_client.read() == after
    assert form(tab)[:2] == ("Grace", after.get("bio", ""))


def test_changes_inside_one_object_are_merged(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"address": {"city": "London", "street": "Old", "x": 1}}')
    tab = open_profile()
    tab.get_by_label("Street").fill("New")
    other_client.save('{"address": {"city": "Paris", "street": "Old", "y": 1}}')
    save(tab)
    assert other_client.read() == {"address": {"city": "Paris", "street": "New", "y": 1}}


def test_two_clients_can_create_a_profile_at_once(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    other_client.save('{"bio": "Mathematician"}')
    save(tab)
    assert other_client.read() == {"name": "Ada", "bio": "Mathematician"}


def test_a_profile_that_always_changes_is_not_saved_forever(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    attempts = 0

    def save_first(route: Route) -> None:
        nonlocal attempts
        if route.request.method == "PATCH":
            attempts += 1
            other_client.save(json.dumps({"name": "Ada", "n": attempts}))
        route.fallback()

    tab.route("**/user/profile", save_first)
    tab.get_by_label("Name").fill("Grace")
    press(tab, "Save")
    expect(tab.get_by_role("alert")).to_contain_text("keeps changing elsewhere")
    assert attempts == 4
    assert other_client.read() == {"name": "Ada", "n": 4}
    expect(tab.get_by_label("Name")).to_have_value("Grace")
    tab.unroute_all()
    press(tab, "Try again")
    expect_saved(tab)
    assert other_client.read() == {"name": "Grace", "n": 4}


# --- changes of the same field --------------------------------------------------------------------


@pytest.fixture
def conflicting_tab(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    """A tab whose save found that another client had changed two of the same fields."""
    other_client.save('{"name": "Ada", "bio": "Old", "list": [1], "same": 1}')
    tab = open_profile()
    tab.get_by_label("Name").fill("Grace")
    tab.get_by_label("Height").fill("2")
    fill_advanced(tab, '{"list": [1, 2], "same": 1}')
    other_client.save('{"name": "Ada Lovelace", "bio": "New", "same": 1}')
    press(tab, "Save")
    expect(dialog(tab, CHANGED)).to_be_visible()
    return tab


def test_only_the_fields_in_conflict_are_asked(conflicting_tab: Page) -> None:
    groups = dialog(conflicting_tab, CHANGED).get_by_role("group")
    expect(groups).to_have_count(2)
    for name, texts in {
        "Name": ("Your change: Grace", "Saved elsewhere: Ada Lovelace", "Before: Ada"),
        "list": ("Your change: [ 1, 2 ]", "Saved elsewhere: (not set)", "Before: [ 1 ]"),
    }.items():
        for text in texts:
            expect(groups.filter(has_text=name).first).to_contain_text(text)


def test_each_field_has_its_own_choice(conflicting_tab: Page, other_client: OtherClient) -> None:
    choose(conflicting_tab, "Name", "Saved elsewhere")
    choose(conflicting_tab, "list", "Your change")
    submit_choices(conflicting_tab)
    expect_saved(conflicting_tab)
    saved = {"name": "Ada Lovelace", "bio": "New", "height": 2, "list": [1, 2], "same": 1}
    assert other_client.read() == saved
    expect(conflicting_tab.get_by_label("Name")).to_have_value("Ada Lovelace")


def test_nothing_is_saved_before_every_choice(
    conflicting_tab: Page, other_client: OtherClient
) -> None:
    choose(conflicting_tab, "Name", "Your change")
    submit_choices(conflicting_tab)
    expect(dialog(conflicting_tab, CHANGED)).to_be_visible()
    assert other_client.read()["name"] == "Ada Lovelace"


@pytest.mark.parametrize("way", ["Keep editing", "Escape"])
def test_a_user_can_keep_editing(
    conflicting_tab: Page, other_client: OtherClient, way: str
) -> None:
    if way == "Escape":
        conflicting_tab.keyboard.press("Escape")
    else:
        press(conflicting_tab, way)
    expect(dialog(conflicting_tab, CHANGED)).to_be_hidden()
    expect(conflicting_tab.get_by_label("Name")).to_have_value("Grace")
    expect(save_status(conflicting_tab)).to_be_empty()
    expect(conflicting_tab.get_by_text("Unsaved changes")).to_be_visible()
    assert other_client.read()["name"] == "Ada Lovelace"


def test_choices_of_an_earlier_conflict_are_not_kept(
    conflicting_tab: Page, other_client: OtherClient
) -> None:
    choose(conflicting_tab, "Name", "Your change")
    press(conflicting_tab, "Keep editing")
    press(conflicting_tab, "Save")
    expect(dialog(conflicting_tab, CHANGED)).to_be_visible()
    for option in dialog(conflicting_tab, CHANGED).get_by_role("radio").all():
        expect(option).not_to_be_checked()


# --- a profile that was deleted elsewhere ---------------------------------------------------------


@pytest.fixture
def tab_of_deleted_profile(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    """A tab whose save found that the profile was deleted elsewhere."""
    other_client.save('{"name": "Ada", "n": null, "o": {"p": null}}')
    tab = open_profile()
    other_client.delete()
    tab.get_by_label("Name").fill("Grace")
    press(tab, "Save")
    expect(dialog(tab, DELETED)).to_be_visible()
    assert other_client.read() is None
    return tab


def test_a_deleted_profile_can_be_created_again_with_nulls(
    tab_of_deleted_profile: Page, other_client: OtherClient
) -> None:
    press(tab_of_deleted_profile, "Save as a new profile")
    expect_saved(tab_of_deleted_profile)
    expect(notice(tab_of_deleted_profile)).to_have_text("")
    assert other_client.read() == {"name": "Grace", "n": None, "o": {"p": None}}


def test_a_deleted_profile_can_stay_deleted(
    tab_of_deleted_profile: Page, other_client: OtherClient
) -> None:
    press(tab_of_deleted_profile, "Discard my changes")
    expect(tab_of_deleted_profile.get_by_label("Name")).to_have_value("")
    expect(notice(tab_of_deleted_profile)).to_have_text("Your changes were discarded.")
    assert other_client.read() is None


def test_enter_does_not_discard_edits_of_a_deleted_profile(
    tab_of_deleted_profile: Page, other_client: OtherClient
) -> None:
    tab_of_deleted_profile.keyboard.press("Enter")
    expect(dialog(tab_of_deleted_profile, DELETED)).to_be_hidden()
    expect(tab_of_deleted_profile.get_by_label("Name")).to_have_value("Grace")
    assert other_client.read() is None


# --- deleting a profile ---------------------------------------------------------------------------


def delete_profile(tab: Page) -> None:
    press(tab, "Delete profile")
    press(tab, "Delete")


def expect_deleted(tab: Page) -> None:
    expect(notice(tab)).to_have_text("Profile deleted.")


def test_a_profile_that_changed_elsewhere_is_not_deleted(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    other_client.save('{"name": "Ada Lovelace"}')
    delete_profile(tab)
    expect(tab.get_by_role("alert")).to_contain_text("was not deleted")
    assert other_client.read() == {"name": "Ada Lovelace"}
    press(tab, "Show the saved version")
    expect(tab.get_by_label("Name")).to_have_value("Ada Lovelace")


def test_a_profile_saved_again_without_change_is_deleted(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    other_client.save('{"name": "Ada"}')
    delete_profile(tab)
    expect_deleted(tab)
    assert other_client.read() is None


def test_a_page_behind_a_proxy_that_weakens_etags_works(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    """nginx with gzip, CloudFront and Cloudflare send W/"..." instead of "..."."""

    def weaken_etag(route: Route) -> None:
        response = route.fetch()
        headers = response.headers
        if "etag" in headers:
            headers["etag"] = "W/" + headers["etag"]
        route.fulfill(response=response, headers=headers)

    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.route("**/user/profile", weaken_etag)
    tab.reload()
    for name in ("Grace", "Mary"):
        tab.get_by_label("Name").fill(name)
        save(tab)
        assert other_client.read() == {"name": name}
    delete_profile(tab)
    expect_deleted(tab)
    assert other_client.read() is None


def test_a_deletion_that_always_conflicts_is_not_repeated_forever(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    deletions = 0

    def refuse_deletion(route: Route) -> None:
        nonlocal deletions
        if route.request.method != "DELETE":
            route.fallback()
            return
        deletions += 1
        problem = {"type": "urn:problem-type:user-profile:precondition-failed", "detail": "Stale."}
        route.fulfill(status=412, headers=CORS, body=json.dumps(problem))

    tab.route("**/user/profile", refuse_deletion)
    delete_profile(tab)
    expect(tab.get_by_role("alert")).to_contain_text("The service could not do this.")
    assert deletions == 2
    assert other_client.read() == {"name": "Ada"}


def test_a_deletion_whose_response_was_lost_can_be_retried(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.route("**/user/profile", lose_response(204), times=1)
    delete_profile(tab)
    press(tab, "Try again")
    expect_deleted(tab)
    assert other_client.read() is None


def test_a_save_whose_response_was_lost_can_be_retried(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.get_by_label("Name").fill("Grace")
    tab.route("**/user/profile", lose_response(200), times=1)
    press(tab, "Save")
    press(tab, "Try again")
    expect_saved(tab)
    assert other_client.read() == {"name": "Grace"}
