"""The packaged function in AWS's own runtime, invoked with all kinds of events.

API Gateway's events come first, then others. Each gets a response, and none causes a crash.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.deployed.conftest import Account
from tests.support.bad_bodies import BAD_BODIES, NOT_UTF_8
from tests.support.cloud import Cloud
from tests.support.events import user_event
from tests.support.lambda_runtime import Runtime
from tests.support.users import User

Event: TypeAlias = dict[str, Any]
BODIES = BAD_BODIES | {"not UTF-8": NOT_UTF_8}


def is_text(body: bytes) -> bool:
    """Return whether API Gateway could send the body as text, instead of in base64."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


TEXT_BODIES = [name for name, (body, _, _) in BODIES.items() if is_text(body)]


@pytest.fixture(scope="module")
def client_id(account: Account, dev_backend: Cloud) -> str:
    return account.environment("dev")["USER_POOL_CLIENT_ID"]


@pytest.fixture
def get(ada: User, client_id: str) -> Event:
    """A GET, as API Gateway sends it to the function."""
    return user_event("GET", ada.sub, client_id)


@pytest.fixture
def put(ada: User, client_id: str) -> Event:
    """A PUT of {}, as API Gateway sends it to the function."""
    return user_event("PUT", ada.sub, client_id, "{}")


def assert_problem_event(answer: dict[str, Any], status: int) -> dict[str, Any]:
    """Check that the function responded with a problem and did not fail; return the problem."""
    assert answer.get("statusCode") == status, answer
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    assert "Traceback" not in answer["body"]
    problem: dict[str, Any] = json.loads(answer["body"])
    assert problem["status"] == status
    assert problem["request_id"]
    return problem


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_a_body_in_base64_that_is_no_profile_is_refused(
    runtime: Runtime, put: Event, name: str
) -> None:
    body, status, problem = BODIES[name]
    answer = runtime.invoke(
        {**put, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    )
    assert assert_problem_event(answer, status)["type"].endswith(problem)


@pytest.mark.parametrize("name", TEXT_BODIES)
def test_a_body_that_is_no_profile_is_refused(runtime: Runtime, put: Event, name: str) -> None:
    body, status, problem = BODIES[name]
    answer = runtime.invoke({**put, "body": body.decode()})
    assert assert_problem_event(answer, status)["type"].endswith(problem)


# --- other events ---------------------------------------------------------------------------------

NO_REQUESTS: dict[str, Any] = {
    "nothing": {},
    "null": None,
    "a number": 5,
    "a string": "ping",
    "a list": [{"httpMethod": "GET"}],
    "the console's example": {"key1": "value1", "key2": "value2", "key3": "value3"},
    "a warmer's ping": {"warmup": True},
    "a schedule's": {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2015-10-08T16:53:06Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"],
        "detail": {},
    },
    "an HTTP API's": {
        "version": "2.0",
        "routeKey": "GET /user/profile",
        "rawPath": "/user/profile",
        "headers": {},
        "requestContext": {
            "http": {"method": "GET", "path": "/user/profile"},
            "requestId": "r",
        },
    },
    "a load balancer's": {
        "requestContext": {
            "elb": {
                "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/1",
            },
        },
        "httpMethod": "GET",
        "path": "/user/profile",
        "headers": {},
        "body": "",
        "isBase64Encoded": False,
    },
    "a context that is a list": {"requestContext": [1]},
    "a context that is null": {"requestContext": None},
    "another path": {
        "requestContext": {"resourcePath": "/user/nobody", "httpMethod": "GET"},
        "headers": {},
    },
    "a path that is a list": {
        "requestContext": {"resourcePath": ["/user/profile"], "httpMethod": "GET"},
    },
    "a method that is a list": {
        "requestContext": {"resourcePath": "/user/profile", "httpMethod": ["GET"]},
    },
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_an_event_that_is_no_request_is_refused(runtime: Runtime, name: str) -> None:
    problem = assert_problem_event(runtime.invoke(NO_REQUESTS[name]), 400)
    assert "API Gateway" in problem["detail"]


# --- events with a part that is wrong -------------------------------------------------------------

WRONG_VALUES: dict[str, Any] = {"null": None, "a string": "x", "a list": ["x"], "a number": 5}
MEMBERS = [*user_event("GET", "", "")]


@pytest.mark.parametrize("value", WRONG_VALUES)
@pytest.mark.parametrize("member", MEMBERS)
def test_a_wrong_member_of_an_event_causes_no_failure(
    runtime: Runtime, get: Event, put: Event, member: str, value: str
) -> None:
    for whole in (get, put):
        assert_answered(runtime.invoke({**whole, member: WRONG_VALUES[value]}))


@pytest.mark.parametrize("member", MEMBERS)
def test_a_missing_member_of_an_event_causes_no_failure(
    runtime: Runtime, get: Event, put: Event, member: str
) -> None:
    for whole in (get, put):
        answer = runtime.invoke({name: part for name, part in whole.items() if name != member})
        assert_answered(answer)


@pytest.mark.parametrize("value", WRONG_VALUES)
def test_a_wrong_header_value_causes_no_failure(
    runtime: Runtime, get: Event, put: Event, value: str
) -> None:
    wrong = WRONG_VALUES[value]
    headers = {"headers": {"Content-Type": wrong}, "multiValueHeaders": {"If-Match": wrong}}
    for whole in (get, put):
        assert_answered(runtime.invoke({**whole, **headers}))


def assert_answered(answer: dict[str, Any]) -> None:
    assert answer.get("statusCode") in (200, 400, 401, 404, 415), answer
    if answer["statusCode"] >= 400:
        assert_problem_event(answer, answer["statusCode"])


# --- callers --------------------------------------------------------------------------------------


def test_the_consoles_test_button_is_not_signed_in(runtime: Runtime, get: Event) -> None:
    """API Gateway runs no authorizer for it, and fields that were left empty are null."""
    context = {**get["requestContext"], "stage": "test-invoke-stage", "authorizer": None}
    empty = {"headers": None, "multiValueHeaders": None}
    assert_problem_event(runtime.invoke({**get, "requestContext": context, **empty}), 401)


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        "x",
        [],
        {},
        {"principalId": "me"},
        {"claims": None},
        {"claims": "x"},
        {"claims": []},
        {"claims": {"sub": None}},
        {"claims": {"sub": 5}},
        {"claims": {"sub": ""}},
        {"claims": {"sub": ["x"]}},
    ],
)
def test_a_caller_without_claims_is_not_signed_in(
    runtime: Runtime, get: Event, authorizer: Any
) -> None:
    context = {**get["requestContext"], "authorizer": authorizer}
    assert_problem_event(runtime.invoke({**get, "requestContext": context}), 401)


def test_users_who_take_turns_get_their_own_profile(
    runtime: Runtime, new_user: Callable[[], User], client_id: str
) -> None:
    subs = [new_user().sub for _ in range(3)]
    nobody = user_event("GET", "", client_id)
    no_authorizer = user_event("GET", "", client_id)
    no_authorizer["requestContext"]["authorizer"] = None
    for turn in range(5):
        for sub in subs:
            data = json.dumps({"of": sub, "turn": turn})
            written = runtime.invoke(user_event("PUT", sub, client_id, data))
            assert json.loads(written["body"])["sk"] == f"USER#{sub}"
        for sub in reversed(subs):
            profile = json.loads(runtime.invoke(user_event("GET", sub, client_id))["body"])
            assert profile["sk"] == f"USER#{sub}"
            assert profile["profile_data"] == {"of": sub, "turn": turn}
        assert_problem_event(runtime.invoke(nobody), 401)
        assert_problem_event(runtime.invoke(no_authorizer), 401)
        assert_problem_event(runtime.invoke(user_event("PATCH", subs[0], client_id, "{")), 400)


# --- headers, paths and methods -------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"headers": None}, {"headers": {}}])
def test_headers_may_be_in_multi_value_headers_only(
    runtime: Runtime, put: Event, headers: Event
) -> None:
    etag = runtime.invoke(put)["headers"]["ETag"]
    lines = {"content-type": ["application/json"], "IF-MATCH": ['"another"', f'"yet", {etag}']}
    request = {name: part for name, part in put.items() if name != "headers"}
    answer = runtime.invoke({**request, **headers, "multiValueHeaders": lines})
    assert answer["statusCode"] == 200, answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"multiValueHeaders": {"If-Match": ['"another"', '"one"']}}, 412),
        ({"multiValueHeaders": {"Content-Type": ["text/plain"]}, "headers": None}, 415),
        ({"headers": {"if-match": '"another"'}, "multiValueHeaders": None}, 412),
        ({"multiValueHeaders": {"If-Match": ['"x", ' * 200_000]}}, 400),
    ],
    ids=["two lines", "multi-value only", "single only", "a megabyte"],
)
def test_headers_that_refuse_a_change_do_so_wherever_they_are(
    runtime: Runtime, put: Event, headers: Event, status: int
) -> None:
    assert_problem_event(runtime.invoke({**put, **headers}), status)


def test_an_unknown_header_of_a_megabyte_is_ignored(runtime: Runtime, put: Event) -> None:
    huge = {"headers": {"X-Anything": "x" * 1_000_000}, "multiValueHeaders": None}
    assert runtime.invoke({**put, **huge})["statusCode"] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/user/profile/",
        "/user/prof\u00efle\U0001f600",
        "/user/profile\x00",
        "//",
        "",
        "/%2e%2e/",
    ],
)
def test_the_route_counts_and_not_the_path(runtime: Runtime, put: Event, path: str) -> None:
    """API Gateway has already matched the path with a route."""
    assert runtime.invoke({**put, "path": path})["statusCode"] == 200


@pytest.mark.parametrize("method", ["get", "TRACE", "HEAD", "", "PROFIND", "G\u00cbT"])
def test_another_method_is_a_405(runtime: Runtime, get: Event, method: str) -> None:
    context = {**get["requestContext"], "httpMethod": method}
    answer = runtime.invoke({**get, "requestContext": context})
    assert_problem_event(answer, 405)
    allowed = set(answer["headers"]["Allow"].split(", "))
    assert allowed == {"GET", "POST", "PUT", "PATCH", "DELETE"}
