"""The caller, and the user whose data the request is about.

`sub` is the id that Cognito gives a user: a UUID that never changes and is never reused.

The resource path alone decides who may call. The two kinds of caller never stand in for each other:

- Under /users, back ends and operators. API Gateway has checked their IAM signature and their
  right to call the path, in which the user's `sub` is.
- Everywhere else, the user. API Gateway's Cognito authorizer has checked the token's signature,
  issuer and expiry. It also accepts access tokens and the tokens of every app client of the pool,
  so `token_use` and `aud` are checked here. The path never says who the user is.
"""

import re
from collections.abc import Mapping
from typing import Any

from chalicelib.errors import Forbidden, NotSignedIn, SignInTooOld, UserNotFound

NOT_SIGNED_IN = "Sign in and send your id token in the Authorization header."
"""The message for a request without a token. API Gateway's own 401 response also uses it."""
WRONG_KIND = "This is not an id token. Send the id token, not the access or refresh token."
"""The message for another kind of token. `chalice local` also uses it."""

USERS = "/users"
"""The resource path of back ends and operators, and the start of their other paths."""
SUB = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A UUID as Cognito writes it."""
SECONDS = re.compile("[0-9]{1,15}")
"""Seconds since 1970."""
IDENTITY_POOL_MEMBERS = (
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
)
"""Members of requestContext.identity that are set for the end users of a Cognito identity pool, who
are IAM callers too."""
CONSOLE_STAGE = "test-invoke-stage"
"""The stage of the console's "Test" button, which calls without a signature."""


def identify(event: Mapping[str, Any], client_ids: tuple[str, ...]) -> str:
    """The `sub` of the user whose data the request is about.

    `event` is a request of API Gateway. `client_ids` are the app clients whose tokens are accepted.
    If it is empty, every client of the pool is accepted.

    Raises NotSignedIn, Forbidden or UserNotFound.
    """
    context = event["requestContext"]
    if not is_for_operators(context):
        return _signed_in_user(context, client_ids)
    require_operator(event)
    sub = sub_in_path(event)
    if sub is None:
        raise UserNotFound("There is no such user. A user's sub is a UUID in lower case.")
    return sub


def is_for_operators(request_context: Mapping[str, Any]) -> bool:
    """Whether the resource is one of those for back ends and operators."""
    path = request_context.get("resourcePath")
    return isinstance(path, str) and (path == USERS or path.startswith(f"{USERS}/"))


def is_sub(text: str) -> bool:
    """Whether `text` is a `sub` as Cognito writes it."""
    return SUB.fullmatch(text) is not None


def sub_in_path(event: Mapping[str, Any]) -> str | None:
    """The `sub` in the path, as API Gateway has decoded it. None if it is not one.

    It is never the caller's: see `identify`.
    """
    sub = _object(event.get("pathParameters")).get("sub")
    if isinstance(sub, str) and is_sub(sub):
        return sub
    return None


# --- users ----------------------------------------------------------------------------------------


def _signed_in_user(context: Mapping[str, Any], client_ids: tuple[str, ...]) -> str:
    """The `sub` of an id token for one of the clients. Raises NotSignedIn."""
    sub = _claimed_sub(context)
    if sub is None:
        raise NotSignedIn(NOT_SIGNED_IN)
    claims = _object(_claims(context))
    if claims.get("token_use") != "id":
        raise NotSignedIn(WRONG_KIND)
    if client_ids and claims.get("aud") not in client_ids:
        raise NotSignedIn("This token was issued to another app.")
    return sub


def require_recent_sign_in(event: Mapping[str, Any], max_age: int, now: float) -> None:
    """Raise SignInTooOld unless the user signed in at most `max_age` seconds ago.

    `now` is in seconds since 1970. A refreshed token keeps the time of its sign-in, `auth_time`
    (OpenID Connect Core, section 2). API Gateway passes it on as text.
    """
    auth_time = _object(_claims(event["requestContext"])).get("auth_time")
    if not isinstance(auth_time, str) or not SECONDS.fullmatch(auth_time):
        raise SignInTooOld(max_age)
    age = now - int(auth_time)
    if not 0 <= age <= max_age:
        raise SignInTooOld(max_age)


def _claimed_sub(context: Mapping[str, Any]) -> str | None:
    """The `sub` of a verified token of any kind. None if there is none."""
    sub = _object(_claims(context)).get("sub")
    if isinstance(sub, str) and sub:
        return sub
    return None


# --- back ends and operators ----------------------------------------------------------------------


def require_operator(event: Mapping[str, Any]) -> None:
    """Raise Forbidden unless API Gateway has verified an IAM signature on the request's headers."""
    context = event["requestContext"]
    identity = _object(context.get("identity"))
    if _caller_arn(context) is None:
        raise Forbidden("Sign the request with AWS credentials (Signature Version 4).")
    if _claims(context) is not None:
        raise Forbidden("A user's token gives no access here. Sign with AWS credentials.")
    if any(identity.get(name) for name in IDENTITY_POOL_MEMBERS):
        raise Forbidden("Credentials of a Cognito identity pool give no access here.")
    if context.get("stage") == CONSOLE_STAGE:
        raise Forbidden("The API Gateway console's test gives no access here. Sign the request.")
    if _is_presigned(event):
        raise Forbidden("A presigned URL gives no access here. Sign the request's headers.")


def _is_presigned(event: Mapping[str, Any]) -> bool:
    """Whether the signature is in the URL, which can be passed on or logged."""
    names = [
        *_object(event.get("queryStringParameters")),
        *_object(event.get("multiValueQueryStringParameters")),
    ]
    return any(name.lower() == "x-amz-signature" for name in names)


def _caller_arn(context: Mapping[str, Any]) -> str | None:
    arn = _object(context.get("identity")).get("userArn")
    if isinstance(arn, str) and arn:
        return arn
    return None


# --- the log --------------------------------------------------------------------------------------


def logged_identity(event: Mapping[str, Any]) -> dict[str, str | None]:
    """Who a request came from, for the log: `sub`, and for back ends and operators `caller`.

    `sub` is the user's, of a token of any kind or in the path. `caller` is an ARN. A member is None
    if it is not known.
    """
    context = _object(event.get("requestContext"))
    if is_for_operators(context):
        return {"sub": sub_in_path(event), "caller": _caller_arn(context)}
    return {"sub": _claimed_sub(context)}


def _claims(context: Mapping[str, Any]) -> Any:
    """The claims of a verified token. None if no token was verified."""
    return _object(context.get("authorizer")).get("claims")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
