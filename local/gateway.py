"""API Gateway under `chalice local`: routes, the Cognito authorizer, preflight, events as in AWS.

Chalice's own local server (1.34.0) accepts every request for a CognitoUserPoolAuthorizer, even
without a token. It keeps one of several header lines. Its response for an unknown path has another
format and no CORS headers. A front end tested against it would receive its first 401 in production.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from typing import Any, NamedTuple

from chalice import Chalice
from chalice.app import CORSConfig, RouteEntry
from chalice.config import Config
from chalice.local import LambdaContext, LambdaEventConverter, RouteMatcher

from chalicelib.errors import NotSignedIn
from chalicelib.http import problem_response
from chalicelib.identity import NOT_SIGNED_IN
from chalicelib.problems import Problem, generic_problem, problem_for
from chalicelib.settings import MissingSetting, RouteSettings
from local.tokens import InvalidToken, KeysUnavailable, TokenVerifier

MAX_BODY = 10 * 1024 * 1024
"""Bytes. Source: "Amazon API Gateway quotas", payload size."""


class HttpResponse(NamedTuple):
    """A response to send. A header with several values has a list of them."""

    status: int
    headers: Mapping[str, str | list[str]]
    body: bytes


def verifier_from(environ: Mapping[str, str]) -> TokenVerifier | None:
    """The verifier for the stage's user pool; None if the stage has no pool yet."""
    settings = RouteSettings.from_environment(environ)
    if not settings.user_pool_arn:
        return None
    endpoint = environ.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
    if not endpoint:
        endpoint = environ.get("AWS_ENDPOINT_URL")
    return TokenVerifier(settings.user_pool_arn, settings.client_ids, endpoint)


class ApiGateway:
    """API Gateway's part in a request, before the function and after it."""

    def __init__(self, app: Chalice, config: Config, verifier: TokenVerifier | None) -> None:
        self._app = app
        self._config = config
        self._verifier = verifier
        self._matcher = RouteMatcher(list(app.routes))
        self._converter = LambdaEventConverter(self._matcher, app.api.binary_types)
        self._cors = _cors_of_all_routes(app)

    def handle(self, method: str, path: str, headers: Message, body: bytes) -> HttpResponse:
        """The response to one request.

        path: the path with the query, as in the request line.
        """
        try:
            route = self._matcher.match_route(path).route
        except ValueError:
            return self._not_found(path.partition("?")[0])
        entries: dict[str, RouteEntry] = self._app.routes[route]
        if method == "OPTIONS":
            return self._preflight([*entries, "OPTIONS"])
        event = self._event(method, path, headers, body)
        if method in entries and entries[method].authorizer:
            try:
                claims = self._claims(headers.get_all("Authorization", []))
            except NotSignedIn as error:
                return self.error(problem_for(error))
            except (KeysUnavailable, MissingSetting) as error:
                return self._unavailable(f"{error} Tokens cannot be verified.")
            event["requestContext"]["authorizer"] = {"claims": claims}
        return self._invoke(event)

    def error(self, problem: Problem) -> HttpResponse:
        """The response to a request that never reaches the function."""
        response = problem_response(problem, str(uuid.uuid4()), self._cors)
        return HttpResponse(response.status_code, response.headers, response.body.encode())

    def _not_found(self, path: str) -> HttpResponse:
        return self.error(generic_problem(HTTPStatus.NOT_FOUND, f"The path {path} does not exist."))

    def _unavailable(self, detail: str) -> HttpResponse:
        headers = {"Retry-After": "1"}
        return self.error(generic_problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers))

    def _preflight(self, methods: list[str]) -> HttpResponse:
        headers = {
            **self._cors.get_access_control_headers(),
            "Access-Control-Allow-Methods": ",".join(methods),
        }
        return HttpResponse(HTTPStatus.OK, headers, b"")

    def _event(self, method: str, path: str, headers: Message, body: bytes) -> dict[str, Any]:
        """The event for the function. It lacks the authorizer's claims and the request id."""
        event = self._converter.create_lambda_event(method, path, dict(headers), body or None)
        # `headers` has the last of several header lines, `multiValueHeaders` has all of them.
        lines = {name.lower(): headers.get_all(name, []) for name in headers}
        event["multiValueHeaders"] = lines
        event["headers"] = {name: values[-1] for name, values in lines.items()}
        return event

    def _claims(self, authorization: list[str]) -> dict[str, str]:
        """The claims of the token in the Authorization header lines, as strings.

        Raises NotSignedIn, KeysUnavailable, MissingSetting.
        """
        if self._verifier is None:
            raise MissingSetting("USER_POOL_ARN")
        if len(authorization) > 1:
            raise NotSignedIn("The request has more than one Authorization header.")
        token = _token_in("".join(authorization))
        if not token:
            raise NotSignedIn(NOT_SIGNED_IN)
        try:
            claims = self._verifier.claims(token)
        except InvalidToken as error:
            raise NotSignedIn(str(error)) from error
        return {name: _claim_as_text(value) for name, value in claims.items()}

    def _invoke(self, event: dict[str, Any]) -> HttpResponse:
        """Call the function."""
        context = LambdaContext(
            self._config.function_name,
            self._config.lambda_memory_size,
            self._config.lambda_timeout * 1000,
        )
        event["requestContext"]["requestId"] = context.aws_request_id
        response = self._app(event, context)
        headers = {**response["headers"], **response["multiValueHeaders"]}
        return HttpResponse(response["statusCode"], headers, response["body"].encode())


def _cors_of_all_routes(app: Chalice) -> CORSConfig:
    """The CORS settings of the first route. All routes have the same, and unknown paths too."""
    first_route = next(iter(app.routes.values()))
    first_entry = next(iter(first_route.values()))
    return first_entry.cors


def _token_in(header: str) -> str:
    """The token in an Authorization header, with or without the scheme Bearer."""
    header = header.strip()
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return header


def _claim_as_text(value: object) -> str:
    """A claim as API Gateway passes it to the function."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
