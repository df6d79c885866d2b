"""Verify Cognito id tokens as API Gateway's Cognito authorizer does, for `chalice local`.

In AWS the gateway does this before the function runs. PyJWT does the work; what is decided here is what must hold.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKSetError

from deploy.backend import issuer

CLOCK_SKEW = 10
"""Seconds by which this machine's clock may differ from the pool's."""
REFETCH_AFTER = 30
"""Seconds that must pass before an unknown `kid` makes us fetch the pool's keys again."""
PAUSE_AFTER_FAILURE = 1
"""Seconds for which nobody asks again when the keys could not be had."""
FETCH_TIMEOUT = 3
"""Seconds within which the pool's keys must arrive."""


class InvalidToken(Exception):
    """The token does not prove who is calling. Its text says why, for the developer."""


class KeysUnavailable(Exception):
    """The pool's public keys cannot be had, so no token can be told from a forged one."""


class TokenVerifier:
    """Verifies the id tokens of one user pool.

    `user_pool_arn`: arn:aws:cognito-idp:<region>:<account>:userpool/<pool id>.
    `client_ids`: app clients whose tokens are taken; empty for any of the pool's.
    `endpoint`: where the pool's keys are fetched instead of at the issuer: an emulator's URL.
    """

    def __init__(
        self, user_pool_arn: str, client_ids: tuple[str, ...], endpoint: str | None = None
    ) -> None:
        self.issuer = issuer(user_pool_arn)
        pool_id = self.issuer.rpartition("/")[2]
        self.jwks_url = (
            f"{endpoint.rstrip('/')}/{pool_id}/.well-known/jwks.json"
            if endpoint
            else (f"{self.issuer}/.well-known/jwks.json")
        )
        self._client_ids = client_ids
        self._keys = PyJWKClient(
            self.jwks_url, cooldown_duration=REFETCH_AFTER, timeout=FETCH_TIMEOUT
        )
        self._ask_again_at = 0.0

    def claims(self, token: str) -> dict[str, Any]:
        """The verified claims of an id token. Raises InvalidToken, KeysUnavailable."""
        try:
            kid = str(jwt.get_unverified_header(token).get("kid"))
            # Nothing is believed yet; but who sent another kind of token should hear that and not what it lacks.
            if jwt.decode(token, options={"verify_signature": False}).get("token_use") != "id":
                raise InvalidToken(
                    "This is not an id token. Send the id token, not the access or refresh token."
                )
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(kid),
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=list(self._client_ids) or None,
                leeway=CLOCK_SKEW,
                options={
                    "require": ["exp", "iat", "iss", "aud", "sub"],
                    "verify_aud": bool(self._client_ids),
                },
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken(f"The token is not valid: {error}.") from error
        return claims

    def _key(self, kid: str) -> PyJWK:
        if time.monotonic() < self._ask_again_at:
            raise KeysUnavailable(f"The user pool's keys cannot be had from {self.jwks_url}.")
        try:
            self._keys.get_signing_keys()
            try:
                return self._keys.get_signing_key(kid)
            except PyJWKClientError as error:
                if isinstance(error, PyJWKClientConnectionError):
                    raise
                raise InvalidToken(
                    "The token is not valid: no key of the user pool signed it."
                ) from error
        except (PyJWKClientError, PyJWKSetError, OSError, ValueError) as error:
            self._ask_again_at = time.monotonic() + PAUSE_AFTER_FAILURE
            raise KeysUnavailable(
                f"The user pool's keys cannot be had from {self.jwks_url}."
            ) from error
