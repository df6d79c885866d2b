"""Responses: profiles, metadata, lists and public profiles as JSON, and problems (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from chalice.app import CORSConfig, Response

from chalicelib.json_text import write_json
from chalicelib.metadata import APP, PRIVATE
from chalicelib.paging import cursor_after
from chalicelib.problems import Problem
from chalicelib.profile import MAX_RESPONSE_BYTES

if TYPE_CHECKING:
    from chalicelib.profile import JSON, Document
    from chalicelib.public_profiles import PublicFields
    from chalicelib.store import ProfilePage

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
NO_STORE = {"Cache-Control": "no-store"}
"""Keeps personal data out of every cache, including the browser's on a shared computer."""
KEPT_A_MINUTE = {"Cache-Control": "private, max-age=60", "Vary": "Authorization"}
"""For public profiles, which an app may show many times. Only the caller's own cache keeps them,
and it does not use them for another user of the same browser."""
LISTED_USER_OVERHEAD = 1_000
"""More bytes than the other members of a listed user take in a response."""

Headers: TypeAlias = dict[str, str | list[str]]
"""Chalice's type. A list is a header with several lines."""


def json_response(value: JSON) -> Response:
    """200 with `value` as JSON."""
    headers: Headers = {"Content-Type": JSON_TYPE, **NO_STORE}
    return Response(write_json(value), headers, HTTPStatus.OK)


def profile_response(profile: Document) -> Response:
    """200 with the profile in the format of the original example, and its ETag."""
    return _with_etag(json_response(_profile_members(profile)), profile.revision)


def metadata_response(sub: str, metadata: Document | None) -> Response:
    """200 with the metadata of user `sub`, and its ETag. Without metadata: empty, and no ETag."""
    if metadata is None:
        return json_response({"sub": sub, APP: {}, PRIVATE: {}})
    body = {"sub": sub, **metadata.members, **_times(metadata)}
    return _with_etag(json_response(body), metadata.revision)


def app_metadata_response(app_metadata: JSON, revision: str) -> Response:
    """200 with what the user may see of their metadata, and its ETag.

    Names are sorted. The database can return them in another order after every write, also after
    one of private_metadata only.
    """
    return _with_etag(json_response({APP: _with_sorted_names(app_metadata)}), revision)


def _with_sorted_names(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _with_sorted_names(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_with_sorted_names(element) for element in value]
    return value


def user_list_response(page: ProfilePage) -> Response:
    """200 with a page of the list of users and, unless it is the last page, the cursor of the next.

    A page ends before the profile with which it would exceed MAX_RESPONSE_BYTES.
    """
    users: list[str] = []
    size = 0
    last = ""
    has_more = page.has_more
    for sub, profile in page.profiles.items():
        user = _listed_user(sub, profile)
        size += _bytes_in_response(user)
        if users and size > MAX_RESPONSE_BYTES:
            has_more = True
            break
        users.append(user)
        last = sub
    next_page = f',"next":"{cursor_after(last)}"' if has_more else ""
    headers: Headers = {"Content-Type": JSON_TYPE, **NO_STORE}
    return Response(f'{{"users":[{",".join(users)}]{next_page}}}', headers, HTTPStatus.OK)


def _listed_user(sub: str, profile: Document) -> str:
    """A user of a list, as JSON.

    Another program may have stored a profile that is larger than any response. It is listed without
    its data, so that the list goes on.
    """
    members: dict[str, JSON] = {"sub": sub, **_profile_members(profile)}
    members["etag"] = _etag(profile.revision)
    user = write_json(members)
    if _bytes_in_response(user) <= MAX_RESPONSE_BYTES + LISTED_USER_OVERHEAD:
        return user
    del members["profile_data"]
    return write_json({**members, "too_large": True})


class PublicBody(NamedTuple):
    """Public profiles as JSON. If some of those asked for are missing, it is not complete."""

    text: str
    is_complete: bool

    @property
    def headers(self) -> Headers:
        """How long it may be kept. One that is not complete is asked for again at once."""
        if self.is_complete:
            return dict(KEPT_A_MINUTE)
        return {**KEPT_A_MINUTE, **NO_STORE}


def public_profile_body(sub: str, fields: PublicFields) -> PublicBody:
    """The public profile of user `sub`. Names are sorted: see app_metadata_response."""
    return PublicBody(_public_profile(sub, fields), is_complete=True)


def _public_profile(sub: str, fields: PublicFields) -> str:
    return write_json(_public_members(sub, fields))


def public_profiles_body(profiles: Mapping[str, PublicFields | None]) -> PublicBody:
    """Public profiles by `sub`. None stands for a profile that was not read.

    A profile with which the response would exceed its limit is reported as not read. A single one
    fits always, unless another program stored it.
    """
    read: list[str] = []
    unread: list[JSON] = []
    size = 0
    for sub, fields in profiles.items():
        if fields is None:
            unread.append(sub)
            continue
        profile = _public_profile(sub, fields)
        profile_size = _bytes_in_response(profile)
        if size + profile_size > MAX_RESPONSE_BYTES + LISTED_USER_OVERHEAD:
            unread.append(sub)
            continue
        size += profile_size
        read.append(profile)
    text = f'{{"profiles":[{",".join(read)}],"unread":{write_json(unread)}}}'
    return PublicBody(text, is_complete=not unread)


def _public_members(sub: str, fields: PublicFields) -> dict[str, JSON]:
    return {"sub": sub, "profile_data": _with_sorted_names(fields)}


def public_response(body: PublicBody, revision: str) -> Response:
    """200 with one or several public profiles, and their ETag."""
    headers: Headers = {"Content-Type": JSON_TYPE, **body.headers}
    return _with_etag(Response(body.text, headers, HTTPStatus.OK), revision)


def public_not_modified(body: PublicBody, revision: str) -> Response:
    """304: the caller's copy of public profiles is current."""
    return _with_etag(Response("", body.headers, HTTPStatus.NOT_MODIFIED), revision)


def _bytes_in_response(text: str) -> int:
    """The bytes of `text` in Lambda's response, where it is part of a JSON string."""
    return len(json.dumps(text))


def not_modified(revision: str) -> Response:
    """304: the caller's copy is current."""
    return _with_etag(Response("", dict(NO_STORE), HTTPStatus.NOT_MODIFIED), revision)


def no_content() -> Response:
    """204: the request was carried out, and the response has no body."""
    return Response("", dict(NO_STORE), HTTPStatus.NO_CONTENT)


def problem_response(problem: Problem, request_id: str, cors: CORSConfig | None) -> Response:
    """The response that reports `problem`, with CORS headers if there is a `cors`."""
    headers: Headers = {**problem.headers, "Content-Type": PROBLEM_TYPE, **NO_STORE}
    if cors is not None:
        headers.update(cors.get_access_control_headers())
    return Response(json.dumps(problem.document(request_id)), headers, problem.status)


def _profile_members(profile: Document) -> dict[str, JSON]:
    members = {"pk": profile.pk, "sk": profile.sk, "profile_data": profile.data}
    return {**members, **_times(profile)}


def _times(document: Document) -> dict[str, JSON]:
    """The times that are known, by name."""
    times = {"created_at": document.created_at, "updated_at": document.updated_at}
    return {name: time for name, time in times.items() if time is not None}


def _with_etag(response: Response, revision: str) -> Response:
    response.headers["ETag"] = _etag(revision)
    return response


def _etag(revision: str) -> str:
    return f'"{revision}"'
