"""The HTTP layer: events, responses to a view's exceptions, and the log."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import chalice
import pytest
from chalice.app import CORSConfig, Request, Response

from chalicelib import errors, http
from chalicelib.http import ProfileApp
from chalicelib.preconditions import Precondition, Wildcard
from tests.support.events import api_gateway_event

ORIGIN = "https://app.example.com"


def request_event(method: str = "GET", **members: Any) -> dict[str, Any]:
    """An event for the route /thing, with some members replaced."""
    return api_gateway_event(method, "/thing", headers={}) | members


def smallest_event() -> dict[str, Any]:
    """Only the members that identify the route."""
    return {"requestContext": request_event()["requestContext"]}


def request_with(**members: Any) -> Request:
    return Request(request_event("PUT", **members))


@pytest.fixture
def view() -> Callable[[], Any]:
    """The view of the route /thing. Tests override it by parametrization."""
    return dict


database_calls: ContextVar[int] = ContextVar("database_calls", default=0)


@pytest.fixture
def app(view: Callable[[], Any]) -> ProfileApp:
    cors = CORSConfig(allow_origin=ORIGIN)
    app = ProfileApp("test-http", cors, database_calls, ("*",), configure_logs=False)
    app.log.setLevel(logging.INFO)

    @app.route("/thing", methods=["GET", "PATCH"], content_types=["application/json"], cors=cors)
    def thing() -> Any:
        return view()

    return app


def problem(response: dict[str, Any], status: int) -> dict[str, Any]:
    """The problem in a response. It is complete, and readable by scripts in a browser."""
    document: dict[str, Any] = json.loads(response["body"])
    assert response["statusCode"] == document["status"] == status
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert response["headers"]["Cache-Control"] == "no-store"
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGIN
    return document


# --- Several origins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has_cors", "own_headers", "vary", "allowed"),
    [
        (True, {}, "Origin", ORIGIN),
        (True, {"Vary": "Authorization"}, "Authorization, Origin", ORIGIN),
        (False, {}, None, None),
        (False, {"Vary": "Authorization"}, "Authorization", None),
    ],
)
def test_only_responses_with_cors_vary_with_the_origin(
    has_cors: bool, own_headers: dict[str, str], vary: str | None, allowed: str | None
) -> None:
    cors = CORSConfig(allow_origin="*")
    origins = (ORIGIN, "https://other.example")
    app = ProfileApp("test-http", cors, database_calls, origins, configure_logs=False)

    @app.route("/thing", methods=["GET"], cors=cors if has_cors else None)
    def thing() -> Response:
        return Response({}, dict(own_headers))

    event = request_event("GET", multiValueHeaders={"Origin": [ORIGIN]})
    headers = app(event, None)["headers"]
    assert headers.get("Vary") == vary
    assert headers.get("Access-Control-Allow-Origin") == allowed


# --- Events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        None,
        5,
        "ping",
        [],
        {},
        {"requestContext": None},
        {"requestContext": [1]},
        {"requestContext": {"resourcePath": "/thing"}},
        {"requestContext": {"resourcePath": "/elsewhere", "httpMethod": "GET"}},
        {"requestContext": {"resourcePath": ["/thing"], "httpMethod": "GET"}},
        {"requestContext": {"resourcePath": "/thing", "httpMethod": ["GET"]}},
        request_event(body=5),
        request_event(body={}),
    ],
)
def test_an_event_that_is_no_request_is_refused(app: ProfileApp, event: Any) -> None:
    document = problem(app(event, None), 400)
    assert "API Gateway" in document["detail"]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"headers": None, "multiValueHeaders": None},
        {"headers": "x", "multiValueHeaders": ["x"]},
        {"headers": {"content-type": None, "x": 5}},
        {"multiValueHeaders": {"x": None, "y": [], "z": "text", "content-type": [None]}},
        {"headers": None, "multiValueHeaders": {"content-type": {"0": "text/plain"}}},
        {"body": b"{}"},
        {"body": ""},
    ],
)
def test_a_request_may_lack_what_api_gateway_can_leave_out(
    app: ProfileApp, members: dict[str, Any]
) -> None:
    assert app(smallest_event() | members, None)["statusCode"] == 200


def test_the_last_of_several_header_lines_counts(app: ProfileApp) -> None:
    lines = {"content-type": ["application/json", "text/plain"]}
    problem(app(request_event(headers=None, multiValueHeaders=lines), None), 415)


# --- Errors ---------------------------------------------------------------------------------------


def raising(error: Exception) -> Callable[[], None]:
    def view() -> None:
        raise error

    return view


@pytest.mark.parametrize("view", [raising(errors.ProfileNotFound("Nothing here."))])
def test_a_view_may_raise_a_profile_error(app: ProfileApp) -> None:
    document = problem(app(request_event(), None), 404)
    assert document["type"] == "urn:problem-type:user-profile:profile-not-found"
    assert document["detail"] == "Nothing here."
    assert document["request_id"] == "request-1"


@pytest.mark.parametrize("view", [raising(chalice.ConflictError("Not now."))])
def test_a_view_may_raise_chalices_own_errors(
    app: ProfileApp, caplog: pytest.LogCaptureFixture
) -> None:
    document = problem(app(request_event(), None), 409)
    assert line_logged(caplog).__dict__["error"] == "ConflictError"
    assert document["type"] == "about:blank"
    assert document["detail"] == "Not now."


@pytest.mark.parametrize("view", [lambda: Response({"mine": True}, {}, 418)])
def test_a_view_may_answer_an_error_itself(app: ProfileApp) -> None:
    response = app(request_event(), None)
    assert response["statusCode"] == 418
    assert json.loads(response["body"]) == {"mine": True}


@pytest.mark.parametrize(
    "view",
    [
        raising(ZeroDivisionError("a secret")),
        raising(chalice.ChaliceViewError("a secret")),
        lambda: Response({"Code": "x", "Message": "a secret"}, {}, 500),
        lambda: Response("", {"X-Header": "a secret\n"}, 200),
    ],
)
def test_any_other_exception_is_a_500_without_details(app: ProfileApp) -> None:
    response = app(request_event(), None)
    problem(response, 500)
    assert "secret" not in response["body"]


@pytest.mark.parametrize("view", [lambda: Response("", {"X-Header": "a secret\n"}, 200)])
def test_a_500_in_debug_mode_has_no_details_either(app: ProfileApp) -> None:
    app.debug = True
    response = app(request_event(), None)
    problem(response, 500)
    assert "secret" not in response["body"]


def test_a_wrong_method_names_the_right_ones(app: ProfileApp) -> None:
    response = app(request_event("DELETE"), None)
    assert problem(response, 405)["type"] == "about:blank"
    assert response["headers"]["Allow"] == "GET, PATCH"


@pytest.mark.parametrize(
    ("method", "accept_patch"),
    [("GET", None), ("PATCH", "application/json")],
)
def test_a_wrong_content_type_is_a_415(
    app: ProfileApp, method: str, accept_patch: str | None
) -> None:
    response = app(request_event(method, headers={"content-type": "text/plain"}), None)
    problem(response, 415)
    assert response["headers"].get("Accept-Patch") == accept_patch


# --- The log --------------------------------------------------------------------------------------


class LambdaContext:
    aws_request_id = "function-1"


def test_the_functions_request_id_replaces_a_missing_one(app: ProfileApp) -> None:
    event = request_event("DELETE")
    del event["requestContext"]["requestId"]
    assert problem(app(event, LambdaContext()), 405)["request_id"] == "function-1"
    assert problem(app({}, LambdaContext()), 400)["request_id"] == "function-1"


def line_logged(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    (record,) = caplog.records
    return record


def test_each_request_is_logged_with_its_facts(
    app: ProfileApp, caplog: pytest.LogCaptureFixture
) -> None:
    event = request_event()
    event["requestContext"]["authorizer"] = {"claims": {"sub": "5f0c"}}
    app(event, None)
    record = line_logged(caplog)
    assert record.levelname == "INFO"
    assert record.__dict__["request_id"] == "request-1"
    assert record.__dict__["method"] == "GET"
    assert record.__dict__["route"] == "/thing"
    assert record.__dict__["status"] == 200
    assert record.__dict__["sub"] == "5f0c"
    assert record.__dict__["duration_ms"] >= 0
    assert record.__dict__["database_calls"] == 0
    assert record.__dict__["error"] is None


def two_calls() -> dict[str, Any]:
    for _ in range(2):
        database_calls.set(database_calls.get() + 1)
    return {}


@pytest.mark.parametrize("view", [two_calls])
def test_each_requests_database_calls_are_logged(
    app: ProfileApp, caplog: pytest.LogCaptureFixture
) -> None:
    app(request_event(), None)
    app(request_event(), None)
    assert [record.__dict__["database_calls"] for record in caplog.records] == [2, 2]


@pytest.mark.parametrize("view", [raising(errors.ProfileNotFound("x"))])
def test_a_client_error_is_logged_without_a_traceback(
    app: ProfileApp, caplog: pytest.LogCaptureFixture
) -> None:
    app(request_event(), None)
    record = line_logged(caplog)
    assert record.levelname == "INFO"
    assert record.exc_info is None
    assert record.__dict__["error"] == "ProfileNotFound"


@pytest.mark.parametrize("view", [raising(ZeroDivisionError("x"))])
def test_a_server_error_is_logged_with_its_traceback(
    app: ProfileApp, caplog: pytest.LogCaptureFixture
) -> None:
    app(request_event(), None)
    record = line_logged(caplog)
    assert record.levelname == "ERROR"
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def unavailable() -> None:
    try:
        raise TimeoutError("the database's own words")
    except TimeoutError as error:
        raise errors.StoreUnavailable("x") from error


@pytest.mark.parametrize("view", [unavailable])
def test_an_unavailable_store_is_logged_with_its_cause(
    app: ProfileApp, caplog: pytest.LogCaptureFixture
) -> None:
    app(request_event(), None)
    record = line_logged(caplog)
    assert record.exc_info
    assert record.exc_info[0] is TimeoutError


# --- Reading requests -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"body": '{"a": 1}'},
        {"body": b'{"a": 1}'},
        {"body": base64.b64encode(b'{"a": 1}').decode(), "isBase64Encoded": True},
    ],
)
def test_a_body_may_be_text_bytes_or_base64(members: dict[str, Any]) -> None:
    assert http.json_body(request_with(**members)) == {"a": 1}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"body": "a", "isBase64Encoded": True}, "UTF-8"),
        ({"body": "\ud800"}, "surrogate"),
        ({"body": None}, "empty"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_malformed(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(errors.MalformedJSON, match=reason):
        http.json_body(request_with(**members))


def test_preconditions_are_read_from_all_header_lines() -> None:
    lines = {"IF-MATCH": ['"a"', '"b", "c"'], "If-None-Match": ["*"], "other": ['"d"']}
    request = request_with(multiValueHeaders=lines)
    assert http.read_precondition(request, required=True) == Precondition(
        if_match=frozenset("abc"), if_none_match=Wildcard.ANY, required=True
    )


def test_preconditions_are_read_from_single_headers_too() -> None:
    request = request_with(headers={"if-match": '"a"'}, multiValueHeaders=None)
    assert http.read_precondition(request, required=False) == Precondition(if_match=frozenset("a"))
