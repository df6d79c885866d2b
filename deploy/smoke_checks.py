"""The checks of a live deployment: one function for each, in the order of CHECKS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import jwt
import requests
from botocore.exceptions import BotoCoreError

from chalicelib.errors import InvalidProfile, MalformedJSON, ProfileError, ProfileTooLarge
from chalicelib.json_text import read_json
from chalicelib.problems import PROBLEM_TYPES, TYPE_PREFIX
from chalicelib.profile import JSON
from deploy.smoke_sample import BUILT_IN, Sample
from deploy.users_api import UsersApi, UsersApiError, keep_authorization

PROFILE = "/user/profile"
ORIGIN = "https://smoke.example.com"
"""Sent with each request, as a browser does for a page on this origin."""
TIMEOUT_SECONDS = 30
LARGE_BODY_BYTES = 7_000_000
UNKNOWN_PATH = "/user/nobody"
SAMPLE_REFUSED = "this stage refuses the test data; give FILE=<a profile that it allows>"


class CheckFailed(Exception):
    """The deployment does not behave as expected. The text states the difference."""


class CheckNotPossible(Exception):
    """A check was not made. The text states what it needs."""


@dataclass
class Client:
    """Sends requests to the deployment as one signed-in user."""

    url: str
    """The API's URL, without /user/profile."""
    id_token: str
    access_token: str | None = None
    operator: UsersApi | None = None
    """The same API with the shell's AWS credentials; None if the shell has none."""
    sample: Sample = BUILT_IN
    """The profile that the checks store."""
    session: requests.Session = field(default_factory=requests.Session)

    def send(
        self,
        method: str,
        body: str | None = None,
        *,
        path: str = PROFILE,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request, with the user's id token unless `token` replaces it; "" sends none.

        A redirect is not followed: the API sends none. Raises requests.RequestException.
        """
        all_headers = {"Origin": ORIGIN}
        if token is None:
            token = self.id_token
        if token:
            all_headers["Authorization"] = token
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        if headers is not None:
            all_headers.update(headers)
        data = None
        if body is not None:
            data = body.encode()
        return self.session.request(
            method,
            self.url + path,
            data=data,
            headers=all_headers,
            auth=keep_authorization,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )


# --- responses ------------------------------------------------------------------------------------


def excerpt(response: requests.Response) -> str:
    """Return the status and the beginning of the body, in one line."""
    return f"{response.status_code} {in_one_line(response.text)}".rstrip()


def in_one_line(text: str) -> str:
    """Return the beginning of a text, without line breaks."""
    return " ".join(text.split())[:300]


def json_object(response: requests.Response) -> dict[str, JSON]:
    """Return the JSON object in a response, with its numbers exact. Raises CheckFailed."""
    try:
        value = read_json(response.content)
    except MalformedJSON as error:
        raise CheckFailed(f"the response is not valid JSON: {excerpt(response)}") from error
    if not isinstance(value, dict):
        raise CheckFailed(f"the response is not a JSON object: {excerpt(response)}")
    return value


def profile_data(response: requests.Response) -> JSON:
    """Return the profile data in a response, with its numbers exact. Raises CheckFailed."""
    document = json_object(response)
    if "profile_data" not in document:
        raise CheckFailed(f"the response has no profile_data: {excerpt(response)}")
    return document["profile_data"]


def reports(response: requests.Response, error: type[ProfileError]) -> bool:
    """Return whether a response is the problem by which this service reports `error`."""
    problem_type = PROBLEM_TYPES[error]
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code != problem_type.status or media_type != "application/problem+json":
        return False
    try:
        problem = json_object(response)
    except CheckFailed:
        return False
    return problem.get("type") == TYPE_PREFIX + problem_type.name


def expect(
    response: requests.Response, status: int, headers: Mapping[str, str] | None = None
) -> None:
    """Check the status, and that each of these headers contains the given text.

    Raises CheckFailed.
    """
    if response.status_code != status:
        raise CheckFailed(f"expected {status}, received {excerpt(response)}")
    if headers is None:
        return
    for name, expected in headers.items():
        value = response.headers.get(name, "")
        if expected.lower() not in value.lower():
            raise CheckFailed(f"the header {name} is {value!r} and does not contain {expected!r}")


def expect_problem(
    response: requests.Response, status: int, headers: Mapping[str, str] | None = None
) -> dict[str, JSON]:
    """Check that the response is a problem that scripts in a browser can read; return it.

    Raises CheckFailed.
    """
    expect(response, status, headers)
    expect(response, status, {"Content-Type": "application/problem+json"})
    names_origins = response.headers.get("Vary") == "Origin"  # CORS_ALLOW_ORIGIN has several
    if not response.headers.get("Access-Control-Allow-Origin") and not names_origins:
        raise CheckFailed("no Access-Control-Allow-Origin: browsers hide the response from scripts")
    problem = json_object(response)
    # API Gateway's errors of several statuses do not repeat it.
    if problem.get("status", status) != status or not problem.get("request_id"):
        raise CheckFailed(f"the problem lacks its request_id: {excerpt(response)}")
    return problem


# --- the connection -------------------------------------------------------------------------------


def tls_1_1_is_refused(client: Client) -> None:
    url = urlsplit(client.url)
    if url.scheme != "https":
        raise CheckNotPossible("needs an https URL")
    host = url.hostname or ""
    try:
        with (
            socket.create_connection((host, url.port or 443), TIMEOUT_SECONDS) as connection,
            _context_of_tls_1_1().wrap_socket(connection, server_hostname=host),
        ):
            raise CheckFailed("the server accepts TLS 1.1")
    except ssl.SSLError as error:
        if error.reason == "NO_PROTOCOLS_AVAILABLE":
            raise CheckNotPossible("the OpenSSL of this machine does not offer TLS 1.1") from error
    except ConnectionResetError:
        return
    except OSError as error:
        raise CheckFailed(f"no connection to {host}: {error}") from error


def _context_of_tls_1_1() -> ssl.SSLContext:
    """Return a context that offers TLS 1.1 only, which OpenSSL does at its lowest level only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


# --- tokens ---------------------------------------------------------------------------------------


def no_token_is_refused(client: Client) -> None:
    expect_problem(client.send("GET", token=""), 401)


def forged_tokens_are_refused(client: Client) -> None:
    expect_problem(client.send("GET", token=_with_wrong_signature(client.id_token)), 401)
    expect_problem(client.send("GET", token="junk"), 401)  # noqa: S106 - not a real token


def _with_wrong_signature(token: str) -> str:
    head, payload, signature = token.split(".")
    other_first = "A"
    if signature.startswith("A"):
        other_first = "B"
    return f"{head}.{payload}.{other_first}{signature[1:]}"


def access_token_is_refused(client: Client) -> None:
    if client.access_token is None:
        raise CheckNotPossible("needs EMAIL and PASSWORD instead of TOKEN")
    expect_problem(client.send("GET", token=client.access_token), 401)


def id_token_is_accepted(client: Client) -> None:
    expect_problem(client.send("GET"), 404)
    expect_problem(client.send("GET", token=f"Bearer {client.id_token}"), 404)


# --- browsers -------------------------------------------------------------------------------------


def preflight_allows_patch(client: Client) -> None:
    preflight = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    response = client.send("OPTIONS", token="", headers=preflight)
    allowed = {
        "Access-Control-Allow-Methods": "PATCH",
        "Access-Control-Allow-Headers": "If-Match",
    }
    expect(response, 200, allowed)
    if not response.headers.get("Access-Control-Allow-Origin"):
        raise CheckFailed("no Access-Control-Allow-Origin: browsers do not send the request")


# --- profiles -------------------------------------------------------------------------------------


def remove_profile(client: Client) -> None:
    """Remove the profile, if there is one. Raises CheckFailed.

    A stage with REQUIRE_PRECONDITIONS refuses to remove a profile without a precondition.
    """
    response = client.send("DELETE", headers={"If-Match": "*"})
    if response.status_code != 412:  # there is none
        expect(response, 204)


def stored_sample(client: Client) -> requests.Response:
    """Store the sample if no profile is stored; return the response to a GET.

    Raises CheckFailed, and CheckNotPossible if the stage refuses the built-in sample.
    """
    response = client.send("GET")
    if response.status_code == 404:
        expect_stored(client, client.send("PUT", client.sample.body))
        response = client.send("GET")
    expect(response, 200)
    return response


def expect_stored(
    client: Client, response: requests.Response, headers: Mapping[str, str] | None = None
) -> None:
    """Check that the stage has accepted the sample, and that each header contains the given text.

    A stage can have PROFILE_SCHEMA or a small MAX_PROFILE_BYTES. Raises CheckFailed, and
    CheckNotPossible if the stage refuses the built-in sample.
    """
    if reports(response, InvalidProfile) or reports(response, ProfileTooLarge):
        if client.sample.is_built_in:
            raise CheckNotPossible(SAMPLE_REFUSED)
        raise CheckFailed(f"this stage refuses the profile in FILE: {excerpt(response)}")
    expect(response, 200, headers)


def data_is_read_back_exactly(client: Client) -> None:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "ETag": '"'}
    created = client.send("POST", client.sample.body)
    expect_stored(client, created, headers)
    read = client.send("GET")
    expect(read, 200, headers)
    for response in (created, read):
        if profile_data(response) != client.sample.data:
            sent = in_one_line(client.sample.body)
            raise CheckFailed(f"sent {sent}, received {excerpt(response)}")


def preconditions_are_checked(client: Client) -> None:
    current = stored_sample(client)
    expect(current, 200, {"ETag": '"'})
    etag = current.headers["ETag"]
    expect(client.send("GET", headers={"If-None-Match": etag}), 304, {"ETag": etag})
    body = client.sample.body
    other = client.send("PUT", body, headers={"If-Match": '"another"'})
    expect_problem(other, 412, {"ETag": etag})
    existing = client.send("PUT", body, headers={"If-None-Match": "*"})
    expect_problem(existing, 412, {"ETag": etag})
    patch = {"If-Match": etag, "Content-Type": "application/merge-patch+json"}
    expect(client.send("PATCH", client.sample.patch, headers=patch), 200)


def bad_requests_are_explained(client: Client) -> None:
    expect_problem(client.send("POST", "{"), 400)
    expect_problem(client.send("POST", "{}", headers={"Content-Type": "text/plain"}), 415)
    invalid = expect_problem(client.send("POST", '{"a":{"":1}}'), 422)
    if not invalid.get("errors"):
        raise CheckFailed("a 422 response without errors that name the fields")


def too_large_body_is_refused(client: Client) -> None:
    """Lambda accepts 6 MB, API Gateway 10 MB."""
    expect_problem(send_large_body(client), 413)


def send_large_body(client: Client) -> requests.Response:
    """PUT a profile of 7 MB. Raises requests.RequestException."""
    return client.send("PUT", json.dumps({"text": "x" * LARGE_BODY_BYTES}))


# --- the end of an account ------------------------------------------------------------------------


def erasure_needs_a_recent_sign_in_and_no_etag(client: Client) -> None:
    """Erases nothing: an account has no ETag, so this If-Match never matches."""
    response = client.send("DELETE", path="/user", headers={"If-Match": '"no-etag"'})
    if response.status_code in (403, 404):
        raise CheckNotPossible("this stage has no DELETE /user (ERASURE)")
    if response.status_code == 401 and client.access_token is None:
        raise CheckNotPossible("needs EMAIL and PASSWORD: the sign-in of TOKEN is too old")
    expect_problem(response, 412)


# --- back ends and operators ----------------------------------------------------------------------


def users_needs_a_signature(client: Client) -> None:
    expect_problem(client.send("GET", path="/users", token=""), 404)
    # API Gateway reads the token as an AWS signature. It has several errors for that.
    response = client.send("GET", path="/users")
    if not 400 <= response.status_code < 500:
        raise CheckFailed(f"{response.status_code} for an id token instead of 403")


def operators_list_users(client: Client) -> None:
    response = _as_operator(client, "/users?limit=1")
    expect(response, 200, {"Cache-Control": "no-store"})
    if not isinstance(json_object(response).get("users"), list):
        raise CheckFailed(f"no list of users: {excerpt(response)}")


def operators_and_the_user_see_the_same_app_metadata(client: Client) -> None:
    try:
        claims = jwt.decode(client.id_token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise CheckFailed(f"the id token cannot be read: {error}") from error
    all_metadata = _as_operator(client, f"/users/{claims['sub']}/metadata")
    expect(all_metadata, 200)
    seen = client.send("GET", path="/user/metadata")
    expect(seen, 200, {"ETag": '"'})
    app_metadata = json_object(all_metadata).get("app_metadata")
    if json_object(seen) != {"app_metadata": app_metadata}:
        raise CheckFailed("/user/metadata is not exactly the app_metadata that operators see")


def _as_operator(client: Client, path: str) -> requests.Response:
    """GET a path under /users, signed. Raises CheckNotPossible if the shell may not do that."""
    if client.operator is None:
        raise CheckNotPossible("needs AWS credentials in the shell")
    try:
        response = client.operator.send("GET", path)
    except UsersApiError as error:
        raise CheckFailed(str(error)) from error
    except BotoCoreError as error:  # such as an expired sign-in with IAM Identity Center
        raise CheckNotPossible(f"the shell's AWS credentials cannot be used: {error}") from error
    if response.status_code == 403:
        raise CheckNotPossible("the shell's credentials may not call it")
    return response


# --- other paths, and the end ---------------------------------------------------------------------


def unknown_path_is_not_found(client: Client) -> None:
    expect_problem(client.send("GET", path=UNKNOWN_PATH, token=""), 404)
    # On an unknown path, API Gateway reads a token as an AWS signature. Other errors may result.
    response = client.send("GET", path=UNKNOWN_PATH)
    if not 400 <= response.status_code < 500:
        raise CheckFailed(f"{response.status_code} instead of 404")
    expect_problem(response, response.status_code)


def delete_can_be_repeated(client: Client) -> None:
    stored_sample(client)
    # A stage with REQUIRE_PRECONDITIONS refuses to delete a profile without If-Match.
    expect(client.send("DELETE", headers={"If-Match": "*"}), 204)
    expect(client.send("DELETE"), 204)
    expect_problem(client.send("GET"), 404)


CHECKS: dict[str, Callable[[Client], None]] = {
    "TLS 1.1: refused": tls_1_1_is_refused,
    "no token: 401, readable by scripts": no_token_is_refused,
    "a forged token: 401, readable by scripts": forged_tokens_are_refused,
    "an access token: 401, readable by scripts": access_token_is_refused,
    "the id token, with and without Bearer: accepted": id_token_is_accepted,
    "preflight: PATCH with If-Match is allowed": preflight_allows_patch,
    "profile data is read back exactly": data_is_read_back_exactly,
    "ETag, If-Match and If-None-Match: 304, 412, 200": preconditions_are_checked,
    "bad requests: 400, 415, 422, readable by scripts": bad_requests_are_explained,
    "a body of 7 MB: 413, readable by scripts": too_large_body_is_refused,
    "DELETE /user with an If-Match: 412, erases nothing": (
        erasure_needs_a_recent_sign_in_and_no_etag
    ),
    "/users without a signature: 404, with a token: 4xx": users_needs_a_signature,
    "operators list users": operators_list_users,
    "operators and the user see the same app_metadata": (
        operators_and_the_user_see_the_same_app_metadata
    ),
    "an unknown path: 404, readable by scripts": unknown_path_is_not_found,
    "DELETE, twice: 204": delete_can_be_repeated,
}
"""Each check's name in the output, and its function, which raises CheckFailed.

The order matters: the first checks expect no profile.
"""


# --- what AWS does not document -------------------------------------------------------------------

UNDOCUMENTED_PATHS = ("/user/%70rofile", "/user/profile;x=1", "//user/profile")
"""Other spellings of the profile's path. AWS does not say how API Gateway reads them."""


def status_of_path(client: Client, path: str) -> int:
    """GET a path exactly as it is spelled, which `requests` would rewrite; return the status.

    Raises OSError and http.client.HTTPException.
    """
    url = urlsplit(client.url)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.netloc, timeout=TIMEOUT_SECONDS)
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", url.path + path, headers={"Authorization": client.id_token})
        return connection.getresponse().status
    finally:
        connection.close()


def answer_to_token_on_unknown_path(client: Client) -> str:
    """Describe the response to a token on a path that does not exist.

    Raises requests.RequestException.
    """
    return excerpt(client.send("GET", path=UNKNOWN_PATH))


def answer_to_large_body(client: Client) -> str:
    """Describe the refusal of a body of 7 MB. Raises requests.RequestException."""
    return excerpt(send_large_body(client))


OTHER_ANSWERS: dict[str, Callable[[Client], str]] = {
    f"a token on {UNKNOWN_PATH}": answer_to_token_on_unknown_path,
    "a body of 7 MB": answer_to_large_body,
}
"""Responses that are shown as they are, and the functions that describe them."""
