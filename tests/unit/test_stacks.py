"""Unusual responses of CloudFormation: refusals, failed stacks, changes by another user."""

from collections.abc import Sequence
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import stacks
from deploy.errors import DeploymentError

NAME = "some-stack"


class FakeCloudFormation:
    """Has one stack, whose status is the next of `statuses` at each call; the last one stays."""

    def __init__(self, statuses: Sequence[str]) -> None:
        self._statuses = list(statuses)

    def describe_stacks(self, **_: str) -> Any:
        status = self._statuses[0]
        if len(self._statuses) > 1:
            self._statuses.pop(0)
        return {"Stacks": [{"StackName": NAME, "StackStatus": status, "Outputs": []}]}

    def describe_stack_events(self, **_: str) -> Any:
        return {"StackEvents": []}

    def get_template_summary(self, **_: str) -> Any:
        return {"Parameters": []}

    def update_stack(self, **_: object) -> None:
        error = {"Code": "ValidationError", "Message": "No updates are to be performed."}
        raise ClientError({"Error": error}, "UpdateStack")  # type: ignore[typeddict-item]


@pytest.fixture
def steps() -> list[str]:
    """The steps that are reported."""
    return []


def cloudformation_is(fake: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda _: fake)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_COMPLETE", "make destroy-backend for a backend"),
        ("ROLLBACK_FAILED", "make destroy-backend for a backend"),
        ("REVIEW_IN_PROGRESS", "Nothing was changed"),
        ("UPDATE_FAILED", "Nothing was changed"),
        ("DELETE_FAILED", "Nothing was changed"),
        ("UPDATE_ROLLBACK_FAILED", f"continue-update-rollback --stack-name {NAME}"),
    ],
)
def test_a_stack_that_cannot_be_updated_comes_with_advice(
    monkeypatch: pytest.MonkeyPatch, steps: list[str], status: str, advice: str
) -> None:
    cloudformation_is(FakeCloudFormation([status]), monkeypatch)
    with pytest.raises(DeploymentError, match=advice):
        stacks.deploy(NAME, "{}", {}, steps.append)


def test_a_change_by_somebody_else_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    statuses = ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    cloudformation_is(FakeCloudFormation(statuses), monkeypatch)
    assert stacks.deploy(NAME, "{}", {}, steps.append) == {}
    (step,) = steps
    assert "in progress" in step


def test_the_first_failure_is_named_after_a_long_rollback(
    monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    """CloudFormation returns the newest 100 events of a stack."""

    def event(resource: str, status: str, reason: str) -> dict[str, str]:
        names = {"EventId": f"{resource}-{status}", "LogicalResourceId": resource}
        return {**names, "ResourceStatus": status, "ResourceStatusReason": reason}

    class FailedCloudFormation(FakeCloudFormation):
        pages: ClassVar = [
            [],  # before the update
            [event("Table", "UPDATE_FAILED", "no permission")],
            [event(f"Alarm{number}", "DELETE_COMPLETE", "") for number in range(100)],
        ]

        def describe_stack_events(self, **_: str) -> Any:
            return {"StackEvents": self.pages.pop(0)}

        def update_stack(self, **_: object) -> None:
            return

    statuses = ["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    cloudformation_is(FailedCloudFormation(statuses), monkeypatch)
    with pytest.raises(DeploymentError, match="Table: no permission"):
        stacks.deploy(NAME, "{}", {}, steps.append)
    assert len(steps) == 100


class ChangedCloudFormation(FakeCloudFormation):
    """Records the arguments of each change of its stack."""

    def __init__(self, statuses: Sequence[str]) -> None:
        super().__init__(statuses)
        self.changes: list[dict[str, Any]] = []

    def describe_stacks(self, **_: str) -> Any:
        if self._statuses[0] == "":
            self._statuses.pop(0)
            error = {"Code": "ValidationError", "Message": f"Stack {NAME} does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")  # type: ignore[typeddict-item]
        found = super().describe_stacks()
        found["Stacks"][0]["StackId"] = "id"
        return found

    def create_stack(self, **arguments: Any) -> None:
        self.changes.append(arguments)

    def update_stack(self, **arguments: Any) -> None:
        self.changes.append(arguments)

    def delete_stack(self, **arguments: Any) -> None:
        self.changes.append(arguments)


@pytest.mark.parametrize(("status", "stack_id"), [("", None), ("UPDATE_COMPLETE", "id")])
@pytest.mark.parametrize("role", ["arn:aws:iam::123456789012:role/cloudformation", ""])
def test_cloudformation_acts_with_the_given_role(
    monkeypatch: pytest.MonkeyPatch, status: str, stack_id: str | None, role: str
) -> None:
    """Without one, the request has no member RoleARN: CloudFormation uses the role it remembers."""
    fake = ChangedCloudFormation([status, "UPDATE_COMPLETE"])
    cloudformation_is(fake, monkeypatch)
    claim = stacks.Claim(stack_id, {}, role)
    stacks.deploy(NAME, "{}", {}, lambda _: None, claim)
    (change,) = fake.changes
    assert change.get("RoleARN", "") == role


@pytest.mark.parametrize("role", ["arn:aws:iam::123456789012:role/cloudformation", ""])
def test_cloudformation_deletes_with_the_given_role(
    monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    fake = ChangedCloudFormation(["UPDATE_COMPLETE", "DELETE_COMPLETE"])
    cloudformation_is(fake, monkeypatch)
    assert stacks.delete(NAME, lambda _: None, role)
    (change,) = fake.changes
    assert change.get("RoleARN", "") == role


def test_a_template_in_s3_is_passed_by_its_address(
    monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    class RecordingCloudFormation(FakeCloudFormation):
        def get_template_summary(self, **request: str) -> Any:
            assert request == {"TemplateURL": "https://s3.example/template.json"}
            return super().get_template_summary()

        def update_stack(self, **request: object) -> None:
            assert request["TemplateURL"] == "https://s3.example/template.json"
            assert "TemplateBody" not in request
            super().update_stack()

    cloudformation_is(RecordingCloudFormation(["UPDATE_COMPLETE"]), monkeypatch)
    template = stacks.TemplateUrl("https://s3.example/template.json")
    assert stacks.deploy(NAME, template, {}, steps.append) == {}


def test_a_refusal_is_not_taken_for_an_absent_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    class RefusingCloudFormation:
        def describe_stacks(self, **_: str) -> None:
            error = {"Code": "AccessDenied", "Message": "not you"}
            raise ClientError({"Error": error}, "DescribeStacks")  # type: ignore[typeddict-item]

    cloudformation_is(RefusingCloudFormation(), monkeypatch)
    with pytest.raises(DeploymentError, match="not you"):
        stacks.outputs(NAME)


def test_an_aws_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(DeploymentError, match="Could not connect"):
        stacks.outputs(NAME)


def test_without_a_region_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DeploymentError, match="export AWS_DEFAULT_REGION="):
        stacks.outputs(NAME)
