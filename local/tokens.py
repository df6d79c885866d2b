"""Verifies Cognito id tokens as API Gateway's Cognito authorizer does, for `chalice local`.

On AWS, API Gateway does this before it calls the function.
"""

from __future__ import annotations

import re
import time
from typing import Any

import jwt
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKSetError

from chalicelib.identity import WRONG_KIND
from deploy.arn import UserPoolArn

CLOCK_SKEW_SECONDS = 10
"""The difference allowed between this machine's clock and the pool's."""
REFETCH_AFTER_SECONDS = 30
"""The age of the keys at which an unknown `kid` causes another fetch."""
RETRY_AFTER_SECONDS = 1
"""The time after a failed fetch without another attempt."""
FETCH_TIMEOUT_SECONDS = 3


COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""A signed token: three parts in base64url without padding (RFC 7515, sections 2 and 3.1)."""

REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "The token has expired. Refresh it or sign in again.",
    jwt.ImmatureSignatureError: (
        "The token was issued in the future: is this machine's clock right?"
    ),
    jwt.InvalidSignatureError: "The token's signature is not valid.",
    jwt.InvalidAlgorithmError: "The token was not signed with RS256.",
    jwt.InvalidIssuerError: "The token was issued by another user pool.",
    jwt.InvalidAudienceError: "The token was issued to another app.",
    jwt.MissingRequiredClaimError: "The token lacks a claim that every id token has.",
}
"""Why a token is not valid, by PyJWT's exception. Its own texts change between versions."""


class InvalidToken(Exception):
    """The token does not prove the caller's identity. The text is the reason."""


class KeysUnavailable(Exception):
    """The pool's public keys are not available, so no token can be verified."""


class TokenVerifier:
    """Verifies the id tokens of one user pool.

    user_pool_arn: arn:aws:cognito-idp:<region>:<account>:userpool/<pool id>.
    client_ids: the app clients whose tokens are accepted; empty for all clients of the pool.
    endpoint: an emulator's URL, from which the keys are fetched instead of from the issuer.
    """

    def __init__(
        self, user_pool_arn: str, client_ids: tuple[str, ...], endpoint: str | None = None
    ) -> None:
        arn = UserPoolArn.parse(user_pool_arn)
        self.issuer = arn.issuer
        self.client_ids = client_ids
        base_url = self.issuer
        if endpoint:
            base_url = f"{endpoint.rstrip('/')}/{arn.pool_id}"
        self.jwks_url = f"{base_url}/.well-known/jwks.json"
        self._jwks = PyJWKClient(
            self.jwks_url, cooldown_duration=REFETCH_AFTER_SECONDS, timeout=FETCH_TIMEOUT_SECONDS
        )
        self._retry_at = 0.0  # on time.monotonic's clock

    def claims(self, token: str) -> dict[str, Any]:
        """The verified claims of an id token. Raises InvalidToken, KeysUnavailable."""
        if not COMPACT_JWS.fullmatch(token):
            raise InvalidToken(
                "This is not a token: it needs three base64url parts, with dots between."
            )
        try:
            _require_id_token(token)
            kid = str(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(kid),
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=list(self.client_ids) or None,
                leeway=CLOCK_SKEW_SECONDS,
                options={
                    "require": ["exp", "iat", "iss", "aud", "sub"],
                    "verify_aud": bool(self.client_ids),
                },
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            # PyJWT does not catch Python's errors for huge numbers and deep nesting.
            raise InvalidToken(_reason(error)) from error
        return claims

    def _key(self, kid: str) -> PyJWK:
        """The pool's key with this id. Raises InvalidToken, KeysUnavailable."""
        if time.monotonic() < self._retry_at:
            raise self._unavailable()
        try:
            self._jwks.get_signing_keys()  # raises if there are none
        except (PyJWKClientError, PyJWKSetError, OSError, ValueError) as error:
            raise self._fetch_failed() from error
        try:
            return self._jwks.get_signing_key(kid)  # may fetch again
        except (PyJWKClientConnectionError, PyJWKSetError, OSError, ValueError) as error:
            raise self._fetch_failed() from error
        except PyJWKClientError as error:
            raise InvalidToken(
                "The token is not valid: it was not signed with a key of the user pool."
            ) from error

    def _fetch_failed(self) -> KeysUnavailable:
        self._retry_at = time.monotonic() + RETRY_AFTER_SECONDS
        return self._unavailable()

    def _unavailable(self) -> KeysUnavailable:
        return KeysUnavailable(f"The user pool's keys are not available at {self.jwks_url}.")


def _reason(error: Exception) -> str:
    for kind, reason in REASONS.items():
        if isinstance(error, kind):
            return reason
    return "The token is not valid: it cannot be read as an id token."


def _require_id_token(token: str) -> None:
    """Raise InvalidToken if this is another kind of token.

    Nothing is verified yet. This check comes first because an access token has no audience, and an
    error about the audience would be misleading.
    """
    claims = jwt.decode(token, options={"verify_signature": False})
    if claims.get("token_use") != "id":
        raise InvalidToken(WRONG_KIND)
