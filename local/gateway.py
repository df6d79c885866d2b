"""API Gateway's part under `chalice local`: routing, the Cognito authorizer, preflight, and events as in AWS.

Chalice's own local server (1.34.0) lets every request through a CognitoUserPoolAuthorizer (no token, a forged one, an
access token), drops the connection on a malformed one, keeps one of several header lines, and answers what no route
matches in a shape of its own, without CORS. A front end tested against that would meet its first 401 in production.

One thing is replaced from outside: `chalice.local.create_local_server`, a public function, but one that the `chalice`
command offers no setting for. Chalice still makes the server; only the class that handles its requests is ours.
tests/api/test_tokens.py fails when a Chalice to come no longer asks that function: it lets a forged token in.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import FrameType
from typing import Any, TypeAlias

import chalice.local
from chalice import Chalice
from chalice.app import CORSConfig, RouteEntry
from chalice.config import Config
from chalice.local import LambdaContext, LambdaEventConverter, LocalDevServer, RouteMatcher

from chalicelib.http import problem_response
from chalicelib.errors import NotSignedIn
from chalicelib.problems import Problem, generic_problem, problem_for
from chalicelib.settings import Settings
from local import environment
from local.documentation import documentation
from local.tokens import InvalidToken, KeysUnavailable, TokenVerifier

MAX_BODY = 10 * 1024 * 1024
"""Bytes. AWS: "Amazon API Gateway quotas", payload size."""

LONGEST_SECONDS = 20
"""That a request may take: lambda_timeout in .chalice/config.json."""

Answer: TypeAlias = tuple[int, dict[str, Any], bytes]
"""Status, headers (a list where a name has several values), body."""

create_chalice_server = chalice.local.create_local_server


def stand_in_for_api_gateway() -> None:
    """Make `chalice local`, when that is the running command, serve requests as API Gateway would.

    For the stage `local`, also load what `make local` recorded about the local cloud into the environment.
    """
    environment.load_if_local()
    # The command sets the root logger to INFO, where botocore tells where it found its credentials.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    chalice.local.create_local_server = create_server


def create_server(app_obj: Chalice, config: Config, host: str, port: int) -> LocalDevServer:
    """Chalice's local server, with ApiGateway handling its requests."""
    server = create_chalice_server(app_obj, config, host, port)
    gateway = ApiGateway(app_obj, config, verifier_from(os.environ))

    class Handler(RequestHandler):
        api_gateway = gateway

    server.server.RequestHandlerClass = Handler
    atexit.register(Handler.in_flight.end)
    if (
        threading.current_thread() is threading.main_thread()
    ):  # with autoreload it is not, and Chalice ends the process
        signal.signal(signal.SIGTERM, end_gently)
    server.server.socket.listen(
        128
    )  # socketserver's 5 make the sixth of a burst of clients wait for seconds
    return server


def end_gently(number: int, _: FrameType | None) -> None:
    """End this process, but not at once, even if told twice: what is in flight is answered first."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def verifier_from(environ: Mapping[str, str]) -> TokenVerifier | None:
    """The verifier for the stage's user pool; None where the stage has none yet."""
    settings = Settings.from_environment(environ)
    if not settings.user_pool_arn:
        return None
    endpoint = environ.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER") or environ.get(
        "AWS_ENDPOINT_URL"
    )
    return TokenVerifier(settings.user_pool_arn, settings.client_ids, endpoint)


class ApiGateway:
    """What API Gateway does with a request on its way to the function and back."""

    def __init__(self, app: Chalice, config: Config, verifier: TokenVerifier | None) -> None:
        self._app = app
        self._config = config
        self._verifier = verifier
        self._routes = RouteMatcher(list(app.routes))
        self._events = LambdaEventConverter(self._routes, app.api.binary_types)
        # All routes of this app have the same; what matches no route gets it too.
        self._cors: CORSConfig = next(iter(next(iter(app.routes.values())).values())).cors

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        """The answer to one request, whatever it is."""
        context = LambdaContext(
            self._config.function_name,
            self._config.lambda_memory_size,
            self._config.lambda_timeout * 1000,
        )
        try:
            entries: dict[str, RouteEntry] = self._app.routes[self._routes.match_route(path).route]
        except ValueError:
            return self.refusal(
                generic_problem(404, f"There is nothing at {path.partition('?')[0]}.")
            )
        if method == "OPTIONS":
            methods = ",".join([*entries, "OPTIONS"])
            return (
                200,
                {
                    **self._cors.get_access_control_headers(),
                    "Access-Control-Allow-Methods": methods,
                },
                b"",
            )
        event = self._events.create_lambda_event(method, path, dict(headers), body or None)
        # As in AWS: the last of several header lines, and all of them beside it.
        event["multiValueHeaders"] = {name.lower(): headers.get_all(name, []) for name in headers}
        event["headers"] = {name: lines[-1] for name, lines in event["multiValueHeaders"].items()}
        event["requestContext"]["requestId"] = context.aws_request_id
        if method in entries and entries[method].authorizer:
            try:
                claims = self._claims(event["multiValueHeaders"].get("authorization", []))
            except NotSignedIn as error:
                return self.refusal(problem_for(error))
            except KeysUnavailable as error:
                return self.refusal(_unavailable(f"{error} Without them nobody can be let in."))
            event["requestContext"]["authorizer"] = {"claims": claims}
        response = self._app(event, context)
        return (
            response["statusCode"],
            {**response["headers"], **response["multiValueHeaders"]},
            response["body"].encode(),
        )

    def refusal(self, problem: Problem) -> Answer:
        """The answer to a request that never reaches the function, in the shape of the function's own errors."""
        response = problem_response(problem, str(uuid.uuid4()), self._cors)
        return response.status_code, response.headers, response.body.encode()

    def _claims(self, authorization: list[str]) -> dict[str, str]:
        """The claims of the token in the Authorization header lines, as API Gateway hands them on: strings all."""
        if self._verifier is None:
            raise KeysUnavailable(
                "USER_POOL_ARN is not set: this stage has no user pool yet, and so no keys."
            )
        if len(authorization) > 1:
            raise NotSignedIn("There is more than one Authorization header.")
        token = "".join(authorization).strip()
        scheme, _, rest = token.partition(" ")
        if scheme.lower() == "bearer":
            token = rest.strip()
        if not token:
            raise NotSignedIn("Sign in and send your id token in the Authorization header.")
        try:
            claims = self._verifier.claims(token)
        except InvalidToken as error:
            raise NotSignedIn(str(error)) from error
        return {name: _claim_as_text(value) for name, value in claims.items()}


def _unavailable(detail: str) -> Problem:
    return generic_problem(503, detail, {"Retry-After": "1"})


def _claim_as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


class InFlight:
    """The requests that are being answered, from when they are read: whoever stops the server waits for them, and
    begins no more."""

    def __init__(self) -> None:
        self._count, self._changed = 0, threading.Condition()
        self.ending = False

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Return when all are answered; or have taken longer than any does."""
        with self._changed:
            self.ending = True
            self._changed.wait_for(lambda: self._count == 0, timeout=LONGEST_SECONDS)


class RequestHandler(BaseHTTPRequestHandler):
    """Reads HTTP, asks the ApiGateway, writes HTTP."""

    protocol_version = "HTTP/1.1"
    api_gateway: ApiGateway
    in_flight = InFlight()
    command = path = ""  # of what is no request

    timeout = 30  # seconds that a client may keep us waiting

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):  # the client is gone
            super().handle()

    def handle_request(self) -> None:
        try:
            self._handle_request()
        except OSError:
            raise
        except Exception:
            logging.getLogger(__name__).exception("Unexpected error in the local API Gateway")
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """A line without the query, where somebody may have put a token."""
        self.log_message('"%s %s" %s', self.command, self.path.partition("?")[0], code)

    def _handle_request(self) -> None:
        lengths = self.headers.get_all("Content-Length", ["0"])
        if "Transfer-Encoding" in self.headers or not (
            lengths[0].isdecimal() and len(lengths[0]) < 16
        ):
            return self.send_error(
                HTTPStatus.LENGTH_REQUIRED, "Send the body's length in Content-Length."
            )
        if len(lengths) > 1 or self.headers.defects:
            return self.send_error(HTTPStatus.BAD_REQUEST, "The request's headers are malformed.")
        length = int(lengths[0])
        if length > MAX_BODY:
            while length > 0 and (chunk := self.rfile.read(min(length, 65_536))):
                length -= len(
                    chunk
                )  # read on: a client that is still sending would not hear the answer
            return self.send_error(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body may have {MAX_BODY:,} bytes."
            )
        if self.command == "GET" and (page := documentation(self.path)):
            return self._send(*page)
        body = self.rfile.read(length)
        if len(body) < length:
            return self.send_error(
                HTTPStatus.BAD_REQUEST, f"The body ended after {len(body):,} of {length:,} bytes."
            )
        with self.in_flight:
            if not self.in_flight.ending:
                self._send(*self.api_gateway.answer(self.command, self.path, self.headers, body))
            self.close_connection |= self.in_flight.ending
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith(
            "do_"
        ):  # http.server asks for do_GET and the like; the API itself says which it has
            return self.handle_request
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What is not even a request for the API, in the API's error shape; the connection ends with it."""
        self.close_connection = True
        status = (
            HTTPStatus.BAD_REQUEST
            if code == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
            else HTTPStatus(code)
        )
        problem = generic_problem(status, message or status.phrase, {"Connection": "close"})
        self._send(*self.api_gateway.refusal(problem))

    def _send(self, status: int, headers: Mapping[str, Any], body: bytes) -> None:
        self.request_version = (
            "HTTP/1.1"  # also to who spoke 0.9: the answer has a status line and headers
        )
        self.send_response(status)
        length = (
            {} if status in (204, 304) else {"Content-Length": str(len(body))}
        )  # RFC 9110, section 8.6
        for name, values in {**headers, **length}.items():
            for value in values if isinstance(values, list) else [values]:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
