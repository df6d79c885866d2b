"""A profile that is changed or deleted elsewhere while it is edited in the page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import CORS, OtherClient, expect_saved, press, save


@pytest.fixture
def conflicting_tab(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    """A tab whose save found that another tab had saved before."""
    other_client.save('{"name": "Ada", "same": 1}')
    first_tab = open_profile()
    second_tab = open_profile()
    first_tab.get_by_label("Name").fill("Ada Lovelace")
    first_tab.get_by_label("Other fields (JSON)").fill('{"same": 1, "new": true}')
    save(first_tab)
    second_tab.bring_to_front()
    second_tab.get_by_label("Name").fill("Grace")
    press(second_tab, "Save")
    expect(conflict_dialog(second_tab)).to_be_visible()
    return second_tab


def conflict_dialog(tab: Page) -> Locator:
    return tab.get_by_role("dialog", name="This profile was changed elsewhere")


def lose_response(expected_status: int) -> Callable[[Route], None]:
    """A handler that forwards a request to the API and drops the response."""

    def handle(route: Route) -> None:
        assert route.fetch().status == expected_status
        route.abort()

    return handle


def test_a_conflict_shows_what_differs(conflicting_tab: Page) -> None:
    rows = conflict_dialog(conflicting_tab).get_by_role("row").all()
    cells = [row.inner_text().split("\t") for row in rows[1:]]
    assert sorted(cells) == [["name", "Ada Lovelace", "Grace"], ["new", "true", "(not set)"]]


def test_the_users_version_can_be_saved(conflicting_tab: Page, other_client: OtherClient) -> None:
    press(conflicting_tab, "Save my version")
    expect_saved(conflicting_tab)
    expect(conflicting_tab.get_by_label("Name")).to_have_value("Grace")
    assert other_client.read() == {"name": "Grace", "same": 1}


def test_the_saved_version_can_be_used(conflicting_tab: Page, other_client: OtherClient) -> None:
    press(conflicting_tab, "Use the saved version")
    expect(conflicting_tab.get_by_label("Name")).to_have_value("Ada Lovelace")
    expect(conflicting_tab.get_by_role("status")).not_to_be_empty()
    assert other_client.read() == {"name": "Ada Lovelace", "same": 1, "new": True}


def test_a_user_can_keep_editing(conflicting_tab: Page, other_client: OtherClient) -> None:
    press(conflicting_tab, "Keep editing")
    expect(conflict_dialog(conflicting_tab)).to_be_hidden()
    expect(conflicting_tab.get_by_label("Name")).to_have_value("Grace")
    assert other_client.read() == {"name": "Ada Lovelace", "same": 1, "new": True}


@pytest.fixture
def tab_of_deleted_profile(open_profile: Callable[[], Page], other_client: OtherClient) -> Page:
    """A tab whose save found that the profile was deleted elsewhere."""
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    other_client.delete()
    tab.get_by_label("Name").fill("Grace")
    press(tab, "Save")
    expect(conflict_dialog(tab)).to_be_visible()
    assert other_client.read() is None
    return tab


def test_a_deleted_profile_can_be_created_again(
    tab_of_deleted_profile: Page, other_client: OtherClient
) -> None:
    press(tab_of_deleted_profile, "Save my version")
    expect_saved(tab_of_deleted_profile)
    assert other_client.read() == {"name": "Grace"}


def test_a_deleted_profile_can_stay_deleted(
    tab_of_deleted_profile: Page, other_client: OtherClient
) -> None:
    press(tab_of_deleted_profile, "Discard my version")
    expect(tab_of_deleted_profile.get_by_label("Name")).to_have_value("")
    assert other_client.read() is None


def delete_profile(tab: Page) -> None:
    press(tab, "Delete profile")
    press(tab, "Delete")


def expect_deleted(tab: Page) -> None:
    expect(tab.get_by_role("status")).to_have_text("Profile deleted.")


def test_a_profile_that_changed_elsewhere_is_not_deleted(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    other_client.save('{"name": "Ada Lovelace"}')
    delete_profile(tab)
    expect(tab.get_by_role("alert")).to_contain_text("was not deleted")
    assert other_client.read() == {"name": "Ada Lovelace"}
    press(tab, "Discard changes")
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
    expect(tab.get_by_role("alert")).to_contain_text("Stale.")
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
