"""The service's settings, read from the stage's `environment_variables` in .chalice/config.json.

There are two groups, because they are read at different times. RouteSettings shape the routes, so
they are read when app.py is imported. ProfileSettings are read when they are first used: Chalice's
test client sets a stage's variables after the import.

Every setting has a default, because each `chalice` command imports app.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.items import EXPIRES_AT, USED_ATTRIBUTES
from chalicelib.profile import MAX_BYTES

ANY_ORIGIN = "*"
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
"""An origin as browsers send it (RFC 6454, section 6.2): in lower case, without a path."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
"""Browsers leave these ports out of an origin."""
MAX_SIGN_IN_AGE = 24 * 60 * 60
"""The longest ERASURE_MAX_SIGN_IN_AGE, in seconds: an id token is valid for up to a day."""
TTL_ATTRIBUTE_NAME = re.compile("[^\\s]{1,255}")
"""An attribute's name (AWS: "Naming rules" of DynamoDB), without white space."""
HEADER_NAME = re.compile(r"[!#$%&+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, section 5.1), except for two characters: `*`, because a browser does
not read it as Authorization, and `'`, in which Chalice encloses the list for API Gateway."""
MAX_PUBLIC_FIELDS = 50
"""The most names in PUBLIC_FIELDS. Each is part of the expression that reads a public profile,
which DynamoDB limits to 4 KB."""


class InvalidSetting(Exception):
    """A setting has an invalid value. This is a deployment mistake."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


class MissingSetting(Exception):
    """A required setting is not set. This is a deployment mistake, not the caller's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is not set. `make backend` sets it; for the stage local, `make local`."
        )


@dataclass(frozen=True)
class RouteSettings:
    """The settings of routes, authorizer and CORS."""

    user_pool_arn: str = ""
    """USER_POOL_ARN: the Cognito user pool whose tokens API Gateway accepts."""
    client_ids: tuple[str, ...] = ()
    """USER_POOL_CLIENT_ID: app client ids, separated by commas. Empty: all clients of the pool."""
    cors_allow_origins: tuple[str, ...] = (ANY_ORIGIN,)
    """CORS_ALLOW_ORIGIN: the origins whose scripts may call the API, separated by commas; or *."""
    cors_allow_headers: tuple[str, ...] = ()
    """CORS_ALLOW_HEADERS: more request headers that scripts may send, separated by commas."""
    erases_accounts: bool = False
    """ERASURE: "account" if users and operators can erase accounts; "off", or not set."""
    erasure_max_sign_in_age: int = 600
    """ERASURE_MAX_SIGN_IN_AGE: how long ago users must have signed in to erase their account, in
    seconds."""
    public_fields: tuple[str, ...] = ()
    """PUBLIC_FIELDS: fields of a profile that every signed-in user may read, separated by commas.
    Empty: the routes under /profiles do not exist."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> RouteSettings:
        """The settings in `environ`, usually os.environ. Raises InvalidSetting."""
        return cls(
            user_pool_arn=environ.get("USER_POOL_ARN", ""),
            client_ids=_comma_separated(environ.get("USER_POOL_CLIENT_ID", "")),
            cors_allow_origins=_origins(environ.get("CORS_ALLOW_ORIGIN", "")),
            cors_allow_headers=_header_names(environ.get("CORS_ALLOW_HEADERS", "")),
            erases_accounts=_erases_accounts(environ.get("ERASURE", "")),
            erasure_max_sign_in_age=_sign_in_age(environ.get("ERASURE_MAX_SIGN_IN_AGE", "")),
            public_fields=_public_fields(environ.get("PUBLIC_FIELDS", "")),
        )


@dataclass(frozen=True)
class ProfileSettings:
    """The settings of storage and of profile data."""

    table: str = ""
    """DYNAMODB_TABLE: the name of the table."""
    require_preconditions: bool = False
    """REQUIRE_PRECONDITIONS: "true" if changing an existing profile needs If-Match."""
    profile_schema: str = ""
    """PROFILE_SCHEMA: the name of a JSON Schema file in chalicelib/."""
    max_profile_bytes: int = MAX_BYTES
    """MAX_PROFILE_BYTES: the largest profile data, in bytes as DynamoDB counts them."""
    ttl_attribute: str = EXPIRES_AT
    """TTL_ATTRIBUTE: the table's attribute for DynamoDB's TTL."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> ProfileSettings:
        """The settings in `environ`, usually os.environ. Raises InvalidSetting."""
        return cls(
            table=environ.get("DYNAMODB_TABLE", ""),
            require_preconditions=_boolean(environ, "REQUIRE_PRECONDITIONS"),
            profile_schema=environ.get("PROFILE_SCHEMA", ""),
            max_profile_bytes=_profile_bytes(environ.get("MAX_PROFILE_BYTES", "")),
            ttl_attribute=_ttl_attribute(environ.get("TTL_ATTRIBUTE", "")),
        )

    def table_name(self) -> str:
        """The table's name. Raises MissingSetting if there is none."""
        if not self.table:
            raise MissingSetting("DYNAMODB_TABLE")
        return self.table


def _comma_separated(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in text.split(",")]
    return tuple(part for part in parts if part)


def _boolean(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise InvalidSetting(name, f'{environ[name]!r} is neither "true" nor "false".')
    return text == "true"


def _origins(text: str) -> tuple[str, ...]:
    origins = _comma_separated(text)
    if origins in ((), (ANY_ORIGIN,)):
        return (ANY_ORIGIN,)
    for origin in origins:
        if not ORIGIN.fullmatch(origin) or origin.endswith(_default_port(origin)):
            raise InvalidSetting(
                "CORS_ALLOW_ORIGIN",
                f"{origin!r} is not an origin as browsers send it, such as "
                "https://app.example.com: in lower case, without a path, a slash at the end or "
                "the default port. Use * alone to allow every origin.",
            )
    return origins


def _default_port(origin: str) -> tuple[str, ...]:
    """The end of an origin that names the default port of its scheme; empty if it has none."""
    scheme = origin.partition(":")[0]
    return (DEFAULT_PORTS[scheme],) if scheme in DEFAULT_PORTS else ()


def _header_names(text: str) -> tuple[str, ...]:
    names = _comma_separated(text)
    for name in names:
        if not HEADER_NAME.fullmatch(name):
            raise InvalidSetting("CORS_ALLOW_HEADERS", f"{name!r} is not the name of a header.")
    return names


def _public_fields(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(_comma_separated(text)))
    if len(names) > MAX_PUBLIC_FIELDS:
        raise InvalidSetting(
            "PUBLIC_FIELDS",
            f"{len(names)} names are too many: at most {MAX_PUBLIC_FIELDS} fields can be public. "
            "Store related data as the members of one field.",
        )
    return names


def _profile_bytes(text: str) -> int:
    if not text:
        return MAX_BYTES
    if not re.fullmatch("[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_BYTES:
        raise InvalidSetting(
            "MAX_PROFILE_BYTES", f"{text!r} is not a whole number from 1 to {MAX_BYTES}."
        )
    return int(text)


def _erases_accounts(text: str) -> bool:
    if text not in ("", "account", "off"):
        raise InvalidSetting("ERASURE", f'{text!r} is neither "account" nor "off".')
    return text == "account"


def _sign_in_age(text: str) -> int:
    if not text:
        return RouteSettings.erasure_max_sign_in_age
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_SIGN_IN_AGE:
        raise InvalidSetting(
            "ERASURE_MAX_SIGN_IN_AGE",
            f"{text!r} is not a whole number of seconds from 1 to {MAX_SIGN_IN_AGE}.",
        )
    return int(text)


def _ttl_attribute(text: str) -> str:
    if not text:
        return EXPIRES_AT
    if text in USED_ATTRIBUTES or not TTL_ATTRIBUTE_NAME.fullmatch(text):
        raise InvalidSetting(
            "TTL_ATTRIBUTE", f"{text!r} cannot be the attribute for the time at which items expire."
        )
    return text
