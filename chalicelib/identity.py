"""The caller's identity: the user's `sub`, from the claims that API Gateway verified.

`sub` is the id that Cognito gives a user: a UUID that never changes and is never reused.

API Gateway's Cognito authorizer has checked the token's signature, issuer and expiry before the
function runs. It also accepts access tokens and the tokens of every app client of the pool, so
`token_use` and `aud` are checked here.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.errors import NotSignedIn

NOT_SIGNED_IN = "Sign in and send your id token in the Authorization header."
"""The message for a request without a token. API Gateway's own 401 response also uses it."""
WRONG_KIND = "This is not an id token. Send the id token, not the access or refresh token."
"""The message for another kind of token. `chalice local` also uses it."""


def identify(request_context: Mapping[str, Any], client_ids: tuple[str, ...]) -> str:
    """The `sub` of the signed-in user.

    `request_context` is the `requestContext` of an API Gateway event. `client_ids` are the app
    clients whose tokens are accepted. If it is empty, every client of the pool is accepted.

    Raises NotSignedIn if there are no claims, or they are not those of an id token for one of
    these clients.
    """
    sub = claimed_sub(request_context)
    if sub is None:
        raise NotSignedIn(NOT_SIGNED_IN)
    claims = _claims(request_context)
    if claims.get("token_use") != "id":
        raise NotSignedIn(WRONG_KIND)
    if client_ids and claims.get("aud") not in client_ids:
        raise NotSignedIn("This token was issued to another app.")
    return sub


def claimed_sub(request_context: Mapping[str, Any]) -> str | None:
    """The `sub` of a verified token of any kind, for the log. None if there is none."""
    sub = _claims(request_context).get("sub")
    if isinstance(sub, str) and sub:
        return sub
    return None


def _claims(request_context: Mapping[str, Any]) -> Mapping[str, Any]:
    authorizer = request_context.get("authorizer")
    if not isinstance(authorizer, Mapping):
        return {}
    claims = authorizer.get("claims")
    if not isinstance(claims, Mapping):
        return {}
    return claims
