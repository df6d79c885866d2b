"""The backend of a stage: its table and its user pool, which are independent of the API.

resources/backend.yaml declares them, as the stack `user-profile-<stage>-backend`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import boto3

from deploy import stacks
from deploy.aws import report_aws_errors
from deploy.stacks import Progress

TEMPLATE = Path(__file__).parents[1] / "resources" / "backend.yaml"
OUTPUT_OF_VARIABLE = {
    "DYNAMODB_TABLE": "TableName",
    "USER_POOL_ARN": "UserPoolArn",
    "USER_POOL_CLIENT_ID": "UserPoolClientId",
}
"""The API's environment variables that name its backend, and the stack output in each."""


def stack_name(stage: str) -> str:
    """Return the name of the stage's backend stack."""
    return f"user-profile-{stage}-backend"


def deploy(stage: str, parameters: Mapping[str, str], progress: Progress) -> dict[str, str]:
    """Create or update the stage's backend; return the stack's outputs. See stacks.deploy.

    `parameters` are those of resources/backend.yaml, without Stage.
    """
    every_parameter = {"Stage": stage, **parameters}
    return stacks.deploy(stack_name(stage), TEMPLATE.read_text(), every_parameter, progress)


def chalice_environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that name the backend with these outputs."""
    return {variable: outputs[output] for variable, output in OUTPUT_OF_VARIABLE.items()}


def contents(table: str, pool_id: str) -> str:
    """Describe the backend: its names and approximate counts. Raises DeploymentError."""
    with report_aws_errors("describing the table and the user pool"):
        profiles = boto3.client("dynamodb").describe_table(TableName=table)["Table"]["ItemCount"]
        pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
    users = pool["EstimatedNumberOfUsers"]
    return (
        f"the table {table} with about {profiles:,} profiles, "
        f"and the user pool {pool_id} with about {users:,} users"
    )


def destroy(stage: str, table: str, pool_id: str, progress: Progress) -> None:
    """Delete the stage's stack, its table and its user pool, even if they are protected.

    The stack retains table and user pool when it is deleted. Resources that do not exist are
    skipped, so an interrupted call can be repeated. Raises DeploymentError.
    """
    stacks.delete(stack_name(stage), progress)
    with report_aws_errors("deleting the table and the user pool"):
        _delete_table(table, progress)
        _delete_user_pool(pool_id, progress)


def _delete_table(name: str, progress: Progress) -> None:
    client = boto3.client("dynamodb")
    try:
        table = client.describe_table(TableName=name)["Table"]
        if table.get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.get_waiter("table_exists").wait(TableName=name)
        client.delete_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        return
    progress("Table deleted; AWS keeps a backup of it for 35 days")


def _delete_user_pool(pool_id: str, progress: Progress) -> None:
    client = boto3.client("cognito-idp")
    try:
        client.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
        client.delete_user_pool(UserPoolId=pool_id)
    except client.exceptions.ResourceNotFoundException:
        return
    progress("UserPool deleted")
