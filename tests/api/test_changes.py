"""PUT, PATCH, DELETE and preconditions over HTTP, and what many clients at once make of one profile."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest

from chalicelib.profile import merge_patch
from local.api import serving
from local.process import free_port
from tests.conftest import Answer, Api, Cloud, User, assert_problem

MERGE = "application/merge-patch+json"


def send(api: Api, user: User, method: str, body: object = None, **headers: str) -> Answer:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if body is not None and "Content_Type" not in headers:
        lines.append(("Content-Type", MERGE if method == "PATCH" else "application/json"))
    return api(
        method, token=user.id_token, body=None if body is None else json.dumps(body), headers=lines
    )


@pytest.fixture
def user(new_user: Callable[[], User]) -> User:
    return new_user()


@pytest.fixture
def etag(api: Api, user: User) -> str:
    """The user has a profile, and this is its ETag."""
    return str(api.post(user, '{"old": true}').headers["ETag"])


def test_put_does_what_post_does(api: Api, user: User) -> None:
    first = send(api, user, "PUT", {"a": 1})
    second = send(api, user, "PUT", {"b": 2})
    assert (first.status, second.json()["profile_data"]) == (200, {"b": 2})
    assert api.get(user).headers["ETag"] == second.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("content_type", [MERGE, "application/json", f"{MERGE}; charset=utf-8"])
def test_patch_merges(api: Api, user: User, etag: str, content_type: str) -> None:
    answer = send(api, user, "PATCH", {"new": {"a": 1, "b": None}}, Content_Type=content_type)
    assert (answer.status, answer.json()["profile_data"]) == (200, {"old": True, "new": {"a": 1}})
    assert answer.headers["ETag"] != etag
    assert send(api, user, "PATCH", {"old": None}).json()["profile_data"] == {"new": {"a": 1}}


def test_patch_creates(api: Api, user: User) -> None:
    assert send(api, user, "PATCH", {"a": None, "b": 1}).json()["profile_data"] == {"b": 1}


def test_a_patch_that_changes_nothing_keeps_the_etag(api: Api, user: User, etag: str) -> None:
    answer = send(api, user, "PATCH", {"old": True, "absent": None})
    assert (answer.status, answer.headers["ETag"]) == (200, etag)
    assert answer.body == api.get(user).body


def test_another_type_of_patch_is_refused_and_the_right_one_told(
    api: Api, user: User, etag: str
) -> None:
    answer = send(api, user, "PATCH", [], Content_Type="application/json-patch+json")
    assert_problem(answer, 415)
    assert answer.headers["Accept-Patch"] == "application/merge-patch+json, application/json"


def test_a_merge_patch_is_no_profile(api: Api, user: User, etag: str) -> None:
    assert_problem(send(api, user, "PUT", {}, Content_Type=MERGE), 415)


def test_delete_is_idempotent(api: Api, user: User, etag: str) -> None:
    for _ in range(2):
        answer = send(api, user, "DELETE")
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert_problem(api.get(user), 404, "profile-not-found")


def test_an_etag_does_not_come_back_with_the_same_data(api: Api, user: User, etag: str) -> None:
    send(api, user, "DELETE")
    assert api.post(user, '{"old": true}').headers["ETag"] != etag


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"other", {}', "*"])
def test_get_answers_304_to_who_has_it_already(api: Api, user: User, etag: str, tag: str) -> None:
    answer = send(api, user, "GET", If_None_Match=tag.format(etag))
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"


def test_get_answers_in_full_to_who_has_another(api: Api, user: User, etag: str) -> None:
    assert send(api, user, "GET", If_None_Match='"other"').json()["profile_data"] == {"old": True}
    assert send(api, user, "GET", If_Match=etag).status == 200


def test_get_under_if_match(api: Api, user: User, etag: str) -> None:
    answer = send(api, user, "GET", If_Match='"other"', If_None_Match=etag)
    assert_problem(answer, 412, "precondition-failed")
    assert answer.headers["ETag"] == etag


def test_get_of_nothing_is_a_404_whatever_the_condition(api: Api, user: User) -> None:
    for headers in ({"If_Match": "*"}, {"If_None_Match": "*"}):
        assert_problem(send(api, user, "GET", **headers), 404, "profile-not-found")


BODIES = {"POST": {"new": True}, "PUT": {"new": True}, "PATCH": {"new": True}, "DELETE": None}


@pytest.mark.parametrize("method", BODIES)
def test_a_change_under_the_right_etag_is_made(
    api: Api, user: User, etag: str, method: str
) -> None:
    answer = send(api, user, method, BODIES[method], If_Match=f'"x", {etag}')
    assert answer.status == (204 if method == "DELETE" else 200)
    assert answer.headers["ETag"] != etag


@pytest.mark.parametrize("method", BODIES)
@pytest.mark.parametrize(
    "condition",
    [
        ("If-Match", '"other"'),
        ("If-Match", "W/{}"),
        ("If-None-Match", "*"),
        ("If-None-Match", "W/{}"),
    ],
)
def test_a_change_under_a_condition_that_does_not_hold_is_refused_with_the_current_etag(
    api: Api, user: User, etag: str, method: str, condition: tuple[str, str]
) -> None:
    name, value = condition
    answer = send(api, user, method, BODIES[method], **{name: value.format(etag)})
    assert_problem(answer, 412, "precondition-failed")
    assert answer.headers["ETag"] == etag
    assert api.get(user).headers["ETag"] == etag


@pytest.mark.parametrize("method", BODIES)
def test_a_refusal_where_nothing_is_stored_has_no_etag(api: Api, user: User, method: str) -> None:
    answer = send(api, user, method, BODIES[method], If_Match="*")
    assert_problem(answer, 412, "precondition-failed")
    assert "ETag" not in answer.headers


def test_a_profile_is_created_once(api: Api, user: User) -> None:
    assert send(api, user, "PUT", {"a": 1}, If_None_Match="*").status == 200
    assert_problem(send(api, user, "PUT", {"a": 2}, If_None_Match="*"), 412, "precondition-failed")


def test_several_lines_of_a_header_are_one_list(api: Api, user: User, etag: str) -> None:
    lines = [("If-Match", '"other"'), ("If-Match", etag), ("If-Match", '"third"')]
    assert api("DELETE", token=user.id_token, headers=lines).status == 204


@pytest.mark.parametrize("method", ["GET", *BODIES])
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["unquoted", '"a" "b"', '*, "a"', ""])
def test_a_malformed_condition_is_a_400(
    api: Api, user: User, etag: str, method: str, header: str, value: str
) -> None:
    assert_problem(
        send(api, user, method, BODIES.get(method), **{header: value}),
        400,
        "malformed-precondition",
    )
    assert api.get(user).headers["ETag"] == etag


def test_a_bad_body_is_told_before_a_condition_that_does_not_hold(
    api: Api, user: User, etag: str
) -> None:
    for method in ("PUT", "PATCH"):
        assert_problem(send(api, user, method, [], If_Match='"other"'), 422, "invalid-profile")


# --- many at once -----------------------------------------------------------------------------------------------------


def persistently(api: Api, user: User, method: str, body: object, **headers: str) -> Answer:
    """As a client does that takes 503 for what it says: try again."""
    while True:
        answer = send(api, user, method, body, **headers)
        if answer.status != 503:
            return answer
        time.sleep(int(answer.headers["Retry-After"]) * random.uniform(0.5, 1.5))


@pytest.fixture
def uncounted(cloud: Cloud) -> Iterator[Api]:
    """An API whose lines are not counted: counting makes it so slow that its clients mostly overtake each other."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        with serving(port):
            yield Api(port)


def test_a_patch_never_loses_a_concurrent_update(uncounted: Api, user: User) -> None:
    api, clients, keys = uncounted, 16, 50

    def client(number: int) -> list[int]:
        patches = ({f"client-{number}": {f"key-{key}": key}} for key in range(keys))
        return [persistently(api, user, "PATCH", patch).status for patch in patches]

    with ThreadPoolExecutor(clients) as pool:
        assert {status for statuses in pool.map(client, range(clients)) for status in statuses} == {
            200
        }
    expected = {
        f"client-{number}": {f"key-{key}": key for key in range(keys)} for number in range(clients)
    }
    assert api.get(user).json()["profile_data"] == expected


def test_one_of_many_who_saw_the_same_state_changes_it(api: Api, user: User, etag: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: send(api, user, "PUT", {"by": n}, If_Match=etag), range(16))
        )
    (winner,) = (answer for answer in answers if answer.status == 200)
    assert [answer.status for answer in answers].count(412) == 15
    assert api.get(user).headers["ETag"] == winner.headers["ETag"]


def test_one_of_many_creates(api: Api, user: User) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: send(api, user, "POST", {"by": n}, If_None_Match="*"), range(16))
        )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 15


Change = tuple[str, Any]


def outcome(data: Any, change: Change) -> Any:
    """What a change makes of profile data; None is no profile."""
    method, body = change
    return None if method == "DELETE" else body if method == "POST" else merge_patch(data, body)


def explained(start: Any, changes: list[Change], answers: list[Any], end: Any) -> bool:
    """Whether the changes, in some order, give just these answers and leave this."""
    for order in permutations(range(len(changes))):
        data = start
        for number in order:
            data = outcome(data, changes[number])
            if data != answers[number]:
                break
        else:
            if data == end:
                return True
    return False


def test_racing_changes_end_in_a_state_that_some_order_explains(api: Api, user: User) -> None:
    for number in range(12):
        start = {"old": number}
        assert send(api, user, "PUT", start).status == 200
        changes: list[Change] = [("POST", {"base": number}), ("DELETE", None)]
        changes += [("PATCH", {f"patch-{patch}": number}) for patch in range(4)]
        with ThreadPoolExecutor(len(changes)) as pool:
            answers = list(pool.map(lambda change: persistently(api, user, *change), changes))
        assert [answer.status for answer in answers] == [200, 204, 200, 200, 200, 200]
        bodies = [
            answer.json()["profile_data"] if answer.status == 200 else None for answer in answers
        ]
        assert explained(start, changes, bodies, api.get(user).json().get("profile_data")), bodies


def test_etags_look_like_nothing_that_could_be_guessed(api: Api, user: User, etag: str) -> None:
    assert re.fullmatch(r'"[\w-]{22}"', etag)
