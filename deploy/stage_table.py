"""A stage's table, and the rules for what may be stored in it. `make export` and `make import`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.profile import ProfileCheck
from chalicelib.schema import profile_check
from chalicelib.settings import ProfileSettings
from deploy import chalice_config
from deploy.arn import UserPoolArn
from deploy.chalice_config import RecordedBackend
from deploy.stage_settings import report_invalid_settings

ALSO_LOCAL = ("export", "import", "orphans")
"""The commands that the stage local has too. `python -m local` runs them on the emulator."""
SCHEMAS = Path("chalicelib")
BACKEND = ("DYNAMODB_TABLE", "USER_POOL_ARN")
"""The variables with the table and the user pool."""
RECORDED_LOCALLY = (*BACKEND, "ERASURE", "TTL_ATTRIBUTE")
"""The variables of the stage local that `make local` records: see local/environment.py."""


@dataclass(frozen=True)
class StageTable:
    """The table of a stage."""

    name: str
    user_pool_id: str
    schema: str
    """The file name of the schema for profile data; empty if there is none."""
    check_profile: ProfileCheck
    """Checks profile data by the limits of the database and by the schema."""
    max_bytes: int
    """The largest profile or metadata, in bytes as DynamoDB counts them."""

    @classmethod
    def of(cls, stage: str) -> StageTable:
        """The table recorded for a stage. Raises DeploymentError."""
        variables = variables_of(stage)
        recorded = RecordedBackend.from_environment(variables, stage)
        with report_invalid_settings(stage):
            settings = ProfileSettings.from_environment(variables)
            check = profile_check(settings.profile_schema, SCHEMAS)
        return cls(
            name=recorded.table,
            user_pool_id=UserPoolArn.parse(recorded.user_pool_arn).pool_id,
            schema=settings.profile_schema,
            check_profile=check,
            max_bytes=settings.max_profile_bytes,
        )


def variables_of(stage: str) -> dict[str, str]:
    """The environment variables of a stage. Raises DeploymentError."""
    variables = chalice_config.environment(stage)
    if stage == chalice_config.LOCAL_STAGE:
        # Its backend is in the environment and not in .chalice/config.json.
        variables |= {name: os.environ[name] for name in RECORDED_LOCALLY if name in os.environ}
    return variables


def runs_on_emulator(environ: Mapping[str, str]) -> bool:
    """Whether AWS clients call the emulator of the stage local: see `python -m local`."""
    return bool(environ.get("AWS_ENDPOINT_URL")) and any(name in environ for name in BACKEND)
