"""Users' profiles and metadata, as the API returns them to operators."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
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
"""How often a request is sent while the API is overloaded."""
OVERLOADED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
MAX_PAUSE_SECONDS = 60
NO_PROFILE = "profile-not-found"
"""The end of the type of the problem that reports that a user has no profile."""


class NoUsersResource(UsersApiError):
    """The API has no resources for operators."""


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
    profile = _get(api, f"/users/{sub}/profile")
    if profile.status_code != HTTPStatus.OK and not _reports_no_profile(profile):
        raise _refusal(profile, "GET/users/*/profile")
    metadata = _get(api, f"/users/{sub}/metadata")
    if metadata.status_code != HTTPStatus.OK:
        raise _refusal(metadata, "GET/users/*/metadata")
    return {
        "sub": sub,
        "profile": None if _reports_no_profile(profile) else _with_etag(profile),
        "metadata": _with_etag(metadata),
    }


def _get(api: UsersApi, path: str, query: Mapping[str, str] | None = None) -> requests.Response:
    """Send a request, again if the API is overloaded. Raises UsersApiError."""
    response = api.send("GET", path, query=query)
    for _ in range(MAX_ATTEMPTS - 1):
        if response.status_code not in OVERLOADED:
            break
        time.sleep(_pause_seconds(response))
        response = api.send("GET", path, query=query)
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
        return UsersApiError(
            f"{answer} Your AWS credentials need the permission execute-api:Invoke for {right} of "
            'this API: see "Find and read users" in docs/operating.md. If they have it, check the '
            "credentials and this machine's clock."
        )
    if response.status_code == HTTPStatus.NOT_FOUND:
        return NoUsersResource(
            f"{answer} The deployed API seems to be an earlier version. Deploy this one."
        )
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


def _reports_no_profile(response: requests.Response) -> bool:
    if response.status_code != HTTPStatus.NOT_FOUND:
        return False
    return str(_problem(response).get("type")).endswith(f":{NO_PROFILE}")


def _problem(response: requests.Response) -> Mapping[str, object]:
    """The members of a problem; none if the response is not a JSON object."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
