"""Tables, user pools and app clients that exist, as AWS describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
from botocore.exceptions import ClientError

from deploy.aws import code_of, create_client, report_aws_errors
from deploy.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

UserPool: TypeAlias = Mapping[str, Any]
AppClient: TypeAlias = Mapping[str, Any]


class NotFound(DeploymentError):
    """There is no such resource in this account and region."""


def table(name: str) -> TableDescriptionTypeDef:
    """Return the table's description. Raises NotFound, also if it is being deleted."""
    absence = f"there is no table {name} in this account and region."
    with _report_errors(f"the table {name}", absence):
        found = boto3.client("dynamodb").describe_table(TableName=name)["Table"]
    if found["TableStatus"] == "DELETING":
        raise NotFound(absence)
    return found


def find_table(name: str) -> TableDescriptionTypeDef | None:
    """Return the table's description, None if there is no such table, or if `name` is empty."""
    if not name:
        return None
    try:
        return table(name)
    except NotFound:
        return None


def find_user_pool(pool_id: str) -> UserPool | None:
    """Return the pool's description, None if there is no such pool, or if `pool_id` is empty."""
    if not pool_id:
        return None
    try:
        return user_pool(pool_id)
    except NotFound:
        return None


def table_tags(found: TableDescriptionTypeDef) -> dict[str, str]:
    """Return the tags of a table. Raises DeploymentError."""
    with report_aws_errors(f"the tags of the table {found['TableName']}"):
        pages = boto3.client("dynamodb").get_paginator("list_tags_of_resource")
        tags = [
            tag for page in pages.paginate(ResourceArn=found["TableArn"]) for tag in page["Tags"]
        ]
    return {tag["Key"]: tag["Value"] for tag in tags}


def user_pool(pool_id: str) -> UserPool:
    """Return the user pool's description, with its tags in UserPoolTags. Raises NotFound."""
    absence = f"there is no user pool {pool_id} in this account and region."
    with _report_errors(f"the user pool {pool_id}", absence):
        found: Any = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)
    pool: UserPool = {"UserPoolTags": {}, **found["UserPool"]}
    return pool


def app_client(pool_id: str, client_id: str) -> AppClient:
    """Return the app client's description. Raises NotFound, also if it is another pool's."""
    absence = f"the user pool {pool_id} has no app client {client_id}."
    with _report_errors(f"the app client {client_id}", absence):
        found: Any = boto3.client("cognito-idp").describe_user_pool_client(
            UserPoolId=pool_id, ClientId=client_id
        )
    client: AppClient = found["UserPoolClient"]
    return client


def find_function_configuration(name: str, profile: str | None = None) -> Mapping[str, Any] | None:
    """Return a Lambda function's configuration, None if there is none, or if `name` is empty.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    if not name:
        return None
    with report_aws_errors(f"the function {name}"):
        client = create_client("lambda", profile)
        try:
            found: Mapping[str, Any] = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            return None
    return found


def find_function(name: str, profile: str | None = None) -> dict[str, str] | None:
    """Return the environment variables of a Lambda function, None if there is no such function.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    found = find_function_configuration(name, profile)
    if found is None:
        return None
    return function_variables(found)


def function_variables(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables in the configuration of a Lambda function."""
    return dict(configuration.get("Environment", {}).get("Variables", {}))


def user_pools_named(name: str) -> list[str]:
    """Return the ids of the user pools with this name. Raises DeploymentError."""
    with report_aws_errors("listing the user pools"):
        paginator = boto3.client("cognito-idp").get_paginator("list_user_pools")
        pages = paginator.paginate(PaginationConfig={"PageSize": 60})
        return [pool["Id"] for page in pages for pool in page["UserPools"] if pool["Name"] == name]


@contextmanager
def _report_errors(subject: str, absence: str) -> Iterator[None]:
    """Raise the errors of an AWS call as DeploymentError, and ResourceNotFound as NotFound."""
    with report_aws_errors(subject):
        try:
            yield
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                raise NotFound(absence) from error
            raise
