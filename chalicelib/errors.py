"""The errors of this service, without HTTP and without AWS.

    ProfileError
    ├── NotSignedIn
    ├── SignInTooOld
    ├── Forbidden
    ├── MalformedQuery
    ├── MalformedJSON
    ├── MalformedPrecondition
    ├── PreconditionFailed
    ├── PreconditionRequired
    ├── InvalidProfile
    ├── ProfileTooLarge
    ├── ProfileNotFound
    ├── UserNotFound
    ├── AccountErased
    └── StoreUnavailable

problems.py maps each of them to a status code and a problem type. dynamodb.py translates
botocore's exceptions into them. Any other exception is a bug or a deployment mistake: the caller
gets a 500 with a request id, and the traceback is logged.
"""

from typing import NamedTuple


class ProfileError(Exception):
    """Base class. The message is sent to the caller."""


class NotSignedIn(ProfileError):
    """The request has no verified identity, or its token is not an id token of this app."""


class SignInTooOld(ProfileError):
    """The request needs a more recent sign-in. `max_age` is its greatest age, in seconds."""

    def __init__(self, max_age: int) -> None:
        super().__init__(
            f"Sign in again: this needs a sign-in of the last {max_age} seconds. Then send the "
            "request with the new id token."
        )
        self.max_age = max_age


class Forbidden(ProfileError):
    """The caller is not a back end or an operator with a verified IAM signature."""


class MalformedQuery(ProfileError):
    """A parameter in the URL is unknown, repeated, or has an invalid value."""


class MalformedJSON(ProfileError):
    """The body is not a JSON text that this service accepts; see json_text.read_json."""


class MalformedPrecondition(ProfileError):
    """If-Match or If-None-Match is not `*` or a list of entity tags."""


class PreconditionFailed(ProfileError):
    """What is stored does not meet the request's If-Match or If-None-Match.

    `revision` is the stored revision; None if nothing is stored.
    """

    def __init__(self, state: str, revision: str | None) -> None:
        super().__init__(
            f"{state}, so the request was not carried out. Read what is stored before you try "
            "again."
        )
        self.revision = revision


class PreconditionRequired(ProfileError):
    """This stage only changes an existing profile if the request has a precondition."""


class Violation(NamedTuple):
    """One reason why profile data was refused.

    `pointer` is a JSON Pointer (RFC 6901) to the value; "" is the whole document.
    """

    pointer: str
    detail: str


class InvalidProfile(ProfileError):
    """The data is JSON, but cannot be stored or does not match the schema."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("The data cannot be stored as it is. See 'errors' for what to change.")
        self.violations = violations


class ProfileTooLarge(ProfileError):
    """The data is larger than the stage allows, or than one item or response can be."""


class ProfileNotFound(ProfileError):
    """No profile is stored for this user."""


class UserNotFound(ProfileError):
    """The path names no possible user, or one who has neither an account nor data."""


class AccountErased(ProfileError):
    """The account was erased. A marker in place of the item keeps every writer from it."""

    def __init__(self) -> None:
        super().__init__("This account was erased, with its data. Nothing can be stored for it.")


class StoreUnavailable(ProfileError):
    """DynamoDB or Cognito is throttling or not responding, or the request took too long.

    The same request may succeed later.
    """
