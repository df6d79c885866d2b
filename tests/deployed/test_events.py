"""The packaged function in AWS's own runtime, invoked with whatever may be: a clear answer or a clear refusal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import User
from tests.deployed.conftest import Account
from tests.support.bad_bodies import BAD_BODIES as BODIES
from tests.support.events import event
from tests.support.lambda_runtime import Runtime


@pytest.fixture(scope="module")
def client_id(account: Account) -> str:
    return account.environment("dev")["USER_POOL_CLIENT_ID"]


@pytest.fixture
def get(ada: User, client_id: str) -> dict[str, Any]:
    """A GET as API Gateway hands it on."""
    return event("GET", ada.sub, client_id)


@pytest.fixture
def put(ada: User, client_id: str) -> dict[str, Any]:
    return event("PUT", ada.sub, client_id, "{}")


def problem_of(answer: dict[str, Any], status: int) -> dict[str, Any]:
    """The problem that the function answered: no failure of the function itself, and no trace."""
    assert answer.get("statusCode") == status, answer
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    assert "Traceback" not in answer["body"]
    problem: dict[str, Any] = json.loads(answer["body"])
    assert problem["status"] == status
    assert problem["request_id"]
    return problem


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_profile_is_refused(
    runtime: Runtime, put: dict[str, Any], name: str
) -> None:
    body, status, problem = BODIES[name]
    encoded = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    assert problem_of(runtime.invoke(put | encoded), status)["type"].endswith(problem)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    assert problem_of(runtime.invoke(put | {"body": text}), status)["type"].endswith(problem)


NO_REQUESTS = {
    "nothing": {},
    "null": None,
    "a number": 5,
    "a string": "ping",
    "a list": [{"httpMethod": "GET"}],
    "the console's example": {"key1": "value1", "key2": "value2", "key3": "value3"},
    "a warmer's ping": {"warmup": True},
    "a schedule's": {
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2015-10-08T16:53:06Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"], "detail": {},
    },
    "an HTTP API's": {
        "version": "2.0", "routeKey": "GET /user/profile", "rawPath": "/user/profile", "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/user/profile"}, "requestId": "r"},
    },
    "a load balancer's": {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/1"}},
        "httpMethod": "GET", "path": "/user/profile", "headers": {}, "body": "", "isBase64Encoded": False,
    },
    "a context that is a list": {"requestContext": [1]},
    "a context that is null": {"requestContext": None},
    "another path": {"requestContext": {"resourcePath": "/user", "httpMethod": "GET"}, "headers": {}},
    "a path that is a list": {"requestContext": {"resourcePath": ["/user/profile"], "httpMethod": "GET"}},
    "a method that is a list": {"requestContext": {"resourcePath": "/user/profile", "httpMethod": ["GET"]}},
}  # fmt: skip


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_what_is_no_request_is_refused(runtime: Runtime, name: str) -> None:
    answer: Any = NO_REQUESTS[name]
    assert "API Gateway" in problem_of(runtime.invoke(answer), 400)["detail"]


def test_a_test_invocation_in_the_console_is_nobodys(runtime: Runtime, get: dict[str, Any]) -> None:
    """API Gateway's own Test button: no authorizer ran, and what was not filled in is null."""
    context = get["requestContext"] | {"stage": "test-invoke-stage", "authorizer": None}
    answer = runtime.invoke(
        get | {"requestContext": context, "headers": None, "multiValueHeaders": None}
    )
    problem_of(answer, 401)


@pytest.mark.parametrize("key", [*event("GET", "", ""), "of its headers"])
@pytest.mark.parametrize("change", ["absent", "null", "a string", "a list", "a number"])
def test_an_event_with_something_amiss_is_answered_or_refused(
    runtime: Runtime, get: dict[str, Any], put: dict[str, Any], key: str, change: str
) -> None:
    wrong: Any = {"null": None, "a string": "x", "a list": ["x"], "a number": 5}.get(change)
    for whole in (get, put):
        broken = {name: value for name, value in whole.items() if change != "absent" or name != key}
        if key == "of its headers":
            broken |= {"headers": {"Content-Type": wrong}, "multiValueHeaders": {"If-Match": wrong}}
        elif change != "absent":
            broken[key] = wrong
        answer = runtime.invoke(broken)
        assert answer.get("statusCode") in (200, 400, 401, 404, 415), answer
        if answer["statusCode"] >= 400:
            problem_of(answer, answer["statusCode"])


NOBODY: list[Any] = [
    None,
    "x",
    [],
    {},
    {"principalId": "me"},
    {"claims": None},
    {"claims": "x"},
    {"claims": []},
]
NOBODY += [{"claims": {"sub": sub}} for sub in (None, 5, "", ["x"])]


@pytest.mark.parametrize("authorizer", NOBODY)
def test_who_has_no_claims_is_not_signed_in(
    runtime: Runtime, get: dict[str, Any], authorizer: Any
) -> None:
    context = get["requestContext"] | {"authorizer": authorizer}
    problem_of(runtime.invoke(get | {"requestContext": context}), 401)


def test_headers_count_wherever_they_stand(
    runtime: Runtime, new_user: Callable[[], User], client_id: str, put: dict[str, Any]
) -> None:
    sub = new_user().sub
    put = event("PUT", sub, client_id, '{"a": 1}')
    etag = runtime.invoke(put)["headers"]["ETag"]
    lines: dict[str, Any] = {
        "content-type": ["application/json"],
        "IF-MATCH": ['"another"', f'"yet", {etag}'],
    }
    absent = {name: value for name, value in put.items() if name != "headers"}
    for headers in (absent, put | {"headers": None}, put | {"headers": {}}):
        answer = runtime.invoke(headers | {"multiValueHeaders": lines})
        assert answer["statusCode"] == 200, answer
        lines["IF-MATCH"][1] = answer["headers"]["ETag"]
    problem_of(
        runtime.invoke(put | {"multiValueHeaders": {"If-Match": ['"another"', '"one"']}}), 412
    )
    problem_of(
        runtime.invoke(
            put | {"multiValueHeaders": {"Content-Type": ["text/plain"]}, "headers": None}
        ),
        415,
    )
    problem_of(
        runtime.invoke(put | {"headers": {"if-match": '"another"'}, "multiValueHeaders": None}), 412
    )


def test_a_header_of_a_megabyte_is_refused(runtime: Runtime, put: dict[str, Any]) -> None:
    huge = '"x", ' * 200_000
    problem_of(runtime.invoke(put | {"multiValueHeaders": {"If-Match": [huge]}}), 400)
    answer = runtime.invoke(
        put | {"headers": {"X-Anything": "x" * 1_000_000}, "multiValueHeaders": None}
    )
    assert answer["statusCode"] == 200


PATHS = [
    "/user/profile/",
    "/user/prof\u00efle\U0001f600",
    "/user/profile\x00",
    "//",
    "",
    "/%2e%2e/",
]


@pytest.mark.parametrize("path", PATHS)
def test_the_path_as_it_was_sent_says_nothing(
    runtime: Runtime, put: dict[str, Any], path: str
) -> None:
    """API Gateway has matched it: what it matched counts."""
    assert runtime.invoke(put | {"path": path})["statusCode"] == 200


@pytest.mark.parametrize("method", ["get", "TRACE", "HEAD", "", "PROFIND", "G\u00cbT"])
def test_another_method_is_a_405(runtime: Runtime, get: dict[str, Any], method: str) -> None:
    answer = runtime.invoke(
        get | {"requestContext": get["requestContext"] | {"httpMethod": method}}
    )
    problem_of(answer, 405)
    assert set(answer["headers"]["Allow"].split(", ")) == {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_users_who_take_turns_in_one_function_get_their_own(
    runtime: Runtime, new_user: Callable[[], User], client_id: str
) -> None:
    users = [new_user() for _ in range(3)]
    for turn in range(5):
        for user in users:
            written = runtime.invoke(
                event("PUT", user.sub, client_id, json.dumps({"of": user.sub, "turn": turn}))
            )
            assert json.loads(written["body"])["sk"] == f"USER#{user.sub}"
        for user in reversed(users):
            read = json.loads(runtime.invoke(event("GET", user.sub, client_id))["body"])
            assert (read["sk"], read["profile_data"]) == (
                f"USER#{user.sub}",
                {"of": user.sub, "turn": turn},
            )
        nobody = event("GET", "", client_id)
        problem_of(runtime.invoke(nobody), 401)
        nobody["requestContext"]["authorizer"] = None
        problem_of(runtime.invoke(nobody), 401)
        broken = event("PATCH", users[0].sub, client_id, "{")
        problem_of(runtime.invoke(broken), 400)
