"""API Gateway under `chalice local`, without HTTP: the requests that reach the function."""

import socket
from email.message import Message
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from chalice.app import Chalice, CognitoUserPoolAuthorizer, CORSConfig, IAMAuthorizer, Request
from chalice.config import Config

from local.documentation import Documentation
from local.gateway import ApiGateway, credentials_from, verifier_from
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
            server,
            ("127.0.0.1", 1),
            None,
            gateway=gateway,
            documentation=Documentation("local"),
            in_flight=RequestsInFlight(),
        )
        answer = client.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"about:blank" in answer
    assert b"a bug" not in answer
    assert "ZeroDivisionError" in caplog.text


# --- back ends and operators ----------------------------------------------------------------------


@pytest.fixture
def app_for_operators(app: Chalice, events: list[dict[str, Any]]) -> Chalice:
    @app.route("/users", methods=["GET", "PUT"], authorizer=IAMAuthorizer())
    def users() -> str:
        request: Any = app.current_request
        events.append(request.to_original_event())
        return "{}"

    return app


def signed_headers(*, with_key: str = "local") -> Message:
    request = AWSRequest("GET", "http://127.0.0.1/users?limit=1", data=b"")
    SigV4Auth(Credentials("local", with_key), "execute-api", "us-east-1").add_auth(request)
    return headers(("Host", "127.0.0.1"), *request.headers.items())


@pytest.fixture
def in_us_east_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def test_a_signed_request_reaches_the_view_with_a_callers_arn(
    app_for_operators: Chalice, config: Config, events: list[dict[str, Any]], in_us_east_1: None
) -> None:
    gateway = ApiGateway(app_for_operators, config, Verifier(), Credentials("local", "local"))
    assert gateway.handle("GET", "/users?limit=1", signed_headers(), b"").status == 200
    (event,) = events
    assert event["requestContext"]["identity"]["userArn"].startswith("arn:aws:iam::")
    assert "authorizer" not in event["requestContext"]
    assert event["multiValueQueryStringParameters"] == {"limit": ["1"]}


@pytest.mark.parametrize(
    ("method", "target", "lines", "body", "status"),
    [
        ("GET", "/users?limit=1", headers(), b"", 404),
        ("GET", "/users?limit=1", headers(("Authorization", "Bearer good")), b"", 403),
        ("GET", "/users?limit=1", headers(("Authorization", "good")), b"", 403),
        ("GET", "/users?limit=1", signed_headers(with_key="other"), b"", 403),
        ("GET", "/users?limit=2", signed_headers(), b"", 403),
        ("PUT", "/users?limit=1", signed_headers(), b"", 403),
        ("GET", "/users?limit=1", signed_headers(), b"x", 403),
    ],
)
def test_without_the_right_signature_the_view_never_runs(
    app_for_operators: Chalice,
    config: Config,
    events: list[dict[str, Any]],
    in_us_east_1: None,
    method: str,
    target: str,
    lines: Message,
    body: bytes,
    status: int,
) -> None:
    gateway = ApiGateway(app_for_operators, config, Verifier(), Credentials("local", "local"))
    response = gateway.handle(method, target, lines, body)
    assert response.status == status
    assert b"application/problem+json" in str(response.headers).encode()
    assert events == []


def test_other_stages_have_no_operators_on_this_machine(
    app_for_operators: Chalice, config: Config, events: list[dict[str, Any]], in_us_east_1: None
) -> None:
    """The key of the stage local is public, and the tables of other stages are real."""
    key = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    assert credentials_from("local", {}) is None
    assert credentials_from("local", key) is not None
    for stage in ("dev", "prod", "local2"):
        assert credentials_from(stage, key) is None
    gateway = ApiGateway(app_for_operators, config, Verifier(), credentials_from("dev", key))
    response = gateway.handle("GET", "/users?limit=1", signed_headers(), b"")
    assert response.status == 403
    assert b"stage local only" in response.body
    assert events == []


def test_a_route_without_cors_has_no_preflight(app_for_operators: Chalice, config: Config) -> None:
    gateway = ApiGateway(app_for_operators, config, Verifier(), Credentials("local", "local"))
    assert gateway.handle("OPTIONS", "/users", headers(), b"").status == 404
    assert gateway.handle("OPTIONS", "/secret", headers(), b"").status == 200
