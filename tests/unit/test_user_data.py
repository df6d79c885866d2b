"""Reading users through the API: pages, retries, and what a refusal says."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from deploy.user_data import (
    MAX_ATTEMPTS,
    NoErasure,
    NotCarriedOut,
    NoUsersResource,
    Stored,
    StoredData,
    erase_account,
    find_stored_data,
    list_users,
    read_user,
)
from deploy.user_pool import email_filter
from deploy.users_api import UsersApiError
from tests.support.fake_session import FakeSession, api_with, response

SUB = "f2547e8f-5572-4260-a831-c9550a1b6001"
NO_METADATA = '{"sub": "s", "app_metadata": {}, "private_metadata": {}}'
FORBIDDEN = '{"type": "about:blank", "status": 403, "detail": "The request is not authorized."}'
NOT_FOUND = '{"type": "about:blank", "status": 404, "detail": "There is nothing here."}'
NO_PROFILE = '{"type": "urn:problem-type:user-profile:profile-not-found", "status": 404}'
NO_USER = '{"type": "urn:problem-type:user-profile:user-not-found", "detail": "No such user."}'
ERASED = '{"type": "urn:problem-type:user-profile:account-erased", "status": 410}'
NOTHING = Stored.NOTHING
DATA = Stored.DATA
MARKER = Stored.MARKER


def subs(*responses: requests.Response) -> list[object]:
    return [user["sub"] for user in list_users(api_with(FakeSession(*responses)))]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the code waited. No time passes."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


# --- the list -------------------------------------------------------------------------------------


def test_pages_are_followed_to_the_end_even_through_empty_ones() -> None:
    session = FakeSession(
        response(200, '{"users": [{"sub": "a"}], "next": "one+/="}'),
        response(200, '{"users": [], "next": "two"}'),
        response(200, '{"users": [{"sub": "b"}]}'),
    )
    assert [user["sub"] for user in list_users(api_with(session))] == ["a", "b"]
    queries = [parse_qs(urlsplit(url).query) for url in session.urls]
    assert queries == [
        {"limit": ["100"]},
        {"limit": ["100"], "cursor": ["one+/="]},
        {"limit": ["100"], "cursor": ["two"]},
    ]


def test_a_page_is_only_read_when_it_is_needed() -> None:
    session = FakeSession(response(200, '{"users": [{"sub": "a"}], "next": "one"}'))
    assert next(list_users(api_with(session)))["sub"] == "a"
    assert len(session.urls) == 1


def test_numbers_are_exact() -> None:
    body = '{"users": [{"sub": "a", "profile_data": {"n": 0.10, "m": 12345678901234567890.5}}]}'
    (user,) = list_users(api_with(FakeSession(response(200, body))))
    assert user["profile_data"] == {"n": Decimal("0.10"), "m": Decimal("12345678901234567890.5")}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({}, 1), ({"Retry-After": "x"}, 1), ({"Retry-After": "900"}, 60)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_api_is_asked_again_later(
    pauses: list[float], headers: dict[str, str], seconds: int, status: int
) -> None:
    overloaded = response(status, "{}", headers)
    assert subs(overloaded, response(200, '{"users": [{"sub": "a"}]}')) == ["a"]
    assert pauses == [seconds]


def test_an_overloaded_api_is_not_asked_for_ever(pauses: list[float]) -> None:
    answers = [response(503, '{"detail": "Try again shortly."}') for _ in range(MAX_ATTEMPTS)]
    with pytest.raises(UsersApiError, match="returned 503: Try again shortly"):
        subs(*answers)
    assert len(pauses) == MAX_ATTEMPTS - 1


# --- one user -------------------------------------------------------------------------------------


def test_a_user_has_profile_and_metadata_with_etags() -> None:
    session = FakeSession(
        response(200, '{"profile_data": {"n": 0.10}}', {"ETag": '"p"'}),
        response(200, '{"app_metadata": {"plan": "pro"}}', {"ETag": '"m"'}),
    )
    assert read_user(api_with(session), SUB) == {
        "sub": SUB,
        "profile": {"profile_data": {"n": Decimal("0.10")}, "etag": '"p"'},
        "metadata": {"app_metadata": {"plan": "pro"}, "etag": '"m"'},
    }
    assert [urlsplit(url).path for url in session.urls] == [
        f"/api/users/{SUB}/profile",
        f"/api/users/{SUB}/metadata",
    ]


def test_a_user_without_a_profile_is_not_an_error() -> None:
    session = FakeSession(response(404, NO_PROFILE), response(200, NO_METADATA))
    user = read_user(api_with(session), SUB)
    assert user["profile"] is None
    assert user["metadata"] == json.loads(NO_METADATA), "without an ETag"


# --- erasing an account ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "metadata", "expected"),
    [
        (response(404, NO_PROFILE), response(200, NO_METADATA), StoredData(NOTHING, NOTHING)),
        (response(200, "{}"), response(200, "{}", {"ETag": '"m"'}), StoredData(DATA, DATA)),
        (response(410, ERASED), response(410, ERASED), StoredData(MARKER, MARKER)),
        (response(410, ERASED), response(200, NO_METADATA), StoredData(MARKER, NOTHING)),
    ],
    ids=["nothing", "data", "markers", "one marker"],
)
def test_what_is_stored_for_a_user_is_known(
    profile: requests.Response, metadata: requests.Response, expected: StoredData
) -> None:
    assert find_stored_data(api_with(FakeSession(profile, metadata)), SUB) == expected


def test_stored_data_of_an_earlier_version_is_not_known() -> None:
    with pytest.raises(NoUsersResource, match="earlier version"):
        find_stored_data(api_with(FakeSession(response(404, NOT_FOUND))), SUB)


@pytest.mark.parametrize("status", [429, 503])
def test_an_erasure_is_repeated_while_the_api_is_busy(pauses: list[float], status: int) -> None:
    session = FakeSession(response(status, "{}", {"Retry-After": "3"}), response(204))
    erase_account(api_with(session), SUB)
    assert [urlsplit(url).path for url in session.urls] == [f"/api/users/{SUB}"] * 2
    assert pauses == [3]


def test_an_erasure_that_stays_incomplete_is_an_error(pauses: list[float]) -> None:
    answers = [response(503, '{"detail": "Send it again."}') for _ in range(MAX_ATTEMPTS)]
    with pytest.raises(UsersApiError, match="returned 503: Send it again") as failed:
        erase_account(api_with(FakeSession(*answers)), SUB)
    assert not isinstance(failed.value, NotCarriedOut)


@pytest.mark.parametrize("status", [404, 405])
def test_an_api_without_erasure_is_named(status: int) -> None:
    with pytest.raises(NoErasure, match="ERASURE is off, or an earlier version"):
        erase_account(api_with(FakeSession(response(status, NOT_FOUND))), SUB)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (response(404, NO_USER), "returned 404: No such user."),
        (response(403, FORBIDDEN), r"execute-api:Invoke for DELETE/users/\* of this"),
    ],
    ids=["no user", "no right"],
)
def test_a_refused_erasure_has_changed_nothing(answer: requests.Response, message: str) -> None:
    with pytest.raises(NotCarriedOut, match=message) as refused:
        erase_account(api_with(FakeSession(answer)), SUB)
    assert "ERASURE" not in str(refused.value)


# --- refusals -------------------------------------------------------------------------------------


def test_a_403_of_the_list_names_the_missing_right() -> None:
    with pytest.raises(UsersApiError, match="execute-api:Invoke for GET/users of this") as refused:
        subs(response(403, FORBIDDEN))
    assert "The request is not authorized." in str(refused.value)


@pytest.mark.parametrize("resource", ["profile", "metadata"])
def test_a_403_of_a_user_names_the_missing_right(resource: str) -> None:
    answers = [response(403, FORBIDDEN)]
    if resource == "metadata":
        answers.insert(0, response(404, NO_PROFILE))
    with pytest.raises(UsersApiError, match=rf"execute-api:Invoke for GET/users/\*/{resource}"):
        read_user(api_with(FakeSession(*answers)), SUB)


def test_the_message_of_api_gateway_itself_is_shown() -> None:
    body = '{"Message": "User: arn:aws:iam::1:user/ada is not authorized"}'
    with pytest.raises(UsersApiError, match="403: User: arn:aws:iam::1:user/ada is not authorized"):
        subs(response(403, body))


def test_an_earlier_version_of_the_api_is_recognized() -> None:
    with pytest.raises(NoUsersResource, match="earlier version"):
        subs(response(404, NOT_FOUND))
    with pytest.raises(NoUsersResource, match="earlier version"):
        read_user(api_with(FakeSession(response(404, NOT_FOUND))), SUB)


@pytest.mark.parametrize("body", ["<html>", "", "[]", "{}", '{"users": 1}'])
def test_the_response_of_another_program_is_an_error(body: str) -> None:
    with pytest.raises(UsersApiError, match="Another program"):
        subs(response(200, body))


def test_an_error_shows_no_cursor() -> None:
    page = response(200, '{"users": [], "next": "secret-position"}')
    with pytest.raises(UsersApiError) as refused:
        subs(page, response(500, "<html>broken"))
    assert "returned 500: <html>broken" in str(refused.value)
    assert "secret-position" not in str(refused.value)


# --- the filter of ListUsers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "quoted"),
    [
        ("ada@example.com", '"ada@example.com"'),
        ('"a b"@example.com', '"\\"a b\\"@example.com"'),
        ("a\\b@example.com", '"a\\\\b@example.com"'),
        ('x" or email ^= "', '"x\\" or email ^= \\""'),
    ],
)
def test_an_address_cannot_end_the_filters_string(email: str, quoted: str) -> None:
    assert email_filter(email) == f"email = {quoted}"
