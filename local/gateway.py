"""API Gateway under `chalice local`: routes, the Cognito authorizer, preflight, events as in AWS.

Chalice's own local server (1.34.0) accepts every request for a CognitoUserPoolAuthorizer, even
without a token. It keeps one of several header lines. Its response for an unknown path has another
format and no CORS headers. A front end tested against it would receive its first 401 in production.
"""

from __future__ import annotations

import json
import re
import string
import uuid
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from typing import Any

from chalice import Chalice
from chalice.app import CORSConfig, RouteEntry
from chalice.config import Config
from chalice.local import LambdaContext, LambdaEventConverter, RouteMatcher

from chalicelib.errors import NotSignedIn
from chalicelib.http import problem_response
from chalicelib.identity import NOT_SIGNED_IN
from chalicelib.problems import UNEXPECTED, Problem, generic_problem, problem_for
from chalicelib.settings import MissingSetting, RouteSettings
from local.http11 import HttpResponse
from local.tokens import InvalidToken, KeysUnavailable, TokenVerifier

MAX_PAYLOAD = 6_291_556
"""The most bytes of an event or a response of Lambda, as JSON. Source: the message of Lambda's
RequestTooLargeException; "Lambda quotas" rounds it to 6 MB."""
PERCENT_ENCODED = re.compile("%[0-9A-Fa-f]{2}")
UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


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

    def handle(self, method: str, target: str, headers: Message, body: bytes) -> HttpResponse:
        """The response to one request.

        target: the path with the query, as in the request line.
        """
        path = _normalized(target)
        try:
            route = self._matched_route(path)
        except ValueError:
            return self._not_found(target.partition("?")[0])
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

    def _matched_route(self, path: str) -> str:
        """The route of a path with a query. Raises ValueError if there is none."""
        # The matcher parses a URL. It would ignore a scheme, the host of //host/path, ;parameters
        # and a #fragment.
        without_query = path.partition("?")[0]
        if not re.fullmatch("/(?!/)[^;#]*", without_query):
            raise ValueError(path)
        route: str = self._matcher.match_route(path).route
        return route

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
        if _payload_bytes(event) > MAX_PAYLOAD:
            detail = "The request is too large: Lambda accepts 6 MB, after JSON escaping."
            return self.error(generic_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))
        response = self._app(event, context)
        if _payload_bytes(response) > MAX_PAYLOAD:
            return self.error(UNEXPECTED)
        headers = {**response["headers"], **response["multiValueHeaders"]}
        return HttpResponse(response["statusCode"], headers, response["body"].encode())


def _cors_of_all_routes(app: Chalice) -> CORSConfig:
    """The CORS settings of the first route. All routes have the same, and unknown paths too."""
    first_route = next(iter(app.routes.values()))
    first_entry = next(iter(first_route.values()))
    return first_entry.cors


def _normalized(target: str) -> str:
    """`target` with letters, digits and -._~ instead of their percent-encodings.

    RFC 3986, section 6.2.2.2: both forms are the same URL.
    """
    path, separator, query = target.partition("?")
    return PERCENT_ENCODED.sub(_decoded_if_unreserved, path) + separator + query


def _decoded_if_unreserved(encoded: re.Match[str]) -> str:
    character = chr(int(encoded[0][1:], 16))
    if character in UNRESERVED:
        return character
    return encoded[0]


def _payload_bytes(payload: object) -> int:
    """The size of an event or a response as JSON in UTF-8."""
    text = json.dumps(payload, ensure_ascii=False, default=_body_text)
    return len(text.encode(errors="replace"))


def _body_text(body: bytes) -> str:
    """A body that is not UTF-8 and therefore still bytes, as JSON could contain it."""
    return body.decode("latin-1")


def _token_in(header: str) -> str:
    """The token in an Authorization header, with or without the scheme Bearer.

    Around it, only spaces and tabs are whitespace (RFC 9110, section 5.6.3).
    """
    header = header.strip(" \t")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip(" \t")
    return header


def _claim_as_text(value: object) -> str:
    """A claim as API Gateway passes it to the function."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
