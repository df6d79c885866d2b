"""Sign-up and password reset beside the emulator's sign-in page: requests and their responses.

tests/browser/test_account_pages.py uses the pages in a browser.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from email.message import Message
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from deploy import cognito
from deploy.errors import CognitoError
from local.account_pages import PAGES, AccountPages
from local.http11 import HttpRequest, HttpResponse
from tests.support.cloud import Cloud
from tests.support.users import PASSWORD

CALLBACK_URL = "http://localhost:5173"
NEW_PASSWORD = "Another-Horse-43"


class Browser:
    """A browser on the pages, as a front end's sign-in page opens them."""

    def __init__(self, cloud: Cloud) -> None:
        self._pages = AccountPages(cloud.port)
        self.origin = f"http://127.0.0.1:{cloud.port}"
        self.query = {
            "client_id": cloud.outputs["UserPoolClientId"],
            "redirect_uri": CALLBACK_URL,
            "response_type": "code",
            "state": "a b&c",
        }

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self._send("GET", self._address(path), headers, b"")

    def post(
        self, path: str, entries: dict[str, str], origin: str | None = None, **headers: str
    ) -> HttpResponse:
        """Submit a form. `origin`: the site of the form; by default the page itself."""
        headers = {"Origin": self.origin if origin is None else origin, **headers}
        return self._send("POST", self._address(path), headers, urlencode(entries).encode())

    def _address(self, path: str) -> str:
        if "?" in path:
            return path
        return f"{path}?{urlencode(self.query)}"

    def _send(self, method: str, target: str, headers: dict[str, str], body: bytes) -> HttpResponse:
        message = Message()
        for name, value in {"Host": urlsplit(self.origin).netloc, **headers}.items():
            message[name] = value
        return self._pages.handle(HttpRequest(method, target, message, body))


@pytest.fixture
def browser(cloud: Cloud) -> Browser:
    return Browser(cloud)


@pytest.fixture
def email() -> str:
    """An address that nobody has signed up with."""
    return f"new-{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture
def can_sign_in(cloud: Cloud) -> Callable[[str, str], bool]:
    def sign_in(email: str, password: str) -> bool:
        outputs = cloud.outputs
        try:
            cognito.sign_in(outputs["UserPoolArn"], outputs["UserPoolClientId"], email, password)
        except CognitoError:
            return False
        return True

    return sign_in


def text_of(response: HttpResponse) -> str:
    """What a reader sees of a page, without its style."""
    html = response.body.decode().partition("<main>")[2]
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


def next_page(response: HttpResponse) -> str:
    assert response.status == 303, text_of(response)
    return str(response.headers["Location"])


def code_in(response: HttpResponse) -> str:
    """The code that a page has filled in."""
    found = re.search(r'name="ConfirmationCode" value="(\d{6})"', response.body.decode())
    assert found is not None, text_of(response)
    return found.group(1)


def sign_up(browser: Browser, email: str) -> str:
    """Sign up. Returns the page for the code."""
    return next_page(browser.post("/signup", {"Username": email, "Password": PASSWORD}))


def confirm(browser: Browser, page: str) -> HttpResponse:
    """Confirm the address with the code that the page shows."""
    return browser.post(page, {"ConfirmationCode": code_in(browser.get(page))})


def test_a_user_signs_up_with_the_code_that_is_shown(
    browser: Browser, email: str, can_sign_in: Callable[[str, str], bool]
) -> None:
    page = sign_up(browser, email)
    assert not can_sign_in(email, PASSWORD)
    shown = browser.get(page)
    assert f"The code for {email} is {code_in(shown)}" in text_of(shown)
    confirmed = confirm(browser, page)
    assert text_of(confirmed).startswith("You are signed up")
    assert can_sign_in(email, PASSWORD)


def test_after_sign_up_the_user_returns_to_the_sign_in(browser: Browser, email: str) -> None:
    confirmed = confirm(browser, sign_up(browser, email))
    (link,) = re.findall('<a href="([^"]*)">Sign in</a>', confirmed.body.decode())
    path, _, query = unescape(link).partition("?")
    assert path == "/oauth2/authorize"
    assert parse_qs(query) == {name: [value] for name, value in browser.query.items()}


def test_a_sign_up_can_be_finished_later(
    browser: Browser, email: str, can_sign_in: Callable[[str, str], bool]
) -> None:
    sign_up(browser, email)
    confirm(browser, next_page(browser.post("/resendcode", {"Username": f" {email} "})))
    assert can_sign_in(email, PASSWORD)


def test_a_user_resets_the_password(
    browser: Browser, email: str, can_sign_in: Callable[[str, str], bool]
) -> None:
    confirm(browser, sign_up(browser, email))
    page = next_page(browser.post("/forgotPassword", {"Username": email}))
    code = code_in(browser.get(page))
    done = browser.post(page, {"ConfirmationCode": code, "Password": NEW_PASSWORD})
    assert text_of(done).startswith("Your password is changed")
    assert can_sign_in(email, NEW_PASSWORD)
    assert not can_sign_in(email, PASSWORD)


def test_spaces_of_a_password_count(
    browser: Browser, email: str, can_sign_in: Callable[[str, str], bool]
) -> None:
    password = f"{PASSWORD} and "
    page = next_page(browser.post("/signup", {"Username": email, "Password": password}))
    confirm(browser, page)
    assert can_sign_in(email, password)


def test_only_the_mailed_code_is_accepted(browser: Browser, email: str) -> None:
    """As in Cognito. ministack accepts any code."""
    page = sign_up(browser, email)
    wrong = f"{(int(code_in(browser.get(page))) + 1) % 1_000_000:06}"
    refused = browser.post(page, {"ConfirmationCode": wrong})
    assert refused.status == 400
    assert "Invalid verification code" in text_of(refused)
    assert confirm(browser, page).status == 200


def test_without_a_mail_the_page_says_so(browser: Browser, email: str) -> None:
    """Cognito does not reveal whether an account exists, so the next page follows in any case."""
    page = next_page(browser.post("/forgotPassword", {"Username": email}))
    assert f"has no mail with a code for {email}" in text_of(browser.get(page))
    refused = browser.post(page, {"ConfirmationCode": "654321", "Password": NEW_PASSWORD})
    assert refused.status == 400


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({}, "Fill in: E-mail address, Password."),
        ({"Username": " ", "Password": PASSWORD}, "Fill in: E-mail address."),
        ({"Username": "new@example.com", "Password": ""}, "Fill in: Password."),
        ({"Username": "new@example.com", "Password": "short"}, "Password did not conform"),
        ({"Username": "not an address", "Password": PASSWORD}, "email"),
    ],
)
def test_a_refused_sign_up_says_why(browser: Browser, entries: dict[str, str], reason: str) -> None:
    refused = browser.post("/signup", entries)
    assert refused.status == 400
    assert reason in text_of(refused)


def test_an_address_signs_up_once(browser: Browser, email: str) -> None:
    sign_up(browser, email)
    refused = browser.post("/signup", {"Username": email, "Password": PASSWORD})
    assert "User already exists." in text_of(refused)


def test_an_unknown_client_is_refused(browser: Browser, email: str) -> None:
    browser.query["client_id"] = "unknown"
    refused = browser.post("/signup", {"Username": email, "Password": PASSWORD})
    assert refused.status == 400
    assert "Client unknown not found." in text_of(refused)


def test_a_refused_form_keeps_the_address_only(browser: Browser) -> None:
    entries = {"Username": '"><script>x</script>@example.com', "Password": "short"}
    html = browser.post("/signup", entries).body.decode()
    assert "&quot;&gt;&lt;script&gt;x&lt;/script&gt;@example.com" in html
    assert "<script" not in html
    assert "short" not in html.partition("<main>")[2]


def test_an_address_in_the_url_is_escaped(browser: Browser) -> None:
    browser.query["email"] = "<script>x</script>"
    html = browser.get("/confirm").body.decode()
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "<script" not in html


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("missing", ["client_id", "redirect_uri"])
def test_a_page_without_a_way_back_says_how_to_open_it(
    browser: Browser, path: str, missing: str
) -> None:
    del browser.query[missing]
    refused = browser.get(path)
    assert refused.status == 400
    assert "follow the link on the sign-in page" in text_of(refused)


@pytest.mark.parametrize("origin", ["", "null", "https://example.com", "http://127.0.0.1:3000"])
def test_other_sites_cannot_submit_the_form(
    browser: Browser, email: str, origin: str, can_sign_in: Callable[[str, str], bool]
) -> None:
    refused = browser.post("/signup", {"Username": email, "Password": PASSWORD}, origin)
    assert refused.status == 403
    assert "came from another site" in text_of(refused)
    page = next_page(browser.post("/resendcode", {"Username": email}))
    assert "has no mail" in text_of(browser.get(page)), "the user exists"


@pytest.mark.parametrize("host", ["", "example.com", "127.0.0.1", "localhost:1"])
def test_a_name_of_another_site_is_refused(browser: Browser, host: str) -> None:
    """A site can give its own name the address 127.0.0.1, and then read what is shown."""
    assert browser.get("/signup", Host=host).status == 403
    same_site = browser.post("/signup", {}, f"http://{host}", Host=host)
    assert same_site.status == 403


def test_the_name_localhost_is_accepted(browser: Browser, cloud: Cloud) -> None:
    host = f"localhost:{cloud.port}"
    assert browser.get("/signup", Host=host).status == 200
    assert browser.post("/signup", {}, f"http://{host}", Host=host).status == 400


def test_other_sites_can_neither_frame_nor_script_the_pages(browser: Browser) -> None:
    headers = browser.get("/signup").headers
    policy = str(headers["Content-Security-Policy"]).split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
