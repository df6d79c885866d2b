"""A profile, and what may be stored as its data: pure, standard library only.

The limits are DynamoDB's. They are checked here, before the database is asked, because emulators and the database
itself disagree about some of them and none says where in the data the trouble is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import ClassVar, TypeAlias

from chalicelib.errors import (
    InvalidProfile,
    PreconditionFailed,
    PreconditionRequired,
    ProfileTooLarge,
    Violation,
)

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
MAX_VIOLATIONS, MAX_POINTER = (
    50,
    500,
)  # told at once, and characters in each: an answer has its limits too
DIGITS = Context(
    prec=MAX_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN
)  # drops zeros that say nothing, as DynamoDB does


@dataclass(frozen=True)
class Profile:
    """One user's profile as it is stored. Its `data` is an object, unless somebody wrote another value by hand."""

    pk: str
    sk: str
    data: JSON
    revision: str  # opaque, new with every change, never used again: what the ETag says
    created_at: str | None = None  # RFC 3339, UTC; older writers left none
    updated_at: str | None = None


@dataclass(frozen=True)
class Precondition:
    """What must hold of the stored revision (RFC 9110, section 13). None: not asked for; ANY: whatever is stored."""

    ANY: ClassVar[frozenset[str]] = frozenset(
        '"'
    )  # which no tag can hold; "*" is a tag like others
    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None
    required: bool = False  # whether an existing profile may be changed under a condition alone

    def check(self, revision: str | None) -> None:
        """Raise PreconditionFailed or PreconditionRequired if it does not hold of `revision` (None: nothing stored)."""
        unmet = self.match is not None and not _among(revision, self.match)
        if unmet or (self.none_match is not None and _among(revision, self.none_match)):
            raise PreconditionFailed(revision)
        if (
            self.required
            and revision is not None
            and self.match is None
            and self.none_match is None
        ):
            raise PreconditionRequired("Send the ETag of the profile that you change in If-Match.")


def _among(revision: str | None, tags: frozenset[str]) -> bool:
    return revision is not None and (tags == Precondition.ANY or revision in tags)


def merge_patch(target: JSON, patch: JSON, depth: int = 1) -> JSON:
    """`target` after the merge patch (RFC 7396): objects merge, null removes, everything else replaces.

    Raises InvalidProfile for a patch nested deeper than any profile.
    """
    if not isinstance(patch, dict):
        return patch
    if depth > MAX_DEPTH:
        raise InvalidProfile(
            [Violation("", f"Nested too deep: at most {MAX_DEPTH} levels can be stored.")]
        )
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value, depth + 1)
    return merged


def check_profile_data(data: JSON) -> dict[str, JSON]:
    """`data` as it came, if it can be stored and read back exactly.

    Raises InvalidProfile with the violations found (the first MAX_VIOLATIONS), or ProfileTooLarge.
    """
    if not isinstance(data, dict):
        raise InvalidProfile(
            [Violation("", 'Profile data must be a JSON object, like {"name": "Ada"}.')]
        )
    violations: list[Violation] = []
    size = _inspect(data, (), violations)
    if violations:
        raise InvalidProfile(violations)
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
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | Decimal):
        return _inspect_number(value, path, violations)
    if len(path) >= MAX_DEPTH:
        # No further down: the rest of this branch could not be stored whatever it holds.
        _add(violations, path, f"Nested too deep: at most {MAX_DEPTH} levels can be stored.")
        return 0
    size = 3 + len(value)
    for step, member in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(step, str):
            name_size = len(step.encode())
            size += name_size
            if not 1 <= name_size <= MAX_NAME_BYTES:
                _add(violations, (*path, step), f"A name must have 1 to {MAX_NAME_BYTES:,} bytes.")
        size += _inspect(member, (*path, step), violations)
    return size


def _inspect_number(
    value: int | Decimal, path: tuple[str | int, ...], violations: list[Violation]
) -> int:
    """A number takes a byte for each pair of significant digits, pairs aligned on the decimal point, and one more; a
    negative one another (AWS says "approximately"; this is what was measured, see MAX_BYTES)."""
    number = Decimal(value).normalize(DIGITS)
    if number != value:
        _add(
            violations,
            path,
            f"A number may have at most {MAX_DIGITS} significant digits. Use a string.",
        )
    elif number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        _add(
            violations,
            path,
            "A number must be 0, or between 1E-130 and 9.99...E+125 either way. Use a string.",
        )
    sign, digits, exponent = number.as_tuple()
    return 1 + bool(number) * ((len(digits) + int(exponent) % 2 + 1) // 2 + sign)


def violation_at(path: Iterable[str | int], detail: str) -> Violation:
    """A violation at `path`, told as a JSON Pointer (RFC 6901), a monstrous one cut short."""
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return Violation(
        pointer if len(pointer) <= MAX_POINTER else pointer[:MAX_POINTER] + "...", detail
    )


def _add(violations: list[Violation], path: tuple[str | int, ...], detail: str) -> None:
    violations.append(violation_at(path, detail))
    if len(violations) == MAX_VIOLATIONS:
        raise InvalidProfile(violations)
