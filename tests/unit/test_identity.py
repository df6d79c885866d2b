"""The caller's identity: the claims of an id token for this app, or an IAM identity and a path."""

from typing import Any

import pytest

from chalicelib.errors import Forbidden, NotSignedIn, SignInTooOld, UserNotFound
from chalicelib.identity import (
    identify,
    is_sub,
    logged_identity,
    require_operator,
    require_recent_sign_in,
)

CLAIMS = {"sub": "5f0c", "token_use": "id", "aud": "client", "email": "ada@example.com"}


SUB = "5f0c7a1e-0000-4000-8000-0123456789ab"
ARN = "arn:aws:sts::123456789012:assumed-role/billing/session"


def context(**claims: Any) -> dict[str, Any]:
    return {"authorizer": {"claims": {**CLAIMS, **claims}}}


def user_event(request_context: dict[str, Any], path: str = "/user/profile") -> dict[str, Any]:
    return {"requestContext": {"resourcePath": path, **request_context}}


def test_a_user_is_identified_by_their_sub() -> None:
    assert identify(user_event(context()), ("client",)) == "5f0c"


def test_the_log_names_the_user_of_any_token() -> None:
    assert logged_identity(user_event(context(token_use="access"))) == {"sub": "5f0c"}


@pytest.mark.parametrize("request_context", [{}, context(sub=5), context(sub="")])
def test_without_a_sub_the_log_names_nobody(request_context: dict[str, Any]) -> None:
    assert logged_identity(user_event(request_context)) == {"sub": None}


@pytest.mark.parametrize(
    "request_context",
    [
        {},
        {"authorizer": None},
        {"authorizer": {}},
        {"authorizer": {"claims": None}},
        {"authorizer": {"claims": {}}},
        context(sub=""),
        context(sub=None),
        context(token_use="access"),
        context(token_use="refresh"),
        context(token_use=None),
        context(aud="another client"),
        context(aud=None),
        context(aud="client other"),
    ],
)
def test_anyone_else_is_not_signed_in(
    request_context: dict[str, Any],
) -> None:
    with pytest.raises(NotSignedIn):
        identify(user_event(request_context), ("client",))


def test_several_clients_can_be_configured() -> None:
    assert identify(user_event(context()), ("other", "client")) == "5f0c"


def test_without_a_configured_client_all_are_accepted() -> None:
    assert identify(user_event(context(aud="whoever")), ()) == "5f0c"


def test_a_path_never_says_who_the_user_is() -> None:
    event = user_event(context(), "/profiles/{sub}") | {"pathParameters": {"sub": SUB}}
    assert identify(event, ("client",)) == "5f0c"
    iam = {"identity": {"userArn": ARN}}
    with pytest.raises(NotSignedIn):
        identify(user_event(iam) | {"pathParameters": {"sub": SUB}}, ("client",))


# --- back ends and operators ----------------------------------------------------------------------


def operator_event(**changes: Any) -> dict[str, Any]:
    """A signed request of a back end. `changes` replace members of requestContext or the event."""
    request_context = {
        "resourcePath": "/users/{sub}/profile",
        "stage": "api",
        "identity": {"userArn": ARN, "cognitoIdentityId": None},
        "authorizer": None,
    }
    event: dict[str, Any] = {
        "requestContext": request_context,
        "pathParameters": {"sub": SUB},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
    }
    for name, value in changes.items():
        (request_context if name in request_context else event)[name] = value
    return event


def test_an_operator_names_the_user_in_the_path() -> None:
    assert identify(operator_event(), ("client",)) == SUB


@pytest.mark.parametrize("resource", ["/users", "/users/{sub}/metadata", "/users/{sub}"])
def test_every_path_under_users_is_for_operators(resource: str) -> None:
    require_operator(operator_event(resourcePath=resource))
    with pytest.raises(Forbidden):
        identify(user_event(context(), resource), ("client",))


@pytest.mark.parametrize("resource", ["/usersx", "/user/profile", "/user", "/profiles/{sub}", None])
def test_no_other_path_is_for_operators(resource: str | None) -> None:
    with pytest.raises(NotSignedIn):
        identify(operator_event(resourcePath=resource), ("client",))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identity": {"userArn": None}}, "AWS credentials"),
        ({"identity": {"userArn": ""}}, "AWS credentials"),
        ({"identity": {"userArn": 5}}, "AWS credentials"),
        ({"identity": None}, "AWS credentials"),
        ({"authorizer": {"claims": CLAIMS}}, "user's token"),
        ({"authorizer": {"claims": {}}}, "user's token"),
        ({"identity": {"userArn": ARN, "cognitoIdentityId": "eu-west-1:1"}}, "identity pool"),
        ({"identity": {"userArn": ARN, "cognitoIdentityPoolId": "eu-west-1:1"}}, "identity pool"),
        ({"identity": {"userArn": ARN, "cognitoAuthenticationType": "x"}}, "identity pool"),
        ({"identity": {"userArn": ARN, "cognitoAuthenticationProvider": "x"}}, "identity pool"),
        ({"stage": "test-invoke-stage"}, "console"),
        ({"queryStringParameters": {"X-Amz-Signature": "ab"}}, "presigned"),
        ({"multiValueQueryStringParameters": {"X-Amz-Signature": ["ab"]}}, "presigned"),
        ({"queryStringParameters": {"x-amz-signature": "ab"}}, "presigned"),
    ],
)
def test_each_condition_keeps_a_caller_out(changes: dict[str, Any], reason: str) -> None:
    """The rest of the request is right: without its condition, the caller would be let in."""
    with pytest.raises(Forbidden, match=reason):
        identify(operator_event(**changes), ("client",))


@pytest.mark.parametrize(
    "sub",
    [
        SUB.upper(),
        SUB + "\n",
        " " + SUB,
        SUB.replace("-", ""),
        SUB.replace("5", "%35", 1),
        SUB.replace("5", "\u0665", 1),
        "{" + SUB + "}",
        "USER#" + SUB,
        "..",
        "",
        None,
        [SUB],
    ],
)
def test_only_a_sub_as_cognito_writes_it_names_a_user(sub: Any) -> None:
    with pytest.raises(UserNotFound):
        identify(operator_event(pathParameters={"sub": sub}), ("client",))


@pytest.mark.parametrize("parameters", [None, {}, {"id": SUB}, "x"])
def test_a_path_without_a_sub_names_nobody(parameters: Any) -> None:
    with pytest.raises(UserNotFound):
        identify(operator_event(pathParameters=parameters), ("client",))


def test_the_log_names_the_user_in_the_path_and_the_caller() -> None:
    assert logged_identity(operator_event()) == {"sub": SUB, "caller": ARN}
    bad_path = operator_event(pathParameters={"sub": "ada@example.com"})
    assert logged_identity(bad_path) == {"sub": None, "caller": ARN}
    assert logged_identity({}) == {"sub": None}


def test_a_uuid_in_lower_case_is_a_sub() -> None:
    assert is_sub(SUB)
    assert not is_sub(SUB.upper())


# --- recent sign-ins ------------------------------------------------------------------------------

NOW = 1_764_000_000.5


@pytest.mark.parametrize("age", [0, 1, 600])
def test_a_sign_in_of_the_last_ten_minutes_is_recent(age: int) -> None:
    event = user_event(context(auth_time=str(1_764_000_000 - age)))
    require_recent_sign_in(event, max_age=600, now=1_764_000_000.0)


@pytest.mark.parametrize(
    "auth_time",
    [
        "1763999400",
        "1764000001",
        "0",
        "",
        "-1",
        "1764000000.5",
        " 1764000000",
        "1764000000\n",
        "\uff11764000000",
        "1" * 5000,
        "Sun Nov 29 11:00:00 UTC 2026",
        1_764_000_000,
        True,
        None,
        [],
    ],
)
def test_every_other_auth_time_is_not_recent(auth_time: Any) -> None:
    """The first is half a second too old, the second half a second in the future."""
    with pytest.raises(SignInTooOld) as raised:
        require_recent_sign_in(user_event(context(auth_time=auth_time)), max_age=600, now=NOW)
    assert raised.value.max_age == 600


@pytest.mark.parametrize("request_context", [{}, {"authorizer": None}, context()])
def test_a_missing_auth_time_is_not_recent(request_context: dict[str, Any]) -> None:
    with pytest.raises(SignInTooOld):
        require_recent_sign_in(user_event(request_context), max_age=600, now=NOW)
