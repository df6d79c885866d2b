"""The pages of Cognito's sign-in domain that ministack lacks: sign-up and password reset.

They have Cognito's paths (AWS: "User-interactive managed login and classic hosted UI endpoints"):

/signup                 e-mail address and password      then /confirm
/resendcode             another code for a sign-up       then /confirm
/confirm                the code of a sign-up
/forgotPassword         the e-mail address               then /confirmforgotPassword
/confirmforgotPassword  the code, and a new password

Nobody sends e-mail on this machine, so the pages show the code of the mail. They are served by the
emulator's process (start_ministack.py), beside its sign-in page. Nothing here is ever deployed.

They keep the query of the sign-in page, with which the user returns to it.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from local.emulator import EmulatorError, confirmation_code
from local.http11 import HttpRequest, HttpResponse

SIGN_IN = "/oauth2/authorize"
REQUIRED = ("client_id", "redirect_uri")
"""The parameters of the sign-in page's query without which there is no way back to it."""
EMAIL = "email"
"""The parameter that the pages add to the query: the user's address."""
HOW_TO_OPEN = "Press “Sign in” in your app, and follow the link on the sign-in page."
ENTER_CODE = "Enter the code of a sign-up"
REQUEST_SECONDS = 5
STYLE = Path(__file__).parents[1] / "web" / "style.css"
OWN_STYLE = """
body { max-width: 28rem; }
main {
  padding: 1.25rem;
  border: 1px solid color-mix(in srgb, var(--line) 45%, transparent);
  border-radius: .6rem;
  background: var(--card);
}
form { padding: 0; border: 0; background: none; }
a { color: var(--accent); }
nav { margin-top: 1rem; }
"""


@dataclass(frozen=True)
class Field:
    """An input of a form. `parameter` is its name in Cognito's API."""

    parameter: str
    label: str
    attributes: str


EMAIL_ADDRESS = Field("Username", "E-mail address", 'type="email" autocomplete="username"')
NEW_PASSWORD = Field("Password", "Password", 'type="password" autocomplete="new-password"')
CODE = Field(
    "ConfirmationCode", "Code", 'inputmode="numeric" autocomplete="one-time-code" maxlength="6"'
)


@dataclass(frozen=True)
class AccountPage:
    """A form that calls one operation of Cognito's API."""

    title: str
    fields: tuple[Field, ...]
    button: str
    operation: str
    next_path: str = ""
    """The page that follows. Empty: `done` is shown, and the way back to the sign-in page."""
    done: str = ""
    links: Mapping[str, str] | None = None
    """Other pages that may be the right one: path -> text."""


PAGES = {
    "/signup": AccountPage(
        title="Sign up",
        fields=(EMAIL_ADDRESS, NEW_PASSWORD),
        button="Sign up",
        operation="SignUp",
        next_path="/confirm",
        links={"/resendcode": ENTER_CODE},
    ),
    "/resendcode": AccountPage(
        title="Get a new code",
        fields=(EMAIL_ADDRESS,),
        button="Send the code",
        operation="ResendConfirmationCode",
        next_path="/confirm",
    ),
    "/confirm": AccountPage(
        title="Confirm your e-mail address",
        fields=(CODE,),
        button="Confirm",
        operation="ConfirmSignUp",
        done="You are signed up",
        links={"/resendcode": "Get a new code"},
    ),
    "/forgotPassword": AccountPage(
        title="Reset your password",
        fields=(EMAIL_ADDRESS,),
        button="Send a code",
        operation="ForgotPassword",
        next_path="/confirmforgotPassword",
    ),
    "/confirmforgotPassword": AccountPage(
        title="Choose a new password",
        fields=(CODE, NEW_PASSWORD),
        button="Save the password",
        operation="ConfirmForgotPassword",
        done="Your password is changed",
        links={"/forgotPassword": "Get a new code"},
    ),
}


class InvalidEntry(Exception):
    """What the user entered is refused. The text says why."""


class AccountPages:
    """Answers requests for the pages. The emulator is on `port` of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port

    def handle(self, request: HttpRequest) -> HttpResponse:
        """The response to a request whose path is one of PAGES."""
        path, _, query_text = request.target.partition("?")
        page = PAGES[path]
        query = dict(parse_qsl(query_text))
        if not self._is_from_here(request):
            return _message(
                HTTPStatus.FORBIDDEN,
                "This request came from another site",
                HOW_TO_OPEN,
            )
        if not all(query.get(name) for name in REQUIRED):
            return _message(
                HTTPStatus.BAD_REQUEST,
                "The address is incomplete",
                HOW_TO_OPEN,
            )
        if request.method != "POST":
            return self._form(page, query)
        entries = _entries(request.body)
        try:
            self._submit(page, query, entries)
        except InvalidEntry as error:
            return self._form(page, query, entries, str(error))
        if page.next_path:
            return _redirect(page.next_path, query | {EMAIL: entries[EMAIL_ADDRESS.parameter]})
        return _done(page, query)

    def _is_from_here(self, request: HttpRequest) -> bool:
        """Whether the browser shows this server, and its form was on one of these pages."""
        hosts = (f"127.0.0.1:{self._port}", f"localhost:{self._port}")
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin", "")
        return host in hosts and (request.method != "POST" or origin == f"http://{host}")

    def _submit(
        self, page: AccountPage, query: Mapping[str, str], entries: Mapping[str, str]
    ) -> None:
        """Call the page's operation. Raises InvalidEntry."""
        parameters = {"Username": query.get(EMAIL, "")}
        for field in page.fields:
            parameters[field.parameter] = entries.get(field.parameter, "")
        missing = [field.label for field in page.fields if not parameters[field.parameter]]
        if missing:
            raise InvalidEntry(f"Fill in: {', '.join(missing)}.")
        if CODE in page.fields and parameters[CODE.parameter] != self._code(query):
            # ministack accepts any code, unlike Cognito.
            raise InvalidEntry("Invalid verification code provided, please try again.")
        self._call_cognito(page.operation, {"ClientId": query["client_id"], **parameters})

    def _code(self, query: Mapping[str, str]) -> str | None:
        """The code in the latest mail to the user; None if there is none."""
        try:
            return confirmation_code(self._port, query.get(EMAIL, ""))
        except EmulatorError:
            return None

    def _call_cognito(self, operation: str, parameters: Mapping[str, str]) -> None:
        """Call the emulator's Cognito as a browser does. Raises InvalidEntry if it refuses."""
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=REQUEST_SECONDS)
        try:
            connection.request("POST", "/", json.dumps(parameters), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise InvalidEntry(answer["message"])

    def _form(
        self,
        page: AccountPage,
        query: Mapping[str, str],
        entries: Mapping[str, str] | None = None,
        problem: str = "",
    ) -> HttpResponse:
        """The page with its form; after a refused entry with the reason, and what was entered."""
        parts = [_problem(problem)]
        values = {EMAIL_ADDRESS.parameter: query.get(EMAIL, ""), **(entries or {})}
        values.pop(NEW_PASSWORD.parameter, None)
        if CODE in page.fields:
            code = self._code(query)
            values.setdefault(CODE.parameter, code or "")
            parts.append(_mail(query.get(EMAIL, ""), code))
        parts.append('<form method="post">')
        parts += [_input(field, values.get(field.parameter, "")) for field in page.fields]
        parts.append(f'<p class="actions"><button class="primary">{page.button}</button></p>')
        parts.append("</form>")
        links = {**(page.links or {}), SIGN_IN: "Back to sign in"}
        parts.append(_links(links, query))
        status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
        return _html(status, page.title, "\n".join(parts))


def _entries(body: bytes) -> dict[str, str]:
    """What the user entered, without spaces around it; those of a password count."""
    entries = dict(parse_qsl(body.decode("utf-8", errors="replace")))
    for field in (EMAIL_ADDRESS, CODE):
        if field.parameter in entries:
            entries[field.parameter] = entries[field.parameter].strip()
    return entries


def links_for_sign_in(query: Mapping[str, str]) -> str:
    """The links to these pages, for the sign-in page with this query."""
    paths = {
        "/signup": "Sign up",
        "/forgotPassword": "Forgot your password?",
        "/resendcode": ENTER_CODE,
    }
    return _links(paths, query)


def _links(paths: Mapping[str, str], query: Mapping[str, str]) -> str:
    links = [
        f'<p><a href="{escape(_address(path, query))}">{escape(text)}</a></p>'
        for path, text in paths.items()
    ]
    return "\n".join(['<nav aria-label="Account">', *links, "</nav>"])


def _address(path: str, query: Mapping[str, str]) -> str:
    """A path with the query of the sign-in page; for the pages here also the user's address."""
    kept = {name: value for name, value in query.items() if value}
    if path == SIGN_IN:
        kept.pop(EMAIL, None)
    return f"{path}?{urlencode(kept)}"


def _redirect(path: str, query: Mapping[str, str]) -> HttpResponse:
    headers = {"Location": _address(path, query), "Cache-Control": "no-store"}
    return HttpResponse(HTTPStatus.SEE_OTHER, headers, b"")


def _problem(text: str) -> str:
    content = f"<span>{escape(text)}</span>" if text else ""
    return f'<div id="problem" role="alert">{content}</div>'


def _mail(email: str, code: str | None) -> str:
    """What the local mailbox has for the user."""
    if code is None:
        return (
            f'<p class="hint" id="mail">The local mailbox has no mail with a code for '
            f"{escape(email)}. Check the address, or get a new code.</p>"
        )
    return (
        f'<p class="hint" id="mail">The code for {escape(email)} is <strong>{code}</strong>. '
        "It comes from the local mailbox, because no e-mail is sent on this machine.</p>"
    )


def _input(field: Field, value: str) -> str:
    described_by = ' aria-describedby="mail"' if field is CODE else ""
    return (
        f'<label for="{field.parameter}">{field.label}</label>\n'
        f'<input id="{field.parameter}" name="{field.parameter}" value="{escape(value)}" '
        f"{field.attributes}{described_by} required>"
    )


def _done(page: AccountPage, query: Mapping[str, str]) -> HttpResponse:
    return _html(HTTPStatus.OK, page.done, _links({SIGN_IN: "Sign in"}, query))


def _message(status: HTTPStatus, title: str, text: str) -> HttpResponse:
    return _html(status, title, f"<p>{escape(text)}</p>")


def _html(status: HTTPStatus, title: str, content: str) -> HttpResponse:
    style = STYLE.read_text(encoding="utf-8") + OWN_STYLE
    body = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        # Other sites must not see the query. With no-referrer, browsers would send no Origin.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HttpResponse(status, headers, body.encode())
