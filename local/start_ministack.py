"""ministack with Cognito's sense of when somebody signed in. emulator.py runs this file by its path.

ministack 1.5.33 gives refreshed tokens a new auth_time. Cognito keeps that of the sign-in, as OpenID Connect Core 1.0,
section 12.2, demands, and oidc-client-ts refuses any other: a browser's session would end with its first token.
"""

from __future__ import annotations

from typing import Any

from ministack.app import main
from ministack.services import cognito

signed_in_at: dict[str, int] = {}
"""auth_time by origin_jti, which the tokens of one sign-in share. Lost when the emulator is stopped."""
sign = cognito._signed_jwt


def sign_with_first_auth_time(claims: dict[str, Any], *arguments: str) -> str:
    if "auth_time" in claims and "origin_jti" in claims:
        claims["auth_time"] = signed_in_at.setdefault(claims["origin_jti"], claims["auth_time"])
    token: str = sign(claims, *arguments)
    return token


cognito._signed_jwt = sign_with_first_auth_time
main()
