"""JSON texts: strict reading, exact writing.

Numbers are never floats: they are read as int or Decimal, and written digit for digit.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NoReturn

from chalicelib.errors import MalformedJSON

if TYPE_CHECKING:
    from chalicelib.profile import JSON

OUT_OF_RANGE = Decimal("1E+999999")
"""Replaces a number whose exponent Decimal cannot hold. profile.py refuses it as too large."""

MAX_NESTING = 500
"""Levels of objects and arrays that are read. Python 3.11's parser raises RecursionError after
about 900, later versions after several thousand."""
TOO_DEEP = f"The body has more than {MAX_NESTING} levels of nesting."

LONE_SURROGATE = "The body has a lone surrogate (\\ud800 to \\udfff)."


def read_json(body: bytes) -> JSON:
    """The value of `body`, which must be one JSON text in UTF-8.

    Raises MalformedJSON for what RFC 8259 or I-JSON (RFC 7493) does not allow: a syntax error,
    another encoding, a byte order mark, a duplicate name in an object, a lone surrogate, NaN,
    Infinity, an empty body, and more than MAX_NESTING levels. The messages are our own: those of
    the parser differ between versions of Python, as do the levels that it can read.
    """
    try:
        text = str(body, "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON("The body is not UTF-8 text.") from error
    if text.startswith("\ufeff"):
        raise MalformedJSON("The body starts with a byte order mark. Send UTF-8 without one.")
    try:
        value: JSON = json.loads(
            text,
            parse_int=_read_number,
            parse_float=_read_number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_without_duplicates,
        )
    except RecursionError as error:
        raise MalformedJSON(TOO_DEEP) from error
    except json.JSONDecodeError as error:
        raise MalformedJSON(_description(text, error)) from error
    _refuse_deep_nesting(value)
    _refuse_lone_surrogates(text, value)
    return value


def _refuse_deep_nesting(value: JSON) -> None:
    """Raise MalformedJSON if objects and arrays are nested in more than MAX_NESTING levels."""
    level = [value]  # the objects and arrays of one level
    for _ in range(MAX_NESTING):
        level = [member for container in level for member in _containers_in(container)]
        if not level:
            return
    raise MalformedJSON(TOO_DEEP)


def _containers_in(value: JSON) -> list[JSON]:
    """The objects and arrays that are members or elements of `value`."""
    if isinstance(value, dict):
        return [member for member in value.values() if isinstance(member, dict | list)]
    if isinstance(value, list):
        return [element for element in value if isinstance(element, dict | list)]
    return []


def _description(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "The body is empty. Send a JSON text."
    place = f"line {error.lineno}, column {error.colno}"
    return f"The body is not valid JSON. The first error is at {place}."


def _read_number(text: str) -> int | Decimal:
    if len(text) <= 40 and text.lstrip("-").isdecimal():
        return int(text)
    try:
        number = Decimal(text)
    except InvalidOperation:  # the exponent has 19 digits or more
        coefficient = text.lower().partition("e")[0]
        is_zero = Decimal(coefficient) == 0
        return 0 if is_zero else OUT_OF_RANGE
    if number and number.adjusted() > OUT_OF_RANGE.adjusted():
        return OUT_OF_RANGE  # rounding such a number can overflow Decimal
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJSON(f"The body is not valid JSON: {name} is not a JSON value.")


def _object_without_duplicates(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members: dict[str, JSON] = {}
    for name, value in pairs:
        if name in members:
            shown = json.dumps(name[:100])
            raise MalformedJSON(f"An object in the body has the name {shown} twice.")
        members[name] = value
    return members


def _refuse_lone_surrogates(text: str, value: JSON) -> None:
    """Raise MalformedJSON if an escape sequence in `text` is a lone surrogate in `value`."""
    if "\\ud" not in text.lower():
        return
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise MalformedJSON(LONE_SURROGATE) from error


def write_json(value: JSON) -> str:
    """`value` as a JSON text with exact numbers.

    Python's encoder cannot write a Decimal as a number, but it is several times as fast as this
    function. So only the objects and lists that contain a Decimal are written here.
    """
    if isinstance(value, Decimal):
        return str(value)
    try:
        return _encode(value)
    except TypeError:
        if isinstance(value, dict | list):
            return _write_with_decimals(value)
        raise


def _write_with_decimals(value: dict[str, JSON] | list[JSON]) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(write_json, value)) + "]"
    members = [f"{_encode(name)}:{write_json(member)}" for name, member in value.items()]
    return "{" + ",".join(members) + "}"


_encode = json.JSONEncoder(
    ensure_ascii=False,
    separators=(",", ":"),
    check_circular=False,  # values come from JSON texts and from the database
).encode
