"""The role with which API Gateway writes logs: one for an account in each region.

It is made outside the stacks, because all APIs of the account use it, and because IAM needs some
seconds until API Gateway may assume a new role. CloudFormation does not wait for that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

import boto3

from deploy import chalice_config, ownership, polling
from deploy.aws import report_aws_errors
from deploy.errors import DeploymentError
from deploy.stacks import Progress

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import RoleTypeDef

SERVICE = "apigateway.amazonaws.com"
MANAGED_POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
PROPAGATION_SECONDS = 120
"""How long to wait until API Gateway accepts a new role."""
LONGEST_PAUSE = 5.0


class _BoundaryMembers(TypedDict, total=False):
    PermissionsBoundary: str


def ensure(progress: Progress, permissions_boundary: str = "") -> None:
    """Give API Gateway a role for logs in this account and region, if it has none.

    `permissions_boundary` is the ARN of an IAM policy for a new role, or empty. An interrupted run
    is completed by the next one. Raises DeploymentError.
    """
    with report_aws_errors("API Gateway's role for logs"):
        if boto3.client("apigateway").get_account().get("cloudwatchRoleArn"):
            return
        arn = _role(permissions_boundary)
        refusal = ""

        def is_set() -> bool:
            nonlocal refusal
            refusal = _set_role(arn)
            return not refusal

        try:
            polling.wait_until(is_set, timeout=PROPAGATION_SECONDS, longest_pause=LONGEST_PAUSE)
        except TimeoutError as error:
            raise DeploymentError(
                f"API Gateway does not accept the role {arn} for its logs: {refusal} Run this "
                "command again, or set a role in the settings of the API Gateway console."
            ) from error
    progress(f"API Gateway writes logs with the role {arn}")


def _role(permissions_boundary: str) -> str:
    """Return the ARN of this project's role; make it if there is none.

    Raises DeploymentError if a role with this name exists that this project did not make.
    """
    client = boto3.client("iam")
    name = f"{chalice_config.app_name()}-api-gateway-logs"
    try:
        role = client.get_role(RoleName=name)["Role"]
    except client.exceptions.NoSuchEntityException:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
            ],
        }
        boundary: _BoundaryMembers = {}
        if permissions_boundary:
            boundary["PermissionsBoundary"] = permissions_boundary
        role = client.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trust),
            Description="API Gateway writes the logs of all APIs of this account with it.",
            Tags=[
                {"Key": ownership.APP_TAG, "Value": chalice_config.app_name()},
                {"Key": ownership.OWNER_TAG, "Value": chalice_config.owner_id()},
            ],
            **boundary,
        )["Role"]
    else:
        _check_tags(role)
    partition = role["Arn"].split(":")[1]
    client.attach_role_policy(
        RoleName=name, PolicyArn=f"arn:{partition}:iam::aws:policy/{MANAGED_POLICY}"
    )
    return role["Arn"]


def _check_tags(role: RoleTypeDef) -> None:
    """Refuse an existing role without the app's tag. All regions and owners of the app share it."""
    tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
    if tags.get(ownership.APP_TAG) != chalice_config.app_name():
        raise DeploymentError(
            f"the IAM role {role['RoleName']} exists, and this project did not make it: it lacks "
            f"the tag {ownership.APP_TAG}. It is left as it is. Set a role for logs in the "
            "settings of the API Gateway console, and run this command again."
        )


def _set_role(arn: str) -> str:
    """Set the role. Return why API Gateway does not accept it yet; empty if it does.

    API Gateway refuses a role that IAM has not propagated, and more than one UpdateAccount in 20
    seconds (AWS, "Amazon API Gateway quotas").
    """
    client = boto3.client("apigateway")
    try:
        client.update_account(
            patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}]
        )
    except (
        client.exceptions.BadRequestException,
        client.exceptions.TooManyRequestsException,
    ) as error:
        return str(error)
    return ""
