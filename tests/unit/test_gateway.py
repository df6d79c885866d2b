"""API Gateway's part under `chalice local`, without HTTP: what the function is handed and when it is not asked."""

import socket
from email.message import Message
from typing import Any

import pytest
from chalice.app import Chalice, CognitoUserPoolAuthorizer, CORSConfig, Request
from chalice.config import Config

from local.gateway import ApiGateway, RequestHandler, verifier_from
from local.tokens import InvalidToken, KeysUnavailable, TokenVerifier

CLAIMS = {
    "sub": "5f0c", "token_use": "id", "email_verified": True, "cognito:groups": ["a", "b"], "exp": 1234,
}  # fmt: skip


class Verifier(TokenVerifier):
    def __init__(self) -> None:
        pass

    def claims(self, token: str) -> dict[str, Any]:
        if token == "keys unavailable":
            raise KeysUnavailable("no keys.")
        if token != "good":
            raise InvalidToken("bad token")
        return dict(CLAIMS)


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def gateway(seen: list[dict[str, Any]]) -> ApiGateway:
    app = Chalice(app_name="test-gateway")
    cors = CORSConfig(allow_origin="https://a.example", max_age=5)
    authorizer = CognitoUserPoolAuthorizer("pool", provider_arns=["arn"])

    @app.route("/secret", methods=["GET", "POST"], authorizer=authorizer, cors=cors)
    def secret() -> dict[str, str]:
        request: Any = app.current_request
        assert isinstance(request, Request)
        seen.append(request.to_original_event())
        return {"body": str(request.raw_body)}

    @app.route("/open", cors=cors)
    def open_to_all() -> str:
        return "{}"

    return ApiGateway(
        app,
        Config(config_from_disk={"app_name": "t", "lambda_timeout": 20}, chalice_stage="dev"),
        Verifier(),
    )


def headers(*lines: tuple[str, str]) -> Message:
    message = Message()
    for name, value in lines:
        message[name] = value
    return message


@pytest.mark.parametrize(
    "value", ["good", "Bearer good", "bearer good", "BEARER   good ", " good "]
)
def test_a_good_token_is_taken_bare_and_as_a_bearer_token(
    gateway: ApiGateway, seen: list[dict[str, Any]], value: str
) -> None:
    status, _, _ = gateway.answer("GET", "/secret", headers(("Authorization", value)), b"")
    assert status == 200
    assert seen[0]["requestContext"]["authorizer"]["claims"] == {
        "sub": "5f0c", "token_use": "id", "email_verified": "true", "cognito:groups": "a,b", "exp": "1234",
    }  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Basic good")],
        [("Authorization", "good x")],
        [("Authorization", "bad")],
        [("Authorization", "good"), ("Authorization", "good")],
        [("Authorization", "good"), ("authorization", "bad")],
    ],
)
def test_without_one_good_token_the_view_never_runs(
    gateway: ApiGateway, seen: list[dict[str, Any]], lines: list[tuple[str, str]]
) -> None:
    status, answered, body = gateway.answer("GET", "/secret", headers(*lines), b"")
    assert (status, seen) == (401, [])
    assert answered["WWW-Authenticate"].startswith("Bearer ")
    assert answered["Access-Control-Allow-Origin"] == "https://a.example"
    assert b"urn:problem-type:user-profile:not-signed-in" in body


def test_without_the_pools_keys_the_door_stays_shut(
    gateway: ApiGateway, seen: list[dict[str, Any]]
) -> None:
    status, answered, _ = gateway.answer(
        "GET", "/secret", headers(("Authorization", "Bearer keys unavailable")), b""
    )
    assert (status, answered["Retry-After"], seen) == (503, "1", [])


def test_without_a_pool_the_door_stays_shut(
    gateway: ApiGateway, seen: list[dict[str, Any]]
) -> None:
    gateway._verifier = verifier_from({})
    status, _, body = gateway.answer("GET", "/secret", headers(("Authorization", "good")), b"")
    assert (status, seen) == (503, [])
    assert b"USER_POOL_ARN" in body


def test_configured_clients_are_read_as_the_service_reads_them() -> None:
    arn = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc"
    verifier = verifier_from({"USER_POOL_ARN": arn, "USER_POOL_CLIENT_ID": "one, two"})
    assert verifier is not None
    assert verifier._client_ids == ("one", "two")


def test_a_view_without_an_authorizer_asks_for_no_token(gateway: ApiGateway) -> None:
    assert gateway.answer("GET", "/open", headers(), b"")[0] == 200


def test_the_function_gets_every_header_line_as_in_aws(
    gateway: ApiGateway, seen: list[dict[str, Any]]
) -> None:
    lines = headers(("Authorization", "good"), ("X-A", "1"), ("x-a", "2"))
    gateway.answer("POST", "/secret?q=1&q=2", lines, b"raw")
    event = seen[0]
    assert (event["headers"]["x-a"], event["multiValueHeaders"]["x-a"]) == ("2", ["1", "2"])
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert event["body"] == b"raw"
    assert event["requestContext"]["requestId"]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/secret/x", "//[", "/%00", "/SECRET"])
def test_a_path_that_is_not_the_apis_is_a_404_with_cors(gateway: ApiGateway, path: str) -> None:
    status, answered, body = gateway.answer("GET", path, headers(), b"")
    assert status == 404
    assert answered["Access-Control-Allow-Origin"] == "https://a.example"
    assert b"about:blank" in body


def test_the_preflight_is_answered_without_a_token(
    gateway: ApiGateway, seen: list[dict[str, Any]]
) -> None:
    status, answered, _ = gateway.answer("OPTIONS", "/secret", headers(), b"")
    assert (status, seen) == (200, [])
    assert answered["Access-Control-Allow-Methods"] == "GET,POST,OPTIONS"
    assert answered["Access-Control-Max-Age"] == "5"


def test_the_verifier_is_made_from_the_stages_settings() -> None:
    arn = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc"
    verifier = verifier_from({"USER_POOL_ARN": arn, "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    assert verifier is not None
    assert verifier.jwks_url == "http://127.0.0.1:4566/eu-west-1_abc/.well-known/jwks.json"
    real = verifier_from({"USER_POOL_ARN": arn})
    assert real is not None
    assert (
        real.jwks_url
        == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc/.well-known/jwks.json"
    )


def test_a_bug_in_the_gateway_itself_is_answered_too(
    gateway: ApiGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(gateway, "answer", broken)
    ours, theirs = socket.socketpair()
    theirs.sendall(b"GET /secret HTTP/1.1\r\n\r\n")
    RequestHandler.api_gateway = gateway
    RequestHandler(ours, ("127.0.0.1", 1), None)  # type: ignore[arg-type]
    ours.close()
    answer = theirs.recv(65_536)
    theirs.close()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"about:blank" in answer
    assert b"a bug" not in answer
    assert "ZeroDivisionError" in caplog.text
