"""The backend of a stage: its table and its user pool, which are independent of the API.

resources/backend.yaml declares them, as the stack `<app_name>-<stage>-backend`. A stage can also
use a table or a user pool that a team already has; the stack then makes the other one only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy import chalice_config, stacks
from deploy.chalice_config import Part
from deploy.stacks import Claim, Progress
from deploy.template import Template, load

TEMPLATE = Path(__file__).parents[1] / "resources" / "backend.yaml"
OUTPUT_OF_VARIABLE = {
    "DYNAMODB_TABLE": "TableName",
    "USER_POOL_ARN": "UserPoolArn",
    "USER_POOL_CLIENT_ID": "UserPoolClientId",
}
"""The API's environment variables that name its backend, and the stack output in each."""
VARIABLES_OF_PART = {
    Part.TABLE: ("DYNAMODB_TABLE",),
    Part.USER_POOL: ("USER_POOL_ARN", "USER_POOL_CLIENT_ID"),
}
"""The environment variables that record each part of the backend."""


def stack_name(stage: str) -> str:
    """Return the name of the stage's backend stack. Raises DeploymentError."""
    return f"{chalice_config.resource_name(stage)}-backend"


def template() -> Template:
    """Return the template of the backend's stack. Raises DeploymentError."""
    return load(TEMPLATE.read_text(), "resources/backend.yaml")


def deploy(
    stage: str,
    parameters: Mapping[str, str],
    progress: Progress,
    claim: Claim | None = None,
) -> dict[str, str]:
    """Create or update the stage's backend; return the stack's outputs. See stacks.deploy.

    `parameters` are those of resources/backend.yaml, without AppName and Stage.
    """
    every_parameter = {"AppName": chalice_config.app_name(), "Stage": stage, **parameters}
    return stacks.deploy(stack_name(stage), TEMPLATE.read_text(), every_parameter, progress, claim)


def chalice_environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that name what the stack with these outputs made."""
    return {
        variable: outputs[output]
        for variable, output in OUTPUT_OF_VARIABLE.items()
        if output in outputs
    }
