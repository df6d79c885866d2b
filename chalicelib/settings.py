"""The service's settings, read from the stage's `environment_variables` in .chalice/config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class MissingSetting(Exception):
    """A required setting is not set. This is a deployment mistake, not the caller's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is not set. `make backend` sets it; for the stage local, `make local`."
        )


@dataclass(frozen=True)
class Settings:
    """All settings. Every one has a default, because each `chalice` command imports app.py."""

    table: str = ""
    """DYNAMODB_TABLE: the name of the table."""
    user_pool_arn: str = ""
    """USER_POOL_ARN: the Cognito user pool whose tokens API Gateway accepts."""
    client_ids: tuple[str, ...] = ()
    """USER_POOL_CLIENT_ID: app client ids, separated by commas. Empty: all clients of the pool."""
    cors_allow_origin: str = "*"
    """CORS_ALLOW_ORIGIN: the origin whose scripts may call the API."""
    require_preconditions: bool = False
    """REQUIRE_PRECONDITIONS: "true" if changing an existing profile needs If-Match."""
    profile_schema: str = ""
    """PROFILE_SCHEMA: the name of a JSON Schema file in chalicelib/."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in `environ`, usually os.environ."""
        return cls(
            table=environ.get("DYNAMODB_TABLE", ""),
            user_pool_arn=environ.get("USER_POOL_ARN", ""),
            client_ids=_comma_separated(environ.get("USER_POOL_CLIENT_ID", "")),
            cors_allow_origin=environ.get("CORS_ALLOW_ORIGIN") or cls.cors_allow_origin,
            require_preconditions=environ.get("REQUIRE_PRECONDITIONS", "").lower() == "true",
            profile_schema=environ.get("PROFILE_SCHEMA", ""),
        )

    def table_name(self) -> str:
        """The table's name. Raises MissingSetting if there is none."""
        if not self.table:
            raise MissingSetting("DYNAMODB_TABLE")
        return self.table


def _comma_separated(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in text.split(",")]
    return tuple(part for part in parts if part)
