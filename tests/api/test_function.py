"""The function as API Gateway calls it, where the API over HTTP does not show the difference."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from chalicelib import schema
from tests.support.cloud import Cloud
from tests.support.events import event
from tests.support.users import User

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(function: ModuleType, cloud: Cloud, user: User) -> Invoke:
    """A function that sends a request of the user: method, body, and changes of the event."""

    def send(method: str, body: str | None = None, **changes: Any) -> dict[str, Any]:
        request = event(method, user.sub, cloud.outputs["UserPoolClientId"], body)
        answer: dict[str, Any] = function.app(request | changes, None)
        return answer

    return send


def test_a_body_in_base64_is_read(invoke: Invoke) -> None:
    body = base64.b64encode('{"é": "😀"}'.encode()).decode()
    assert invoke("POST", body, isBase64Encoded=True)["statusCode"] == 200
    profile = json.loads(invoke("GET")["body"])
    assert profile["profile_data"] == {"é": "😀"}


def test_a_body_in_malformed_base64_is_refused(invoke: Invoke) -> None:
    answer = invoke("POST", "a", isBase64Encoded=True)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["request_id"] == "request-1"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "claims", [{"token_use": "access"}, {"aud": "another client"}, {"sub": ""}]
)
def test_claims_that_api_gateway_accepts_are_checked_again(
    function: ModuleType, cloud: Cloud, user: User, claims: dict[str, str], method: str
) -> None:
    request = event(method, user.sub, cloud.outputs["UserPoolClientId"], "{}")
    request["requestContext"]["authorizer"]["claims"] |= claims
    answer = function.app(request, None)
    assert answer["statusCode"] == 401
    assert answer["headers"]["WWW-Authenticate"] == 'Bearer realm="user-profile"'


@pytest.mark.parametrize(
    ("gateway_id", "expected"), [("from-api-gateway", "from-api-gateway"), (None, "from-lambda")]
)
def test_the_request_id_is_that_of_api_gateway(
    function: ModuleType, cloud: Cloud, user: User, gateway_id: str | None, expected: str
) -> None:
    """It is in API Gateway's logs and errors too. Without one, it is Lambda's."""
    request = event("GET", user.sub, cloud.outputs["UserPoolClientId"])
    request["requestContext"]["requestId"] = gateway_id
    answer = function.app(request, SimpleNamespace(aws_request_id="from-lambda"))
    assert json.loads(answer["body"])["request_id"] == expected


def test_without_a_table_the_log_names_the_missing_setting(
    function: ModuleType,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    function.store.cache_clear()
    monkeypatch.setattr(function, "settings", function.Settings.from_environment({}))
    monkeypatch.setattr(function.app.log, "propagate", True)
    answer = invoke("GET")
    function.store.cache_clear()
    assert answer["statusCode"] == 500
    assert "DYNAMODB" not in answer["body"]
    assert "DYNAMODB_TABLE is not set" in caplog.text


@pytest.fixture
def invoke_with_schema(
    function: ModuleType, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Invoke:
    """`invoke` of a function with a schema that wants an integer as `age`.

    The user stored another `age` before there was a schema.
    """
    assert invoke("POST", '{"age": "old"}')["statusCode"] == 200
    (tmp_path / "person.json").write_text('{"properties": {"age": {"type": "integer"}}}')
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "schema.py"))
    check = schema.profile_check("person.json")
    store = dataclasses.replace(function.store(), check=check)
    monkeypatch.setattr(function, "store", lambda: store)
    return invoke


def test_a_schema_does_not_apply_to_reads(invoke_with_schema: Invoke) -> None:
    profile = json.loads(invoke_with_schema("GET")["body"])
    assert profile["profile_data"] == {"age": "old"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_schema_applies_to_every_write(invoke_with_schema: Invoke, method: str) -> None:
    refused = invoke_with_schema(method, '{"age": "older"}')
    assert refused["statusCode"] == 422
    (error,) = json.loads(refused["body"])["errors"]
    assert error["pointer"] == "/age"
    assert invoke_with_schema(method, '{"age": 36}')["statusCode"] == 200
