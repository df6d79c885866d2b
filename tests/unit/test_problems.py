"""Errors as RFC 9457 problems."""

from collections.abc import Iterator

import pytest

from chalicelib import errors
from chalicelib.problems import PROBLEM_TYPES, generic_problem, problem_for


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.NotSignedIn("x"), 401, {"WWW-Authenticate": 'Bearer realm="user-profile"'}),
        (errors.AccountErased(), 410, {}),
        (errors.MalformedJSON("x"), 400, {}),
        (errors.MalformedPrecondition("x"), 400, {}),
        (errors.InvalidProfile([]), 422, {}),
        (errors.ProfileTooLarge("x"), 413, {}),
        (errors.ProfileNotFound("x"), 404, {}),
        (errors.PreconditionFailed("It has changed", "r1"), 412, {"ETag": '"r1"'}),
        (errors.PreconditionFailed("It is gone", None), 412, {}),
        (errors.PreconditionRequired("x"), 428, {}),
        (errors.StoreUnavailable("x"), 503, {"Retry-After": "1"}),
    ],
)
def test_each_error_has_a_status_and_headers(
    error: errors.ProfileError, status: int, headers: dict[str, str]
) -> None:
    problem = problem_for(error)
    assert problem.status == status
    assert problem.headers == headers
    assert problem.detail == str(error)
    assert problem.type.startswith("urn:problem-type:user-profile:")


def test_the_document_has_the_members_of_rfc_9457() -> None:
    error = errors.InvalidProfile([errors.Violation("/a", "Wrong.")])
    assert problem_for(error).document("request-1") == {
        "type": "urn:problem-type:user-profile:invalid-profile",
        "title": "The data is not valid",
        "status": 422,
        "detail": str(error),
        "errors": [{"pointer": "/a", "detail": "Wrong."}],
        "request_id": "request-1",
    }


RFC_9110_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    426: "Upgrade Required",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
"""RFC 9110, sections 15.5 and 15.6."""


@pytest.mark.parametrize("status", RFC_9110_PHRASES)
def test_titles_are_those_of_rfc_9110_on_every_python(status: int) -> None:
    assert generic_problem(status, "x").title == RFC_9110_PHRASES[status]


def test_a_generic_problem_is_about_blank() -> None:
    assert generic_problem(405, "No.", {"Allow": "GET"}).document("request-1") == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": "No.",
        "request_id": "request-1",
    }


def test_an_unexpected_exception_is_a_500_without_details() -> None:
    problem = problem_for(ZeroDivisionError("a secret"))
    assert problem.status == 500
    assert "secret" not in problem.detail


def test_an_error_without_a_row_gets_its_base_class() -> None:
    class Throttled(errors.StoreUnavailable):
        pass

    assert problem_for(Throttled("x")).status == 503


def concrete_errors(kind: type[errors.ProfileError]) -> Iterator[type[errors.ProfileError]]:
    subclasses = [found for found in kind.__subclasses__() if found.__module__ == errors.__name__]
    if not subclasses:
        yield kind
    for subclass in subclasses:
        yield from concrete_errors(subclass)


@pytest.mark.parametrize("kind", list(concrete_errors(errors.ProfileError)))
def test_every_error_has_a_problem_type(kind: type[errors.ProfileError]) -> None:
    assert kind in PROBLEM_TYPES, (
        f"Add a row for {kind.__name__} to PROBLEM_TYPES in chalicelib/problems.py."
    )


def test_an_old_sign_in_is_reported_as_rfc_9470_defines_it() -> None:
    problem = problem_for(errors.SignInTooOld(600))
    assert problem.status == 401
    assert problem.type.endswith(":insufficient-user-authentication")
    assert problem.document("request-1")["max_age"] == 600
    assert problem.headers["WWW-Authenticate"] == (
        'Bearer realm="user-profile", error="insufficient_user_authentication", '
        'error_description="A more recent sign-in is needed", max_age="600"'
    )
