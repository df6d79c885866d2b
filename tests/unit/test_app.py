"""The routes, in an app with the test's own settings and store."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice import IAMAuthorizer

from app import cors_of, create_app
from chalicelib.errors import ProfileNotFound
from chalicelib.http import ProfileApp
from chalicelib.paging import cursor_after
from chalicelib.preconditions import UNCONDITIONAL, Precondition
from chalicelib.profile import JSON, Document
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.store import ProfileStore
from tests.support.events import (
    OPERATOR_ARN,
    PROFILE_PATH,
    api_gateway_event,
    id_token_claims,
    operator_event,
)

SUB = "5f0c7a1e-0000-4000-8000-0123456789ab"

ROUTES = RouteSettings(
    user_pool_arn="arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc",
    client_ids=("client.one", "client-two"),
    erases_accounts=True,
    public_fields=("name",),
)


class OneProfile:
    """A store for one profile. It records the preconditions."""

    def __init__(self) -> None:
        self.profile: Document | None = None
        self.preconditions: list[Precondition] = []

    def get(self, sub: str) -> Document:
        if self.profile is None:
            raise ProfileNotFound("Nothing is stored.")
        return self.profile

    def replace(self, sub: str, data: JSON, precondition: Precondition) -> Document:
        self.preconditions.append(precondition)
        self.profile = Document("USERS#ALL", f"USER#{sub}", data, "r1")
        return self.profile

    patch = replace

    def delete(self, sub: str, precondition: Precondition) -> None:
        self.preconditions.append(precondition)
        self.profile = None


@pytest.fixture
def store() -> OneProfile:
    return OneProfile()


@pytest.fixture
def app(store: OneProfile) -> ProfileApp:
    return app_with(store, ROUTES, ProfileSettings(require_preconditions=True))


def app_with(
    store: OneProfile | NoStore,
    routes: RouteSettings = ROUTES,
    settings: ProfileSettings = ProfileSettings(),  # noqa: B008 - it cannot be changed
) -> ProfileApp:
    any_store: Any = store
    return create_app(routes, lambda: settings, lambda: any_store)


def call(
    app: ProfileApp,
    method: str,
    body: str | None = None,
    *,
    path: str = PROFILE_PATH,
    client: str = "client.one",
    **headers: str,
) -> dict[str, Any]:
    """The app's response to user 5f0c. Headers are written with _ for -."""
    request = api_gateway_event(
        method,
        path,
        claims=id_token_claims("5f0c", client),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body,
    )
    return app(request, None)


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
def test_a_write_stores_the_body_for_the_caller(
    app: ProfileApp, store: OneProfile, method: str
) -> None:
    response = call(app, method, '{"a": 1}')
    assert response["statusCode"] == 200
    assert response["headers"]["ETag"] == '"r1"'
    assert store.profile == Document("USERS#ALL", "USER#5f0c", {"a": 1}, "r1")
    assert json.loads(call(app, "GET")["body"]) == json.loads(response["body"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"If_None_Match": '"r1"'}, 304),
        ({"If_None_Match": '"r0"'}, 200),
        ({"If_Match": '"r1"'}, 200),
        ({"If_Match": '"r0"'}, 412),
        ({"If_Match": '"r0"', "If_None_Match": '"r1"'}, 412),
        ({"If_Match": '"r1"', "If_None_Match": '"r1"'}, 304),
        ({"If_Match": "r1"}, 400),
    ],
)
def test_a_read_may_have_preconditions(
    app: ProfileApp, headers: dict[str, str], status: int
) -> None:
    call(app, "PUT", "{}")
    assert call(app, "GET", **headers)["statusCode"] == status


@pytest.mark.parametrize("if_match", ["*", "malformed"])
def test_a_missing_profile_is_a_404_before_any_precondition(app: ProfileApp, if_match: str) -> None:
    assert call(app, "GET", If_Match=if_match)["statusCode"] == 404


def test_a_delete_has_no_content(app: ProfileApp, store: OneProfile) -> None:
    call(app, "PUT", "{}")
    response = call(app, "DELETE")
    assert response["statusCode"] == 204
    assert response["body"] == ""
    assert store.profile is None


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_writes_pass_their_precondition_to_the_store(
    app: ProfileApp, store: OneProfile, method: str
) -> None:
    call(app, method, "{}", If_Match='"r1"')
    assert store.preconditions == [Precondition(if_match=frozenset({"r1"}), required=True)]


def test_preconditions_are_optional_by_default(store: OneProfile) -> None:
    call(app_with(store), "PUT", "{}")
    assert store.preconditions == [UNCONDITIONAL]


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE"])
def test_only_this_apps_clients_may_call(app: ProfileApp, store: OneProfile, method: str) -> None:
    """This check comes first: the precondition and the body are not read."""
    response = call(app, method, "{", client="another", If_Match="malformed")
    assert response["statusCode"] == 401
    assert store.preconditions == []


def test_every_route_for_users_has_the_authorizer_and_cors(app: ProfileApp) -> None:
    for path, methods in app.routes.items():
        if path.startswith("/users"):
            continue
        for method, route in methods.items():
            assert route.cors is not None, f"{method} {path}: add **signed_in to its decorator"
            assert route.authorizer is not None, f"{method} {path}: add **signed_in"
            definition = route.authorizer.to_swagger()["x-amazon-apigateway-authorizer"]
            assert definition["providerARNs"] == [ROUTES.user_pool_arn]
            expression = definition["identityValidationExpression"]
            assert expression == r"^(client\.one|client\-two)$"


def test_every_route_under_users_has_iam_authorization_and_no_cors(app: ProfileApp) -> None:
    for path, methods in app.routes.items():
        if not path.startswith("/users"):
            continue
        for method, route in methods.items():
            assert isinstance(route.authorizer, IAMAuthorizer), f"{method} {path}: add **signed"
            assert not route.cors, f"{method} {path}: no web page is a client of this route"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE"])
def test_a_user_and_an_operator_call_the_same_view(app: ProfileApp, method: str) -> None:
    of_users = app.routes["/user/profile"][method]
    of_operators = app.routes["/users/{sub}/profile"][method]
    assert of_users.view_name == of_operators.view_name
    assert of_users.content_types == of_operators.content_types


def test_without_client_ids_every_client_may_call(store: OneProfile) -> None:
    app = app_with(store, RouteSettings())
    authorizer: Any = app.routes["/user/profile"]["GET"].authorizer
    definition = authorizer.to_swagger()
    extension = definition["x-amazon-apigateway-authorizer"]
    assert "identityValidationExpression" not in extension
    assert call(app, "PUT", "{}", client="any")["statusCode"] == 200


ORIGINS = ("https://app.example.com", "http://localhost:5173")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 404),
        ("PUT", {}, 200),
        ("GET", {"If_None_Match": "*"}, 304),
        ("DELETE", {"If_Match": "malformed"}, 400),
        ("TRACE", {}, 405),
        ("DELETE", {}, 204),
    ],
)
def test_one_of_several_origins_is_named_in_every_response(
    store: OneProfile, method: str, headers: dict[str, str], status: int
) -> None:
    """Fetch standard, "CORS protocol and HTTP caches": the response varies with the origin."""
    app = app_with(store, RouteSettings(cors_allow_origins=ORIGINS))
    if status == 304:
        call(app, "PUT", "{}")
    for origin in ORIGINS:
        response = call(app, method, "{}", Origin=origin, **headers)
        assert response["statusCode"] == status
        assert response["headers"]["Access-Control-Allow-Origin"] == origin
        assert response["headers"]["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.com:444"])
def test_another_origin_is_not_named(store: OneProfile, origin: str) -> None:
    response = call(
        app_with(store, RouteSettings(cors_allow_origins=ORIGINS)), "GET", Origin=origin
    )
    assert "Access-Control-Allow-Origin" not in response["headers"]
    assert response["headers"]["Vary"] == "Origin"


def test_one_origin_is_a_constant(store: OneProfile) -> None:
    response = call(app_with(store, RouteSettings(cors_allow_origins=ORIGINS[:1])), "GET")
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGINS[0]
    assert "Vary" not in response["headers"]


@pytest.mark.parametrize(("origins", "preflight"), [(ORIGINS[:1], ORIGINS[0]), (ORIGINS, "*")])
def test_preflight_requests_are_answered_with_constants(
    origins: tuple[str, ...], preflight: str
) -> None:
    routes = RouteSettings(cors_allow_origins=origins, cors_allow_headers=("traceparent",))
    headers = cors_of(routes).get_access_control_headers()
    assert headers["Access-Control-Allow-Origin"] == preflight
    assert "traceparent" in headers["Access-Control-Allow-Headers"].split(",")
    assert "If-Match" in headers["Access-Control-Allow-Headers"].split(",")


# --- who is let in under /users -------------------------------------------------------------------

NOT_OPERATORS: list[dict[str, Any]] = [
    {"identity": {"userArn": None}},
    {"authorizer": {"claims": id_token_claims("5f0c", "client.one")}},
    {"identity": {"userArn": OPERATOR_ARN, "cognitoIdentityId": "eu-west-1:1"}},
    {"stage": "test-invoke-stage"},
]


class NoStore:
    """A store that no request may reach."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the store's {name} was used")


@pytest.mark.parametrize("context", NOT_OPERATORS)
def test_no_view_under_users_lets_anyone_else_in(context: dict[str, Any]) -> None:
    app = app_with(NoStore())
    for path, methods in app.routes.items():
        for method in methods if path.startswith("/users") else ():
            event = operator_event(method, path, SUB, body="{}")
            event["requestContext"] |= context
            assert app(event, None)["statusCode"] == 403, f"{method} {path}"


def test_no_view_under_users_accepts_a_presigned_url() -> None:
    app = app_with(NoStore())
    for path, methods in app.routes.items():
        for method in methods if path.startswith("/users") else ():
            query = {"X-Amz-Signature": "ab"}
            event = operator_event(method, path, SUB, query=query, body="{}")
            assert app(event, None)["statusCode"] == 403, f"{method} {path}"


# --- the log of requests under /users -------------------------------------------------------------


def test_the_log_names_the_caller_and_no_part_of_the_query(
    store: OneProfile, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(store)
    app.log.addHandler(caplog.handler)
    cursor = cursor_after(SUB)
    refused = operator_event("GET", "/users", query={"cursor": cursor, "limit": "0"})
    assert app(refused, None)["statusCode"] == 400
    assert app(operator_event("PUT", "/users/{sub}/profile", SUB, body="{}"), None)
    assert app(operator_event("GET", "/users/{sub}/profile", "ada@example.com"), None)
    listing, writing, malformed = [vars(record) for record in caplog.records]
    assert listing["caller"] == writing["caller"] == malformed["caller"] == OPERATOR_ARN
    assert writing["sub"] == SUB
    assert listing["sub"] is malformed["sub"] is None
    assert writing["route"] == "/users/{sub}/profile"
    assert cursor not in str([listing, writing, malformed])
    assert "ada@example.com" not in str(malformed)


def test_the_log_of_a_users_request_names_no_caller(
    store: OneProfile, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(store)
    app.log.addHandler(caplog.handler)
    call(app, "PUT", "{}")
    (record,) = [vars(record) for record in caplog.records]
    assert record["sub"] == "5f0c"
    assert "caller" not in record


# --- public profiles ------------------------------------------------------------------------------


class OneAuthor:
    """A DynamoDB client with one profile."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        fields = {"name": {"S": "Ada"}}
        return {"Item": {"sk": {"S": f"USER#{SUB}"}, "profile_data": {"M": fields}}}


def app_with_author(*origins: str) -> ProfileApp:
    client: Any = OneAuthor()
    routes = RouteSettings(public_fields=("name",), cors_allow_origins=origins or ("*",))
    return create_app(routes, ProfileSettings, lambda: ProfileStore(client, "profiles"))


def read_author(app: ProfileApp, sub: str = SUB, **headers: str) -> dict[str, Any]:
    """The app's response to user 5f0c, who reads the public profile of user `sub`."""
    request = api_gateway_event(
        "GET",
        "/profiles/{sub}",
        claims=id_token_claims("5f0c", "client.one"),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    return app(request | {"pathParameters": {"sub": sub}}, None)


def test_without_public_fields_there_are_no_public_profiles() -> None:
    app = app_with(NoStore(), RouteSettings())
    assert not [path for path in app.routes if path.startswith("/profiles")]
    assert {"/profiles", "/profiles/{sub}"} <= set(app_with(NoStore(), ROUTES).routes)


@pytest.mark.parametrize("path", ["/profiles", "/profiles/{sub}"])
def test_public_profiles_need_an_id_token_of_this_app(path: str) -> None:
    """This check comes first: the path and the query are not read."""
    response = call(app_with(NoStore()), "GET", path=path, client="another")
    assert response["statusCode"] == 401


def test_public_profiles_vary_with_the_caller_and_the_origin() -> None:
    app = app_with_author(*ORIGINS)
    read = read_author(app, Origin=ORIGINS[1])
    current = read_author(app, Origin=ORIGINS[1], If_None_Match=read["headers"]["ETag"])
    for response, status in ((read, 200), (current, 304)):
        assert response["statusCode"] == status
        assert response["headers"]["Vary"] == "Authorization, Origin"
        assert response["headers"]["Access-Control-Allow-Origin"] == ORIGINS[1]
        assert response["headers"]["Cache-Control"] == "private, max-age=60"


@pytest.mark.parametrize(
    ("sub", "headers", "status"),
    [
        ("ada@example.com", {}, 404),
        (SUB, {"If_Match": "malformed"}, 400),
        (SUB, {"If_Match": '"other"'}, 412),
    ],
)
def test_errors_of_public_profiles_are_not_kept(
    sub: str, headers: dict[str, str], status: int
) -> None:
    response = read_author(app_with_author(), sub, **headers)
    assert response["statusCode"] == status
    assert response["headers"]["Cache-Control"] == "no-store"
    assert "Vary" not in response["headers"]


def test_the_log_names_who_reads_and_not_who_is_read(caplog: pytest.LogCaptureFixture) -> None:
    app = app_with_author()
    app.log.addHandler(caplog.handler)
    assert read_author(app)["statusCode"] == 200
    assert read_author(app, "ada@example.com")["statusCode"] == 404
    for record in map(vars, caplog.records):
        assert record["sub"] == "5f0c"
        assert record["route"] == "/profiles/{sub}"
        assert SUB not in str(record)
        assert "ada@example.com" not in str(record)
