"""What a user does in the page, and what happens then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from local.api import serving
from local.process import free_port
from tests.browser.conftest import Site, Visitor, form, save, sign_in, visiting
from tests.conftest import PASSWORD, User


def stored(site: Site, user: User) -> Any:
    """The user's profile data, as the API gives it to another client; None where there is none."""
    answer = site.api.get(user)
    return answer.json()["profile_data"] if answer.status == 200 else None


def put(site: Site, user: User, body: str) -> None:
    """Store profile data with another client."""
    assert site.api.post(user, body).status == 200


def tokens(tab: Page) -> dict[str, Any]:
    """What oidc-client-ts keeps of the signed-in user."""
    (text,) = tab.evaluate(
        "Object.entries(sessionStorage).filter(([k]) => k.startsWith('oidc.user:')).map(e => e[1])"
    )
    found: dict[str, Any] = json.loads(text)
    return found


def spoil(tab: Page, **changes: object) -> None:
    """Put other tokens in the place of the user's."""
    script = """changes => {
        const [[key, value]] = Object.entries(sessionStorage).filter(([k]) => k.startsWith('oidc.user:'));
        sessionStorage.setItem(key, JSON.stringify({...JSON.parse(value), ...changes}));
    }"""
    tab.evaluate(script, changes)


def forged(token: str) -> str:
    """The same token, signed by nobody."""
    return token.rpartition(".")[0] + "." + "A" * 342


# --- signing in and out -----------------------------------------------------------------------------------------------


def test_signing_in_leads_through_the_pools_page_and_leaves_nothing_in_the_address(
    visitor: Visitor, user: User
) -> None:
    tab = visitor.open()
    tab.get_by_role("button", name="Sign in").click()
    tab.get_by_label("Password").wait_for()
    asked = parse_qs(urlsplit(tab.url).query)
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    assert visitor.context.storage_state()["origins"] == [], (
        "the verifier is not in localStorage either"
    )
    sign_in(tab, user)
    expect(tab.get_by_text("Nothing is saved yet.")).to_be_visible()
    assert tab.url == visitor.site.url + "/"
    assert tab.evaluate("localStorage.length") == 0
    assert tokens(tab)["profile"]["email"] == user.email


def test_who_has_saved_nothing_yet_sees_an_empty_form_and_no_error(
    visitor: Visitor, user: User
) -> None:
    tab = visitor.signed_in(user)
    assert form(tab) == ("", "", "{}")
    expect(tab.get_by_role("alert")).to_be_empty()
    expect(tab.get_by_role("button", name="Delete profile")).to_be_hidden()


def test_signing_out_ends_here_and_at_the_pool_and_keeps_nothing(
    visitor: Visitor, user: User
) -> None:
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("never saved")
    with tab.expect_request(lambda request: "/logout?" in request.url) as left:
        tab.get_by_role("button", name="Sign out").click()
    assert set(parse_qs(urlsplit(left.value.url).query)) == {"client_id", "logout_uri"}, (
        "and no token"
    )
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    assert tab.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    for again in (tab.reload, tab.go_back):
        again()
        expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
        expect(tab.get_by_text(user.email)).to_be_hidden()
        expect(tab.get_by_label("Name")).to_be_hidden()


def test_a_sign_in_page_that_does_not_come_can_be_asked_for_again(
    visitor: Visitor, user: User
) -> None:
    tab = visitor.open()
    tab.route("**/oauth2/authorize?*", lambda route: route.fulfill(status=204), times=1)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("main")).to_have_attribute("aria-busy", "false")
    tab.get_by_role("button", name="Sign in").click()
    sign_in(tab, user)
    expect(tab.get_by_text("Nothing is saved yet.")).to_be_visible()


def test_a_sign_in_that_was_refused_is_told(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.get_by_role("button", name="Sign in").click()
    tab.get_by_label("Password").wait_for()
    state = parse_qs(urlsplit(tab.url).query)["state"][0]
    tab.goto(f"{visitor.site.url}/?error=access_denied&error_description=Not+you&state={state}")
    expect(tab.get_by_role("alert")).to_contain_text("You are not signed in: Not you")
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    assert tab.url == visitor.site.url + "/"


def test_without_its_settings_the_page_says_what_writes_them(visitor: Visitor, site: Site) -> None:
    visitor.context.route("**/config.json", lambda route: route.fulfill(status=404))
    tab = visitor.open()
    expect(tab.get_by_role("alert")).to_contain_text("make web-config")
    assert [complaint for complaint in visitor.complaints if "404" not in complaint] == []
    visitor.complaints.clear()


# --- the profile ------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_there_after_a_reload(visitor: Visitor, site: Site, user: User) -> None:
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_label("Bio").fill("Wrote the first program.\nIn 1843.")
    tab.get_by_label("Everything else").fill('{"born": 1815}')
    save(tab)
    assert stored(site, user) == {
        "name": "Ada",
        "bio": "Wrote the first program.\nIn 1843.",
        "born": 1815,
    }
    tab.reload()
    expect(tab.get_by_text("Last saved")).to_be_visible()
    assert form(tab) == ("Ada", "Wrote the first program.\nIn 1843.", '{ "born": 1815 }')


def test_only_what_changed_is_sent_under_the_etag_that_was_seen(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(
        site,
        user,
        '{"name": "Ada", "tags": {"keep": true, "drop": 1}, "exact": 12345678901234567890.5}',
    )
    etag = site.api.get(user).headers["ETag"]
    tab = visitor.signed_in(user)
    assert '"exact": 12345678901234567890.5' in form(tab)[2], "not what JavaScript makes of it"
    tab.get_by_label("Everything else").fill(
        form(tab)[2].replace('"drop": 1', '"new": 0.1').replace("90.5", "91.5")
    )
    with tab.expect_request(lambda request: request.method == "PATCH") as patch:
        save(tab)
    assert (
        patch.value.post_data == '{"tags":{"drop":null,"new":0.1},"exact":12345678901234567891.5}'
    )
    assert (patch.value.headers["if-match"], patch.value.headers["content-type"]) == (
        etag, "application/merge-patch+json",
    )  # fmt: skip
    assert site.api.get(user).body.count(b"12345678901234567891.5") == 1


def test_what_other_clients_store_under_a_fields_name_is_left_alone(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": {"first": "Ada"}, "bio": ""}')
    tab = visitor.signed_in(user)
    assert form(tab) == ("", "", '{ "name": { "first": "Ada" } }')
    tab.get_by_label("Everything else").press("End")
    save(tab)
    assert stored(site, user) == {"name": {"first": "Ada"}, "bio": ""}


def test_deleting_asks_first(visitor: Visitor, site: Site, user: User) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    dialog = tab.get_by_role("dialog", name="Delete your profile?")
    for key in ("Enter", "Escape"):  # "Keep it" has the focus
        tab.get_by_role("button", name="Delete profile").click()
        tab.keyboard.press(key)
        expect(dialog).to_be_hidden()
        assert stored(site, user) == {"name": "Ada"}
    tab.get_by_role("button", name="Delete profile").click()
    dialog.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_role("status")).to_have_text("Deleted.")
    assert stored(site, user) is None
    assert form(tab) == ("", "", "{}")


def test_discarding_changes_shows_what_is_stored(visitor: Visitor, site: Site, user: User) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("Grace")
    tab.get_by_role("button", name="Discard changes").click()
    expect(tab.get_by_label("Name")).to_have_value("Ada")


# --- what is not valid ------------------------------------------------------------------------------------------------


def test_the_services_objections_stand_beside_the_fields_they_point_to(
    visitor: Visitor, site: Site, user: User
) -> None:
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("A" * 101)
    tab.get_by_label("Bio").fill("<script>")
    tab.get_by_label("Everything else").fill('{"born": "in 1815"}')
    tab.get_by_role("button", name="Save", exact=True).click()
    for label, error, told in (
        ("Name", "#name-error", "100"),
        ("Bio", "#bio-error", "match"),
        ("Everything else", "#more-error", "/born: "),
    ):
        expect(tab.locator(error)).to_contain_text(told)
        expect(tab.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        assert error[1:] in (tab.get_by_label(label).get_attribute("aria-describedby") or "")
    expect(tab.get_by_label("Name")).to_be_focused()
    assert form(tab) == ("A" * 101, "<script>", '{"born": "in 1815"}')
    assert stored(site, user) is None

    tab.get_by_label("Name").fill("A" * 100)
    tab.get_by_label("Bio").fill("")
    tab.get_by_label("Everything else").fill('{"born": 1815}')
    save(tab)
    expect(tab.locator("#name-error")).to_be_empty()
    expect(tab.get_by_label("Name")).to_have_attribute("aria-invalid", "false")


@pytest.fixture(scope="module")
def unsaved(browser: Browser, site: Site, sign_up: Callable[[], User]) -> Iterator[Page]:
    """The page of a user who tries and tries, and has saved nothing at the end."""
    user = sign_up()
    with visiting(browser, site) as visitor:
        yield visitor.signed_in(user)
    assert stored(site, user) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1', "This is not JSON"),
        ("[1]", "must be a JSON object"),
        ("1E+999", "must be a JSON object"),
        ('{"name": "Ada"}', "The name has a field of its own"),
        ('{"a~/b": {"c": null}}', "/a~0~1b/c: Leave the name out"),
        ('{"": 1}', "/: A name must have 1 to 65,535 bytes."),
        ('{"a": 1E+126}', "/a: "),
    ],
)
def test_json_that_cannot_be_stored_is_told_beside_its_field(
    unsaved: Page, text: str, told: str
) -> None:
    unsaved.get_by_label("Everything else").fill(text)
    unsaved.get_by_role("button", name="Save", exact=True).click()
    expect(unsaved.locator("#more-error")).to_contain_text(told)
    expect(unsaved.get_by_label("Everything else")).to_be_focused()


# --- conflicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("button", "name", "left"),
    [
        ("Save yours", "Grace", {"name": "Grace", "same": 1}),
        ("Take the stored one", "Ada Lovelace", {"name": "Ada Lovelace", "same": 1, "new": True}),
        ("Go on editing", "Grace", {"name": "Ada Lovelace", "same": 1, "new": True}),
    ],
)
def test_who_saves_in_two_tabs_sees_both_versions_and_chooses(
    visitor: Visitor, site: Site, user: User, button: str, name: str, left: dict[str, Any]
) -> None:
    put(site, user, '{"name": "Ada", "same": 1}')
    first, second = visitor.signed_in(user), visitor.signed_in(user)
    first.get_by_label("Name").fill("Ada Lovelace")
    first.get_by_label("Everything else").fill('{"same": 1, "new": true}')
    save(first)
    second.bring_to_front()
    second.get_by_label("Name").fill("Grace")
    second.get_by_role("button", name="Save", exact=True).click()
    dialog = second.get_by_role("dialog", name="Changed elsewhere meanwhile")
    expect(dialog).to_be_visible()
    rows = [row.inner_text().split("\t") for row in dialog.get_by_role("row").all()]
    assert sorted(rows[1:]) == [["name", "Ada Lovelace", "Grace"], ["new", "true", "(not there)"]]
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden()
    expect(second.get_by_label("Name")).to_have_value(name)
    if button != "Go on editing":
        expect(second.get_by_role("status")).not_to_be_empty()
    assert stored(site, user) == left


def test_what_was_deleted_meanwhile_is_not_brought_back_unasked(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    assert site.api("DELETE", token=user.id_token).status == 204
    tab.get_by_label("Name").fill("Grace")
    tab.get_by_role("button", name="Save", exact=True).click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("was deleted somewhere else")
    assert stored(site, user) is None
    dialog.get_by_role("button", name="Save yours").click()
    expect(tab.get_by_role("status")).to_have_text("Saved.")
    assert stored(site, user) == {"name": "Grace"}


def test_what_was_changed_meanwhile_is_not_deleted(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    put(site, user, '{"name": "Ada Lovelace"}')
    tab.get_by_role("button", name="Delete profile").click()
    tab.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_role("alert")).to_contain_text("was not deleted")
    assert stored(site, user) == {"name": "Ada Lovelace"}
    tab.get_by_role("button", name="Discard changes").click()
    expect(tab.get_by_label("Name")).to_have_value("Ada Lovelace")


def test_what_was_saved_again_as_it_was_is_deleted(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    put(site, user, '{"name": "Ada"}')
    tab.get_by_role("button", name="Delete profile").click()
    tab.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_role("status")).to_have_text("Deleted.")
    assert stored(site, user) is None


def test_an_own_deletion_whose_answer_was_lost_is_no_conflict(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)

    def lose_the_answer(route: Route) -> None:
        assert route.fetch().status == 204
        route.abort()

    tab.route("**/user/profile", lose_the_answer, times=1)
    tab.get_by_role("button", name="Delete profile").click()
    tab.get_by_role("button", name="Delete it").click()
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("status")).to_have_text("Deleted.")
    assert stored(site, user) is None


def test_nothing_can_be_typed_that_the_end_of_a_save_would_overwrite(
    visitor: Visitor, site: Site, user: User
) -> None:
    tab = visitor.signed_in(user)
    waiting: list[Route] = []
    tab.route("**/user/profile", lambda route: waiting.append(route), times=1)  # noqa: PLW0108 - it sets attributes
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_label("Bio")).to_have_attribute("readonly", "")
    waiting[0].continue_()
    expect(tab.get_by_role("status")).to_have_text("Saved.")
    tab.get_by_label("Bio").fill("after")
    save(tab)
    assert stored(site, user) == {"name": "Ada", "bio": "after"}


def test_what_a_field_cannot_show_is_not_changed_by_saving_another(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada\\nLovelace", "bio": "a\\r\\nb\\rc", "n": 1}')
    tab = visitor.signed_in(user)
    tab.get_by_label("Everything else").fill('{"n": 2}')
    save(tab)
    assert stored(site, user) == {"name": "Ada\nLovelace", "bio": "a\r\nb\rc", "n": 2}


def test_an_own_change_whose_answer_was_lost_is_no_conflict(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada"}')
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("Grace")

    def lose_the_answer(route: Route) -> None:
        assert route.fetch().status == 200
        route.abort()

    tab.route("**/user/profile", lose_the_answer, times=1)
    tab.get_by_role("button", name="Save", exact=True).click()
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("status")).to_have_text("Saved.")
    assert stored(site, user) == {"name": "Grace"}


# --- sessions that end ------------------------------------------------------------------------------------------------


def test_a_session_is_refreshed_before_its_tokens_expire(visitor: Visitor, user: User) -> None:
    visitor.context.clock.install()
    tab = visitor.signed_in(user)
    before = tokens(tab)
    with tab.expect_response("**/oauth2/token") as refreshed:
        tab.clock.fast_forward("59:30")
    assert refreshed.value.status == 200
    tab.wait_for_function(
        f"Object.values(sessionStorage).some(text => !text.includes({before['id_token']!r}))"
    )
    after = tokens(tab)
    assert after["id_token"] != before["id_token"]
    assert after["profile"]["sub"] == before["profile"]["sub"]


def test_a_token_that_has_expired_while_the_computer_slept_is_refreshed_first(
    visitor: Visitor, user: User
) -> None:
    tab = visitor.signed_in(user)
    before = tokens(tab)["id_token"]
    spoil(tab, expires_at=1)
    tab.get_by_label("Name").fill("Ada")
    with tab.expect_request(lambda request: request.method == "PATCH") as patch:
        save(tab)
    assert patch.value.headers["authorization"] not in (f"Bearer {before}", "Bearer undefined")


def test_a_token_that_the_api_refuses_is_refreshed_and_the_save_repeated(
    visitor: Visitor, site: Site, user: User
) -> None:
    tab = visitor.signed_in(user)
    answers: list[int] = []
    tab.on(
        "response",
        lambda response: (
            answers.append(response.status) if "/user/profile" in response.url else None
        ),
    )
    spoil(tab, id_token=forged(tokens(tab)["id_token"]))
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert [status for status in answers if status != 204] == [401, 200]
    assert stored(site, user) == {"name": "Ada"}


def test_when_the_session_is_over_one_signs_in_again_and_what_was_typed_is_there(
    visitor: Visitor, site: Site, user: User
) -> None:
    put(site, user, '{"name": "Ada", "exact": 0.10000000000000000001}')
    tab = visitor.signed_in(user)
    spoil(tab, id_token=forged(tokens(tab)["id_token"]), refresh_token="revoked")
    tab.get_by_label("Name").fill("Ada Lovelace")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text(
        "Your session is over. What you typed is kept."
    )
    assert form(tab)[0] == "Ada Lovelace"
    tab.get_by_role("button", name="Sign in again").click()
    sign_in(tab, user)
    expect(tab.get_by_role("status")).to_have_text("What you typed and did not save is here again.")
    assert form(tab) == ("Ada Lovelace", "", '{ "exact": 0.10000000000000000001 }')
    save(tab)
    assert stored(site, user)["name"] == "Ada Lovelace"


def test_what_one_user_typed_is_not_shown_to_the_next(
    visitor: Visitor, user: User, sign_up: Callable[[], User]
) -> None:
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("a secret")
    spoil(tab, expires_at=1, refresh_token="revoked")
    tab.get_by_role("button", name="Save", exact=True).click()
    tab.get_by_role("button", name="Sign in again").click()
    sign_in(tab, sign_up())
    expect(tab.get_by_text("Nothing is saved yet.")).to_be_visible()
    assert form(tab) == ("", "", "{}")


def test_what_was_typed_survives_a_reload(visitor: Visitor, user: User) -> None:
    tab = visitor.signed_in(user)
    tab.get_by_label("Bio").fill("half a sen")
    tab.reload()
    expect(tab.get_by_label("Bio")).to_have_value("half a sen")
    save(tab)
    tab.reload()
    expect(tab.get_by_text("Last saved")).to_be_visible()
    expect(tab.get_by_role("status")).to_be_empty()


# --- when there is no answer ------------------------------------------------------------------------------------------


def test_offline_the_text_is_kept_and_saved_when_asked_again(
    visitor: Visitor, site: Site, user: User
) -> None:
    tab = visitor.signed_in(user)
    tab.get_by_label("Name").fill("Ada")
    visitor.context.set_offline(True)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("You may be offline. What you typed is kept.")
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("alert")).to_contain_text("You may be offline.")
    visitor.context.set_offline(False)
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("status")).to_have_text("Saved.")
    expect(tab.get_by_role("alert")).to_be_empty()
    assert stored(site, user) == {"name": "Ada"}


def test_offline_while_a_token_is_refreshed_is_not_the_end_of_the_session(
    visitor: Visitor, user: User
) -> None:
    tab = visitor.signed_in(user)
    spoil(tab, expires_at=1)
    visitor.context.set_offline(True)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("You may be offline.")
    visitor.context.set_offline(False)
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("status")).to_have_text("Saved.")


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (503, "text/html", "<html>Down</html>"),
        (503, "application/json", ""),
        (429, "application/json", '{"message": "x"}'),
    ],
)
def test_a_sign_in_service_that_is_down_is_not_the_end_of_the_session(
    visitor: Visitor, user: User, status: int, content_type: str, body: str
) -> None:
    tab = visitor.signed_in(user)
    spoil(tab, expires_at=1)
    headers = {"Access-Control-Allow-Origin": "*"}
    tab.route(
        "**/oauth2/token",
        lambda route: route.fulfill(
            status=status, content_type=content_type, body=body, headers=headers
        ),
        times=1,
    )
    tab.get_by_role("button", name="Save", exact=True).click()
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("status")).to_have_text("Saved.")
    visitor.complaints.clear()


def test_an_api_that_is_down_when_the_page_is_opened_can_be_tried_again(
    visitor: Visitor, site: Site, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with site.changed(api=f"http://localhost:{port}/user/profile"):
        tab = visitor.open()
        tab.get_by_role("button", name="Sign in").click()
        sign_in(tab, user)
        expect(tab.get_by_role("alert")).to_contain_text("The service cannot be reached.")
        expect(tab.get_by_label("Name")).to_be_hidden()
        monkeypatch.setenv("LOCAL_STATE", str(site.cloud.folder))
        with serving(port):
            tab.get_by_role("button", name="Try again").click()
            expect(tab.get_by_label("Name")).to_be_visible()
        tab.get_by_label("Name").fill("Ada")
        tab.get_by_role("button", name="Save", exact=True).click()
        expect(tab.get_by_role("alert")).to_contain_text("What you typed is kept.")
        with serving(port):
            tab.get_by_role("button", name="Try again").click()
            expect(tab.get_by_role("status")).to_have_text("Saved.")


@pytest.mark.parametrize(
    ("status", "button"), [(503, "Try again"), (429, "Try again"), (500, None)]
)
def test_a_service_that_is_busy_or_broken_is_told_in_its_own_words(
    visitor: Visitor, site: Site, user: User, status: int, button: str | None
) -> None:
    tab = visitor.signed_in(user)
    problem = {
        "type": "about:blank",
        "status": status,
        "detail": "The store is tired.",
        "request_id": "42",
    }
    cors = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/problem+json"}
    tab.route(
        "**/user/profile",
        lambda route: route.fulfill(status=status, headers=cors, body=json.dumps(problem)),
        times=1,
    )
    tab.get_by_label("Name").fill("Ada")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("The store is tired.")
    expect(tab.get_by_label("Name")).to_have_value("Ada")
    if button:
        tab.get_by_role("button", name=button).click()
        expect(tab.get_by_role("status")).to_have_text("Saved.")
    else:
        expect(tab.get_by_role("alert")).to_contain_text("request 42")


# --- what a script in a browser may do and read -----------------------------------------------------------------------

FETCH = """async ([url, method, headers, body]) => {
    const response = await fetch(url, {method, headers, body});
    return {status: response.status, etag: response.headers.get("ETag"), body: await response.text()};
}"""


def test_preflights_let_a_script_through_and_it_reads_401_and_412_whole(
    visitor: Visitor, site: Site, user: User
) -> None:
    tab = visitor.open()
    url = f"http://localhost:{site.api.port}/user/profile"
    refused = tab.evaluate(
        FETCH, [url, "PATCH", {"Authorization": "Bearer x", "If-Match": '"a"'}, "{}"]
    )
    assert (refused["status"], json.loads(refused["body"])["type"][-13:]) == (401, "not-signed-in")
    signed_in = {"Authorization": f"Bearer {user.id_token}", "Content-Type": "application/json"}
    written = tab.evaluate(FETCH, [url, "PUT", {**signed_in, "If-None-Match": "*"}, '{"a": 1}'])
    assert written["status"] == 200
    failed = tab.evaluate(FETCH, [url, "PATCH", {**signed_in, "If-Match": '"another"'}, "{}"])
    assert (failed["status"], failed["etag"]) == (412, written["etag"])
    assert (
        tab.evaluate(FETCH, [url, "DELETE", {**signed_in, "If-Match": written["etag"]}, None])[
            "status"
        ]
        == 204
    )


def test_the_policy_lets_no_foreign_script_style_or_connection_in(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.evaluate("""() => {
        window.blocked = [];
        document.addEventListener("securitypolicyviolation", event => blocked.push(event.effectiveDirective));
        document.body.append(Object.assign(document.createElement("img"), {src: "https://example.com/x.png"}));
        document.body.append(Object.assign(document.createElement("style"), {textContent: "body {}"}));
        document.body.append(Object.assign(document.createElement("iframe"), {src: "https://example.com"}));
        fetch("https://example.com").catch(() => {});
        try { document.body.innerHTML = "<p onclick=x>"; } catch { blocked.push("innerHTML"); }
        try { document.createElement("script").src = "x.js"; } catch { blocked.push("script.src"); }
    }""")
    tab.wait_for_function("blocked.length >= 8")
    assert set(tab.evaluate("blocked")) == {
        "img-src", "style-src-elem", "frame-src", "connect-src", "innerHTML", "script.src",
        "require-trusted-types-for",
    }  # fmt: skip
    visitor.complaints.clear()


def test_a_wrong_password_stays_on_the_pools_page(visitor: Visitor, user: User) -> None:
    tab = visitor.open()
    tab.get_by_role("button", name="Sign in").click()
    tab.get_by_label("Username").fill(user.email)
    tab.get_by_label("Password").fill(PASSWORD + "x")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_text("Incorrect username or password.")).to_be_visible()
