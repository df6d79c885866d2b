"""HTTP: strict JSON in, exact JSON out, ETags, and every error as RFC 9457 problem+json, from one table.

What a view raises, `outer_edge` makes a response, and completes every error, Chalice's own too (405, 415), with the
request's id and the CORS headers: a script in a browser must be able to read why it was refused.
"""

import functools
import json
import logging
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from chalice.app import Chalice, ChaliceUnhandledError, CORSConfig, Request, Response

from chalicelib import errors
from chalicelib.identity import subject
from chalicelib.profile import Precondition

if TYPE_CHECKING:
    from chalicelib.profile import JSON, Profile

JSON_TYPE, PROBLEM_JSON_TYPE = "application/json", "application/problem+json"
PATCH_TYPES = ["application/merge-patch+json", JSON_TYPE]
ENTITY_TAG = re.compile(r'(W/)?"([!#-~\x80-\xff]*)"(?=[ \t]*(?:,|$))')
MAX_TAGS = 100  # as many as DynamoDB's IN takes
NO_REQUEST = "This function answers requests that API Gateway hands on to it, and this is none."
PERSONAL = {"Cache-Control": "no-store"}
"""Personal data stays out of every cache, the browser's on a shared computer too; ETags work all the same."""


class Problem(NamedTuple):
    """How an error is told over HTTP; `name` ends its type, urn:problem-type:user-profile:<name>."""

    status: int
    name: str
    title: str
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


PROBLEMS: dict[type[errors.ProfileError], Problem] = {
    errors.MalformedJSON: Problem(400, "malformed-json", "The body is not valid JSON"),
    errors.MalformedPrecondition: Problem(
        400, "malformed-precondition", "The precondition is not readable"
    ),
    errors.NotSignedIn: Problem(
        401,
        "not-signed-in",
        "You are not signed in",
        {"WWW-Authenticate": 'Bearer realm="user-profile"'},
    ),
    errors.ProfileNotFound: Problem(404, "profile-not-found", "There is no profile yet"),
    errors.PreconditionFailed: Problem(
        412, "precondition-failed", "The profile is not as you last saw it"
    ),
    errors.ProfileTooLarge: Problem(413, "profile-too-large", "The profile is too large"),
    errors.InvalidProfile: Problem(422, "invalid-profile", "The profile is not valid"),
    errors.PreconditionRequired: Problem(
        428, "precondition-required", "The change needs a precondition"
    ),
    errors.StoreUnavailable: Problem(
        503, "store-unavailable", "Temporarily unavailable", {"Retry-After": "1"}
    ),
}


def json_body(request: Request) -> "JSON":
    """The request's body as one JSON text, numbers exact (int, or Decimal).

    Raises MalformedJSON for what RFC 8259 and I-JSON (RFC 7493) do not allow: bad syntax, another encoding than UTF-8,
    a byte order mark, duplicate names, lone surrogates, NaN and Infinity, nothing at all. Raises InvalidProfile for
    what no parser should follow to its depth.
    """
    try:
        text = str(request.raw_body, "utf-8")  # type: ignore[arg-type]
        value: JSON = json.loads(
            text,
            parse_int=_exact_number,
            parse_float=_exact_number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_without_duplicates,
        )
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except RecursionError as error:
        raise errors.InvalidProfile([errors.Violation("", "Nested far too deep.")]) from error
    except UnicodeEncodeError as error:
        raise errors.MalformedJSON(
            "The body has half of a surrogate pair (\\ud800 to \\udfff) by itself."
        ) from error
    except json.JSONDecodeError as error:
        where = (
            f"{error.msg}, line {error.lineno}, column {error.colno}"
            if text.strip()
            else "it is empty"
        )
        raise errors.MalformedJSON(f"The body is not valid JSON: {where}.") from error
    except ValueError as error:
        raise errors.MalformedJSON("The body is not UTF-8 text.") from error
    return value


def _exact_number(text: str) -> int | Decimal:
    if len(text) <= 40 and text.lstrip("-").isdecimal():
        return int(text)
    try:
        return Decimal(text)
    except (
        InvalidOperation
    ):  # the exponent itself has 19 digits or more: any number out of range does in its place
        return Decimal("1E+999999") if Decimal(text.lower().partition("e")[0]) else 0


def _refuse_constant(name: str) -> NoReturn:
    raise errors.MalformedJSON(f"The body is not valid JSON: {name} is not a JSON value.")


def _object_without_duplicates(pairs: list[tuple[str, "JSON"]]) -> dict[str, "JSON"]:
    members: dict[str, JSON] = {}
    for name, value in pairs:
        if name in members:
            raise errors.MalformedJSON(
                f"The body has the name {json.dumps(name[:100])} twice in one object."
            )
        members[name] = value
    return members


def precondition(request: Request, *, required: bool = False) -> Precondition:
    """What If-Match and If-None-Match ask for (RFC 9110, section 13.1). Raises MalformedPrecondition.

    Weak tags: strong comparison never matches one, so that they are left out of If-Match; weak comparison, which
    If-None-Match uses, knows them by what they quote.
    """
    return Precondition(
        _tags(request, "if-match", weak=False), _tags(request, "if-none-match", weak=True), required
    )


def _tags(request: Request, name: str, *, weak: bool) -> frozenset[str] | None:
    lines: Any = request.to_original_event().get("multiValueHeaders") or request.headers
    found = [
        value if isinstance(value, list) else [value]
        for key, value in lines.items()
        if key.lower() == name
    ]
    if not found:
        return None
    text = ",".join(str(line) for values in found for line in values).strip()
    if text == "*":
        return Precondition.ANY
    tags = ENTITY_TAG.findall(text)
    if not tags or len(tags) > MAX_TAGS or ENTITY_TAG.sub("", text).strip(", \t"):
        raise errors.MalformedPrecondition(
            f'{name.title()} takes * or up to {MAX_TAGS} entity tags: "one", "another".'
        )
    return frozenset(tag for is_weak, tag in tags if weak or not is_weak)


def read_response(profile: "Profile", condition: Precondition) -> Response:
    """200 with the profile, or 304 where the caller has this revision already. Raises PreconditionFailed."""
    Precondition(match=condition.match).check(profile.revision)
    try:
        condition.check(profile.revision)
    except errors.PreconditionFailed:
        return Response("", {"ETag": f'"{profile.revision}"', **PERSONAL}, HTTPStatus.NOT_MODIFIED)
    return profile_response(profile)


def no_content() -> Response:
    """204: done, and there is nothing to show."""
    return Response("", dict(PERSONAL), HTTPStatus.NO_CONTENT)


def profile_response(profile: "Profile") -> Response:
    """200 with the profile, in the shape that front ends of the original example read, and its ETag."""
    times = {"created_at": profile.created_at, "updated_at": profile.updated_at}
    body = {"pk": profile.pk, "sk": profile.sk, "profile_data": profile.data}
    body |= {name: time for name, time in times.items() if time is not None}
    return Response(
        dump_json(body), {"Content-Type": JSON_TYPE, "ETag": f'"{profile.revision}"', **PERSONAL}
    )


def dump_json(value: "JSON") -> str:
    """`value` as JSON text, every number exact, which json.dumps has no way to do with a Decimal."""
    if isinstance(value, dict):
        return (
            "{"
            + ",".join([f"{_encode(name)}:{dump_json(member)}" for name, member in value.items()])
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(dump_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else _encode(value)


_encode = json.JSONEncoder(ensure_ascii=False).encode


class API(Chalice):
    """A Chalice app whose function may be invoked with anything: what is no request of API Gateway's is refused."""

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        return super().__call__(self._request_in(event), context)

    def _request_in(self, event: Any) -> dict[str, Any]:
        """`event` with what Chalice counts on in it; {}, of which Chalice makes no request, where it is none."""
        context, text = _object(_object(event).get("requestContext")), (str, bytes, NoneType)
        known = context.get("resourcePath") in list(self.routes) and isinstance(
            context.get("httpMethod"), str
        )
        if not known or not isinstance(event.get("body"), text):
            return {}
        given = _object(event.get("multiValueHeaders")).items()
        lines = {name: values for name, values in given if values and isinstance(values, list)}
        headers = _object(event.get("headers")) or {
            name: values[-1] for name, values in lines.items()
        }
        headers = {name: line for name, line in headers.items() if isinstance(line, str)}
        absent = dict.fromkeys(
            ("multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
        )
        return {**absent, **event, "headers": headers, "multiValueHeaders": lines}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def answers(app: Chalice) -> Callable[[Callable[[Request], Response]], Callable[[], Response]]:
    """Give a view of `app` the request, and let `outer_edge` have what it raises, which Chalice else answers itself."""

    def decorate(view: Callable[[Request], Response]) -> Callable[[], Response]:
        @functools.wraps(view)
        def answering() -> Response:
            request: Any = app.current_request
            try:
                return view(request)
            except Exception as error:
                raise ChaliceUnhandledError from error

        return answering

    return decorate


def error_response(error: errors.ProfileError) -> Response:
    """The response that tells of `error`; `complete` makes it ready to be sent."""
    status, name, title, headers = next(
        PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS
    )
    body = {
        "type": f"urn:problem-type:user-profile:{name}",
        "title": title,
        "status": status,
        "detail": str(error),
    }
    if isinstance(error, errors.InvalidProfile):
        body["errors"] = [violation.__dict__ for violation in error.violations]
    if isinstance(error, errors.PreconditionFailed) and error.revision:
        headers = {"ETag": f'"{error.revision}"'}
    return Response(body, dict(headers), status)


def complete(response: Response, request_id: str, cors: CORSConfig) -> Response:
    """An error's response, ours or Chalice's own ({"Code", "Message"}), as problem+json that scripts can read."""
    body, status = response.body, HTTPStatus(response.status_code)
    if "type" not in body:
        told = status < HTTPStatus.INTERNAL_SERVER_ERROR
        detail = (
            body["Message"]
            if told
            else "Something unexpected happened. Tell whoever runs this the request_id."
        )
        body = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    headers: Any = {
        "Content-Type": PROBLEM_JSON_TYPE,
        **PERSONAL,
        **cors.get_access_control_headers(),
    }
    return Response(
        json.dumps({**body, "request_id": request_id}), {**response.headers, **headers}, status
    )


def outer_edge(
    app: Chalice, cors: CORSConfig, database_calls: ContextVar[int]
) -> Callable[..., Response]:
    """Chalice middleware around everything: it answers what goes wrong behind it, and logs each request in one line.

    `database_calls` is where the store counts its requests to the database.
    """

    def middleware(request: Request | None, get_response: Callable[..., Response]) -> Response:
        started, failure = time.perf_counter(), None
        database_calls.set(0)
        try:
            response = (
                get_response(request) if request else Response({"Message": NO_REQUEST}, {}, 400)
            )
        except Exception as error:
            failure = error.__cause__ if isinstance(error, ChaliceUnhandledError) else error
            response = (
                error_response(failure)
                if isinstance(failure, errors.ProfileError)
                else Response({}, {}, 500)
            )
        context, status = request.context if request else {}, int(response.status_code)
        method, route = context.get("httpMethod", "-"), context.get("resourcePath", "-")
        # API Gateway's id stands in its logs and its own errors; the function's, in the function's logs.
        request_id: Any = context.get("requestId") or getattr(
            (request or app).lambda_context, "aws_request_id", ""
        )
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        facts = {
            "request_id": request_id, "method": method, "route": route, "status": status, "sub": subject(context),
            "duration_ms": milliseconds, "database_calls": database_calls.get(),
            "error": failure and type(failure).__name__,
        }  # fmt: skip
        # The store's trouble is botocore's; who made a mistake with a request is told, and leaves no trace.
        trace = failure and (failure.__cause__ or failure) if status >= 500 else None
        words = (
            "%s %s: %d in %.1f ms (request_id %s)",
            method,
            route,
            status,
            milliseconds,
            request_id,
        )
        app.log.log(
            logging.ERROR if status >= 500 else logging.INFO, *words, exc_info=trace, extra=facts
        )
        if status < 400:
            return response
        if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and method == "PATCH":
            response.headers["Accept-Patch"] = ", ".join(PATCH_TYPES)
        return complete(response, request_id, cors)

    return middleware
