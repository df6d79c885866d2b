"""The logs of a deployed API, which can outlive it, and API Gateway's role for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy import api_logs, ownership, packaging, stacks
from tests.deployed.conftest import Clone

STAGE = "dev"


@pytest.fixture
def deployed(clone: Clone) -> Clone:
    """A clone whose stage dev is deployed."""
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    return clone


def groups_of(clone: Clone) -> dict[str, dict[str, Any]]:
    """The log groups of the stage that exist, by their resources' names."""
    found = {}
    for resource, name in api_logs.group_names(f"{clone.app_name}-{STAGE}").items():
        groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        for group in groups:
            found[resource] = dict(group)
    return found


def test_logs_are_deleted_with_the_api(deployed: Clone) -> None:
    assert set(groups_of(deployed)) == set(api_logs.GROUPS)
    output = deployed.run("destroy", STAGE)
    assert groups_of(deployed) == {}
    assert "Kept" not in output


def test_kept_logs_are_used_by_the_next_deployment(deployed: Clone) -> None:
    group = groups_of(deployed)["FunctionLogs"]["logGroupName"]
    boto3.client("logs").create_log_stream(logGroupName=group, logStreamName="earlier")
    output = deployed.run("destroy", STAGE, "--keep-logs=yes")
    assert f"Kept: the log group {group}. The next make deploy uses it." in output

    output = deployed.run("deploy", STAGE, OPTION_PARAMETERS="LogRetentionDays=90")
    assert f"the log group {group} exists and is used" in output
    groups = groups_of(deployed)
    assert {name: found["retentionInDays"] for name, found in groups.items()} == {
        "FunctionLogs": 90,
        "AccessLogs": 90,
    }
    streams = boto3.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert "earlier" in [stream["logStreamName"] for stream in streams]
    deployed.run("deploy", STAGE)  # an update keeps the groups, too
    assert set(groups_of(deployed)) == set(api_logs.GROUPS)

    deployed.run("destroy", STAGE)
    assert groups_of(deployed) == {}


def test_an_interrupted_deletion_of_logs_is_completed(deployed: Clone) -> None:
    stacks.delete(f"{deployed.app_name}-{STAGE}", print)
    assert set(groups_of(deployed)) == set(api_logs.GROUPS)
    deployed.run("destroy", STAGE)
    assert groups_of(deployed) == {}


def test_late_lines_do_not_block_the_next_deployment(clone: Clone) -> None:
    """API Gateway may make the log group of a deleted API again, without tags."""
    clone.run("backend", STAGE)
    name = api_logs.group_names(f"{clone.app_name}-{STAGE}")["AccessLogs"]
    boto3.client("logs").create_log_group(logGroupName=name)
    output = clone.run("deploy", STAGE)
    assert f"Note: the log group {name} was not made by this project" in output
    assert f"put-retention-policy --log-group-name {name} --retention-in-days 30" in output
    assert "retentionInDays" not in groups_of(clone)["AccessLogs"]
    output = clone.run("destroy", STAGE)
    assert f"Kept: the log group {name}" in output
    assert set(groups_of(clone)) == {"AccessLogs"}


def test_logs_of_an_earlier_version_are_kept_after_an_update(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier template did not retain the log groups."""
    template = json.loads(packaging.TEMPLATE.read_text())
    for resource in api_logs.GROUPS:
        del template["Resources"][resource]["DeletionPolicy"]
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(template))
    clone.run("backend", STAGE)
    with monkeypatch.context() as patch:
        patch.setattr(packaging, "TEMPLATE", earlier)
        clone.run("deploy", STAGE)
    error = clone.error("destroy", STAGE, "--keep-logs=yes")
    assert f"Run make deploy STAGE={STAGE} first" in error
    assert clone.stack(STAGE) is not None
    clone.run("deploy", STAGE)
    clone.run("destroy", STAGE, "--keep-logs=yes")
    assert set(groups_of(clone)) == set(api_logs.GROUPS)


def test_kept_logs_of_an_adopted_stack_are_deleted_later(
    deployed: Clone, new_clone: Callable[..., Clone]
) -> None:
    """They have the tags of the stack's first owner."""
    second = new_clone(deployed.app_name)
    second.run("backend", STAGE, "--adopt=yes")
    second.run("backend", STAGE)
    second.run("destroy", STAGE, "--keep-logs=yes")
    assert set(groups_of(second)) == set(api_logs.GROUPS)
    second.run("destroy", STAGE)
    assert groups_of(second) == {}


@pytest.fixture
def account_without_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """API Gateway has no role for logs in the account."""
    boto3.client("apigateway").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}]
    )


def test_api_gateway_gets_a_role_for_logs(clone: Clone, account_without_role: None) -> None:
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    arn = boto3.client("apigateway").get_account()["cloudwatchRoleArn"]
    name = f"{clone.app_name}-api-gateway-logs"
    assert arn.endswith(f"role/{name}")
    iam = boto3.client("iam")
    (policy,) = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert policy["PolicyName"] == "AmazonAPIGatewayPushToCloudWatchLogs"
    tags = iam.list_role_tags(RoleName=name)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        ownership.APP_TAG: clone.app_name,
        ownership.OWNER_TAG: clone.config["owner_id"],
    }
    clone.run("destroy", STAGE)
    assert boto3.client("apigateway").get_account()["cloudwatchRoleArn"] == arn
