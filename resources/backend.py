"""The backend of a stage, what must outlive every deployment of the API: resources/backend.yaml, as the stack
`user-profile-<stage>-backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import boto3

from resources import stacks
from resources.stacks import DeploymentError, aws_errors

TEMPLATE = Path(__file__).with_name("backend.yaml")


def stack_name(stage: str) -> str:
    return f"user-profile-{stage}-backend"


def deploy(stage: str, parameters: Mapping[str, str], progress: Callable[[str], None]) -> dict[str, str]:
    """Create or update the stage's backend; `parameters` are the template's, without Stage. See stacks.deploy."""
    return stacks.deploy(stack_name(stage), TEMPLATE.read_text(), {"Stage": stage, **parameters}, progress)


def chalice_environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """What the API needs to know of its backend, as its environment variables."""
    return {
        "DYNAMODB_TABLE": outputs["TableName"],
        "USER_POOL_ARN": outputs["UserPoolArn"],
        "USER_POOL_CLIENT_ID": outputs["UserPoolClientId"],
    }


def holdings(outputs: Mapping[str, str]) -> str:
    """What would be lost with the backend, in words. Raises DeploymentError."""
    with aws_errors("a look at the backend"):
        table = boto3.client("dynamodb").describe_table(TableName=outputs["TableName"])["Table"]
        pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=outputs["UserPoolId"])["UserPool"]
    return (
        f"the table {outputs['TableName']} with about {table['ItemCount']:,} profiles, and the user pool "
        f"{outputs['UserPoolId']} with about {pool['EstimatedNumberOfUsers']:,} users and their passwords"
    )


def destroy(stage: str, progress: Callable[[str], None]) -> None:
    """Delete the stage's stack, and the table and the user pool, which the stack by itself leaves.

    What is protected is released first: who calls this has asked. Raises DeploymentError.
    """
    outputs = stacks.outputs(stack_name(stage))
    if outputs is None:
        raise DeploymentError(f"there is no stack {stack_name(stage)} in this account and region.")
    deploy(stage, {"DeletionProtection": "false"}, progress)
    stacks.delete(stack_name(stage), progress)
    with aws_errors("to delete the table and the user pool"):
        boto3.client("dynamodb").delete_table(TableName=outputs["TableName"])
        progress("Table deleted; its continuous backup can be restored for 35 days")
        boto3.client("cognito-idp").delete_user_pool(UserPoolId=outputs["UserPoolId"])
        progress("UserPool deleted")
