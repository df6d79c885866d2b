"""CloudFormation stacks: deploy one and wait for it, look at one, take one down.

They are deployed wherever the environment points (region, credentials, AWS_ENDPOINT_URL): to AWS, or an emulator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import (
        ParameterTypeDef,
        StackEventTypeDef,
        StackTypeDef,
    )

FIRST_POLL, LONGEST_POLL = 0.2, 5.0
"""Seconds between two looks at a stack that is being changed, longer from look to look."""
CAN_BE_UPDATED = (
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
)  # fmt: skip


class DeploymentError(Exception):
    """What was asked for could not be done. Its text says why and what to do, in a line or two."""


@contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """Tell what AWS refuses, or why it cannot be asked, as a DeploymentError; `what` it was about."""
    try:
        yield
    except NoRegionError as error:
        raise DeploymentError(
            "no AWS region is set. Say which one: export AWS_DEFAULT_REGION=eu-central-1"
        ) from error
    except NoCredentialsError as error:
        raise DeploymentError(
            "there are no AWS credentials. Sign in (`aws configure`, `aws sso login`), or export AWS_PROFILE=..."
        ) from error
    except ClientError as error:
        message = error.response["Error"]["Message"]
        raise DeploymentError(f"AWS refused {error.operation_name} ({what}): {message}") from error
    except (
        BotoCoreError,
        Boto3Error,
        ValueError,
    ) as error:  # ValueError: an endpoint that is no URL
        raise DeploymentError(f"AWS cannot be asked ({what}): {error}") from error


def account() -> str:
    """The number of the account that the shell is signed in to. Raises DeploymentError."""
    with aws_errors("to tell which account this is"):
        return boto3.client("sts").get_caller_identity()["Account"]


def deploy(
    name: str,
    template: str,
    parameters: Mapping[str, str],
    progress: Callable[[str], None],
    capabilities: Sequence[CapabilityType] = (),
) -> dict[str, str]:
    """Create or update the stack `name` and wait for it. Deploying what is deployed already changes nothing.

    Parameters that are left out keep the value they have, or take their default. `progress` is called with a line for
    each resource that is done.

    Returns the stack's outputs. Raises DeploymentError.
    """
    with aws_errors(f"the stack {name}"):
        client = boto3.client("cloudformation")
        stack = _find(client, name)
        past = {event["EventId"] for event in _events(client, name)} if stack else set()
        if (
            stack
            and stack["StackStatus"].endswith("_IN_PROGRESS")
            and stack["StackStatus"] != "REVIEW_IN_PROGRESS"
        ):
            progress("it is being changed already: waiting for that to end")
            stack = _wait(client, name, progress, past)
            past = {event["EventId"] for event in _events(client, name)} if stack else set()
        request = {"StackName": name, "TemplateBody": template, "Capabilities": capabilities}
        if _start(client, stack, request, parameters):
            stack = _wait(client, name, progress, past)
            if stack is None or stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                raise DeploymentError(_told(f"The stack {name}", stack, client, past))
        else:
            stack = _find(client, name)
        return _outputs(stack)


def outputs(name: str) -> dict[str, str] | None:
    """The outputs of the stack `name`; None where there is no such stack. Raises DeploymentError."""
    with aws_errors(f"the stack {name}"):
        stack = _find(boto3.client("cloudformation"), name)
        return _outputs(stack) if stack else None


def delete(name: str, progress: Callable[[str], None]) -> bool:
    """Delete the stack `name` and wait for it; False where there is none. Raises DeploymentError."""
    with aws_errors(f"the stack {name}"):
        client = boto3.client("cloudformation")
        stack = _find(client, name)
        if stack is None:
            return False
        past = {event["EventId"] for event in _events(client, name)}
        client.delete_stack(
            StackName=stack["StackId"]
        )  # by its id it can be asked about when it is gone
        stack = _wait(client, stack["StackId"], progress, past)
        if stack and stack["StackStatus"] != "DELETE_COMPLETE":
            raise DeploymentError(_told(f"The stack {name}", stack, client, past))
        return True


def _find(client: CloudFormationClient, name: str) -> StackTypeDef | None:
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def _start(
    client: CloudFormationClient,
    stack: StackTypeDef | None,
    request: Any,
    wanted: Mapping[str, str],
) -> bool:
    """Begin to create or update the stack as `request` says; False when there is nothing to do."""
    name = request["StackName"]
    parameters: list[ParameterTypeDef] = [
        {"ParameterKey": k, "ParameterValue": v} for k, v in wanted.items()
    ]
    if stack is None:
        client.create_stack(**request, Parameters=parameters)
        return True
    if (status := stack["StackStatus"]) not in CAN_BE_UPDATED:
        raise DeploymentError(f"the stack {name} is in the state {status}: {_advice(name, status)}")
    known = {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
    taken = client.get_template_summary(TemplateBody=request["TemplateBody"])["Parameters"]
    kept = known & {parameter["ParameterKey"] for parameter in taken} - set(wanted)
    parameters += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)]
    try:
        client.update_stack(**request, Parameters=parameters)
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def _advice(name: str, status: str) -> str:
    """What to do with a stack in a state that it cannot be updated in."""
    if status == "UPDATE_ROLLBACK_FAILED":
        return (
            "going back to what was there failed. Mend what its events name, then choose 'Continue update rollback' in "
            f"the CloudFormation console, or: aws cloudformation continue-update-rollback --stack-name {name}"
        )
    return (
        "it never came to be, or could not be deleted. Look at its events, delete it in the CloudFormation console (or "
        f"by aws cloudformation delete-stack --stack-name {name}), and run this again."
    )


def _events(client: CloudFormationClient, name: str) -> list[StackEventTypeDef]:
    """The stack's latest events, oldest first."""
    return client.describe_stack_events(StackName=name)["StackEvents"][::-1]


def _wait(
    client: CloudFormationClient, name: str, progress: Callable[[str], None], past: set[str]
) -> StackTypeDef | None:
    """Tell of each event not in `past` until the stack is at rest; return it, None if it is gone."""
    told, pause = set(past), FIRST_POLL
    while stack := _find(client, name):
        for event in _events(client, name):
            status = event.get("ResourceStatus", "")
            if event["EventId"] not in told and event["LogicalResourceId"] != stack["StackName"]:
                told.add(event["EventId"])
                if status.endswith("_COMPLETE"):
                    progress(f"{event['LogicalResourceId']} {status.lower().replace('_', ' ')}")
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_POLL)
    return None


def _told(
    what: str, stack: StackTypeDef | None, client: CloudFormationClient, past: set[str]
) -> str:
    """How a deployment failed, in plain words: the resources that did, and why."""
    if stack is None:
        return f"{what} disappeared while it was being deployed."
    failures = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
        for event in _events(client, stack["StackId"])
        if event["EventId"] not in past
        and event.get("ResourceStatus", "").endswith("_FAILED")
        and "cancelled"
        not in event.get("ResourceStatusReason", "")  # by the failure of another one
    ]
    reason = "; ".join(failures) or stack.get("StackStatusReason", "no reason given")
    return f"{what} ended as {stack['StackStatus']}: {reason}"


def _outputs(stack: StackTypeDef | None) -> dict[str, str]:
    found = stack.get("Outputs", []) if stack else []
    return {output["OutputKey"]: output["OutputValue"] for output in found}
