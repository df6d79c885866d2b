"""PUT, PATCH and DELETE over HTTP."""

from __future__ import annotations

import pytest

from tests.support.http_api import MERGE_PATCH, Api, assert_problem
from tests.support.users import User


def test_put_replaces_the_profile(api: Api, user: User) -> None:
    first = api.send(user, "PUT", {"a": 1})
    second = api.send(user, "PUT", {"b": 2})
    assert first.status == second.status == 200
    assert second.json()["profile_data"] == {"b": 2}
    assert second.headers["ETag"] != first.headers["ETag"]
    assert api.get(user).headers["ETag"] == second.headers["ETag"]


@pytest.mark.parametrize(
    "content_type", [MERGE_PATCH, "application/json", f"{MERGE_PATCH}; charset=utf-8"]
)
def test_patch_merges(api: Api, user: User, etag: str, content_type: str) -> None:
    patch = {"new": {"a": 1, "b": None}}
    answer = api.send(user, "PATCH", patch, Content_Type=content_type)
    assert answer.status == 200
    assert answer.json()["profile_data"] == {"old": True, "new": {"a": 1}}
    assert answer.headers["ETag"] != etag


def test_a_null_in_a_patch_removes_a_member(api: Api, user: User, etag: str) -> None:
    patched = api.send(user, "PATCH", {"old": None, "new": 1})
    assert patched.json()["profile_data"] == {"new": 1}


def test_patch_creates_a_profile(api: Api, user: User) -> None:
    patched = api.send(user, "PATCH", {"a": None, "b": 1})
    assert patched.json()["profile_data"] == {"b": 1}


def test_a_patch_that_changes_nothing_keeps_the_etag(api: Api, user: User, etag: str) -> None:
    answer = api.send(user, "PATCH", {"old": True, "absent": None})
    assert answer.status == 200
    assert answer.headers["ETag"] == etag
    assert answer.body == api.get(user).body


@pytest.mark.usefixtures("unchanged_profile")
def test_another_kind_of_patch_is_a_415_with_accept_patch(api: Api, user: User) -> None:
    answer = api.send(user, "PATCH", [], Content_Type="application/json-patch+json")
    assert_problem(answer, 415)
    assert answer.headers["Accept-Patch"] == "application/merge-patch+json, application/json"


@pytest.mark.usefixtures("unchanged_profile")
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_merge_patch_does_not_replace_a_profile(api: Api, user: User, method: str) -> None:
    answer = api.send(user, method, {}, Content_Type=MERGE_PATCH)
    assert_problem(answer, 415)
    assert "Accept-Patch" not in answer.headers


def test_delete_is_idempotent(api: Api, user: User, etag: str) -> None:
    for _ in range(2):
        answer = api.send(user, "DELETE")
        assert answer.status == 204
        assert answer.body == b""
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "no-store"
    assert_problem(api.get(user), 404, "profile-not-found")


def test_a_recreated_profile_has_a_new_etag(api: Api, user: User, etag: str) -> None:
    api.send(user, "DELETE")
    assert api.send(user, "PUT", {"old": True}).headers["ETag"] != etag
