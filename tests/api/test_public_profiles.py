"""/profiles over HTTP: the public fields of others' profiles, for every signed-in user.

The public fields are those of tests/support/cloud.py.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from chalicelib import items
from tests.support.cloud import PUBLIC_FIELDS
from tests.support.http_api import Answer, Api, assert_problem
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECRET = "of the owner only"
PRIVATE = {
    "email": SECRET,
    "dotted": {"name": SECRET},
    "bracket": [SECRET],
    "Name": SECRET,
}


@pytest.fixture
def author(api: Api, other_user: User) -> User:
    """A user whose profile has public and private fields."""
    public = {name: f"public {name}" for name in PUBLIC_FIELDS}
    assert api.send(other_user, "PUT", {**PRIVATE, **public}).status == 200
    return other_user


@pytest.fixture
def erased_sub(dynamodb: DynamoDBClient, table: str) -> str:
    """The sub of an erased account, whose marker has been filled by another program."""
    sub = str(uuid.uuid4())
    left_over = {"profile_data": {"M": {"name": {"S": SECRET}}}}
    marker = items.profile_key(sub) | {items.ERASED_AT: {"S": "now"}} | left_over
    dynamodb.put_item(TableName=table, Item=marker)
    return sub


def read(api: Api, user: User, sub: str, **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return api("GET", f"/profiles/{sub}", token=user.id_token, headers=lines)


def read_all(api: Api, user: User, subs: Sequence[str], **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    query = "&".join(f"sub={sub}" for sub in subs)
    return api("GET", f"/profiles?{query}", token=user.id_token, headers=lines)


def test_a_user_reads_the_public_fields_of_another(api: Api, user: User, author: User) -> None:
    answer = read(api, user, author.sub)
    assert answer.status == 200
    assert answer.json() == {
        "sub": author.sub,
        "profile_data": {name: f"public {name}" for name in PUBLIC_FIELDS},
    }
    several = read_all(api, user, [user.sub, author.sub])
    assert several.json() == {"profiles": [answer.json()], "unread": []}


def test_private_fields_are_in_no_answer(
    api: Api, user: User, author: User, erased_sub: str
) -> None:
    etag = read(api, user, author.sub).headers["ETag"]
    headers = [{}, {"If_None_Match": etag}, {"If_Match": '"other"'}, {"If_Match": "malformed"}]
    statuses = [200, 304, 412, 400]
    for lines, status in zip(headers, statuses, strict=True):
        answer = read(api, user, author.sub, **lines)
        assert answer.status == status
        assert SECRET not in answer.body.decode() + str(answer.headers)
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        answer = api(method, f"/profiles/{author.sub}", token=user.id_token, body="{}")
        assert_problem(answer, 405)
        assert SECRET not in answer.body.decode()
    both = read_all(api, user, [erased_sub, author.sub])
    assert [profile["sub"] for profile in both.json()["profiles"]] == [author.sub]
    assert SECRET not in both.body.decode()


def test_absent_erased_and_malformed_subs_look_the_same(
    api: Api, user: User, erased_sub: str
) -> None:
    paths = [
        str(uuid.uuid4()),
        erased_sub,
        "ada",
        erased_sub.upper(),
        f"{erased_sub}%20",
        f"{erased_sub}%252e",
        "%F0%9F%98%80",
    ]
    seen = {without_ids(read(api, user, path)) for path in paths}
    assert len(seen) == 1, seen


def without_ids(answer: Answer) -> str:
    """A 404, without what differs in every response."""
    problem = assert_problem(answer, 404, "profile-not-found")
    del problem["request_id"]
    headers = dict(answer.headers)
    for name in ("Content-Length", "Date"):
        headers.pop(name, None)
    return json.dumps([problem, headers])


def test_absent_and_erased_users_are_left_out(
    api: Api, user: User, author: User, erased_sub: str
) -> None:
    absent = str(uuid.uuid4())
    answer = read_all(api, user, [absent, erased_sub, user.sub])
    assert answer.status == 200
    assert answer.json() == {"profiles": [], "unread": []}


def test_profiles_have_the_order_asked(api: Api, user: User, author: User) -> None:
    api.send(user, "PUT", {"name": "Ada", "email": SECRET})
    subs = sorted([user.sub, author.sub])
    for order in (subs, subs[::-1]):
        answer = read_all(api, user, order)
        assert [profile["sub"] for profile in answer.json()["profiles"]] == order


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sub=",
        "?sub=ada",
        "?sub={sub}&sub={sub}",
        "?sub={sub}&sub=ada",
        "?sub={sub}&limit=1",
        "?sub={sub},{other}",
        "?sub={sub}%0A",
        "?Sub={sub}",
        "?sub[]={sub}",
    ],
)
def test_a_malformed_query_is_a_400(api: Api, user: User, author: User, query: str) -> None:
    """Whatever is stored: the answer is the same for users with and without a profile."""
    details = set()
    for sub in (author.sub, str(uuid.uuid4())):
        path = f"/profiles{query.format(sub=sub, other=user.sub)}"
        answer = api("GET", path, token=user.id_token)
        details.add(assert_problem(answer, 400, "malformed-query")["detail"])
    assert len(details) == 1


def test_at_most_25_users_are_read_at_once(api: Api, user: User) -> None:
    subs = [str(uuid.uuid4()) for _ in range(26)]
    assert read_all(api, user, subs[:25]).json() == {"profiles": [], "unread": []}
    assert_problem(read_all(api, user, subs), 400, "malformed-query")


def test_a_wrong_token_is_a_401_whatever_is_asked(api: Api, user: User, author: User) -> None:
    for path in (f"/profiles/{author.sub}", "/profiles/ada", "/profiles?sub=ada", "/profiles"):
        for token in (None, "x", user.access_token):
            assert_problem(api("GET", path, token=token), 401, "not-signed-in")


@pytest.mark.parametrize("one", [True, False])
def test_a_copy_is_current_until_a_public_field_changes(
    api: Api, user: User, author: User, *, one: bool
) -> None:
    def seen(**headers: str) -> Answer:
        if one:
            return read(api, user, author.sub, **headers)
        return read_all(api, user, [author.sub], **headers)

    first = seen()
    etag = first.headers["ETag"]
    api.send(author, "PATCH", {"email": "changed", "n": 1})
    current = seen(If_None_Match=f"W/{etag}")
    assert (current.status, current.body) == (304, b"")
    for answer in (first, current):
        assert answer.headers["ETag"] == etag
        assert answer.headers["Cache-Control"] == "private, max-age=60"
        assert answer.headers["Vary"] == "Authorization"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"
    assert seen(If_Match=etag).status == 200
    api.send(author, "PATCH", {"name": "changed"})
    changed = seen(If_None_Match=etag)
    assert changed.status == 200
    assert changed.headers["ETag"] != etag
    refused = seen(If_Match=etag)
    assert_problem(refused, 412, "precondition-failed")
    assert refused.headers["ETag"] == changed.headers["ETag"]


def test_a_web_page_may_ask(api: Api, user: User) -> None:
    for path in (f"/profiles/{user.sub}", f"/profiles?sub={user.sub}"):
        preflight = api("OPTIONS", path)
        assert preflight.status == 200
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"


def test_who_reads_is_never_taken_from_the_path(api: Api, user: User, author: User) -> None:
    """Neither route of the caller's own data takes a sub, and reading others changes nothing."""
    own = api.send(user, "PUT", {"name": "Ada"})
    read(api, user, author.sub)
    read_all(api, user, [author.sub])
    assert api("GET", f"/user/profile?sub={author.sub}", token=user.id_token).body == own.body
