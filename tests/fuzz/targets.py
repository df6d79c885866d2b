"""The targets: functions of bytes that raise where something is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from chalice.app import Request

from chalicelib import errors, identity, web
from chalicelib.profile import Precondition, check_profile_data, merge_patch


def request_with(**event: Any) -> Request:
    absent = dict.fromkeys(
        ("multiValueQueryStringParameters", "headers", "pathParameters", "stageVariables", "body")
    )
    return Request(
        {**absent, "requestContext": {"httpMethod": "PUT", "resourcePath": "/"}, **event}
    )


def json_reader(data: bytes) -> None:
    """A body is refused, or read as what is written again means; and refused where Python refuses it."""
    try:
        value = web.json_body(request_with(body=data))
    except (errors.MalformedJSON, errors.InvalidProfile):
        return
    json.loads(data)
    assert web.json_body(request_with(body=web.dump_json(value))) == value
    with suppress(errors.InvalidProfile, errors.ProfileTooLarge):
        check_profile_data(value)


def patch_merger(data: bytes) -> None:
    """Two texts, a zero byte between them: the second, merged into the first, changes nothing when merged once more."""
    first, _, second = data.partition(b"\0")
    try:
        target, patch = (web.json_body(request_with(body=text)) for text in (first, second))
        merged = merge_patch(target, patch)
    except (errors.MalformedJSON, errors.InvalidProfile):
        return
    assert merge_patch(merged, patch) == merged
    if isinstance(patch, dict):
        for name, value in patch.items():
            assert isinstance(merged, dict)
            assert (name in merged) == (value is not None)


def tag_parser(data: bytes) -> None:
    """A header is refused, or read as tags that, quoted and joined again, are the same."""
    line = data.decode("latin-1")
    try:
        condition = web.precondition(
            request_with(multiValueHeaders={"If-Match": [line], "if-none-match": [line]})
        )
    except errors.MalformedPrecondition:
        return
    assert condition.match is not None
    assert condition.none_match is not None
    assert condition.match <= condition.none_match, "weak tags match in If-None-Match alone"
    if condition.match != Precondition.ANY:
        assert not any('"' in tag or " " in tag for tag in condition.none_match)
        again = ", ".join(f'"{tag}"' for tag in condition.none_match)
        assert (
            web.precondition(request_with(headers={"If-Match": again})).match
            == condition.none_match
        )


def parsed(data: bytes) -> Any:
    """What an event may hold: any JSON; None for what is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return None


def claims_reader(data: bytes) -> None:
    """A request's context is nobody's, or somebody's who has an id token of this app."""
    context = parsed(data)
    if isinstance(context, dict):
        with suppress(errors.NotSignedIn):
            sub = identity.identify(context, ("client",))
            claims = context["authorizer"]["claims"]
            assert (sub, claims["token_use"], claims["aud"]) == (claims["sub"], "id", "client")


def function(data: bytes) -> None:
    """Any event is answered, with no 5xx: nothing is stored, but asking for it is no bug."""
    import app  # noqa: PLC0415 - not before the runner instruments it

    class Nothing:
        def get(self, *_: object) -> None:
            raise errors.ProfileNotFound("nothing")

        replace = patch = delete = get

    app.store = Nothing  # type: ignore[assignment]
    answer = app.app(parsed(data), None)
    assert answer["statusCode"] < 500, answer
    assert json.loads(answer["body"])["request_id"] is not None


TARGETS = {
    target.__name__: target
    for target in (json_reader, patch_merger, tag_parser, claims_reader, function)
}
