"""The backend of a stage, what must outlive every deployment of the API: resources/backend.yaml, as the stack
`user-profile-<stage>-backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import boto3

from deploy import stacks
from deploy.stacks import aws_errors

TEMPLATE = Path(__file__).parents[1] / "resources" / "backend.yaml"
RECORDED = {
    "DYNAMODB_TABLE": "TableName",
    "USER_POOL_ARN": "UserPoolArn",
    "USER_POOL_CLIENT_ID": "UserPoolClientId",
}
"""The API's environment variables that tell of its backend, and the stack's outputs that they are."""


def stack_name(stage: str) -> str:
    return f"user-profile-{stage}-backend"


def deploy(
    stage: str, parameters: Mapping[str, str], progress: Callable[[str], None]
) -> dict[str, str]:
    """Create or update the stage's backend; `parameters` are the template's, without Stage. See stacks.deploy."""
    return stacks.deploy(
        stack_name(stage), TEMPLATE.read_text(), {"Stage": stage, **parameters}, progress
    )


def chalice_environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """What the API needs to know of its backend, as its environment variables."""
    return {variable: outputs[output] for variable, output in RECORDED.items()}


def issuer(user_pool_arn: str) -> str:
    """The issuer of a pool's tokens: arn:aws:cognito-idp:<region>:<account>:userpool/<id> -> https://.../<id>"""
    _, partition, _, region, _, pool = user_pool_arn.split(":", 5)
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return f"https://cognito-idp.{region}.{domain}/{pool.removeprefix('userpool/')}"


def holdings(table: str, pool_id: str) -> str:
    """What would be lost with the backend, in words. Raises DeploymentError."""
    with aws_errors("a look at the backend"):
        items = boto3.client("dynamodb").describe_table(TableName=table)["Table"]["ItemCount"]
        pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
    users = pool["EstimatedNumberOfUsers"]
    return f"the table {table} with about {items:,} profiles, and the user pool {pool_id} with about {users:,} users"


def destroy(stage: str, table: str, pool_id: str, progress: Callable[[str], None]) -> None:
    """Delete the stage's stack, if it is still there, then the table and the user pool, which a stack leaves.

    What is protected is released: who calls this has asked. May be run again where it was stopped. Raises
    DeploymentError.
    """
    stacks.delete(stack_name(stage), progress)
    with aws_errors("to delete the table and the user pool"):
        dynamodb, cognito = boto3.client("dynamodb"), boto3.client("cognito-idp")
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
                dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
                dynamodb.get_waiter("table_exists").wait(TableName=table)
            dynamodb.delete_table(TableName=table)
            progress("Table deleted; AWS keeps a backup of it for 35 days")
        with suppress(cognito.exceptions.ResourceNotFoundException):
            cognito.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
            cognito.delete_user_pool(UserPoolId=pool_id)
            progress("UserPool deleted")
