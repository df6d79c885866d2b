"""API Gateway under `chalice local`, without HTTP: the requests that reach the function."""

import socket
from email.message import Message
from typing import Any

import pytest
from chalice.app import Chalice, CognitoUserPoolAuthorizer, CORSConfig, Request
from chalice.config import Config

from local.gateway import ApiGateway, verifier_from
from local.server import RequestHandler, RequestsInFlight
from local.tokens import InvalidToken, KeysUnavailable, TokenVerifier

POOL_ARN = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc"
CLAIMS = {
    "sub": "5f0c",
    "token_use": "id",
    "email_verified": True,
    "cognito:groups": ["a", "b"],
    "exp": 1234,
}


class Verifier(TokenVerifier):
    """Accepts the token `good`."""

    def __init__(self) -> None:
        pass

    def claims(self, token: str) -> dict[str, Any]:
        if token == "keys unavailable":
            raise KeysUnavailable("no keys.")
        if token != "good":
            raise InvalidToken("bad token")
        return dict(CLAIMS)


@pytest.fixture
def events() -> list[dict[str, Any]]:
    """The events with which the function was called."""
    return []


@pytest.fixture
def app(events: list[dict[str, Any]]) -> Chalice:
    app = Chalice(app_name="test-gateway")
    cors = CORSConfig(allow_origin="https://a.example", max_age=5)
    authorizer = CognitoUserPoolAuthorizer("pool", provider_arns=["arn"])

    @app.route("/secret", methods=["GET", "POST"], authorizer=authorizer, cors=cors)
    def secret() -> dict[str, str]:
        request: Any = app.current_request
        assert isinstance(request, Request)
        events.append(request.to_original_event())
        return {"body": str(request.raw_body)}

    @app.route("/open", cors=cors)
    def open_to_all() -> str:
        return "{}"

    return app


@pytest.fixture
def config() -> Config:
    settings = {"app_name": "t", "lambda_timeout": 20}
    return Config(config_from_disk=settings, chalice_stage="dev")


@pytest.fixture
def gateway(app: Chalice, config: Config) -> ApiGateway:
    return ApiGateway(app, config, Verifier())


def headers(*lines: tuple[str, str]) -> Message:
    message = Message()
    for name, value in lines:
        message[name] = value
    return message


@pytest.mark.parametrize(
    "value", ["good", "Bearer good", "bearer good", "BEARER   good ", " good ", "\tgood\t"]
)
def test_a_token_is_accepted_with_and_without_bearer(
    gateway: ApiGateway, events: list[dict[str, Any]], value: str
) -> None:
    response = gateway.handle("GET", "/secret", headers(("Authorization", value)), b"")
    assert response.status == 200
    (event,) = events
    assert event["requestContext"]["authorizer"]["claims"] == {
        "sub": "5f0c",
        "token_use": "id",
        "email_verified": "true",
        "cognito:groups": "a,b",
        "exp": "1234",
    }


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Basic good")],
        [("Authorization", "good x")],
        [("Authorization", "good\x0b")],
        [("Authorization", "\xa0good")],
        [("Authorization", "Bearer \x0cgood")],
        [("Authorization", "bad")],
        [("Authorization", "good"), ("Authorization", "good")],
        [("Authorization", "good"), ("authorization", "bad")],
    ],
)
def test_without_one_good_token_the_view_never_runs(
    gateway: ApiGateway, events: list[dict[str, Any]], lines: list[tuple[str, str]]
) -> None:
    response = gateway.handle("GET", "/secret", headers(*lines), b"")
    assert response.status == 401
    assert events == []
    assert str(response.headers["WWW-Authenticate"]).startswith("Bearer ")
    assert response.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert b"urn:problem-type:user-profile:not-signed-in" in response.body


def test_without_the_pools_keys_nobody_is_authorized(
    gateway: ApiGateway, events: list[dict[str, Any]]
) -> None:
    lines = headers(("Authorization", "Bearer keys unavailable"))
    response = gateway.handle("GET", "/secret", lines, b"")
    assert response.status == 503
    assert response.headers["Retry-After"] == "1"
    assert events == []


def test_without_a_user_pool_nobody_is_authorized(
    app: Chalice, config: Config, events: list[dict[str, Any]]
) -> None:
    gateway = ApiGateway(app, config, verifier_from({}))
    response = gateway.handle("GET", "/secret", headers(("Authorization", "good")), b"")
    assert response.status == 503
    assert b"USER_POOL_ARN" in response.body
    assert events == []


def test_a_view_without_an_authorizer_needs_no_token(gateway: ApiGateway) -> None:
    assert gateway.handle("GET", "/open", headers(), b"").status == 200


def test_the_function_gets_every_header_line_as_on_aws(
    gateway: ApiGateway, events: list[dict[str, Any]]
) -> None:
    lines = headers(("Authorization", "good"), ("X-A", "1"), ("x-a", "2"))
    gateway.handle("POST", "/secret?q=1&q=2", lines, b"raw")
    (event,) = events
    assert event["headers"]["x-a"] == "2"
    assert event["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert event["body"] == b"raw"
    assert event["requestContext"]["requestId"]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/secret/x", "//[", "/%00", "/SECRET"])
def test_an_unknown_path_is_404_with_cors(gateway: ApiGateway, path: str) -> None:
    response = gateway.handle("GET", path, headers(), b"")
    assert response.status == 404
    assert response.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert b"about:blank" in response.body


def test_preflight_needs_no_token(gateway: ApiGateway, events: list[dict[str, Any]]) -> None:
    response = gateway.handle("OPTIONS", "/secret", headers(), b"")
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Methods"] == "GET,POST,OPTIONS"
    assert response.headers["Access-Control-Max-Age"] == "5"
    assert events == []


def test_app_clients_are_read_as_the_service_reads_them() -> None:
    verifier = verifier_from({"USER_POOL_ARN": POOL_ARN, "USER_POOL_CLIENT_ID": "one, two"})
    assert verifier is not None
    assert verifier.client_ids == ("one", "two")


@pytest.mark.parametrize(
    ("settings", "keys_are_at"),
    [
        ({}, "https://cognito-idp.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        (
            {
                "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
                "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://127.0.0.1:4567",
            },
            "http://127.0.0.1:4567",
        ),
    ],
)
def test_keys_come_from_the_endpoint_of_the_environment(
    settings: dict[str, str], keys_are_at: str
) -> None:
    verifier = verifier_from({"USER_POOL_ARN": POOL_ARN, **settings})
    assert verifier is not None
    assert verifier.jwks_url == f"{keys_are_at}/eu-west-1_abc/.well-known/jwks.json"


def test_a_bug_in_the_gateway_is_answered_with_500(
    gateway: ApiGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(gateway, "handle", broken)
    server, client = socket.socketpair()
    with server, client:
        client.sendall(b"GET /secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        RequestHandler(
            server, ("127.0.0.1", 1), None, gateway=gateway, in_flight=RequestsInFlight()
        )
        answer = client.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"about:blank" in answer
    assert b"a bug" not in answer
    assert "ZeroDivisionError" in caplog.text
