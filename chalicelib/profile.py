"""A profile, and what may be stored as its data: pure, standard library only.

The limits are DynamoDB's. They are checked here, before the database is asked, because emulators and the database
itself disagree about some of them and none says where in the data the trouble is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from chalicelib.errors import InvalidProfile, ProfileTooLarge, Violation

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | Decimal | bool | None"
"""A JSON value with exact numbers: integers are int, all others Decimal, none is a float."""

# The limits, and where they come from. AWS: "DynamoDB quotas" and "Supported data types and naming rules".
MAX_DEPTH = 31  # nested objects and arrays, the profile data itself being the first; DynamoDB's 32 count the item too
MAX_NAME_BYTES = 65_535  # in UTF-8, at every depth; DynamoDB: "must be less than 65536 bytes"
MAX_DIGITS = 38  # significant ones, of a number
MAX_EXPONENT, MIN_EXPONENT = 125, -130  # of a number's first significant digit
MAX_BYTES = 400 * 1024 - 300
"""The data's size by DynamoDB's rules. An item may have 400 KB; its other attributes and what UpdateItem charges for
its expression (3, 19 an assignment, 39 an if_not_exists: measured against AWS, see docs/decisions.md) come to less than
300 bytes of it."""
MAX_VIOLATIONS = 50  # told at once


@dataclass(frozen=True)
class Profile:
    """One user's profile as it is stored. Its `data` is an object, unless somebody wrote another value by hand."""

    pk: str
    sk: str
    data: JSON
    revision: str  # opaque, new with every change, never used again: what the ETag says
    created_at: str | None = None  # RFC 3339, UTC; older writers left none
    updated_at: str | None = None


def check_profile_data(data: JSON) -> dict[str, JSON]:
    """`data` as it came, if it can be stored and read back exactly.

    Raises InvalidProfile with every violation found (up to MAX_VIOLATIONS), or ProfileTooLarge.
    """
    if not isinstance(data, dict):
        raise InvalidProfile([Violation("", 'Profile data must be a JSON object, like {"name": "Ada"}.')])
    violations: list[Violation] = []
    size = _inspect(data, (), violations)
    if violations:
        raise InvalidProfile(violations[:MAX_VIOLATIONS])
    if size > MAX_BYTES:
        raise ProfileTooLarge(
            f"The profile data takes {size:,} bytes in the database, and at most {MAX_BYTES:,} fit. Store less in it."
        )
    return data


def _inspect(value: JSON, path: tuple[str | int, ...], violations: list[Violation]) -> int:
    """The bytes that `value` takes in the database; what is wrong with it is added to `violations`.

    Sizes as AWS gives them ("DynamoDB item sizes and formats"): UTF-8 for names and strings, 1 for true, false and
    null, 3 for an object or array and 1 for each of its elements.
    """
    if not isinstance(value, dict | list):
        size, fault = _inspect_scalar(value)
        if fault:
            violations.append(Violation(_pointer(path), fault))
        return size
    if len(path) >= MAX_DEPTH:
        # No further down: the rest of this branch could not be stored whatever it holds.
        violations.append(Violation(_pointer(path), f"Nested too deep: at most {MAX_DEPTH} levels can be stored."))
        return 0
    size = 3 + len(value)
    if isinstance(value, list):
        for index, element in enumerate(value):
            size += _inspect(element, (*path, index), violations)
        return size
    for name, member in value.items():
        name_size = len(name.encode())
        if not name:
            violations.append(Violation(_pointer((*path, name)), "A name must have at least one character."))
        elif name_size > MAX_NAME_BYTES:
            shown = (*path, f"{name[:32]}...")
            violations.append(Violation(_pointer(shown), f"A name may have at most {MAX_NAME_BYTES:,} bytes."))
        size += name_size + _inspect(member, (*path, name), violations)
    return size


def _inspect_scalar(value: str | int | Decimal | bool | None) -> tuple[int, str]:
    """A scalar's size in bytes, and why it cannot be stored ("" if it can).

    A number takes a byte for each pair of significant digits, pairs aligned on the decimal point, and one more; a
    negative one another (AWS says "approximately"; this is what was measured, see MAX_BYTES).
    """
    if isinstance(value, str):
        return len(value.encode()), ""
    if value is None or isinstance(value, bool):
        return 1, ""
    mantissa, _, scale = str(Decimal(value)).lstrip("-").partition("E")
    whole, _, fraction = mantissa.partition(".")
    padded = (whole + fraction).lstrip("0")
    digits = padded.rstrip("0")
    if not digits:
        return 1, ""
    exponent = int(scale or 0) - len(fraction) + len(padded) - len(digits)
    if len(digits) > MAX_DIGITS:
        return 0, f"A number may have at most {MAX_DIGITS} significant digits, this has {len(digits):,}. Use a string."
    if not MIN_EXPONENT <= exponent + len(digits) - 1 <= MAX_EXPONENT:
        return 0, "A number must be 0 or between 1E-130 and 9.99...E+125, or their negatives. Use a string."
    pairs = (len(digits) + exponent % 2 + 1) // 2
    return 1 + pairs + (value < 0), ""


def _pointer(path: tuple[str | int, ...]) -> str:
    """`path` as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
