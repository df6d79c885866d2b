"""The service's settings, from the stage's environment_variables in .chalice/config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class MissingSetting(Exception):
    """A setting without which the service cannot do what was asked. A deployment mistake, not the caller's."""


@dataclass(frozen=True)
class Settings:
    """What was set; nothing is missed before it is needed, since every `chalice` command imports app.py."""

    table: str = ""  # DYNAMODB_TABLE, its name
    user_pool_arn: str = (
        ""  # USER_POOL_ARN, the Cognito user pool whose tokens API Gateway verifies
    )
    client_ids: tuple[
        str, ...
    ] = ()  # USER_POOL_CLIENT_ID, app clients, comma-separated; empty: any of the pool's
    cors_allow_origin: str = "*"  # CORS_ALLOW_ORIGIN, the origin whose scripts may call the API
    require_preconditions: bool = (
        False  # REQUIRE_PRECONDITIONS, "true": no change of an existing profile without one
    )
    profile_schema: str = ""  # PROFILE_SCHEMA, a JSON Schema's file in chalicelib

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        return cls(
            table=environ.get("DYNAMODB_TABLE", ""),
            user_pool_arn=environ.get("USER_POOL_ARN", ""),
            client_ids=tuple(
                filter(None, map(str.strip, environ.get("USER_POOL_CLIENT_ID", "").split(",")))
            ),
            cors_allow_origin=environ.get("CORS_ALLOW_ORIGIN") or "*",
            require_preconditions=environ.get("REQUIRE_PRECONDITIONS", "").lower() == "true",
            profile_schema=environ.get("PROFILE_SCHEMA", ""),
        )

    def table_name(self) -> str:
        """The table's name. Raises MissingSetting."""
        if not self.table:
            raise MissingSetting(
                "DYNAMODB_TABLE is not set: this stage has no backend yet. See README.md, Deploy."
            )
        return self.table
