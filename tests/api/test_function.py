"""The function with a real database, called as API Gateway calls it.

These cases do not occur over HTTP, or need a separate app.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app import create_app
from chalicelib.http import ProfileApp
from chalicelib.schema import profile_check
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.store import ProfileStore
from tests.support.clone import ROOT
from tests.support.events import api_gateway_event, id_token_claims
from tests.support.users import User

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CLIENT_ID = "client"
ROUTES = RouteSettings(client_ids=(CLIENT_ID,))

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def app(store: ProfileStore) -> ProfileApp:
    return create_app(ROUTES, ProfileSettings, lambda: store)


def call_as(app: ProfileApp, user: User) -> Call:
    """A function that sends the user's requests to `app`: method and body."""

    def call(method: str, body: str | bytes | None = None) -> dict[str, Any]:
        claims = id_token_claims(user.sub, CLIENT_ID)
        return app(api_gateway_event(method, claims=claims, body=body), None)

    return call


@pytest.fixture
def call(app: ProfileApp, user: User) -> Call:
    return call_as(app, user)


def test_a_body_in_base64_is_read(call: Call) -> None:
    assert call("POST", '{"é": "😀"}'.encode())["statusCode"] == 200
    profile = json.loads(call("GET")["body"])
    assert profile["profile_data"] == {"é": "😀"}


def test_a_body_in_malformed_base64_is_refused(app: ProfileApp, user: User) -> None:
    claims = id_token_claims(user.sub, CLIENT_ID)
    request = api_gateway_event("POST", claims=claims, body="a") | {"isBase64Encoded": True}
    answer = app(request, None)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["request_id"] == "request-1"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "changed", [{"token_use": "access"}, {"aud": "another client"}, {"sub": ""}]
)
def test_claims_that_api_gateway_accepts_are_checked_again(
    app: ProfileApp, user: User, method: str, changed: dict[str, str]
) -> None:
    claims = id_token_claims(user.sub, CLIENT_ID) | changed
    answer = app(api_gateway_event(method, claims=claims, body="{}"), None)
    assert answer["statusCode"] == 401
    assert answer["headers"]["WWW-Authenticate"] == 'Bearer realm="user-profile"'


def test_the_request_id_is_that_of_api_gateway(app: ProfileApp, user: User) -> None:
    """API Gateway's logs and errors contain its id. They do not contain Lambda's."""
    request = api_gateway_event("GET", claims=id_token_claims(user.sub, CLIENT_ID))
    answer = app(request, SimpleNamespace(aws_request_id="from-lambda"))
    assert json.loads(answer["body"])["request_id"] == "request-1"


def test_without_a_table_the_log_names_the_missing_setting(
    user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def open_store() -> ProfileStore:
        return ProfileStore.connect(ProfileSettings().table_name())

    app = create_app(ROUTES, ProfileSettings, open_store)
    monkeypatch.setattr(app.log, "propagate", True)
    answer = call_as(app, user)("GET")
    assert answer["statusCode"] == 500
    assert "DYNAMODB" not in answer["body"]
    assert "DYNAMODB_TABLE" in caplog.text


def test_the_function_connects_to_the_database_once(table: str) -> None:
    code = "import app; assert app.profile_store() is app.profile_store()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"DYNAMODB_TABLE": table},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def call_with_schema(call: Call, store: ProfileStore, user: User, tmp_path: Path) -> Call:
    """Calls an app whose schema requires an integer as `age`.

    The user stored another `age` before there was a schema.
    """
    assert call("POST", '{"age": "old"}')["statusCode"] == 200
    (tmp_path / "person.json").write_text('{"properties": {"age": {"type": "integer"}}}')
    strict_store = dataclasses.replace(store, check=profile_check("person.json", tmp_path))
    return call_as(create_app(ROUTES, ProfileSettings, lambda: strict_store), user)


def test_a_schema_does_not_apply_to_reads(call_with_schema: Call) -> None:
    profile = json.loads(call_with_schema("GET")["body"])
    assert profile["profile_data"] == {"age": "old"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_schema_applies_to_every_write(call_with_schema: Call, method: str) -> None:
    refused = call_with_schema(method, '{"age": "older"}')
    assert refused["statusCode"] == 422
    (error,) = json.loads(refused["body"])["errors"]
    assert error["pointer"] == "/age"
    assert call_with_schema(method, '{"age": 36}')["statusCode"] == 200
