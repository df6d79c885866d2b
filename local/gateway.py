"""API Gateway under `chalice local`: routes, authorization, preflight, events as in AWS.

Chalice's own local server (1.34.0) accepts every request for a CognitoUserPoolAuthorizer, even
without a token. It keeps one of several header lines. Its response for an unknown path has another
format and no CORS headers. A front end tested against it would receive its first 401 in production.
"""

from __future__ import annotations

import json
import os
import re
import string
import uuid
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from typing import Any

from botocore.credentials import Credentials
from chalice import Chalice, IAMAuthorizer
from chalice.app import CORSConfig, RouteEntry
from chalice.config import Config
from chalice.local import LambdaContext, LambdaEventConverter, RouteMatcher

from chalicelib.errors import NotSignedIn
from chalicelib.identity import NOT_SIGNED_IN
from chalicelib.problems import UNEXPECTED, Problem, generic_problem, problem_for
from chalicelib.responses import problem_response
from chalicelib.settings import MissingSetting, RouteSettings
from deploy.gateway_responses import NOT_AUTHORIZED, NOT_FOUND_OR_UNSIGNED
from local import environment, signature
from local.http11 import HttpRequest, HttpResponse
from local.tokens import InvalidToken, KeysUnavailable, TokenVerifier

MAX_PAYLOAD = 6_291_556
"""The most bytes of an event or a response of Lambda, as JSON. Source: the message of Lambda's
RequestTooLargeException; "Lambda quotas" rounds it to 6 MB."""
LOCAL_CALLER = "arn:aws:iam::000000000000:user/local"
"""The ARN of the caller with the emulator's credentials. 000000000000 is the emulator's account."""
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


def credentials_from(stage: str, environ: Mapping[str, str]) -> Credentials | None:
    """The AWS credentials that may sign requests for back ends and operators.

    None for every stage but `local`: they are public, and other stages have real tables.
    """
    if stage != environment.STAGE or "AWS_ACCESS_KEY_ID" not in environ:
        return None
    return Credentials(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])


class SignatureRefused(Exception):
    """A request for back ends and operators is not let in. `problem` tells the caller why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class ApiGateway:
    """API Gateway's part in a request, before the function and after it.

    Requests of users are verified by `verifier`. Those of back ends and operators must be signed
    with `credentials`.
    """

    def __init__(
        self,
        app: Chalice,
        config: Config,
        verifier: TokenVerifier | None,
        credentials: Credentials | None = None,
    ) -> None:
        self._app = app
        self._config = config
        self._verifier = verifier
        self._credentials = credentials
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
            return self._preflight(target, entries)
        event = self._event(method, path, headers, body)
        if method in entries and entries[method].authorizer:
            try:
                if isinstance(entries[method].authorizer, IAMAuthorizer):
                    self._require_signature(HttpRequest(method, target, headers, body))
                    event["requestContext"]["identity"]["userArn"] = LOCAL_CALLER
                else:
                    claims = self._claims(headers.get_all("Authorization", []))
                    event["requestContext"]["authorizer"] = {"claims": claims}
            except SignatureRefused as error:
                return self.error(error.problem)
            except NotSignedIn as error:
                return self.error(problem_for(error))
            except (KeysUnavailable, MissingSetting) as error:
                return self._unavailable(f"{error} Tokens cannot be verified.")
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

    def _preflight(self, target: str, entries: dict[str, RouteEntry]) -> HttpResponse:
        """The answer to OPTIONS. API Gateway has that method only where a route has CORS."""
        if not any(entry.cors for entry in entries.values()):
            return self._not_found(target.partition("?")[0])
        headers = {
            **self._cors.get_access_control_headers(),
            "Access-Control-Allow-Methods": ",".join([*entries, "OPTIONS"]),
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

    def _require_signature(self, request: HttpRequest) -> None:
        """Return if the request is signed with the credentials of the stage local.

        Raises SignatureRefused.
        """
        if self._credentials is None:
            detail = (
                "On this machine, /users is served for the stage local only. To reach another "
                "stage's users, call its deployed API."
            )
            raise SignatureRefused(generic_problem(HTTPStatus.FORBIDDEN, detail))
        region = os.environ.get("AWS_REGION", "")
        try:
            signature.verify(request, self._credentials, region)
        except signature.MissingSignature as error:
            problem = generic_problem(HTTPStatus.NOT_FOUND, NOT_FOUND_OR_UNSIGNED)
            raise SignatureRefused(problem) from error
        except signature.InvalidSignature as error:
            problem = generic_problem(HTTPStatus.FORBIDDEN, f"{NOT_AUTHORIZED} {error}")
            raise SignatureRefused(problem) from error

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
    """The CORS settings of the API. All routes that have CORS have the same, and so do errors."""
    entries = [entry for methods in app.routes.values() for entry in methods.values()]
    return next(entry.cors for entry in entries if entry.cors)


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
