"""/users over HTTP: every user's profile and metadata, for back ends and operators."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import items
from chalicelib.store import ProfileStore
from deploy.users_api import UsersApi
from tests.support.http_api import Api, assert_problem
from tests.support.operators import assert_operator_problem, operator_of
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="session")
def operator(api: Api) -> UsersApi:
    return operator_of(api)


@pytest.fixture
def sub() -> str:
    """The sub of a user without any data."""
    return str(uuid.uuid4())


@pytest.fixture
def without_metadata(user: User, dynamodb: DynamoDBClient, table: str) -> User:
    """A signed-in user without a profile and without metadata."""
    dynamodb.delete_item(TableName=table, Key=items.metadata_key(user.sub))
    return user


# --- profiles -------------------------------------------------------------------------------------


def test_an_operator_reads_what_the_user_stored_and_the_other_way_round(
    api: Api, operator: UsersApi, user: User
) -> None:
    path = f"/users/{user.sub}/profile"
    stored = api.send(user, "PUT", {"name": "Ada"})
    read = operator.send("GET", path)
    assert read.status_code == 200
    assert read.content == stored.body
    assert read.headers["ETag"] == stored.headers["ETag"]
    patched = operator.send("PATCH", path, body='{"name": "Grace", "n": 1.10}')
    seen = api.get(user)
    assert seen.body == patched.content
    assert seen.headers["ETag"] == patched.headers["ETag"]


METHODS = {
    "GET": None,
    "PUT": "{}",
    "POST": "{}",
    "PATCH": "{}",
    "DELETE": None,
}
HEADERS = [
    {},
    {"If-Match": '"other"'},
    {"If-Match": "*"},
    {"If-None-Match": "*"},
    {"If-Match": "malformed"},
    {"Content-Type": "text/plain"},
    {"Content-Encoding": "gzip"},
]
BODIES = ["{}", "{", "[]", '{"a": {"": 1}}', '{"a": 1e400}']


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("headers", HEADERS, ids=str)
@pytest.mark.parametrize("is_stored", [False, True])
def test_both_routes_answer_exactly_alike(
    api: Api,
    operator: UsersApi,
    user: User,
    method: str,
    headers: dict[str, str],
    is_stored: bool,
) -> None:
    bodies = BODIES if METHODS[method] else [None]
    for body in bodies:
        answers = []
        for send in (_as_user(api, user), _as_operator(operator, user)):
            api.send(user, "DELETE")
            if is_stored:
                api.send(user, "PUT", {"old": True})
            answers.append(send(method, body, headers))
        assert answers[0] == answers[1]


Send = Callable[[str, str | None, dict[str, str]], tuple[Any, ...]]


def _as_user(api: Api, user: User) -> Send:
    def send(method: str, body: str | None, headers: dict[str, str]) -> tuple[Any, ...]:
        lines = {"Content-Type": _type(method), **headers} if body else headers
        answer = api(method, token=user.id_token, body=body, headers=list(lines.items()))
        return _comparable(answer.status, answer.body, dict(answer.headers))

    return send


def _as_operator(operator: UsersApi, user: User) -> Send:
    def send(method: str, body: str | None, headers: dict[str, str]) -> tuple[Any, ...]:
        path = f"/users/{user.sub}/profile"
        response = operator.send(method, path, body=body, headers=headers)
        return _comparable(response.status_code, response.content, dict(response.headers))

    return send


def _type(method: str) -> str:
    return "application/merge-patch+json" if method == "PATCH" else "application/json"


def _comparable(status: int, body: bytes, headers: dict[str, str]) -> tuple[Any, ...]:
    """What two answers have in common, without ids, times, revisions and CORS."""
    content = json.loads(body) if body else None
    if isinstance(content, dict):
        for name in ("request_id", "created_at", "updated_at"):
            content.pop(name, None)
    others = {
        name: value
        for name, value in headers.items()
        if not name.startswith("Access-Control-") and name not in ("ETag", "Content-Length")
    }
    return status, content, others, "ETag" in headers


@pytest.mark.parametrize(
    "path_sub",
    ["bob", "F2547E8F-5572-4260-A831-C9550A1B6001", "f2547e8f55724260a831c9550a1b6001", "bob%20x"],
)
@pytest.mark.parametrize("resource", ["profile", "metadata"])
def test_a_path_without_a_sub_is_a_404(operator: UsersApi, path_sub: str, resource: str) -> None:
    response = operator.send("GET", f"/users/{path_sub}/{resource}")
    assert_operator_problem(response, 404, "user-not-found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("GET", "/users/{sub}/profile"),
        ("PUT", "/users/{sub}/profile"),
        ("POST", "/users/{sub}/profile"),
        ("PATCH", "/users/{sub}/profile"),
        ("DELETE", "/users/{sub}/profile"),
        ("GET", "/users/{sub}/metadata"),
        ("PUT", "/users/{sub}/metadata"),
        ("PATCH", "/users/{sub}/metadata"),
        ("DELETE", "/users/{sub}/metadata"),
    ],
)
def test_an_id_token_gives_no_access_to_any_route_under_users(
    api: Api, user: User, method: str, path: str, unchanged_profile: None
) -> None:
    body = None if method in ("GET", "DELETE") else "{}"
    answer = api(method, path.format(sub=user.sub), token=user.id_token, body=body)
    assert_problem(answer, 403)
    unsigned = api(method, path.format(sub=user.sub), body=body)
    assert_problem(unsigned, 404)


@pytest.mark.parametrize("path", ["/users", "/users/{sub}/profile", "/users/{sub}/metadata"])
def test_no_web_page_is_a_client_of_users(
    api: Api, operator: UsersApi, sub: str, path: str
) -> None:
    assert_problem(api("OPTIONS", path.format(sub=sub)), 404)
    response = operator.send("GET", path.format(sub=sub), headers={"Origin": "https://a.example"})
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    refused = operator.send("POST", "/users", body="{}")
    assert_operator_problem(refused, 405)


def test_a_signature_gives_no_access_to_the_users_own_routes(operator: UsersApi) -> None:
    for path in ("/user/profile", "/user/metadata"):
        assert operator.send("GET", path).status_code == 401


# --- metadata -------------------------------------------------------------------------------------


def test_without_metadata_both_members_are_empty(
    api: Api, operator: UsersApi, without_metadata: User
) -> None:
    user = without_metadata
    response = operator.send("GET", f"/users/{user.sub}/metadata")
    assert response.status_code == 200
    assert response.json() == {"sub": user.sub, "app_metadata": {}, "private_metadata": {}}
    assert "ETag" not in response.headers
    seen = api("GET", "/user/metadata", token=user.id_token)
    assert seen.status == 200
    assert seen.json() == {"app_metadata": {}}


def test_a_user_sees_app_metadata_only(
    api: Api, operator: UsersApi, without_metadata: User
) -> None:
    user = without_metadata
    metadata = {"app_metadata": {"plan": "pro"}, "private_metadata": {"customer": "c-1"}}
    stored = operator.send("PUT", f"/users/{user.sub}/metadata", body=json.dumps(metadata))
    assert stored.status_code == 200
    assert list(stored.json()) == [
        "sub",
        "app_metadata",
        "private_metadata",
        "created_at",
        "updated_at",
    ]
    assert stored.json().items() >= metadata.items()
    seen = api("GET", "/user/metadata", token=user.id_token)
    assert seen.json() == {"app_metadata": {"plan": "pro"}}
    assert b"c-1" not in seen.body
    assert seen.headers["Access-Control-Allow-Origin"] == "*"


def test_the_user_cannot_tell_that_private_metadata_has_changed(
    api: Api, operator: UsersApi, without_metadata: User
) -> None:
    """Not even whether there is any: the answer without an item is the same."""
    user = without_metadata
    path = f"/users/{user.sub}/metadata"

    def seen() -> tuple[int, bytes, dict[str, str]]:
        answer = api("GET", "/user/metadata", token=user.id_token)
        return answer.status, answer.body, dict(answer.headers)

    nothing = seen()
    operator.send("PUT", path, body='{"private_metadata": {"banned": true}}')
    assert seen() == nothing
    operator.send("PATCH", path, body='{"private_metadata": {"note": "x"}}')
    assert seen() == nothing
    operator.send("PATCH", path, body='{"app_metadata": {"plan": "pro"}}')
    with_plan = seen()
    assert with_plan != nothing
    operator.send("PATCH", path, body='{"private_metadata": {"note": "y"}}')
    assert seen() == with_plan
    operator.send("DELETE", path)
    assert seen() == nothing


@pytest.mark.parametrize("is_stored", [False, True])
def test_app_metadata_has_preconditions_of_its_own(
    api: Api, operator: UsersApi, without_metadata: User, is_stored: bool
) -> None:
    user = without_metadata
    if is_stored:
        body = '{"app_metadata": {"plan": "pro"}}'
        operator.send("PUT", f"/users/{user.sub}/metadata", body=body)

    def read(*headers: tuple[str, str]) -> Any:
        return api("GET", "/user/metadata", token=user.id_token, headers=headers)

    etag = read().headers["ETag"]
    unchanged = read(("If-None-Match", etag))
    assert unchanged.status == 304
    assert unchanged.body == b""
    assert read(("If-Match", etag)).status == 200
    assert read(("If-Match", "*")).status == 200
    assert_problem_with_etag(read(("If-Match", '"other"')), etag)


def assert_problem_with_etag(answer: Any, etag: str) -> None:
    assert_problem(answer, 412, "precondition-failed")
    assert answer.headers["ETag"] == etag


def test_metadata_has_its_own_revision(operator: UsersApi, api: Api, user: User) -> None:
    """A back end's write never makes a user's If-Match fail, and the other way round."""
    profile_etag = api.send(user, "PUT", {"a": 1}).headers["ETag"]
    path = f"/users/{user.sub}/metadata"
    metadata_etag = operator.send("PUT", path, body="{}").headers["ETag"]
    assert api.send(user, "PUT", {"a": 2}, If_Match=profile_etag).status == 200
    patched = operator.send(
        "PATCH", path, body='{"app_metadata": {"n": 1}}', headers={"If-Match": metadata_etag}
    )
    assert patched.status_code == 200
    stale = operator.send("PUT", path, body="{}", headers={"If-Match": metadata_etag})
    assert_operator_problem(stale, 412, "precondition-failed")
    assert stale.headers["ETag"] == patched.headers["ETag"]


def test_metadata_is_patched_like_a_profile(operator: UsersApi, sub: str) -> None:
    path = f"/users/{sub}/metadata"
    created = operator.send("PATCH", path, body='{"app_metadata": {"n": 1.10, "x": 1}}')
    assert created.json()["private_metadata"] == {}
    assert '"n":1.1,' in created.text
    changed = operator.send("PATCH", path, body='{"app_metadata": {"x": null}}')
    assert changed.json()["app_metadata"] == {"n": 1.1}
    same = operator.send("PATCH", path, body='{"app_metadata": {"n": 1.1}}')
    assert same.headers["ETag"] == changed.headers["ETag"]
    emptied = operator.send("PATCH", path, body='{"app_metadata": null}')
    assert emptied.json()["app_metadata"] == {}
    again = operator.send("PATCH", path, body='{"app_metadata": null, "private_metadata": {}}')
    assert again.headers["ETag"] == emptied.headers["ETag"]
    assert operator.send("DELETE", path).status_code == 204
    assert operator.send("DELETE", path).status_code == 204


@pytest.mark.parametrize(
    ("method", "body", "pointer"),
    [
        ("PUT", '{"plan": "pro"}', "/plan"),
        ("PUT", '{"app_metadata": null}', "/app_metadata"),
        ("PUT", "[]", ""),
        ("PATCH", '{"plan": "pro"}', "/plan"),
        ("PATCH", '{"app_metadata": 1}', "/app_metadata"),
        ("PATCH", "1", ""),
        ("PUT", '{"app_metadata": {"a": {"": 1}}}', "/app_metadata/a/"),
    ],
)
def test_other_metadata_is_refused(
    operator: UsersApi, sub: str, method: str, body: str, pointer: str
) -> None:
    response = operator.send(method, f"/users/{sub}/metadata", body=body)
    problem = assert_operator_problem(response, 422, "invalid-profile")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    stale = {"If-Match": '"other"'}
    response = operator.send(method, f"/users/{sub}/metadata", body=body, headers=stale)
    assert_operator_problem(response, 422, "invalid-profile")


def test_the_users_writes_never_touch_metadata(
    api: Api, operator: UsersApi, user: User, dynamodb: DynamoDBClient, table: str
) -> None:
    path = f"/users/{user.sub}/metadata"
    before = operator.send("PUT", path, body='{"private_metadata": {"banned": true}}')
    for method in ("PUT", "PATCH", "POST"):
        body = {"app_metadata": {"plan": "free"}, "private_metadata": None, "pk": "x", "sk": "y"}
        api.send(user, method, body)
        for target in ("/user/metadata", path):
            answer = api(method, target, token=user.id_token, body="{}")
            assert answer.status in (403, 405)
    api.send(user, "DELETE")
    after = operator.send("GET", path)
    assert after.content == before.content
    assert after.headers["ETag"] == before.headers["ETag"]


# --- the list -------------------------------------------------------------------------------------


def listed(operator: UsersApi, limit: int = 100) -> list[dict[str, Any]]:
    """All users, read page by page."""
    users: list[dict[str, Any]] = []
    query = {"limit": str(limit)}
    while True:
        response = operator.send("GET", "/users", query=query)
        assert response.status_code == 200, response.text
        page = response.json()
        assert len(page["users"]) <= limit
        users += page["users"]
        if "next" not in page:
            return users
        query = {"cursor": page["next"], "limit": str(limit)}


def test_the_list_has_every_profile_once_and_in_order(
    operator: UsersApi, store: ProfileStore
) -> None:
    subs = sorted(str(uuid.uuid4()) for _ in range(7))
    for sub in subs:
        store.replace(sub, {"n": 1})
    for limit in (1, 2, 100):
        users = listed(operator, limit)
        found = [user["sub"] for user in users]
        assert found == sorted(set(found))
        assert set(subs) <= set(found)
    one = next(user for user in users if user["sub"] == subs[0])
    profile = operator.send("GET", f"/users/{subs[0]}/profile")
    assert one == {"sub": subs[0], **profile.json(), "etag": profile.headers["ETag"]}


def test_nobody_is_missed_or_repeated_while_others_write(
    operator: UsersApi, store: ProfileStore
) -> None:
    there_throughout = {str(uuid.uuid4()) for _ in range(12)}
    for sub in there_throughout:
        store.replace(sub, {})
    coming_and_going = [str(uuid.uuid4()) for _ in range(12)]
    found: list[str] = []
    query = {"limit": "2"}
    while True:
        page = operator.send("GET", "/users", query=query).json()
        found += [user["sub"] for user in page["users"]]
        for sub in coming_and_going[::2]:
            store.replace(sub, {})
        for sub in coming_and_going[1::2]:
            store.delete(sub)
        coming_and_going.reverse()
        if "next" not in page:
            break
        query = {"cursor": page["next"], "limit": "2"}
    assert len(found) == len(set(found))
    assert there_throughout <= set(found)


def test_profiles_at_the_answers_limit_do_not_stop_the_list(
    operator: UsersApi, store: ProfileStore
) -> None:
    """Each of them fills a response: 38 digits take 21 bytes in the database, and 127 in JSON."""
    large = {"n": [10**125] * 39_000}
    subs = {str(uuid.uuid4()) for _ in range(2)}
    for sub in subs:
        store.replace(sub, large)  # type: ignore[arg-type]
    try:
        assert subs <= {user["sub"] for user in listed(operator)}
    finally:
        for sub in subs:
            store.delete(sub)


def test_items_of_other_programs_do_not_stop_the_list(
    operator: UsersApi, store: ProfileStore, dynamodb: DynamoDBClient, table: str
) -> None:
    """A key without a sub is skipped. A profile that no response can hold has no data."""
    too_large = str(uuid.uuid4())
    numbers = [{"N": "1E125"}] * 100_000
    foreign = [items.profile_key(name) for name in ("!", "a", "f", "zoe", "zzz")]
    try:
        for key in foreign:
            dynamodb.put_item(TableName=table, Item=key)
        item = items.profile_key(too_large) | {"profile_data": {"M": {"n": {"L": numbers}}}}
        dynamodb.put_item(TableName=table, Item=item)
        for limit in (1, 100):
            users = {user["sub"]: user for user in listed(operator, limit)}
            assert users[too_large]["too_large"] is True
            assert "profile_data" not in users[too_large]
            assert not {"!", "a", "f", "zoe", "zzz"} & set(users)
    finally:
        for key in [*foreign, items.profile_key(too_large)]:
            dynamodb.delete_item(TableName=table, Key=key)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=", "limit=1&limit=2", "cursor=x", "after=1", "Limit=5"]
)
def test_a_malformed_query_is_a_400(operator: UsersApi, query: str) -> None:
    response = operator.send("GET", f"/users?{query}")
    assert_operator_problem(response, 400, "malformed-query")
