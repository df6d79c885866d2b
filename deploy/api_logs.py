"""The log groups of a stage's API, which can outlive its stack.

The API's stack makes them and keeps them when it is deleted; `make destroy` then deletes them,
unless they are to be kept. A group that exists before the stack is used as it is: it was kept, or
API Gateway wrote late lines after a deletion and made it again. CloudFormation would refuse to
create it.

Only a group that the stack made, or that has this project's tags, is ever changed or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3

from deploy import ownership, stacks
from deploy.aws import report_aws_errors
from deploy.errors import DeploymentError
from deploy.stacks import Progress
from deploy.template import load

GROUPS = {"FunctionLogs": "/aws/lambda/{}-api", "AccessLogs": "/aws/apigateway/{}"}
"""Each log group's resource in resources/api.json, and its name for the name of the stack."""
RETAINED = "RetainExceptOnCreate"


def group_names(stack_name: str) -> dict[str, str]:
    """Return the name of each log group, by its resource in resources/api.json."""
    return {resource: name.format(stack_name) for resource, name in GROUPS.items()}


def parameters_of_new_stack(stack_name: str, progress: Progress) -> dict[str, str]:
    """Return the parameters for log groups that exist before the stack. Raises DeploymentError."""
    parameters = {}
    for resource, name in group_names(stack_name).items():
        if _find(name) is not None:
            parameters[f"Make{resource}"] = "false"
            progress(f"the log group {name} exists and is used")
    return parameters


def set_retention(stack_name: str, stage: str, parameters: Mapping[str, str]) -> list[str]:
    """Set the retention of the groups that the stack uses and did not make.

    `parameters` are those of the stack. Returns notes about groups that this project did not make.
    Raises DeploymentError.
    """
    notes = []
    days = parameters["LogRetentionDays"]
    for resource, name in group_names(stack_name).items():
        if parameters[f"Make{resource}"] == "true":
            continue
        group = _find(name)
        if group is None:
            raise DeploymentError(
                f"the API is deployed, but its log group {name} was deleted, and the stack "
                f"{stack_name} does not make it. No log is written until you make it: aws logs "
                f"create-log-group --log-group-name {name}"
            )
        if not _has_own_tags(group, stack_name, stage):
            notes.append(
                f"the log group {name} was not made by this project, so its retention was not "
                f"changed. It is {_retention_text(group)}. If it may be changed, run: aws logs "
                f"put-retention-policy --log-group-name {name} --retention-in-days {days}"
            )
        elif group.get("retentionInDays") != int(days):
            with report_aws_errors(f"the retention of {name}"):
                boto3.client("logs").put_retention_policy(
                    logGroupName=name, retentionInDays=int(days)
                )
    return notes


def _retention_text(group: Mapping[str, Any]) -> str:
    days = group.get("retentionInDays")
    if days is None:
        return "unlimited"
    return f"{days} days"


def made_by(stack_name: str) -> list[str]:
    """Return the names of the log groups that the existing stack made. Raises DeploymentError."""
    ids = stacks.physical_ids(stack_name)
    return [ids[resource] for resource in GROUPS if resource in ids]


def refuse_to_keep_what_the_stack_deletes(stack_name: str, stage: str) -> None:
    """Refuse to keep logs that the stack deletes: an earlier version deployed it.

    Raises DeploymentError.
    """
    text = stacks.deployed_template(stack_name)
    deployed = load(text, f"the template of {stack_name}")["Resources"]
    ids = stacks.physical_ids(stack_name)
    for resource in GROUPS:
        if resource in ids and deployed[resource].get("DeletionPolicy") != RETAINED:
            raise DeploymentError(
                f"the stack {stack_name} would delete {ids[resource]}, because an earlier version "
                f"of this project deployed it. Run make deploy STAGE={stage} first, or leave "
                "KEEP_LOGS out."
            )


def delete(stack_name: str, stage: str, made: list[str], progress: Progress) -> None:
    """Delete the log groups of a stack that was deleted; `made` are those that it had made.

    Groups that this project did not make stay. Raises DeploymentError.
    """
    for name in group_names(stack_name).values():
        group = _find(name)
        if group is None:
            continue
        if name not in made and not _has_own_tags(group, stack_name, stage):
            continue
        with report_aws_errors(f"deleting the log group {name}"):
            client = boto3.client("logs")
            try:
                client.delete_log_group(logGroupName=name)
            except client.exceptions.ResourceNotFoundException:
                continue
        progress(f"{name} deleted")


def existing(stack_name: str) -> list[str]:
    """Return the names of the stack's log groups that exist. Raises DeploymentError."""
    return [name for name in group_names(stack_name).values() if _find(name) is not None]


def existing_of_chalice(function: str) -> str:
    """Return the name of the log group of a function of `chalice deploy`; empty if there is none.

    Lambda makes it, so it has no tags that show whose it is. Raises DeploymentError.
    """
    name = f"/aws/lambda/{function}"
    if _find(name) is None:
        return ""
    return name


def _find(name: str) -> dict[str, Any] | None:
    with report_aws_errors(f"looking for the log group {name}"):
        found = boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    for group in found:
        if group["logGroupName"] == name:
            return dict(group)
    return None


def _has_own_tags(group: Mapping[str, Any], stack_name: str, stage: str) -> bool:
    """Return whether the stage's stack made the group, by the tags that it passes on."""
    arn = group["arn"].removesuffix(":*")
    with report_aws_errors(f"reading the tags of {group['logGroupName']}"):
        tags: dict[str, str] = boto3.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
    return ownership.has_tags_of(stack_name, stage, tags)
