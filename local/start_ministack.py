"""The emulator's process: ministack with three changes. emulator.py runs it.

It listens on a socket that the process that started it has bound, so no other program can take the
port in the meantime.

When the process that started it ends, it saves its state and stops.

Refreshed tokens keep the auth_time of the sign-in, as Cognito's do and as OpenID Connect Core 1.0,
section 12.2, requires. ministack 1.5.33 sets a new auth_time. oidc-client-ts refuses such tokens:
a session in a browser would end when its first token expires.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.services import cognito

from local.emulator import SOCKET
from local.process import stop_with_parent

KEEP_ALIVE_SECONDS = 75
"""As in `ministack` itself. AWS clients keep connections open between their calls."""

auth_times: dict[str, int] = {}
"""auth_time by origin_jti, which all tokens of one sign-in share. Lost when the emulator stops."""
sign_token = cognito._signed_jwt


def sign_with_first_auth_time(claims: dict[str, Any], *arguments: str) -> str:
    """ministack's `_signed_jwt`, with the auth_time of the sign-in."""
    if "auth_time" in claims and "origin_jti" in claims:
        claims["auth_time"] = auth_times.setdefault(claims["origin_jti"], claims["auth_time"])
    token: str = sign_token(claims, *arguments)
    return token


def listen(descriptor: str) -> None:
    """Run ministack on the socket with this file descriptor until SIGTERM."""
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.loglevel = "WARNING"
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    stop_with_parent()
    cognito._signed_jwt = sign_with_first_auth_time
    listen(os.environ[SOCKET])
