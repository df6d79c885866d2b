"""Reading, editing, validating and deleting the profile in the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import (
    ADVANCED,
    OtherClient,
    discard,
    expect_error,
    expect_no_error,
    expect_saved,
    fill_advanced,
    form,
    notice,
    press,
    save,
)


def test_a_user_without_a_profile_sees_an_empty_form(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    assert form(tab) == ("", "", "{}")
    expect(tab.get_by_role("alert")).to_be_empty()
    expect(tab.get_by_role("button", name="Delete profile")).to_be_hidden()


def test_a_saved_profile_is_there_after_a_reload(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    bio = "Wrote the first program.\nIn 1843."
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_label("Bio").fill(bio)
    fill_advanced(tab, '{"born": 1815}')
    save(tab)
    assert other_client.read() == {"name": "Ada", "bio": bio, "born": 1815}
    tab.reload()
    expect(tab.get_by_text("Last saved")).to_be_visible()
    assert form(tab) == ("Ada", bio, '{ "born": 1815 }')


def test_a_save_sends_only_changes_with_the_etag(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada", "flags": {"keep": true, "drop": 1}}')
    etag = other_client.etag()
    tab = open_profile()
    fill_advanced(tab, '{"flags": {"keep": true, "new": 0.1}}')
    with tab.expect_request(lambda request: request.method == "PATCH") as patch:
        save(tab)
    assert patch.value.post_data == '{"flags":{"drop":null,"new":0.1}}'
    assert patch.value.headers["if-match"] == etag
    assert patch.value.headers["content-type"] == "application/merge-patch+json"


def test_a_null_that_was_typed_is_saved(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    """A merge patch cannot store it, so the page sends everything."""
    other_client.save('{"name": "Ada", "a": {"b": 0.10000000000000000001}}')
    etag = other_client.etag()
    tab = open_profile()
    fill_advanced(tab, '{"a": {"b": 0.10000000000000000001, "c": null}}')
    with tab.expect_request(lambda request: request.method == "PUT") as put:
        save(tab)
    assert put.value.headers["if-match"] == etag
    assert other_client.read()["a"]["c"] is None
    assert b"0.10000000000000000001" in other_client.api.get(other_client.user).body


def test_large_numbers_stay_exact(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"exact": 12345678901234567890.5}')
    tab = open_profile()
    assert form(tab)[2] == '{ "exact": 12345678901234567890.5 }'
    fill_advanced(tab, '{"exact": 12345678901234567891.5}')
    save(tab)
    body = other_client.api.get(other_client.user).body
    assert b"12345678901234567891.5" in body


def test_values_that_the_form_cannot_show_are_kept(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"bio": "", "n": null, "o": {}, "hobbies": []}')
    tab = open_profile()
    assert form(tab) == ("", "", '{ "n": null, "o": {} }')
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    stored: dict[str, object] = {"bio": "", "n": None, "o": {}, "hobbies": []}
    assert other_client.read() == {"name": "Ada", **stored}


def test_line_breaks_that_a_field_cannot_show_are_kept(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada\\nLovelace", "bio": "a\\r\\nb\\rc", "n": 1}')
    tab = open_profile()
    fill_advanced(tab, '{"n": 2}')
    save(tab)
    assert other_client.read() == {"name": "Ada\nLovelace", "bio": "a\r\nb\rc", "n": 2}


def test_discarding_changes_shows_the_saved_profile(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    tab.get_by_label("Name").fill("Grace")
    discard(tab)
    expect(tab.get_by_label("Name")).to_have_value("Ada")


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_deletion_can_be_cancelled(
    open_profile: Callable[[], Page], other_client: OtherClient, key: str
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    press(tab, "Delete profile")
    dialog = tab.get_by_role("dialog", name="Delete your profile?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    tab.keyboard.press(key)
    expect(dialog).to_be_hidden()
    assert other_client.read() == {"name": "Ada"}


def test_a_confirmed_deletion_deletes_the_profile(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada"}')
    tab = open_profile()
    press(tab, "Delete profile")
    press(tab, "Delete")
    expect(notice(tab)).to_have_text("Profile deleted.")
    assert other_client.read() is None
    assert form(tab) == ("", "", "{}")


def test_the_form_is_read_only_during_a_save(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.route("**/user/profile", hold, times=1)
    tab.get_by_label("Name").fill("Ada")
    press(tab, "Save")
    expect(tab.get_by_label("Bio")).to_have_attribute("readonly", "")
    held[0].continue_()
    expect_saved(tab)
    tab.get_by_label("Bio").fill("after")
    save(tab)
    assert other_client.read() == {"name": "Ada", "bio": "after"}


def test_validation_errors_are_shown_next_to_their_fields(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("A" * 101)
    tab.get_by_label("Bio").fill("<script>")
    press(tab, "Save")
    for label, error in (("Name", "100 characters"), ("Bio", "expected form")):
        expect_error(tab, label, error)
    expect(tab.get_by_label("Name")).to_be_focused()
    assert form(tab) == ("A" * 101, "<script>", "{}")
    assert other_client.read() is None


def test_an_error_of_the_api_is_shown_next_to_its_field(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Picture").fill("https://[")
    fill_advanced(tab, '{"born": "in 1815"}')
    press(tab, "Save")
    expect_error(tab, "Picture", "web address")
    tab.get_by_label("Picture").fill("https://example.com/a b")
    press(tab, "Save")
    expect_error(tab, "Picture", "such as https://example.com")
    expect_error(tab, ADVANCED, "/born: ")
    expect(tab.get_by_label("Picture")).to_be_focused()
    assert other_client.read() is None


def test_an_error_disappears_when_its_field_is_corrected(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("A" * 101)
    tab.get_by_label("Bio").fill("<")
    press(tab, "Save")
    expect_error(tab, "Name", "You have 101.")
    tab.get_by_label("Name").fill("A" * 100)
    expect_no_error(tab, "Name")
    expect_error(tab, "Bio", "expected form")
    tab.get_by_label("Bio").fill("")
    save(tab)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1', "not valid JSON"),
        ("[1]", "JSON object"),
        ("1E+999", "JSON object"),
        ('{"name": "Ada"}', '"name"'),
        ('{"a": {"b": 1, "b": 2}}', '"b" occurs twice'),
        ('{"a": 1, "\\u0061": 2}', '"a" occurs twice'),
        ('{"": 1}', "/: "),
        ('{"a": 1E+126}', "/a: "),
    ],
)
def test_invalid_json_is_shown_next_to_its_field(
    open_profile: Callable[[], Page], other_client: OtherClient, text: str, message: str
) -> None:
    tab = open_profile()
    fill_advanced(tab, text)
    press(tab, "Save")
    expect_error(tab, ADVANCED, message)
    expect(tab.get_by_label(ADVANCED)).to_be_focused()
    assert other_client.read() is None
