"""A user pool and a table that a team had before it used this project."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from chalicelib import items
from deploy.stacks import Stack
from tests.support.cloud import Cloud

FLOWS = {
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["code"],
    "AllowedOAuthScopes": ["openid", "email"],
    "CallbackURLs": ["http://localhost:3000"],
    "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
}
"""Settings of an app client with which the page, `make token` and `make smoke` can sign in."""

CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/12345678-1234-1234-1234-123456789012"


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class ExistingPool:
    """A user pool with deletion protection, a user, one app client, and perhaps a domain."""

    arn: str
    pool_id: str
    client_id: str
    domain: str
    """The first part of its sign-in host; empty if it has none."""

    @property
    def options(self) -> list[str]:
        """The options of `make backend` that attach it, as `make` passes them on."""
        return [f"--user-pool-id={self.pool_id}", f"--user-pool-client-id={self.client_id}"]

    def describe(self) -> Mapping[str, Any]:
        client = boto3.client("cognito-idp")
        return client.describe_user_pool(UserPoolId=self.pool_id)["UserPool"]

    def cloud(self, cloud: Cloud) -> Cloud:
        """The same emulator, with this pool, for signing users up."""
        outputs = {"UserPoolArn": self.arn, "UserPoolClientId": self.client_id}
        return Cloud(cloud.port, cloud.folder, outputs)


def create_pool(*, with_domain: bool = True) -> ExistingPool:
    """Create a user pool like those of a team: protected, with one user."""
    client = boto3.client("cognito-idp")
    pool = client.create_user_pool(
        PoolName="theirs",
        DeletionProtection="ACTIVE",
        UsernameAttributes=["email"],
        AutoVerifiedAttributes=["email"],
    )["UserPool"]
    pool_id = pool["Id"]
    client.admin_create_user(UserPoolId=pool_id, Username="theirs@example.com")
    domain = unique("theirs") if with_domain else ""
    if domain:
        client.create_user_pool_domain(Domain=domain, UserPoolId=pool_id)
    return ExistingPool(pool["Arn"], pool_id, create_client(pool_id), domain)


def create_client(pool_id: str, **settings: Any) -> str:
    """Create an app client; `settings` are those that differ from FLOWS. Return its id."""
    created = boto3.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool_id, ClientName="theirs", **{**FLOWS, **settings}
    )
    return created["UserPoolClient"]["ClientId"]


def create_table(
    *, name: str = "", keys: Mapping[str, str] | None = None, sk_type: str = "S"
) -> str:
    """Create a protected table like the original example's; return its name.

    `keys` are the names of its key attributes with HASH or RANGE.
    """
    keys = keys or {"pk": "HASH", "sk": "RANGE"}
    types = dict.fromkeys(keys, "S")
    if "sk" in types:
        types["sk"] = sk_type
    name = name or unique("theirs")
    definition: Any = {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": kind} for key, kind in types.items()
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
    }
    boto3.client("dynamodb").create_table(**definition)
    return name


def put_example_item(table: str, sub: str) -> None:
    """Store a profile as the original example did: without revision and times."""
    profile = {"profile_data": {"M": {"name": {"S": "Ada"}, "theme": {"S": "dark"}}}}
    boto3.client("dynamodb").put_item(TableName=table, Item=items.profile_key(sub) | profile)


def set_stack_tags(stack: Stack, tags: Mapping[str, str]) -> None:
    """Replace the tags of a stack, and change nothing else."""
    boto3.client("cloudformation").update_stack(
        StackName=stack.stack_id,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": name, "UsePreviousValue": True} for name in stack.parameters],
        Tags=[{"Key": name, "Value": value} for name, value in tags.items()],
    )


def table_exists(name: str) -> bool:
    client = boto3.client("dynamodb")
    try:
        client.describe_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def set_ttl(table: str, attribute: str, *, enabled: bool = True) -> None:
    """Change the TTL of a table elsewhere, for example in the console."""
    boto3.client("dynamodb").update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
    )


def ttl_of(table: str) -> tuple[str, str]:
    """The status of a table's TTL, and its attribute; empty if it never had one."""
    response = boto3.client("dynamodb").describe_time_to_live(TableName=table)
    found = response["TimeToLiveDescription"]
    return found["TimeToLiveStatus"], found.get("AttributeName", "")


def pool_exists(pool_id: str) -> bool:
    client = boto3.client("cognito-idp")
    try:
        client.describe_user_pool(UserPoolId=pool_id)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def pool_names() -> list[str]:
    """The names of all user pools of the emulator."""
    paginator = boto3.client("cognito-idp").get_paginator("list_user_pools")
    pages = paginator.paginate(PaginationConfig={"PageSize": 60})
    return [pool["Name"] for page in pages for pool in page["UserPools"]]


def delete_stack(name: str) -> None:
    """Delete a backend's stack in CloudFormation, as somebody may do by accident."""
    client = boto3.client("cloudformation")
    client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    client.delete_stack(StackName=name)
