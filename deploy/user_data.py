"""What operators do with users through the API: list and read them, and erase their accounts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TypeAlias

import requests

from chalicelib.errors import MalformedJSON
from chalicelib.json_text import read_json
from chalicelib.profile import JSON
from deploy.users_api import UsersApi, UsersApiError

User: TypeAlias = dict[str, JSON]
"""A user in JSON. Numbers are exact: int or Decimal."""

PAGE_SIZE = 100
MAX_ATTEMPTS = 4
"""How often a request is sent while the API is overloaded. Each request can be repeated."""
OVERLOADED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
MAX_PAUSE_SECONDS = 60
NO_PROFILE = "profile-not-found"
"""The end of the type of the problem that reports that a user has no profile."""
NO_USER = "user-not-found"
"""The same, that there is neither an account nor data."""
ERASED = "account-erased"
"""The same, that the account was erased."""


class NotCarriedOut(UsersApiError):
    """The API refused a request. Nothing was changed."""


class NoUsersResource(NotCarriedOut):
    """The API has no resources for operators."""


class NoErasure(NotCarriedOut):
    """The API does not erase accounts."""


class Stored(Enum):
    """What is stored for a user in place of a profile, or of metadata. The values are for users."""

    NOTHING = "none"
    DATA = "stored"
    MARKER = "erased"


@dataclass(frozen=True)
class StoredData:
    """What is stored for a user."""

    profile: Stored
    metadata: Stored

    def has(self, stored: Stored) -> bool:
        """Whether the profile, the metadata or both are this."""
        return stored in (self.profile, self.metadata)


def list_users(api: UsersApi) -> Iterator[User]:
    """Each user who has a profile, sorted by sub.

    The API is called once for PAGE_SIZE users, when the first of them is needed.
    Raises UsersApiError.
    """
    query = {"limit": str(PAGE_SIZE)}
    while True:
        response = _get(api, "/users", query)
        if response.status_code != HTTPStatus.OK:
            raise _refusal(response, "GET/users")
        page = _object(response)
        users = page.get("users")
        if not isinstance(users, list):
            raise _unexpected(response)
        for user in users:
            if isinstance(user, dict):
                yield user
        if "next" not in page:
            return
        query["cursor"] = str(page["next"])


def read_user(api: UsersApi, sub: str) -> User:
    """The profile and the metadata of a user, each with its ETag as `etag`.

    `profile` is None if there is none. Metadata that was never written has no ETag.
    Raises UsersApiError.
    """
    profile = _get_profile(api, sub)
    if profile.status_code != HTTPStatus.OK and not _reports(profile, NO_PROFILE):
        raise _refusal(profile, "GET/users/*/profile")
    metadata = _get_metadata(api, sub)
    if metadata.status_code != HTTPStatus.OK:
        raise _refusal(metadata, "GET/users/*/metadata")
    return {
        "sub": sub,
        "profile": None if _reports(profile, NO_PROFILE) else _with_etag(profile),
        "metadata": _with_etag(metadata),
    }


def find_stored_data(api: UsersApi, sub: str) -> StoredData:
    """What is stored for a user. Raises UsersApiError."""
    profile = _get_profile(api, sub)
    if _reports(profile, NO_PROFILE):
        stored_profile = Stored.NOTHING
    else:
        stored_profile = _stored(profile, "GET/users/*/profile")
    metadata = _get_metadata(api, sub)
    stored_metadata = _stored(metadata, "GET/users/*/metadata")
    if stored_metadata is Stored.DATA and "ETag" not in metadata.headers:
        stored_metadata = Stored.NOTHING
    return StoredData(stored_profile, stored_metadata)


def _stored(response: requests.Response, right: str) -> Stored:
    if _reports(response, ERASED):
        return Stored.MARKER
    if response.status_code != HTTPStatus.OK:
        raise _refusal(response, right)
    return Stored.DATA


def erase_account(api: UsersApi, sub: str) -> None:
    """Erase a user's account, profile and metadata.

    Raises NotCarriedOut, or another UsersApiError: then the account may be erased in part.
    """
    response = _send(api, "DELETE", f"/users/{sub}")
    if response.status_code == HTTPStatus.NO_CONTENT:
        return
    is_missing = response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
    if is_missing and not _reports(response, NO_USER):
        raise NoErasure(
            f"{_place(response)} returned {response.status_code}: {_reason(response)} The API does "
            "not erase accounts: the stage's setting ERASURE is off, or an earlier version is "
            'deployed. See "Erase an account" in docs/operating.md.'
        )
    raise _refusal(response, "DELETE/users/*")


def _get_profile(api: UsersApi, sub: str) -> requests.Response:
    return _get(api, f"/users/{sub}/profile")


def _get_metadata(api: UsersApi, sub: str) -> requests.Response:
    return _get(api, f"/users/{sub}/metadata")


def _get(api: UsersApi, path: str, query: Mapping[str, str] | None = None) -> requests.Response:
    return _send(api, "GET", path, query)


def _send(
    api: UsersApi, method: str, path: str, query: Mapping[str, str] | None = None
) -> requests.Response:
    """Send a request, again if the API is overloaded. Raises UsersApiError."""
    response = api.send(method, path, query=query)
    for _ in range(MAX_ATTEMPTS - 1):
        if response.status_code not in OVERLOADED:
            break
        time.sleep(_pause_seconds(response))
        response = api.send(method, path, query=query)
    return response


def _pause_seconds(response: requests.Response) -> int:
    """The seconds of Retry-After, up to MAX_PAUSE_SECONDS. 1 if there is no such header."""
    retry_after = response.headers.get("Retry-After", "")
    if not retry_after.isdecimal():
        return 1
    return min(int(retry_after), MAX_PAUSE_SECONDS)


def _with_etag(response: requests.Response) -> User:
    members = _object(response)
    etag = response.headers.get("ETag")
    if etag is not None:
        members["etag"] = etag
    return members


def _object(response: requests.Response) -> User:
    """The JSON object in a response. Raises UsersApiError."""
    try:
        value = read_json(response.content)
    except MalformedJSON as error:
        raise _unexpected(response) from error
    if not isinstance(value, dict):
        raise _unexpected(response)
    return value


def _unexpected(response: requests.Response) -> UsersApiError:
    return UsersApiError(
        f"the response of {_place(response)} is not this service's. Another program may run there."
    )


# --- refusals -------------------------------------------------------------------------------------


def _refusal(response: requests.Response, right: str) -> UsersApiError:
    """The error that reports a response.

    right: the end of the resource for which the caller needs execute-api:Invoke.
    """
    answer = f"{_place(response)} returned {response.status_code}: {_reason(response)}"
    if response.status_code == HTTPStatus.FORBIDDEN:
        return NotCarriedOut(
            f"{answer} Your AWS credentials need the permission execute-api:Invoke for {right} of "
            "this API: see docs/operating.md. If they have it, check the credentials and this "
            "machine's clock."
        )
    if response.status_code == HTTPStatus.NOT_FOUND and not _reports(response, NO_USER):
        return NoUsersResource(
            f"{answer} The deployed API seems to be an earlier version. Deploy this one."
        )
    if _reports(response, NO_USER):
        return NotCarriedOut(answer)
    return UsersApiError(answer)


def _place(response: requests.Response) -> str:
    """The URL without the query, which may contain a cursor."""
    return response.url.partition("?")[0]


def _reason(response: requests.Response) -> str:
    """The reason in a response of the service, of API Gateway or of another program."""
    problem = _problem(response)
    for member in ("detail", "message", "Message"):
        if isinstance(problem.get(member), str):
            return str(problem[member])
    return response.text[:200]


def _reports(response: requests.Response, problem_name: str) -> bool:
    """Whether a response is the problem whose type ends with this name."""
    return str(_problem(response).get("type")).endswith(f":{problem_name}")


def _problem(response: requests.Response) -> Mapping[str, object]:
    """The members of a problem; none if the response is not a JSON object."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
