"""Request bodies that the API refuses."""

from __future__ import annotations

from typing import NamedTuple


class BadBody(NamedTuple):
    """A request body, and the problem in its response."""

    body: bytes
    status: int
    problem: str


def nested_objects(levels: int) -> str:
    """A JSON object nested to `levels` levels."""
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


def profile_of_size(size: int) -> str:
    """Profile data that takes `size` bytes in the database.

    That is 3 for the object, 1 for its member, 4 for its name and the rest for its value.
    """
    return '{"text":"' + "x" * (size - 8) + '"}'


def _malformed(body: bytes) -> BadBody:
    return BadBody(body, 400, "malformed-json")


def _invalid(body: bytes) -> BadBody:
    return BadBody(body, 422, "invalid-profile")


def _too_large(body: bytes) -> BadBody:
    return BadBody(body, 413, "profile-too-large")


STAGE_LIMIT = 65_536
"""MAX_PROFILE_BYTES in .chalice/config.json."""

MANY_ARRAYS = b"[" * 100_000 + b"]" * 100_000

BAD_BODIES = {
    "empty": _malformed(b""),
    "an opening brace": _malformed(b"{"),
    "a duplicate name": _malformed(b'{"a":1,"a":2}'),
    "NaN": _malformed(b"NaN"),
    "NaN in an object": _malformed(b'{"a": NaN}'),
    "UTF-16": _malformed('{"a": 1}'.encode("utf-16")),
    "a byte order mark": _malformed(b'\xef\xbb\xbf{"a": 1}'),
    "half a surrogate pair": _malformed(b'{"a": "\\ud800"}'),
    "null": _invalid(b"null"),
    "an array": _invalid(b"[]"),
    "a string": _invalid(b'"x"'),
    "1e400": _invalid(b'{"a": 1e400}'),
    "an exponent of 30 digits": _invalid(b'{"a": 1e' + b"9" * 30 + b"}"),
    "an exponent beyond Decimal": _invalid(b'{"a": ' + b"9" * 39 + b"e999999999999999961}"),
    "39 digits": _invalid(b'{"a": ' + b"9" * 39 + b"}"),
    "5,000 digits": _invalid(b'{"a": ' + b"9" * 5000 + b"}"),
    "an empty name": _invalid(b'{"": 1}'),
    "an empty name in an array": _invalid(b'{"a": [{"": 1}]}'),
    "32 levels": _invalid(nested_objects(32).encode()),
    "500 levels": _invalid(nested_objects(500).encode()),
    "100,000 nested arrays": _malformed(MANY_ARRAYS),
    "100,000 nested arrays in an object": _malformed(b'{"a":' + MANY_ARRAYS + b"}"),
    "990 arrays that are never closed": _malformed(b"[" * 990),
    "one byte too many": _too_large(profile_of_size(STAGE_LIMIT + 1).encode()),
    "2 MB": _too_large(profile_of_size(2_000_000).encode()),
}

NOT_UTF_8 = _malformed(b'{"a": "\xff"}')
"""Separate, because API Gateway converts a body to text before it calls the function."""
