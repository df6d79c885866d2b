""".chalice/config.json: each stage's environment variables, and the backend recorded in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import DeploymentError, NoBackend

FILE = Path(".chalice/config.json")
API_GATEWAY_STAGE = "api"
"""The name of API Gateway's stage: api_gateway_stage in FILE. Every Chalice stage has the same."""


@dataclass(frozen=True)
class RecordedBackend:
    """A stage's table and user pool, as recorded in its environment variables."""

    table: str
    user_pool_arn: str
    client_ids: str
    """App clients whose tokens the API accepts, separated by commas. Empty: all clients."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str], stage: str) -> RecordedBackend:
        """Read the variables of `stage`. Raises NoBackend if they do not name a backend."""
        table = variables.get("DYNAMODB_TABLE")
        user_pool_arn = variables.get("USER_POOL_ARN")
        if not table or not user_pool_arn:
            raise NoBackend(stage)
        return cls(table, user_pool_arn, variables.get("USER_POOL_CLIENT_ID", ""))

    @property
    def first_client_id(self) -> str:
        """The app client that this project's commands use to sign in. Raises DeploymentError."""
        return first_client_id(self.client_ids)


def first_client_id(client_ids: str) -> str:
    """Return the first of several ids that are separated by commas. Raises DeploymentError."""
    first = client_ids.partition(",")[0].strip()
    if not first:
        raise DeploymentError(
            f"no app client is recorded. Set USER_POOL_CLIENT_ID in {FILE} to sign in."
        )
    return first


def recorded_backend(stage: str) -> RecordedBackend:
    """Return the backend recorded for `stage`. Raises DeploymentError, NoBackend."""
    return RecordedBackend.from_environment(environment(stage), stage)


def environment(stage: str) -> dict[str, str]:
    """Return the stage's environment variables, including those set for all stages.

    Raises DeploymentError for an unknown stage or an unreadable file.
    """
    return _environment(_read(), stage)


def policy(stage: str) -> str:
    """Return the text of the stage's IAM policy file. Raises DeploymentError if there is none."""
    name = _stage(_read(), stage).get("iam_policy_file", f"policy-{stage}.json")
    file = FILE.with_name(name)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise DeploymentError(
            f"the stage {stage} has no {file}. Copy policy-dev.json and replace dev with {stage}."
        ) from error


def stages_with_table_of(stage: str) -> list[str]:
    """Return the other stages that record the same table as `stage`."""
    config = _read()
    table = _environment(config, stage).get("DYNAMODB_TABLE")
    others = (name for name in config["stages"] if name != stage)
    return [name for name in others if _environment(config, name).get("DYNAMODB_TABLE") == table]


def change_environment(stage: str, changes: Mapping[str, str | None]) -> bool:
    """Set environment variables of `stage`; None removes one. Return whether the file changed.

    Raises DeploymentError for an unknown stage or an unreadable file.
    """
    config = _read()
    variables = _stage(config, stage).setdefault("environment_variables", {})
    before = dict(variables)
    for name, value in changes.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    if variables == before:
        return False
    _write(config)
    return True


def _environment(config: dict[str, Any], stage: str) -> dict[str, str]:
    shared = config.get("environment_variables", {})
    own = _stage(config, stage).get("environment_variables", {})
    return {**shared, **own}


def _stage(config: dict[str, Any], stage: str) -> dict[str, Any]:
    stages: dict[str, dict[str, Any]] = config["stages"]
    if stage not in stages:
        known = ", ".join(sorted(stages))
        raise DeploymentError(
            f"there is no stage {stage!r} in {FILE}, only {known}. To add one, copy the stage dev "
            "and .chalice/policy-dev.json."
        )
    return stages[stage]


def _read() -> dict[str, Any]:
    try:
        text = FILE.read_text(encoding="utf-8")
        config = json.loads(text, object_pairs_hook=_refuse_duplicates)
    except (OSError, ValueError) as error:
        raise DeploymentError(f"cannot read {FILE}: {error}") from error
    if not _has_expected_shape(config):
        raise DeploymentError(
            f'{FILE} is not in Chalice\'s format: "stages", each stage and each '
            '"environment_variables" must be a JSON object.'
        )
    _refuse_values_other_than_strings(config)
    shaped: dict[str, Any] = config
    return shaped


def _has_expected_shape(config: object) -> bool:
    if not isinstance(config, dict) or not isinstance(config.get("stages"), dict):
        return False
    for part in (config, *config["stages"].values()):
        if not isinstance(part, dict):
            return False
        if not isinstance(part.get("environment_variables", {}), dict):
            return False
    return True


def _refuse_values_other_than_strings(config: dict[str, Any]) -> None:
    """Raise DeploymentError for an environment variable such as true, which must be "true"."""
    for part in (config, *config["stages"].values()):
        for name, value in part.get("environment_variables", {}).items():
            if not isinstance(value, str):
                raise DeploymentError(
                    f'{name} in {FILE} must be a string: "{json.dumps(value)}" instead of '
                    f"{json.dumps(value)}."
                )


def _refuse_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in members]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'an object has the name "{name}" twice')
    return dict(members)


def _write(config: dict[str, Any]) -> None:
    """Replace the file in one step: an interruption leaves either the old or the new one."""
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    temporary = FILE.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(FILE)
