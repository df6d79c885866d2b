"""Who is calling: from the claims that API Gateway's Cognito authorizer verified to the user's `sub`.

That is Cognito's own id of them, a UUID that never changes and is never given again.

API Gateway has checked signature, issuer and expiry before the function runs. What it leaves open is checked here: that
the token is an id token (it takes access tokens too) and was issued to this app, where client ids are configured.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.errors import NotSignedIn


def identify(request_context: Mapping[str, Any], client_ids: tuple[str, ...]) -> str:
    """The `sub` of the signed-in user, from an API Gateway event's `requestContext`.

    Raises NotSignedIn for no claims, another kind of token, or another app's.
    """
    claims, sub = _claims(request_context), subject(request_context)
    if sub is None:
        raise NotSignedIn("Sign in and send your id token in the Authorization header.")
    if claims.get("token_use") != "id":
        raise NotSignedIn(
            "This is not an id token. Send the id token, not the access or refresh token."
        )
    if client_ids and claims.get("aud") not in client_ids:
        raise NotSignedIn("This token was issued to another app.")
    return sub


def subject(request_context: Mapping[str, Any]) -> str | None:
    """Whose token it was, of whatever kind, for the log."""
    sub = _claims(request_context).get("sub")
    return sub if isinstance(sub, str) and sub else None


def _claims(request_context: Mapping[str, Any]) -> Mapping[str, Any]:
    authorizer = request_context.get("authorizer")
    claims = authorizer.get("claims") if isinstance(authorizer, Mapping) else None
    return claims if isinstance(claims, Mapping) else {}
