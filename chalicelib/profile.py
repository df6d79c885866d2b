"""Profile data: its limits, and merge patch. Standard library only. Metadata has the same limits.

The limits are DynamoDB's. They are checked before the database is called: DynamoDB does not report
where in the data a limit is exceeded, and emulators do not enforce all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import NamedTuple, TypeAlias

from chalicelib.errors import InvalidProfile, ProfileTooLarge, Violation

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | Decimal | bool | None"
"""A JSON value with exact numbers: int or Decimal, never float."""
Path: TypeAlias = "list[str | int]"
"""The location of a value: the names and positions that lead to it."""

# DynamoDB's limits (AWS: "Quotas in Amazon DynamoDB", "Supported data types and naming rules").
MAX_DEPTH = 31
"""Nested objects and arrays, counting the profile data itself. DynamoDB allows 32, counting the
item as well."""
MAX_NAME_BYTES = 65_535
"""The size of a name in UTF-8, at every depth."""
MAX_DIGITS = 38
"""Significant digits of a number."""
SHORT_INTEGER = 10**18
"""Integers below have no violations."""
MAX_EXPONENT = 125
MIN_EXPONENT = -130
"""Exponents of a number's first significant digit."""
MAX_BYTES = 400 * 1024 - 300
"""The size of the data as DynamoDB counts it. An item may have 400 KB. The item's other attributes
and the expression of UpdateItem, which counts too, take less than 300 bytes of them (measured
against AWS; see docs/decisions/storage.md)."""

MAX_RESPONSE_BYTES = 5_000_000
"""The size of the data in a response. Lambda returns at most 6 MB (AWS: "Lambda quotas"), in which
the JSON text of a profile is a JSON string and escaped once more."""
MAX_EXPANSION = 43
"""The most bytes in a response for one byte in the database: an array of 1E124 takes 3 bytes for
each element, and 126 as text."""

MAX_VIOLATIONS = 50
"""The most violations in one response."""
MAX_POINTER_LENGTH = 500
"""The most characters of a JSON Pointer in a response."""

ProfileCheck: TypeAlias = "Callable[[JSON], int]"
"""Checks data that is to be stored, and returns its size in the database, in bytes. Raises
InvalidProfile or ProfileTooLarge."""

_DYNAMODB_DIGITS = Context(prec=MAX_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)


class Document(NamedTuple):
    """A stored JSON object of a user: the profile or the metadata."""

    pk: str
    sk: str
    data: JSON
    """An object, unless another program stored a different value. For metadata: see metadata.py."""
    revision: str
    """An opaque text. Every change creates a new one, which is never reused. It is the ETag."""
    created_at: str | None = None
    """RFC 3339, UTC. None for items of the original example."""
    updated_at: str | None = None

    @property
    def members(self) -> dict[str, JSON]:
        """The data as a dictionary. Empty if another program stored a different value."""
        if isinstance(self.data, dict):
            return self.data
        return {}


def merge_patch(target: JSON, patch: JSON, depth: int = 1) -> JSON:
    """`target` after a merge patch (RFC 7396): objects merge, null removes, the rest replaces.

    Raises InvalidProfile if the patch is nested deeper than a profile can be.
    """
    if not isinstance(patch, dict):
        return patch
    if depth > MAX_DEPTH:
        raise InvalidProfile([_too_deep([])])
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value, depth + 1)
    return merged


def check_profile_data(data: JSON) -> int:
    """Check that `data` can be stored and read back exactly. Returns its size; see ProfileCheck.

    The store compares the size with the stage's limit. Raises InvalidProfile with the first
    MAX_VIOLATIONS violations, or ProfileTooLarge if the data is too large to be returned.
    """
    if not isinstance(data, dict):
        raise InvalidProfile([Violation("", "The data must be a JSON object.")])
    violations: list[Violation] = []
    size = _inspect(data, [], violations)
    if violations:
        raise InvalidProfile(violations)
    if size * MAX_EXPANSION > MAX_RESPONSE_BYTES:
        response_bytes = _response_bytes(data)
        if response_bytes > MAX_RESPONSE_BYTES:
            raise ProfileTooLarge(
                f"The data takes {response_bytes:,} bytes in a response. At most "
                f"{MAX_RESPONSE_BYTES:,} bytes can be returned. Numbers such as 1E125 are written "
                "with all their digits."
            )
    return size


def size_of(data: JSON) -> int:
    """The size of stored data in bytes, as DynamoDB counts it. Its limits are not checked."""
    return _inspect(data, [], [])


def too_large(size: int, limit: int) -> ProfileTooLarge:
    """The error for data of `size` bytes where `limit` bytes may be stored."""
    return ProfileTooLarge(
        f"The data takes {size:,} bytes in the database. At most {limit:,} bytes can be stored."
    )


def _response_bytes(value: JSON) -> int:
    """The bytes that `value` takes in Lambda's response, rounded up."""
    if isinstance(value, dict):
        return 2 + sum(
            2 + _response_bytes(name) + _response_bytes(member) for name, member in value.items()
        )
    if isinstance(value, list):
        return 2 + sum(1 + _response_bytes(element) for element in value)
    if isinstance(value, bool) or value is None:
        return len("false")
    if isinstance(value, str):
        if value.isalnum() and value.isascii():
            return len(value) + len(r"\"\"")  # the same result, sooner
        text = json.dumps(value, ensure_ascii=False)
        return len(json.dumps(text)) - 2
    if isinstance(value, int):
        return len(str(value))
    number = normalized(value)
    if number == number.to_integral_value():
        return len(f"{number:f}")  # the database returns all digits of a whole number
    return len(str(number))


def violation_at(path: Iterable[str | int], detail: str) -> Violation:
    """A violation at `path`, as a JSON Pointer (RFC 6901). A very long pointer is truncated."""
    pointer = "".join("/" + _escaped(str(step)) for step in path)
    if len(pointer) > MAX_POINTER_LENGTH:
        pointer = pointer[:MAX_POINTER_LENGTH] + "..."
    return Violation(pointer, detail)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def normalized(number: Decimal | int) -> Decimal:
    """`number` as DynamoDB stores it: 38 digits, no zeros at the end, no negative zero."""
    rounded = _DYNAMODB_DIGITS.plus(Decimal(number))
    return rounded.normalize(_DYNAMODB_DIGITS)


def _inspect(value: JSON, path: Path, violations: list[Violation]) -> int:
    """Return the size of `value` in bytes, and add its violations to `violations`.

    `path` leads to `value`. It is changed while the members are inspected, and changed back.

    AWS counts UTF-8 bytes for names and strings; 1 for true, false and null; 3 for an object or
    array, and 1 for each of its elements ("DynamoDB item sizes and formats").
    """
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | Decimal):
        return _inspect_number(value, path, violations)
    if len(path) >= MAX_DEPTH:
        # The content is not inspected. It cannot be stored in any case.
        _add(violations, _too_deep(path))
        return 0
    size = 3 + len(value)
    if isinstance(value, list):
        for position, element in enumerate(value):
            path.append(position)
            size += _inspect(element, path, violations)
            path.pop()
        return size
    for name, member in value.items():
        path.append(name)
        size += _inspect_name(name, path, violations)
        size += _inspect(member, path, violations)
        path.pop()
    return size


def _inspect_name(name: str, path: Path, violations: list[Violation]) -> int:
    size = len(name.encode())
    if not 1 <= size <= MAX_NAME_BYTES:
        detail = f"A name must have 1 to {MAX_NAME_BYTES:,} bytes."
        _add(violations, violation_at(path, detail))
    return size


def _inspect_number(value: int | Decimal, path: Path, violations: list[Violation]) -> int:
    """AWS documents an approximate size of a number. This formula was measured; see MAX_BYTES.

    A number takes one byte for each pair of significant digits, with pairs aligned on the decimal
    point, and one byte more. A negative number takes another byte. Zero takes one byte.
    """
    if isinstance(value, int) and abs(value) < SHORT_INTEGER:
        return _short_integer_size(value)
    number = normalized(value)
    if number != value:
        detail = f"A number may have at most {MAX_DIGITS} significant digits. Use a string instead."
        _add(violations, violation_at(path, detail))
    elif number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        detail = (
            "A number must be 0 or have a magnitude between 1E-130 and 9.99...E+125. "
            "Use a string instead."
        )
        _add(violations, violation_at(path, detail))
    if not number:
        return 1
    sign, digits, exponent = number.as_tuple()
    misaligned_digits = int(exponent) % 2
    pairs = (len(digits) + misaligned_digits + 1) // 2
    return 1 + pairs + sign


def _short_integer_size(value: int) -> int:
    """The same size, sooner, for an integer that has few digits."""
    if value == 0:
        return 1
    all_digits = str(abs(value))
    digits = all_digits.rstrip("0")
    misaligned_digits = (len(all_digits) - len(digits)) % 2
    pairs = (len(digits) + misaligned_digits + 1) // 2
    return 1 + pairs + (value < 0)


def _too_deep(path: Path) -> Violation:
    return violation_at(path, f"Nested too deeply: at most {MAX_DEPTH} levels can be stored.")


def _add(violations: list[Violation], violation: Violation) -> None:
    """Add a violation. Raises InvalidProfile when there are enough to report."""
    violations.append(violation)
    if len(violations) == MAX_VIOLATIONS:
        raise InvalidProfile(violations)
