"""If-Match and If-None-Match over HTTP."""

from __future__ import annotations

import pytest

from tests.support.http_api import Api, assert_problem
from tests.support.users import User

CHANGES = {"POST": {"new": True}, "PUT": {"new": True}, "PATCH": {"new": True}, "DELETE": None}
"""The methods that change a profile, and the data that each sends."""


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"other", {}', "*"])
def test_get_answers_304_if_the_copy_is_current(api: Api, user: User, etag: str, tag: str) -> None:
    answer = api.send(user, "GET", If_None_Match=tag.format(etag))
    assert answer.status == 304
    assert answer.body == b""
    assert answer.headers["ETag"] == etag
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"


def test_get_answers_200_if_the_copy_is_outdated(api: Api, user: User, etag: str) -> None:
    answer = api.send(user, "GET", If_None_Match='"other"')
    assert answer.status == 200
    assert answer.json()["profile_data"] == {"old": True}


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"other", {}', "*"])
def test_get_answers_200_if_if_match_holds(api: Api, user: User, etag: str, tag: str) -> None:
    assert api.send(user, "GET", If_Match=tag.format(etag)).status == 200


@pytest.mark.parametrize("tag", ['"other"', 'W/"other"'])
def test_get_answers_412_if_if_match_fails(api: Api, user: User, etag: str, tag: str) -> None:
    """Even if If-None-Match alone would lead to 304."""
    answer = api.send(user, "GET", If_Match=tag.format(etag), If_None_Match=etag)
    assert_problem(answer, 412, "precondition-failed")
    assert answer.headers["ETag"] == etag


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_get_without_a_profile_is_a_404_always(api: Api, user: User, header: str) -> None:
    answer = api.send(user, "GET", **{header: "*"})
    assert_problem(answer, 404, "profile-not-found")


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("If-Match", '"x", {}'),
        ("If-Match", "W/{}"),
        ("If-Match", "*"),
        ("If-None-Match", '"x"'),
    ],
)
def test_a_change_is_made_if_its_condition_holds(
    api: Api, user: User, etag: str, method: str, header: str, value: str
) -> None:
    answer = api.send(user, method, CHANGES[method], **{header: value.format(etag)})
    assert answer.status == (204 if method == "DELETE" else 200)
    assert answer.headers["ETag"] != etag


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("If-Match", '"other"'),
        ("If-Match", 'W/"other"'),
        ("If-None-Match", "*"),
        ("If-None-Match", "W/{}"),
    ],
)
def test_a_failed_condition_is_a_412_with_the_etag(
    api: Api, user: User, etag: str, method: str, header: str, value: str
) -> None:
    answer = api.send(user, method, CHANGES[method], **{header: value.format(etag)})
    assert_problem(answer, 412, "precondition-failed")
    assert answer.headers["ETag"] == etag


@pytest.mark.parametrize("method", CHANGES)
def test_a_412_without_a_profile_has_no_etag(api: Api, user: User, method: str) -> None:
    answer = api.send(user, method, CHANGES[method], If_Match="*")
    assert_problem(answer, 412, "precondition-failed")
    assert "ETag" not in answer.headers


def test_a_profile_is_created_once(api: Api, user: User) -> None:
    assert api.send(user, "PUT", {"a": 1}, If_None_Match="*").status == 200
    again = api.send(user, "PUT", {"a": 2}, If_None_Match="*")
    assert_problem(again, 412, "precondition-failed")


def test_several_lines_of_a_header_are_one_list(api: Api, user: User, etag: str) -> None:
    lines = [("If-Match", '"other"'), ("If-Match", etag), ("If-Match", '"third"')]
    assert api("DELETE", token=user.id_token, headers=lines).status == 204


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("method", ["GET", *CHANGES])
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["unquoted", '"a" "b"', '*, "a"', ""])
def test_a_malformed_condition_is_a_400(
    api: Api, user: User, method: str, header: str, value: str
) -> None:
    answer = api.send(user, method, CHANGES.get(method), **{header: value})
    assert_problem(answer, 400, "malformed-precondition")


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_bad_body_is_reported_before_a_failed_condition(
    api: Api, user: User, method: str
) -> None:
    answer = api.send(user, method, [], If_Match='"other"')
    assert_problem(answer, 422, "invalid-profile")
