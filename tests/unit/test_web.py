"""JSON in and out, and errors: what HTTP makes of them, without any HTTP."""

import base64
import json
import logging
from contextlib import suppress
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import pytest
from chalice.app import Chalice, CORSConfig, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import errors, web
from chalicelib.profile import JSON, Profile
from tests.unit.test_items import exactly, values


def request(body: bytes | str | None, *, encoded: bool = False) -> Request:
    return Request(
        {
            "multiValueQueryStringParameters": None,
            "headers": None,
            "pathParameters": None,
            "requestContext": {
                "httpMethod": "POST",
                "resourcePath": "/user/profile",
                "requestId": "r-1",
            },
            "body": body,
            "isBase64Encoded": encoded,
            "stageVariables": None,
        }
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            '{"a": [1, -0, 0.1, 1e5, true, null, "x"]}',
            {"a": [1, 0, Decimal("0.1"), Decimal("1E+5"), True, None, "x"]},
        ),
        (' \n{"a":1}\t', {"a": 1}),
        ('{"a":"\\ud83d\\ude00 \\u0000 \\u00e9"}', {"a": "😀 \0 é"}),
        ('{"a":"\\\\ud800"}', {"a": "\\ud800"}),
        ("12345678901234567890.5", Decimal("12345678901234567890.5")),
        ("null", None),
    ],
)
def test_json_is_read_exactly(text: str, value: JSON) -> None:
    assert web.json_body(request(text)) == value
    assert web.json_body(request(text.encode())) == value
    assert web.json_body(request(base64.b64encode(text.encode()).decode(), encoded=True)) == value


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \n", "empty"),
        ("{", "line 1, column 2"),
        ("{'a': 1}", "line 1"),
        ('{"a": 1,}', "line 1"),
        ('{"a": 1} x', "Extra data"),
        ('{"a": 01}', "line 1"),
        ('{"a": "\x01"}', "control character"),
        ('{"a": 1, "a": 2}', '"a" twice'),
        ('{"b": {"a": 1, "\\u0061": 2}}', '"a" twice'),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": "\\uDC00 x"}', "surrogate"),
        ('{"\\ud83d": 1}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "line 1"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
    ],
)
def test_what_is_not_json_is_refused_with_the_reason(body: bytes | str | None, told: str) -> None:
    with pytest.raises(errors.MalformedJSON, match=told):
        web.json_body(request(body))


def test_a_body_that_is_not_the_base64_it_should_be_is_refused() -> None:
    with pytest.raises(errors.MalformedJSON):
        web.json_body(request("a", encoded=True))


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000]
)
def test_nesting_beyond_any_measure_is_a_fault_of_the_data(text: str) -> None:
    with pytest.raises(errors.InvalidProfile):
        web.json_body(request(text))


@pytest.mark.parametrize("zero", ["0e" + "9" * 30, "-0.0E-" + "9" * 30])
def test_a_zero_is_a_zero_whatever_its_exponent(zero: str) -> None:
    assert web.json_body(request(zero)) == 0


@pytest.mark.parametrize(
    "number", ["9" * 5000, "-" + "9" * 5000, "1e400", "1e" + "9" * 30, "1e-" + "9" * 30]
)
def test_numbers_beyond_any_measure_are_read_and_left_to_the_limits(number: str) -> None:
    assert isinstance(web.json_body(request(number)), Decimal)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, Decimal("0.1"), True, None, "é😀\0"]}, '{"a":[1,0.1,true,null,"é😀\\u0000"]}'),
        ([Decimal("12345678901234567890.5"), {"é": "c", "b": []}], '[12345678901234567890.5,{"é":"c","b":[]}]'),
        (Decimal("1E+100"), "1E+100"),
        (10**100, "1" + "0" * 100),
        (Decimal("1E-130"), "1E-130"),
        (Decimal("1.2345678901234567890E-100"), "1.2345678901234567890E-100"),
    ],
)  # fmt: skip
def test_json_is_written_exactly(value: JSON, text: str) -> None:
    assert web.dump_json(value) == text


@given(values)
def test_any_json_value_survives_the_wire_exactly(value: JSON) -> None:
    assert exactly(web.json_body(request(web.dump_json(value)))) == exactly(value)


@given(st.text() | st.binary())
def test_any_body_is_read_or_refused_and_never_a_bug(body: str | bytes) -> None:
    with suppress(errors.MalformedJSON, errors.InvalidProfile):
        web.json_body(request(body))


def test_a_profile_is_answered_in_the_examples_shape_with_its_etag() -> None:
    response = web.profile_response(Profile("USERS#ALL", "USER#1", {"a": 1}, "r1", "then", "now"))
    assert json.loads(response.body) == {
        "pk": "USERS#ALL", "sk": "USER#1", "profile_data": {"a": 1}, "created_at": "then", "updated_at": "now",
    }  # fmt: skip
    assert response.headers == {
        "Content-Type": "application/json",
        "ETag": '"r1"',
        "Cache-Control": "no-store",
    }


def test_times_that_are_not_known_are_left_out() -> None:
    response = web.profile_response(Profile("USERS#ALL", "USER#1", {}, "r1"))
    assert json.loads(response.body) == {"pk": "USERS#ALL", "sk": "USER#1", "profile_data": {}}


def chalice_event(path: str = "/thing", method: str = "GET", **more: Any) -> dict[str, Any]:
    event = {
        "requestContext": {"httpMethod": method, "resourcePath": path, "requestId": "r-1"},
        "headers": {}, "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
        "body": None,
    }  # fmt: skip
    return event | more


@pytest.fixture
def chalice_app() -> Chalice:
    app = web.API(app_name="test-problems")
    app.log.propagate = True
    app.register_middleware(
        web.outer_edge(app, CORSConfig(allow_origin="https://a.example"), ContextVar("calls")),
        "http",
    )

    @app.route("/thing", methods=["GET", "POST"], content_types=["application/json"])
    @web.answers(app)
    def thing(request: Request) -> Response:
        raise ZeroDivisionError("a secret of ours")

    return app


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (chalice_event(method="DELETE"), 405),
        (chalice_event(headers={"content-type": "text/plain"}), 415),
        (chalice_event(), 500),
        (chalice_event(headers={"content-type": None}), 500),
    ],
)
def test_what_chalice_answers_by_itself_is_a_problem_too(
    chalice_app: Chalice, event: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    answer = chalice_app(event, None)
    problem = json.loads(answer["body"])
    assert answer["statusCode"] == problem["status"] == status
    assert (problem["type"], problem["request_id"]) == ("about:blank", "r-1")
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://a.example"
    assert answer["headers"].get("Allow") == ("GET, POST" if status == 405 else None)
    assert "secret" not in answer["body"]
    assert any(record.exc_info for record in caplog.records) == (status == 500)


def test_the_functions_own_request_id_serves_where_the_gateway_has_none(
    chalice_app: Chalice,
) -> None:
    class Context:
        aws_request_id = "f-1"

    event = chalice_event(method="DELETE")
    del event["requestContext"]["requestId"]
    assert json.loads(chalice_app(event, Context())["body"])["request_id"] == "f-1"


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.NotSignedIn("x"), 401, {"WWW-Authenticate": 'Bearer realm="user-profile"'}),
        (errors.MalformedJSON("x"), 400, {}),
        (errors.InvalidProfile([errors.Violation("/a", "y")]), 422, {}),
        (errors.ProfileTooLarge("x"), 413, {}),
        (errors.ProfileNotFound("x"), 404, {}),
        (errors.StoreUnavailable("x"), 503, {"Retry-After": "1"}),
    ],
)
def test_each_error_has_its_status_and_headers(
    error: errors.ProfileError, status: int, headers: dict[str, str]
) -> None:
    response = web.error_response(error)
    assert (response.status_code, response.headers) == (status, headers)
    assert response.body.get("errors") == (
        [{"pointer": "/a", "detail": "y"}] if status == 422 else None
    )


def test_an_error_of_a_kind_to_come_is_told_as_the_kind_it_belongs_to() -> None:
    class Throttled(errors.StoreUnavailable):
        pass

    assert web.error_response(Throttled("x")).status_code == 503


logging.getLogger("test-problems").setLevel(logging.ERROR)
