"""A user's metadata: what back ends write about a user. Standard library only.

It is a JSON object with two members, which are objects:

    app_metadata      the user can read it: a plan, a role, a verified flag
    private_metadata  the user never sees it: a customer id, a support note
"""

from __future__ import annotations

from chalicelib.errors import InvalidProfile, Violation
from chalicelib.profile import JSON, MAX_VIOLATIONS, check_profile_data, violation_at

APP = "app_metadata"
PRIVATE = "private_metadata"
MEMBERS = (APP, PRIVATE)
"""The members of metadata, which are also the attributes of its item."""


def completed(data: JSON) -> dict[str, JSON]:
    """Metadata with both members. A missing one is {}. `data` is an object."""
    if not isinstance(data, dict):
        raise TypeError("metadata must be an object")
    return {APP: {}, PRIVATE: {}, **data}


def check_metadata(data: JSON) -> int:
    """Check metadata that is to be stored. A missing member counts as {}.

    The limits are those of profile data. Returns the size in the database, in bytes.
    Raises InvalidProfile or ProfileTooLarge.
    """
    if isinstance(data, dict):
        data = completed(data)
    size = check_profile_data(data)
    violations: list[Violation] = []
    if isinstance(data, dict):
        for name, value in data.items():
            if name not in MEMBERS:
                detail = f"Metadata has no other members than {APP} and {PRIVATE}."
                violations.append(violation_at([name], detail))
            elif not isinstance(value, dict):
                violations.append(violation_at([name], "This must be a JSON object."))
    if violations:
        raise InvalidProfile(violations[:MAX_VIOLATIONS])
    return size
