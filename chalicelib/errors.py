"""What can go wrong, in the service's own words: no HTTP and no AWS in here.

    ProfileError
    ├── NotSignedIn
    ├── MalformedJSON
    ├── InvalidProfile
    ├── ProfileTooLarge
    ├── ProfileNotFound
    └── StoreUnavailable

web.py gives each its HTTP status; store.py is where botocore's errors become these. What is none of them is a bug or
a deployment mistake: the caller gets a request id, the log the trace.
"""

from dataclasses import dataclass


class ProfileError(Exception):
    """Everything that this service refuses or fails at knowingly. Its text is for the caller."""


class NotSignedIn(ProfileError):
    """The request has no identity, or a token that is not an id token of this app."""


class MalformedJSON(ProfileError):
    """The body is not one JSON text: syntax, encoding, duplicate names, lone surrogates, NaN, nothing at all."""


@dataclass(frozen=True)
class Violation:
    """One reason why data was refused: where, as a JSON Pointer (RFC 6901; "" is the whole), and what to change."""

    pointer: str
    detail: str


class InvalidProfile(ProfileError):
    """The data is JSON, but not storable or not allowed; `violations` says where and why."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("The profile data cannot be stored as it is. See 'errors' for what to change.")
        self.violations = violations


class ProfileTooLarge(ProfileError):
    """The profile does not fit into one DynamoDB item."""


class ProfileNotFound(ProfileError):
    """Nothing is stored for this user."""


class StoreUnavailable(ProfileError):
    """The database throttles or does not answer. Nothing is half-written; the same request may succeed later."""
