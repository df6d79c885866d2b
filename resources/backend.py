"""Deploy resources/backend.yaml as the stack `user-profile-<stage>-backend`.

It talks to CloudFormation wherever the environment points (region, credentials, AWS_ENDPOINT_URL): AWS, or an emulator
of it, which it neither knows nor needs to know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackEventTypeDef, StackTypeDef

TEMPLATE = Path(__file__).with_name("backend.yaml")
POLL_SECONDS = 0.5


class BackendError(Exception):
    """The backend could not be deployed. Its text says why and what to do, in a line or two."""


def stack_name(stage: str) -> str:
    return f"user-profile-{stage}-backend"


def deploy(stage: str, parameters: Mapping[str, str], progress: Callable[[str], None]) -> dict[str, str]:
    """Create or update the stage's backend and wait for it. Deploying what is deployed already changes nothing.

    `parameters` are the template's, without Stage; those left out keep the value they have, or take their default.
    `progress` is called with a line for each resource that is done.

    Returns the stack's outputs. Raises BackendError.
    """
    name = stack_name(stage)
    try:
        client = boto3.client("cloudformation")
        stack = _find(client, name)
        past = {event["EventId"] for event in _events(client, name)} if stack else set()
        if not _start(client, name, stack, {"Stage": stage, **parameters}):
            return _outputs(_find(client, name))
        return _outputs(_wait(client, name, progress, past))
    except ClientError as error:
        raise BackendError(f"CloudFormation refused {name}: {error.response['Error']['Message']}") from error
    except BotoCoreError as error:
        raise BackendError(f"AWS cannot be reached for {name}: {error}") from error


def chalice_environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """What the API needs to know of its backend, as its environment variables."""
    return {
        "DYNAMODB_TABLE": outputs["TableName"],
        "USER_POOL_ARN": outputs["UserPoolArn"],
        "USER_POOL_CLIENT_ID": outputs["UserPoolClientId"],
    }


def _find(client: CloudFormationClient, name: str) -> StackTypeDef | None:
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def _start(client: CloudFormationClient, name: str, stack: StackTypeDef | None, wanted: Mapping[str, str]) -> bool:
    """Begin to create or update the stack; False when there is nothing to do."""
    template = TEMPLATE.read_text()
    parameters: list[ParameterTypeDef] = [{"ParameterKey": k, "ParameterValue": v} for k, v in wanted.items()]
    if stack is None:
        client.create_stack(StackName=name, TemplateBody=template, Parameters=parameters)
        return True
    status = stack["StackStatus"]
    if not status.endswith("_COMPLETE") or status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        raise BackendError(
            f"The stack {name} is in the state {status}. Wait if it is in progress; if its creation failed, delete the "
            f"stack and run this again."
        )
    known = {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
    parameters += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(known - set(wanted))]
    try:
        client.update_stack(StackName=name, TemplateBody=template, Parameters=parameters)
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def _events(client: CloudFormationClient, name: str) -> list[StackEventTypeDef]:
    """The stack's latest events, oldest first."""
    return client.describe_stack_events(StackName=name)["StackEvents"][::-1]


def _wait(client: CloudFormationClient, name: str, progress: Callable[[str], None], seen: set[str]) -> StackTypeDef:
    """Tell of each event not in `seen` until the stack is at rest; return the stack."""
    failures = []
    while True:
        stack = _find(client, name)
        if stack is None:
            raise BackendError(f"The stack {name} disappeared while it was being deployed.")
        for event in _events(client, name):
            resource, status = event["LogicalResourceId"], event.get("ResourceStatus", "")
            if event["EventId"] in seen or resource == name:
                continue
            seen.add(event["EventId"])
            if status.endswith("_FAILED"):
                failures.append(f"{resource}: {event.get('ResourceStatusReason', status)}")
            elif status.endswith("_COMPLETE"):
                progress(f"{resource} {status.lower().replace('_', ' ')}")
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        reason = "; ".join(failures) or stack.get("StackStatusReason", "no reason given")
        raise BackendError(f"The stack {name} ended as {stack['StackStatus']}: {reason}")
    return stack


def _outputs(stack: StackTypeDef | None) -> dict[str, str]:
    outputs = stack["Outputs"] if stack else []
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}
