"""Invalid requests: each is refused with a problem, and a refused write changes nothing."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.support.bad_bodies import BAD_BODIES, STAGE_LIMIT, nested_objects, profile_of_size
from tests.support.http_api import Api, assert_problem
from tests.support.users import User


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_not_a_profile_is_refused(api: Api, user: User, name: str) -> None:
    body, status, problem_name = BAD_BODIES[name]
    problem = assert_problem(api.post(user, body), status, problem_name)
    assert ("errors" in problem) == (status == 422)


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ('{"a": {"b": 1e400}, "c": [0, {"": 1}]}', ["/a/b", "/c/1/"]),
        (nested_objects(32), ["/a" * 31]),
        ("[]", [""]),
    ],
)
def test_errors_point_at_the_data_that_was_refused(
    api: Api, user: User, body: str, pointers: list[str]
) -> None:
    problem = assert_problem(api.post(user, body), 422, "invalid-profile")
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize(
    "body",
    [
        nested_objects(31),
        profile_of_size(STAGE_LIMIT),
        '{"a": 1e125}',
        '{"n\\u0000": "\\ud83d\\ude00"}',
    ],
)
def test_data_at_the_limits_is_stored(api: Api, user: User, body: str) -> None:
    expected = json.loads(body, parse_float=Decimal)
    assert api.post(user, body).json()["profile_data"] == expected


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/jsonx",
        "json",
        "",
        "*/*",
        "application/*",
        "application/json, text/plain",
        "text/plain, application/json",
        "application/json, application/json",
        "application/json; charset=utf-8, text/plain",
    ],
)
def test_another_content_type_is_a_415(api: Api, user: User, content_type: str) -> None:
    """RFC 9110, section 8.3: Content-Type is one media type, without wildcards."""
    assert_problem(api.post(user, "{}", content_type), 415)


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "identity, gzip", "x-unknown"])
def test_an_encoded_body_is_a_415(api: Api, user: User, method: str, coding: str) -> None:
    """RFC 9110, section 15.5.16, even if the body is plain JSON."""
    answer = api.send(user, method, {"a": 1}, Content_Encoding=coding)
    assert "Content-Encoding" in assert_problem(answer, 415)["detail"]
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["", "identity", " Identity ", "identity, identity"])
def test_a_body_without_a_coding_is_read(api: Api, user: User, coding: str) -> None:
    answer = api.send(user, "PUT", {"a": 1}, Content_Encoding=coding)
    assert answer.json()["profile_data"] == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/json ; a=b",
        'application/json; note="a, b"',
    ],
)
def test_json_is_read_under_each_of_its_names(
    api: Api, user: User, content_type: str | None
) -> None:
    answer = api.post(user, '{"é": "😀"}', content_type)
    assert answer.json()["profile_data"] == {"é": "😀"}


@pytest.mark.usefixtures("unchanged_profile")
def test_the_content_type_of_a_read_does_not_matter(api: Api, user: User) -> None:
    plain_text = [("Content-Type", "text/plain")]
    assert api("GET", token=user.id_token, headers=plain_text).status == 200


@pytest.mark.parametrize("path", ["/", "/nobody", "/user/profile/x", "/user/profiles"])
def test_an_unknown_path_is_a_404(api: Api, ada: User, path: str) -> None:
    assert_problem(api("GET", path, token=ada.id_token), 404)


@pytest.mark.usefixtures("unchanged_profile")
def test_a_trailing_slash_is_ignored_as_in_aws(api: Api, user: User) -> None:
    assert api("GET", "/user/profile/", token=user.id_token).status == 200
