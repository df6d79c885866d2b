"""Errors as RFC 9457 problems. Only this module knows the status code of an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chalicelib import errors

TYPE_PREFIX = "urn:problem-type:user-profile:"
PHRASES_OF_RFC_9110 = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "URI Too Long",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "Range Not Satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
"""Phrases that are different in Python before 3.13."""


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem. `name` is the end of its type URI; `headers` are sent with it."""

    status: HTTPStatus
    name: str
    title: str
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)


PROBLEM_TYPES: dict[type[errors.ProfileError], ProblemType] = {
    errors.MalformedJSON: ProblemType(
        HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON"
    ),
    errors.MalformedPrecondition: ProblemType(
        HTTPStatus.BAD_REQUEST, "malformed-precondition", "The precondition is malformed"
    ),
    errors.NotSignedIn: ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "not-signed-in",
        "You are not signed in",
        {"WWW-Authenticate": 'Bearer realm="user-profile"'},
    ),
    errors.SignInTooOld: ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "insufficient-user-authentication",
        "A more recent sign-in is needed",
    ),
    errors.Forbidden: ProblemType(HTTPStatus.FORBIDDEN, "forbidden", "You may not do this"),
    errors.MalformedQuery: ProblemType(
        HTTPStatus.BAD_REQUEST, "malformed-query", "The query is not valid"
    ),
    errors.UserNotFound: ProblemType(
        HTTPStatus.NOT_FOUND, "user-not-found", "There is no such user"
    ),
    errors.ProfileNotFound: ProblemType(
        HTTPStatus.NOT_FOUND, "profile-not-found", "There is no profile yet"
    ),
    errors.AccountErased: ProblemType(HTTPStatus.GONE, "account-erased", "The account was erased"),
    errors.PreconditionFailed: ProblemType(
        HTTPStatus.PRECONDITION_FAILED,
        "precondition-failed",
        "The precondition does not hold",
    ),
    errors.ProfileTooLarge: ProblemType(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "profile-too-large", "The data is too large"
    ),
    errors.InvalidProfile: ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-profile", "The data is not valid"
    ),
    errors.PreconditionRequired: ProblemType(
        HTTPStatus.PRECONDITION_REQUIRED,
        "precondition-required",
        "A precondition is required",
    ),
    errors.StoreUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store-unavailable",
        "Temporarily unavailable",
        {"Retry-After": "1"},
    ),
}


@dataclass(frozen=True)
class Problem:
    """One problem: the members of an RFC 9457 document, and the headers to send with it."""

    status: HTTPStatus
    title: str
    detail: str
    type: str = "about:blank"
    errors: tuple[errors.Violation, ...] = ()
    max_age: int | None = None
    """The greatest age of a sign-in, in seconds (RFC 9470)."""
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)

    def document(self, request_id: str) -> dict[str, Any]:
        """The body of the response, as an object for json.dumps."""
        members: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = [
                {"pointer": violation.pointer, "detail": violation.detail}
                for violation in self.errors
            ]
        if self.max_age is not None:
            members["max_age"] = self.max_age
        members["request_id"] = request_id
        return members


def generic_problem(
    status: int, detail: str, headers: Mapping[str, str | list[str]] | None = None
) -> Problem:
    """A problem of type `about:blank`: its status code is its meaning (RFC 9457, 4.2.1)."""
    known = HTTPStatus(status)
    title = PHRASES_OF_RFC_9110.get(known, known.phrase)
    return Problem(known, title, detail, headers=headers or {})


UNEXPECTED = generic_problem(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "An unexpected error occurred. Report the request_id to the operator of this service.",
)
"""The problem for all errors that a caller cannot act on. The log contains the reason."""


def problem_for(error: BaseException) -> Problem:
    """The problem that reports `error`: UNEXPECTED if it is not a ProfileError."""
    problem_type = _type_of(error)
    if problem_type is None:
        return UNEXPECTED
    headers: dict[str, str | list[str]] = dict(problem_type.headers)
    if isinstance(error, errors.PreconditionFailed) and error.revision:
        headers["ETag"] = f'"{error.revision}"'
    violations: tuple[errors.Violation, ...] = ()
    if isinstance(error, errors.InvalidProfile):
        violations = tuple(error.violations)
    max_age = None
    if isinstance(error, errors.SignInTooOld):
        max_age = error.max_age
        headers["WWW-Authenticate"] = _step_up_challenge(max_age)
    return Problem(
        status=problem_type.status,
        title=problem_type.title,
        detail=str(error),
        type=TYPE_PREFIX + problem_type.name,
        errors=violations,
        max_age=max_age,
        headers=headers,
    )


def _step_up_challenge(max_age: int) -> str:
    """The challenge of RFC 9470, section 3. API Gateway renames its header, so clients usually read
    the members of the problem."""
    return (
        'Bearer realm="user-profile", error="insufficient_user_authentication", '
        f'error_description="A more recent sign-in is needed", max_age="{max_age}"'
    )


def _type_of(error: BaseException) -> ProblemType | None:
    """The row of the table for the error's class, or for the nearest of its base classes."""
    for kind in type(error).__mro__:
        if kind in PROBLEM_TYPES:
            return PROBLEM_TYPES[kind]
    return None
