"""CloudFormation stacks: describe one, deploy it and wait for it, delete it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import boto3
from botocore.exceptions import ClientError

from deploy import polling
from deploy.aws import create_client, message_of, report_aws_errors
from deploy.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import (
        DeleteStackInputTypeDef,
        ParameterTypeDef,
        StackEventTypeDef,
        StackTypeDef,
        TagTypeDef,
    )

Progress: TypeAlias = Callable[[str], None]
"""A function that is called with each completed step, for example "Table create complete"."""

CAPABILITIES: Sequence[CapabilityType] = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
"""Permission to create IAM roles and to run SAM's transform, which the API's template needs."""
LONGEST_PAUSE = 5.0
"""Seconds between two calls that read the state of a stack."""
SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
CAN_BE_UPDATED = (
    *SUCCEEDED,
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
CAN_ONLY_BE_DELETED = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""States of a stack whose first creation failed."""


class _TemplateMembers(TypedDict, total=False):
    TemplateBody: str
    TemplateURL: str


class _ClaimMembers(TypedDict, total=False):
    Tags: Sequence[TagTypeDef]
    RoleARN: str


@dataclass(frozen=True)
class Stack:
    """An existing stack."""

    stack_id: str
    """Its ARN. A stack that is deleted and created again has another one."""
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    status: str = "CREATE_COMPLETE"
    """CloudFormation's name of its state."""
    is_protected: bool = False
    """Whether CloudFormation refuses to delete it (termination protection)."""


@dataclass(frozen=True)
class Claim:
    """A stack whose owner was checked, and how this project changes it."""

    stack_id: str | None
    """The stack's id at the check. None: it did not exist."""
    tags: Mapping[str, str]
    """The tags with which this project marks the stack. Empty: an existing stack keeps its tags."""
    role_arn: str = ""
    """The role with which CloudFormation acts. Empty: that of the stack's last change, or else the
    permissions of the shell."""


@dataclass(frozen=True)
class TemplateUrl:
    """The address of a template in S3. CloudFormation takes at most 51,200 bytes in a request."""

    url: str


def describe(name: str, profile: str | None = None) -> Stack | None:
    """Return the stack `name`, None if it does not exist.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    with report_aws_errors(f"the stack {name}"):
        found = _find(create_client("cloudformation", profile), name)
    return _stack(found)


def describe_at_rest(name: str, progress: Progress) -> Stack | None:
    """Like `describe`, after a change of the stack that is in progress has ended."""
    with report_aws_errors(f"the stack {name}"):
        found = _wait_for_change_in_progress(boto3.client("cloudformation"), name, progress)
    return _stack(found)


def _stack(found: StackTypeDef | None) -> Stack | None:
    if found is None:
        return None
    return Stack(
        stack_id=found["StackId"],
        parameters={
            parameter["ParameterKey"]: parameter["ParameterValue"]
            for parameter in found.get("Parameters", [])
        },
        outputs=_outputs(found),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        status=found["StackStatus"],
        is_protected=found.get("EnableTerminationProtection", False),
    )


def outputs(name: str) -> dict[str, str] | None:
    """Return the outputs of the stack `name`, None if it does not exist. Raises DeploymentError."""
    stack = describe(name)
    if stack is None:
        return None
    return dict(stack.outputs)


def deployed_template(name: str) -> str:
    """Return the template with which the stack `name` was deployed. Raises DeploymentError."""
    with report_aws_errors(f"the template of the stack {name}"):
        found = boto3.client("cloudformation").get_template(
            StackName=name, TemplateStage="Original"
        )
    body = found["TemplateBody"]
    if isinstance(body, str):
        return body
    return json.dumps(body)  # botocore parses a template that is JSON


def physical_ids(name: str) -> dict[str, str]:
    """Return the physical id of each existing resource of the stack, by its name in the template.

    Raises DeploymentError.
    """
    with report_aws_errors(f"the resources of the stack {name}"):
        found = boto3.client("cloudformation").describe_stack_resources(StackName=name)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in found["StackResources"]
        if resource.get("PhysicalResourceId")
        and resource["ResourceStatus"] not in ("CREATE_FAILED", "DELETE_COMPLETE")
    }


def deploy(
    name: str,
    template: str | TemplateUrl,
    parameters: Mapping[str, str],
    progress: Progress,
    claim: Claim | None = None,
) -> dict[str, str]:
    """Create or update the stack `name`, wait for it and return its outputs.

    `template` is the template's text, or its address. Parameters that are left out keep their
    value, or take their default in a new stack. A stack that is up to date is not changed. With
    `claim`, a stack that appeared after the check of its owner is refused, and the stack gets the
    claim's tags; CloudFormation adds them to each resource that can have tags. Raises
    DeploymentError.
    """
    with report_aws_errors(f"the stack {name}"):
        client = boto3.client("cloudformation")
        stack = _wait_for_change_in_progress(client, name, progress)
        if claim is not None:
            _check_is_claimed(name, stack, claim)
        if stack is None:
            change = _Change(client, name, progress)
            _start_creation(client, name, template, parameters, claim)
        else:
            check_can_be_updated(name, stack["StackStatus"])
            change = _Change(client, name, progress, earlier=_event_ids(client, name))
            if not _start_update(client, stack, template, parameters, claim):
                return _outputs(stack)
        changed = change.wait()
        if changed is None or changed["StackStatus"] not in SUCCEEDED:
            raise DeploymentError(change.failure())
        return _outputs(changed)


def _check_is_claimed(name: str, stack: StackTypeDef | None, claim: Claim) -> None:
    """Raise DeploymentError if the stack is not the one whose owner was checked."""
    if stack is None and claim.stack_id is not None:
        raise DeploymentError(
            f"another command has just deleted the stack {name}. Run this command again."
        )
    if stack is not None and stack["StackId"] != claim.stack_id:
        raise _created_meanwhile(name)


def _created_meanwhile(name: str) -> DeploymentError:
    return DeploymentError(
        f"another command has just created the stack {name}. Run this command again."
    )


def delete(name: str, progress: Progress, role_arn: str = "") -> bool:
    """Delete the stack `name` and wait for it. Return False if it does not exist.

    `role_arn` is the role with which CloudFormation acts: see Claim. Raises DeploymentError.
    """
    with report_aws_errors(f"the stack {name}"):
        client = boto3.client("cloudformation")
        stack = _find(client, name)
        if stack is None:
            return False
        # A deleted stack can be described only by its id.
        stack_id = stack["StackId"]
        change = _Change(client, stack_id, progress, earlier=_event_ids(client, stack_id))
        deletion: DeleteStackInputTypeDef = {"StackName": stack_id}
        if role_arn:
            deletion["RoleARN"] = role_arn
        client.delete_stack(**deletion)
        left = change.wait()
        if left is not None and left["StackStatus"] != "DELETE_COMPLETE":
            raise DeploymentError(change.failure())
        return True


def set_termination_protection(name: str, *, is_protected: bool) -> None:
    """Make CloudFormation refuse, or accept, to delete the stack. Raises DeploymentError."""
    with report_aws_errors(f"the termination protection of the stack {name}"):
        boto3.client("cloudformation").update_termination_protection(
            StackName=name, EnableTerminationProtection=is_protected
        )


class _Change:
    """One change of a stack, and its progress as CloudFormation reports it.

    `name` is the stack's name or id; `earlier` are the ids of the events before this change.
    """

    def __init__(
        self,
        client: CloudFormationClient,
        name: str,
        progress: Progress,
        earlier: frozenset[str] = frozenset(),
    ) -> None:
        self._client = client
        self._name = name
        self._progress = progress
        self._seen = set(earlier)
        self._failures: list[str] = []
        self._stack: StackTypeDef | None = None

    def wait(self) -> StackTypeDef | None:
        """Report each completed resource until the change has ended; return the stack.

        Returns None if the stack no longer exists.
        """
        polling.wait_until(self._is_at_rest, longest_pause=LONGEST_PAUSE)
        return self._stack

    def failure(self) -> str:
        """Describe the failure of the change: the resources that failed, and the reasons."""
        if self._stack is None:
            return f"The stack {self._name} was deleted during the deployment."
        reasons = self._failures
        if not reasons:
            reasons = [self._stack.get("StackStatusReason", "no reason given")]
        name = self._stack["StackName"]
        return f"The stack {name} ended as {self._stack['StackStatus']}: {'; '.join(reasons)}"

    def _is_at_rest(self) -> bool:
        self._stack = _find(self._client, self._name)
        if self._stack is None:
            return True
        self._read_new_events(self._stack["StackName"])
        return not _is_in_progress(self._stack)

    def _read_new_events(self, stack_name: str) -> None:
        """Report each resource that has finished, and keep the reasons of failures.

        One call returns the newest events only, and a long rollback has more.
        """
        latest_first = self._client.describe_stack_events(StackName=self._name)["StackEvents"]
        for event in reversed(latest_first):
            if event["EventId"] in self._seen:
                continue
            self._seen.add(event["EventId"])
            resource = event["LogicalResourceId"]
            status = event.get("ResourceStatus", "")
            if _is_failure(event):
                self._failures.append(f"{resource}: {_reason(event)}")
            elif status.endswith("_COMPLETE") and resource != stack_name:
                self._progress(f"{resource} {status.lower().replace('_', ' ')}")


def _find(client: CloudFormationClient, name: str) -> StackTypeDef | None:
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in message_of(error):
            return None
        raise


def _wait_for_change_in_progress(
    client: CloudFormationClient, name: str, progress: Progress
) -> StackTypeDef | None:
    """Return the stack when no change is in progress; None if it does not exist."""
    stack = _find(client, name)
    if stack is None or not _is_in_progress(stack):
        return stack
    progress("another change of the stack is in progress: waiting for its end")
    return _Change(client, name, progress, earlier=_event_ids(client, name)).wait()


def _is_in_progress(stack: StackTypeDef) -> bool:
    status = stack["StackStatus"]
    # REVIEW_IN_PROGRESS ends only when somebody executes a change set.
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def check_can_be_updated(name: str, status: str) -> None:
    """Raise DeploymentError, with advice, if a stack in this state cannot be updated."""
    if status in CAN_BE_UPDATED:
        return
    if status == "UPDATE_ROLLBACK_FAILED":
        advice = (
            "its last update and the rollback failed. Correct the causes in its events, then "
            "choose 'Continue update rollback' in the CloudFormation console, or run: "
            f"aws cloudformation continue-update-rollback --stack-name {name}"
        )
    elif status in CAN_ONLY_BE_DELETED:
        advice = (
            "its first creation failed, and nothing uses it. Read its events in the CloudFormation "
            "console. Then delete it (make destroy-backend for a backend, make destroy for an "
            "API), and run this command again."
        )
    else:
        advice = (
            "it cannot be updated in this state. Nothing was changed. Read its events in the "
            "CloudFormation console, and complete, roll back or repeat there what did not end."
        )
    raise DeploymentError(f"the stack {name} is in the state {status}: {advice}")


def _start_creation(
    client: CloudFormationClient,
    name: str,
    template: str | TemplateUrl,
    parameters: Mapping[str, str],
    claim: Claim | None,
) -> None:
    """Start the creation of the stack. Raises DeploymentError if it exists in the meantime."""
    try:
        client.create_stack(
            StackName=name,
            Capabilities=CAPABILITIES,
            Parameters=_parameter_list(parameters),
            **_template_members(template),
            **_claim_members(claim),
        )
    except client.exceptions.AlreadyExistsException as error:
        raise _created_meanwhile(name) from error


def _start_update(
    client: CloudFormationClient,
    stack: StackTypeDef,
    template: str | TemplateUrl,
    parameters: Mapping[str, str],
    claim: Claim | None,
) -> bool:
    """Start an update of the stack. Return False if there is nothing to update."""
    deployed = {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
    declared = _declared_parameters(client, template)
    every_parameter = _parameter_list(parameters)
    for name in sorted((declared & deployed) - set(parameters)):
        every_parameter.append({"ParameterKey": name, "UsePreviousValue": True})
    try:
        client.update_stack(
            StackName=stack["StackName"],
            Capabilities=CAPABILITIES,
            Parameters=every_parameter,
            **_template_members(template),
            **_claim_members(claim),
        )
    except ClientError as error:
        if "No updates are to be performed" in message_of(error):
            return False
        raise
    return True


def _template_members(template: str | TemplateUrl) -> _TemplateMembers:
    """The member of CloudFormation's calls that names or contains the template."""
    if isinstance(template, TemplateUrl):
        return {"TemplateURL": template.url}
    return {"TemplateBody": template}


def _claim_members(claim: Claim | None) -> _ClaimMembers:
    """The stack's tags, and the role with which CloudFormation acts. Without them: see Claim."""
    members: _ClaimMembers = {}
    if claim is not None:
        if claim.tags:
            members["Tags"] = [{"Key": key, "Value": value} for key, value in claim.tags.items()]
        if claim.role_arn:
            members["RoleARN"] = claim.role_arn
    return members


def _declared_parameters(client: CloudFormationClient, template: str | TemplateUrl) -> set[str]:
    summary = client.get_template_summary(**_template_members(template))
    return {parameter["ParameterKey"] for parameter in summary["Parameters"]}


def _parameter_list(parameters: Mapping[str, str]) -> list[ParameterTypeDef]:
    """The parameters in the format of CloudFormation's calls."""
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]


def _event_ids(client: CloudFormationClient, name: str) -> frozenset[str]:
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    return frozenset(event["EventId"] for event in events)


def _is_failure(event: StackEventTypeDef) -> bool:
    if not event.get("ResourceStatus", "").endswith("_FAILED"):
        return False
    # CloudFormation cancels the other resources when one fails.
    return "cancelled" not in event.get("ResourceStatusReason", "")


def _reason(event: StackEventTypeDef) -> str:
    return event.get("ResourceStatusReason", event["ResourceStatus"])


def _outputs(stack: StackTypeDef) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
