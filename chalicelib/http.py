"""The HTTP layer around the views: events, errors, the log, and what a view reads of a request.

`ProfileApp` is a Chalice app that accepts only API Gateway's requests, turns every exception into
an `application/problem+json` response that scripts in a browser can read, and logs one line for
each request. The functions below it read what a view needs from a request. responses.py writes
responses.

One request passes ProfileApp.__call__, Chalice, _handle_request (a middleware of Chalice), Chalice
again, and the view. Its response passes them in reverse order.
"""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from chalice.app import (
    Chalice,
    ChaliceUnhandledError,
    ChaliceViewError,
    CORSConfig,
    Request,
    Response,
)

from chalicelib.errors import MalformedJSON
from chalicelib.identity import logged_identity
from chalicelib.json_text import LONE_SURROGATE, read_json
from chalicelib.paging import PageRequest, page_request
from chalicelib.preconditions import Precondition, parse_tags
from chalicelib.problems import UNEXPECTED, Problem, generic_problem, problem_for
from chalicelib.responses import JSON_TYPE, Headers, problem_response

if TYPE_CHECKING:
    from chalicelib.profile import JSON

MERGE_PATCH_TYPE = "application/merge-patch+json"
JSON_TYPES = [JSON_TYPE]
PATCH_TYPES = [MERGE_PATCH_TYPE, JSON_TYPE]
PATH_PARAMETER = re.compile(r"\{(\w+)\}")
QUOTED_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

GetResponse: TypeAlias = Callable[[Request], Response]
View: TypeAlias = Callable[[], Any]


class ProfileApp(Chalice):
    """A Chalice app whose errors are RFC 9457 problems.

    `cors` is sent with every error, so that a script can read why a request was refused. Errors of
    a route without CORS do not have it.
    The store counts its calls in `database_calls`, for the log.
    If there are several `origins`, each response allows the request's own, if it is one of them.
    `configure_logs`: see Chalice.
    """

    def __init__(
        self,
        app_name: str,
        cors: CORSConfig,
        database_calls: ContextVar[int],
        origins: tuple[str, ...],
        *,
        configure_logs: bool,
    ) -> None:
        super().__init__(app_name, configure_logs=configure_logs)
        self._cors = cors
        self._database_calls = database_calls
        self._origins = origins
        self.register_middleware(self._handle_request, "http")

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """The response to an event. It can be anything, if the function is invoked manually.

        Chalice creates no Request for an empty event, and `_respond` then returns 400.
        """
        request_event = self._normalized(event) if self._is_request(event) else {}
        response: dict[str, Any] = super().__call__(request_event, context)
        if len(self._origins) > 1:
            self._allow_own_origin(request_event, response["headers"])
        return response

    def _allow_own_origin(self, event: dict[str, Any], headers: dict[str, str]) -> None:
        """Replace the constant of `cors`: a response can allow only one origin (Fetch standard).

        A route without CORS has no such header.
        """
        if headers.pop("Access-Control-Allow-Origin", None) is None:
            return
        varies_with = [headers["Vary"]] if "Vary" in headers else []
        headers["Vary"] = ", ".join([*varies_with, "Origin"])
        for origin in _header_lines(event, "origin"):
            if origin in self._origins:
                headers["Access-Control-Allow-Origin"] = origin

    def route(self, path: str, **kwargs: Any) -> Callable[[View], Any]:
        """Chalice's decorator, with three differences.

        A view may raise any exception: see `_respond`. It has no arguments, so that several routes
        can share it; identity.py reads the path. A route accepts any Content-Type, unless it has
        `content_types`. Only a route that reads a body needs them.
        """
        kwargs.setdefault("content_types", [])
        register: Callable[[View], Any] = super().route(path, **kwargs)

        def decorate(view: View) -> View:
            register(_with_exceptions_passed_on(view))
            return view  # not wrapped, for a decorator of another route

        return decorate

    def _is_request(self, event: Any) -> bool:
        """Whether `event` is a request from API Gateway's REST API to one of the routes."""
        if not isinstance(event, dict):
            return False
        context = event.get("requestContext")
        if not isinstance(context, dict) or not isinstance(context.get("httpMethod"), str):
            return False
        if context.get("resourcePath") not in list(self.routes):  # may be unhashable
            return False
        return isinstance(event.get("body"), str | bytes | None)

    def _normalized(self, event: dict[str, Any]) -> dict[str, Any]:
        """`event` with the members that Chalice expects, and with headers of the right types."""
        header_lines = {
            name: lines
            for name, lines in _object(event.get("multiValueHeaders")).items()
            if lines and isinstance(lines, list)
        }
        headers = _object(event.get("headers"))
        if not headers:
            headers = {name: lines[-1] for name, lines in header_lines.items()}
        names = PATH_PARAMETER.findall(event["requestContext"]["resourcePath"])
        return {
            "multiValueQueryStringParameters": None,
            "stageVariables": None,
            "body": None,
            **event,
            "pathParameters": dict.fromkeys(names, "") | _object(event.get("pathParameters")),
            "headers": {name: line for name, line in headers.items() if isinstance(line, str)},
            "multiValueHeaders": header_lines,
        }

    def _handle_request(self, request: Request | None, get_response: GetResponse) -> Response:
        """Chalice middleware that wraps all other code: respond, then log one line."""
        started = time.perf_counter()
        self._database_calls.set(0)
        context: dict[str, Any] = request.context if request else {}
        request_id = self._request_id(request, context)
        response, error = self._respond(request, get_response, request_id)
        duration_ms = round((time.perf_counter() - started) * 1000, 1)
        self._log_request(request, request_id, response.status_code, duration_ms, error)
        return response

    def _problem_response(
        self, problem: Problem, request_id: str, request: Request | None
    ) -> Response:
        """The response that reports `problem`. It has CORS headers if the route has them."""
        cors: CORSConfig | None = self._cors
        if request is not None:
            entries = self.routes[request.context["resourcePath"]]
            cors = next(iter(entries.values())).cors
        return problem_response(problem, request_id, cors)

    def _request_id(self, request: Request | None, context: dict[str, Any]) -> str:
        """API Gateway's id, which its logs also contain; the function's id if there is none."""
        gateway_id: str | None = context.get("requestId")
        if gateway_id:
            return gateway_id
        lambda_context = request.lambda_context if request else self.lambda_context
        return getattr(lambda_context, "aws_request_id", "")

    def _respond(
        self, request: Request | None, get_response: GetResponse, request_id: str
    ) -> tuple[Response, BaseException | None]:
        """The response, and the exception that it reports, if any."""
        if request is None:
            problem = generic_problem(
                HTTPStatus.BAD_REQUEST,
                "This function only accepts requests from an API Gateway REST API that has the "
                "resources of this service. HTTP APIs (payload format 2.0) and {proxy+} resources "
                "are not supported.",
            )
            return self._problem_response(problem, request_id, request), None
        try:
            self._require_readable_body(request)
            response = get_response(request)
        except ChaliceUnhandledError as unhandled:
            error = unhandled.__cause__ or unhandled
        except Exception as raised:
            error = raised
        else:
            return self._completed(request, response, request_id), None
        return self._problem_response(_problem(error), request_id, request), error

    def _require_readable_body(self, request: Request) -> None:
        """Raise UnsupportedMediaType if the route reads a body and cannot read this one.

        Chalice also accepts `*/*` and lists of types, and ignores Content-Encoding.
        """
        methods = self.routes[request.context["resourcePath"]]
        route = methods.get(request.method)
        if route is None or not route.content_types:
            return  # a method that does not exist, or a view that reads no body
        if _is_encoded(request):
            raise UnsupportedMediaType(
                "Send the body without a Content-Encoding: compressed bodies are not read.",
                {"Accept-Encoding": "identity"},
            )
        if _media_type(request) not in route.content_types:
            headers: Headers = {}
            if request.method == "PATCH":
                headers["Accept-Patch"] = ", ".join(route.content_types)
            raise UnsupportedMediaType(
                f"Set Content-Type to {' or '.join(route.content_types)}.", headers
            )

    def _completed(self, request: Request, response: Response, request_id: str) -> Response:
        """`response`; as a problem if it is one of Chalice's own errors, such as 405.

        Chalice's own 5xx errors are replaced: in debug mode, they contain a traceback.
        """
        status = response.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._problem_response(UNEXPECTED, request_id, request)
        if status < HTTPStatus.BAD_REQUEST or not _is_chalice_error(response):
            return response
        detail: str = response.body["Message"]
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"The method {request.method} is not supported here."
        problem = generic_problem(status, detail, dict(response.headers))
        return self._problem_response(problem, request_id, request)

    def _log_request(
        self,
        request: Request | None,
        request_id: str,
        status: int,
        duration_ms: float,
        error: BaseException | None,
    ) -> None:
        """Log one line per request. Client errors are logged without a traceback."""
        event = request.to_original_event() if request else {}
        context = event.get("requestContext", {})
        method = context.get("httpMethod", "-")
        route = context.get("resourcePath", "-")
        is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        traceback = None
        if error is not None and is_server_error:
            traceback = error.__cause__ or error  # StoreUnavailable: botocore's exception
        self.log.log(
            logging.ERROR if is_server_error else logging.INFO,
            "%s %s: %d in %.1f ms (request_id %s)",
            method,
            route,
            status,
            duration_ms,
            request_id,
            exc_info=traceback,
            extra={
                "request_id": request_id,
                "method": method,
                "route": route,
                "status": int(status),
                **logged_identity(event),
                "duration_ms": duration_ms,
                "database_calls": self._database_calls.get(),
                "error": None if error is None else type(error).__name__,
            },
        )


class UnsupportedMediaType(Exception):
    """The body's media type or content coding is not supported (RFC 9110, section 15.5.16).

    `headers` name what is supported.
    """

    def __init__(self, detail: str, headers: Headers) -> None:
        super().__init__(detail)
        self.headers = headers


def _with_exceptions_passed_on(view: View) -> View:
    """`view` without arguments, with its exceptions wrapped in ChaliceUnhandledError.

    Chalice handles all other exceptions of a view itself, before any middleware sees them.
    """

    @functools.wraps(view)
    def passing_exceptions_on(**_: str) -> Any:
        try:
            return view()
        except Exception as error:
            raise ChaliceUnhandledError from error

    return passing_exceptions_on


def _problem(error: BaseException) -> Problem:
    """The problem for an exception, including Chalice's view errors such as NotFoundError."""
    if isinstance(error, UnsupportedMediaType):
        return generic_problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error), error.headers)
    if isinstance(error, ChaliceViewError):
        status: int = error.STATUS_CODE
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return generic_problem(status, str(error))
    return problem_for(error)


def _is_chalice_error(response: Response) -> bool:
    return isinstance(response.body, dict) and {"Code", "Message"} <= set(response.body)


def _texts(values: Any) -> list[str]:
    """The texts in a list. API Gateway sends nothing else."""
    if not isinstance(values, list):
        return []
    return [value for value in values if isinstance(value, str)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# --- Reading requests -----------------------------------------------------------------------------


def json_body(request: Request) -> JSON:
    """The request's body as a JSON value. Raises MalformedJSON or InvalidProfile."""
    try:
        body: Any = request.raw_body
    except UnicodeEncodeError as error:
        raise MalformedJSON(LONE_SURROGATE) from error
    except ValueError as error:  # malformed base64
        raise MalformedJSON("The body is not UTF-8 text.") from error
    return read_json(body)


def read_precondition(request: Request, *, required: bool) -> Precondition:
    """The request's If-Match and If-None-Match. Raises MalformedPrecondition.

    `required`: whether a change of an existing profile needs one of these headers.
    """
    event = request.to_original_event()
    return Precondition(
        if_match=parse_tags("If-Match", _header_lines(event, "if-match")),
        if_none_match=parse_tags("If-None-Match", _header_lines(event, "if-none-match")),
        required=required,
    )


def has_current_copy(request: Request, revision: str | None) -> bool:
    """Whether the caller of a GET has the stored state already: If-None-Match names it.

    `revision` is the stored one; None if nothing is stored.
    Raises MalformedPrecondition, or PreconditionFailed if If-Match does not name it.
    """
    precondition = read_precondition(request, required=False)
    precondition.require_match(revision)
    return precondition.excludes(revision)


def read_page_request(request: Request) -> PageRequest:
    """The page of a list that the query asks for. Raises MalformedQuery."""
    return page_request(query_parameters(request))


def query_parameters(request: Request) -> dict[str, list[str]]:
    """The values of each parameter in the query."""
    parameters = _object(request.to_original_event()["multiValueQueryStringParameters"])
    return {name: _texts(values) for name, values in parameters.items()}


def _is_encoded(request: Request) -> bool:
    """Whether the body has a Content-Encoding, other than `identity`, which means none."""
    lines = _header_lines(request.to_original_event(), "content-encoding")
    codings = {coding.strip(" \t").lower() for coding in ",".join(lines).split(",")}
    return not codings <= {"", "identity"}


def _media_type(request: Request) -> str:
    """The body's media type in lower case, without parameters; "" if there is not exactly one.

    A missing Content-Type is treated as JSON.
    """
    lines = _header_lines(request.to_original_event(), "content-type")
    if not lines:
        return JSON_TYPE
    media_type, _, parameters = ",".join(lines).partition(";")
    if "," in QUOTED_STRING.sub("", parameters):
        return ""  # the comma starts another type
    return media_type.strip(" \t").lower()


def _header_lines(event: Mapping[str, Any], name: str) -> list[str]:
    """The lines of a header in an event; empty if it was not sent. `name` is in lower case."""
    headers = event.get("multiValueHeaders") or event.get("headers") or {}
    lines: list[str] = []
    for key, value in headers.items():
        if key.lower() == name:
            values = value if isinstance(value, list) else [value]
            lines.extend(line for line in values if isinstance(line, str))
    return lines
