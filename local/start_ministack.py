"""The AWS emulator's process: ministack with four changes. emulator.py runs it.

It listens on a socket that its parent process has opened. No other program can take the port
between its choice and its use.

When the process that started it ends, it saves its state and stops.

Refreshed tokens keep the auth_time of the sign-in, as Cognito's do and as OpenID Connect Core 1.0,
section 12.2, requires. ministack 1.5.33 sets a new auth_time. oidc-client-ts refuses such tokens:
a session in a browser would end when its first token expires.

The sign-in page has links to sign-up and password reset, which ministack lacks (account_pages.py).
"""

from __future__ import annotations

import asyncio
import os
from email.message import Message
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    HTTPScope,
    Scope,
)
from ministack.app import app
from ministack.services import cognito

from local.account_pages import PAGES, AccountPages, links_for_sign_in
from local.emulator import SOCKET
from local.http11 import HttpRequest
from local.process import stop_with_parent

KEEP_ALIVE_SECONDS = 75
"""As in `ministack` itself. AWS clients keep connections open between their calls."""

auth_times: dict[str, int] = {}
"""auth_time by origin_jti, which all tokens of one sign-in share. Lost when the emulator stops."""
sign_token = cognito._signed_jwt

SIGN_IN_PARAMETERS = (
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "response_type",
    "code_challenge",
    "code_challenge_method",
    "nonce",
)
"""The first parameters of ministack's `_login_page_html`."""
sign_in_page = cognito._login_page_html


def sign_with_first_auth_time(claims: dict[str, Any], *arguments: str) -> str:
    """ministack's `_signed_jwt`, with the auth_time of the sign-in."""
    if "auth_time" in claims and "origin_jti" in claims:
        claims["auth_time"] = auth_times.setdefault(claims["origin_jti"], claims["auth_time"])
    token: str = sign_token(claims, *arguments)
    return token


def sign_in_page_with_links(*arguments: str, **keywords: str) -> str:
    """ministack's `_login_page_html`, with links to sign-up and password reset."""
    page: str = sign_in_page(*arguments, **keywords)
    query = dict(zip(SIGN_IN_PARAMETERS, arguments, strict=True))
    return page.replace("</form>", f"</form>\n{links_for_sign_in(query)}", 1)


class AppWithAccountPages:
    """ministack's ASGI application, with the pages of account_pages.py."""

    def __init__(self, pages: AccountPages) -> None:
        self._pages = pages

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "http" or scope["path"] not in PAGES:
            await app(scope, receive, send)
            return
        request = await self._read(scope, receive)
        # In another thread: the pages call ministack, which must be able to answer.
        response = await asyncio.to_thread(self._pages.handle, request)
        headers = [(name.encode(), str(value).encode()) for name, value in response.headers.items()]
        await send(
            HTTPResponseStartEvent(
                type="http.response.start", status=response.status, headers=headers, trailers=False
            )
        )
        await send(
            HTTPResponseBodyEvent(type="http.response.body", body=response.body, more_body=False)
        )

    @staticmethod
    async def _read(scope: HTTPScope, receive: ASGIReceiveCallable) -> HttpRequest:
        headers = Message()
        for name, value in scope["headers"]:
            headers[name.decode("latin-1")] = value.decode("latin-1")
        body = b""
        event = await receive()
        while event["type"] == "http.request":
            body += event["body"]
            if not event["more_body"]:
                break
            event = await receive()
        query = scope["query_string"].decode("latin-1")
        return HttpRequest(scope["method"], f"{scope['path']}?{query}", headers, body)


def answer_on(descriptor: str, port: int) -> None:
    """Run ministack on the listening socket with this file descriptor until SIGTERM."""
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.loglevel = "WARNING"
    asyncio.run(serve(AppWithAccountPages(AccountPages(port)), config))


if __name__ == "__main__":
    stop_with_parent()
    cognito._signed_jwt = sign_with_first_auth_time
    cognito._login_page_html = sign_in_page_with_links
    answer_on(os.environ[SOCKET], int(os.environ["GATEWAY_PORT"]))
