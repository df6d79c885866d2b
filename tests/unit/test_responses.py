"""Responses: their bodies and headers."""

from __future__ import annotations

import json
from decimal import Decimal

from chalicelib import responses
from chalicelib.paging import cursor_after
from chalicelib.profile import JSON, MAX_RESPONSE_BYTES, Document
from chalicelib.public_profiles import PublicFields
from chalicelib.responses import PublicBody
from chalicelib.store import ProfilePage

SUBS = [f"5f0c7a1e-0000-4000-8000-00000000000{number}" for number in range(3)]


def test_any_value_can_be_a_response() -> None:
    response = responses.json_response({"n": Decimal("0.10")})
    assert response.status_code == 200
    assert response.body == '{"n":0.10}'
    assert response.headers == {"Content-Type": "application/json", "Cache-Control": "no-store"}


def test_a_profile_has_the_examples_shape_and_an_etag() -> None:
    profile = Document("USERS#ALL", "USER#1", {"a": 1}, "r1", "then", "now")
    response = responses.profile_response(profile)
    assert response.status_code == 200
    assert json.loads(response.body) == {
        "pk": "USERS#ALL",
        "sk": "USER#1",
        "profile_data": {"a": 1},
        "created_at": "then",
        "updated_at": "now",
    }
    assert response.headers == {
        "Content-Type": "application/json",
        "ETag": '"r1"',
        "Cache-Control": "no-store",
    }


def test_unknown_times_are_left_out() -> None:
    response = responses.profile_response(Document("USERS#ALL", "USER#1", {}, "r1"))
    assert json.loads(response.body) == {"pk": "USERS#ALL", "sk": "USER#1", "profile_data": {}}


def test_not_modified_has_the_etag_and_no_body() -> None:
    response = responses.not_modified("r1")
    assert response.status_code == 304
    assert response.body == ""
    assert response.headers == {"ETag": '"r1"', "Cache-Control": "no-store"}


def test_no_content_is_not_stored_either() -> None:
    response = responses.no_content()
    assert response.status_code == 204
    assert response.headers == {"Cache-Control": "no-store"}


# --- the list -------------------------------------------------------------------------------------


def page_with(*sizes: int, has_more: bool = False) -> ProfilePage:
    """A page of profiles that take about these numbers of bytes in a response."""
    profiles = {
        sub: Document("USERS#ALL", f"USER#{sub}", {"text": "x" * size}, "r1")
        for sub, size in zip(SUBS, sizes, strict=False)
    }
    return ProfilePage(profiles, has_more)


def listed(page: ProfilePage) -> dict[str, JSON]:
    response = responses.user_list_response(page)
    assert len(json.dumps(response.body)) < MAX_RESPONSE_BYTES + 2_000
    listed: dict[str, JSON] = json.loads(response.body)
    return listed


def subs_in(body: dict[str, JSON]) -> list[JSON]:
    users = body["users"]
    assert isinstance(users, list)
    return [user["sub"] for user in users if isinstance(user, dict)]


def test_an_empty_list_has_no_next_page() -> None:
    assert listed(ProfilePage({}, has_more=False)) == {"users": []}


def test_the_last_page_has_no_cursor() -> None:
    body = listed(page_with(10, 10))
    assert subs_in(body) == SUBS[:2]
    assert "next" not in body


def test_the_cursor_follows_the_last_user_of_the_page() -> None:
    body = listed(page_with(10, 10, has_more=True))
    assert body["next"] == cursor_after(SUBS[1])


def test_a_page_ends_before_the_profile_that_would_exceed_the_limit() -> None:
    body = listed(page_with(2_000_000, 2_000_000, 2_000_000))
    assert subs_in(body) == SUBS[:2]
    assert body["next"] == cursor_after(SUBS[1])


def test_a_profile_at_the_limit_is_alone_on_its_page() -> None:
    body = listed(page_with(MAX_RESPONSE_BYTES - 20, 10))
    assert subs_in(body) == SUBS[:1]
    assert body["next"] == cursor_after(SUBS[0])


def test_a_profile_beyond_the_limit_is_listed_without_its_data() -> None:
    body = listed(page_with(MAX_RESPONSE_BYTES + 2_000, 10))
    assert subs_in(body) == SUBS[:2]
    assert "next" not in body
    users = body["users"]
    assert isinstance(users, list)
    assert isinstance(users[0], dict)
    assert users[0]["too_large"] is True
    assert "profile_data" not in users[0]


# --- public profiles ------------------------------------------------------------------------------


def with_text(size: int) -> PublicFields:
    """Public fields that take about this number of bytes in a response."""
    return {"text": "x" * size}


def public_profiles(profiles: dict[str, PublicFields | None]) -> dict[str, JSON]:
    body = responses.public_profiles_body(profiles).text
    assert len(json.dumps(body)) < MAX_RESPONSE_BYTES + 5_000
    read: dict[str, JSON] = json.loads(body)
    return read


def test_public_profiles_name_what_was_not_read() -> None:
    found: dict[str, PublicFields | None] = {SUBS[2]: {"a": 1}, SUBS[0]: None, SUBS[1]: {}}
    assert public_profiles(found) == {
        "profiles": [
            {"sub": SUBS[2], "profile_data": {"a": 1}},
            {"sub": SUBS[1], "profile_data": {}},
        ],
        "unread": [SUBS[0]],
    }


def test_the_order_of_stored_names_does_not_change_the_body() -> None:
    one: PublicFields = {"a": {"c": 1, "b": 2}, "d": Decimal("1.5")}
    other: PublicFields = {"d": Decimal("1.5"), "a": {"b": 2, "c": 1}}
    assert responses.public_profile_body("s", one) == responses.public_profile_body("s", other)


def test_what_does_not_fit_in_a_response_is_unread() -> None:
    body = public_profiles(dict(zip(SUBS, map(with_text, (3_000_000, 3_000_000, 10)), strict=True)))
    assert [profile["sub"] for profile in body["profiles"]] == [SUBS[0], SUBS[2]]  # type: ignore[union-attr, index, call-overload]
    assert body["unread"] == [SUBS[1]]


def test_a_profile_at_the_limit_fits_alone() -> None:
    at_the_limit = with_text(MAX_RESPONSE_BYTES - 20)
    assert public_profiles({SUBS[0]: at_the_limit, SUBS[1]: {}})["unread"] == []
    assert (
        public_profiles({SUBS[0]: at_the_limit, SUBS[1]: with_text(1_000)})["unread"] == SUBS[1:2]
    )
    assert public_profiles({SUBS[0]: with_text(MAX_RESPONSE_BYTES + 1_000)}) == {
        "profiles": [],
        "unread": SUBS[:1],
    }


def test_public_profiles_are_kept_by_the_callers_cache_only() -> None:
    kept = {"Cache-Control": "private, max-age=60", "Vary": "Authorization", "ETag": '"r1"'}
    body = PublicBody("{}", is_complete=True)
    response = responses.public_response(body, "r1")
    assert response.status_code == 200
    assert response.headers == {"Content-Type": "application/json", **kept}
    not_modified = responses.public_not_modified(body, "r1")
    assert not_modified.status_code == 304
    assert not_modified.body == ""
    assert not_modified.headers == kept


def test_a_response_with_unread_profiles_is_not_kept() -> None:
    """The caller asks for the unread ones again, perhaps with the same URL."""
    body = responses.public_profiles_body({SUBS[0]: {}, SUBS[1]: None})
    for response in (
        responses.public_response(body, "r1"),
        responses.public_not_modified(body, "r1"),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Authorization"
