"""The targets: functions that take any bytes, and raise only if the code under test is wrong."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chalice.app import Request

from chalicelib import errors, http, identity
from chalicelib.json_text import write_json
from chalicelib.preconditions import Precondition, Wildcard
from chalicelib.profile import JSON, check_profile_data, merge_patch
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.store import ProfileStore
from tests.support.events import api_gateway_event

CLIENT_ID = "client"


def read_json(body: bytes | str) -> JSON:
    """Read a request's body. Raises MalformedJSON."""
    return http.json_body(Request(api_gateway_event("PUT", body=body)))


def read_precondition(headers: dict[str, str]) -> Precondition:
    """Read If-Match and If-None-Match. Raises MalformedPrecondition."""
    request = Request(api_gateway_event("PUT", headers=headers))
    return http.read_precondition(request, required=False)


def json_reader(data: bytes) -> None:
    """A body is refused, or read as a value that is the same after writing and reading it again.

    A body that Python's own parser refuses is refused.
    """
    try:
        value = read_json(data)
    except (errors.MalformedJSON, errors.InvalidProfile):
        return
    json.loads(data)
    assert read_json(write_json(value)) == value
    with suppress(errors.InvalidProfile, errors.ProfileTooLarge):
        check_profile_data(value)


def patch_merger(data: bytes) -> None:
    """A merge patch sets and removes what it names, and merging it twice changes nothing more.

    The input is two JSON texts with a zero byte between them: the target and the patch.
    """
    target_text, _, patch_text = data.partition(b"\0")
    try:
        target = read_json(target_text)
        patch = read_json(patch_text)
        merged = merge_patch(target, patch)
    except (errors.MalformedJSON, errors.InvalidProfile):
        return
    assert merge_patch(merged, patch) == merged
    if isinstance(patch, dict):
        assert isinstance(merged, dict)
        for name, value in patch.items():
            assert (name in merged) == (value is not None)


def tag_parser(data: bytes) -> None:
    """A header is refused, or read as entity tags that are the same after writing and reading."""
    line = data.decode("latin-1")
    try:
        condition = read_precondition({"If-Match": line, "if-none-match": line})
    except errors.MalformedPrecondition:
        return
    assert condition.if_match == condition.if_none_match
    if condition.if_match is Wildcard.ANY:
        return
    assert isinstance(condition.if_match, frozenset)
    for tag in condition.if_match:
        assert '"' not in tag
        assert " " not in tag
    written = ", ".join(f'"{tag}"' for tag in condition.if_match)
    assert read_precondition({"If-Match": written}).if_match == condition.if_match


def claims_reader(data: bytes) -> None:
    """A user's request identifies nobody, or the subject of an id token of this app."""
    context = parse_json(data)
    if not isinstance(context, dict):
        return
    try:
        sub = identity.identify({"requestContext": context}, (CLIENT_ID,))
    except (errors.NotSignedIn, errors.Forbidden):
        return
    claims = context["authorizer"]["claims"]
    assert claims["sub"] == sub
    assert claims["token_use"] == "id"
    assert claims["aud"] == CLIENT_ID


def function(data: bytes) -> None:
    """Every event gets a response with a status below 500. An error has a request id."""
    app = app_with_empty_store()
    response = app(parse_json(data), None)
    assert response["statusCode"] < 500, response
    if response["statusCode"] >= 400:
        assert json.loads(response["body"])["request_id"] is not None


@functools.cache
def app_with_empty_store() -> Callable[[Any, None], dict[str, Any]]:
    from app import create_app  # noqa: PLC0415 - atheris must import it first

    table: Any = EmptyTable()
    store = ProfileStore(table, "empty")
    return create_app(RouteSettings(client_ids=(CLIENT_ID,)), ProfileSettings, lambda: store)


class EmptyTable:
    """A DynamoDB client for a table without items. It accepts every write and stores nothing."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": []}

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        return {"Attributes": arguments["Key"]}

    def delete_item(self, **_: Any) -> dict[str, Any]:
        return {}


def parse_json(data: bytes) -> Any:
    """Parse an event; None for bytes that are not JSON."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "json_reader": json_reader,
    "patch_merger": patch_merger,
    "tag_parser": tag_parser,
    "claims_reader": claims_reader,
    "function": function,
}
