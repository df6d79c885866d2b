"""What can go wrong, in the service's own words: no HTTP and no AWS in here.

    ProfileError
    ├── NotSignedIn
    ├── MalformedJSON
    ├── MalformedPrecondition
    ├── PreconditionFailed
    ├── PreconditionRequired
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


class MalformedPrecondition(ProfileError):
    """If-Match or If-None-Match is not a list of entity tags."""


class PreconditionFailed(ProfileError):
    """The stored profile is not in the state that the caller made a condition."""

    def __init__(self, revision: str | None) -> None:
        state = "The profile has changed" if revision else "There is no profile"
        super().__init__(
            f"{state}, so the request was not carried out. GET the profile and decide again."
        )
        self.revision = revision  # the current one; None where nothing is stored


class PreconditionRequired(ProfileError):
    """A change of an existing profile must say in If-Match which state it changes."""


@dataclass(frozen=True)
class Violation:
    """One reason why data was refused: where, as a JSON Pointer (RFC 6901; "" is the whole), and what to change."""

    pointer: str
    detail: str


class InvalidProfile(ProfileError):
    """The data is JSON, but not storable or not allowed; `violations` says where and why."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            "The profile data cannot be stored as it is. See 'errors' for what to change."
        )
        self.violations = violations


class ProfileTooLarge(ProfileError):
    """The profile does not fit into one DynamoDB item."""


class ProfileNotFound(ProfileError):
    """Nothing is stored for this user."""


class StoreUnavailable(ProfileError):
    """The database throttles or does not answer. Nothing is half-written; the same request may succeed later."""
