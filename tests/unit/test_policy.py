"""The IAM policy that `make backend` writes for a stage's function."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from deploy import policy
from deploy.chalice_config import RecordedBackend
from deploy.errors import DeploymentError
from tests.support.aws_calls import actions_of_the_service

RECORDED = RecordedBackend(
    "profiles", "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_Abc", "client"
)
OWN = {
    "Sid": "SendMail",
    "Effect": "Allow",
    "Action": "ses:SendEmail",
    "Resource": "*",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy file of the stage dev, which does not exist yet."""
    folder = tmp_path / ".chalice"
    folder.mkdir()
    config = {"app_name": "acme", "stages": {"dev": {}, "own": {"manage_iam_role": False}}}
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    return folder / "policy-dev.json"


def statements(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text())["Statement"]
    return {statement["Sid"]: statement for statement in found}


def test_the_function_may_call_what_it_calls_on_its_table_only(file: Path) -> None:
    assert policy.write("dev", RECORDED)
    data = statements(file)["ReadAndWriteProfiles"]
    assert set(data["Action"]) == actions_of_the_service(), "update the actions in deploy/policy.py"
    assert data["Resource"] == "arn:aws:dynamodb:eu-central-1:123456789012:table/profiles"


GROUP = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/"


@pytest.mark.parametrize(
    ("action", "resource", "is_allowed"),
    [
        ("logs:CreateLogGroup", f"{GROUP}acme-dev", True),
        ("logs:CreateLogStream", f"{GROUP}acme-dev:*", True),
        ("logs:PutLogEvents", f"{GROUP}acme-dev:log-stream:x", True),
        ("logs:CreateLogStream", f"{GROUP}acme-dev-api:*", True),
        ("logs:PutLogEvents", f"{GROUP}acme-dev-api:log-stream:x", True),
        # A late log line must not create the group of a deleted stack again.
        ("logs:CreateLogGroup", f"{GROUP}acme-dev-api", False),
        ("logs:CreateLogGroup", f"{GROUP}acme-dev-api:*", False),
        # Another stage, whose name begins alike.
        ("logs:CreateLogGroup", f"{GROUP}acme-dev-2", False),
        ("logs:PutLogEvents", f"{GROUP}acme-dev-2:log-stream:x", False),
        ("logs:PutLogEvents", f"{GROUP}acme-dev-2-api:log-stream:x", False),
    ],
)
def test_the_function_may_write_its_own_logs_only(
    file: Path, action: str, resource: str, is_allowed: bool
) -> None:
    policy.write("dev", RECORDED)
    allowed = any(
        action in statement["Action"] and fnmatchcase(resource, pattern)
        for statement in statements(file).values()
        for pattern in statement["Resource"]
    )
    assert allowed == is_allowed


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn"])
def test_the_arns_have_the_user_pools_partition(file: Path, partition: str) -> None:
    arn = RECORDED.user_pool_arn.replace("arn:aws:", f"arn:{partition}:")
    policy.write("dev", RecordedBackend("profiles", arn, ""))
    assert "arn:aws:" not in file.read_text()
    assert f"arn:{partition}:dynamodb:" in file.read_text()


def test_what_is_written_passes_the_check(file: Path) -> None:
    policy.write("dev", RECORDED)
    policy.check("dev", RECORDED)


def test_a_second_time_nothing_is_written(file: Path) -> None:
    policy.write("dev", RECORDED)
    before = file.read_bytes()
    assert not policy.write("dev", RECORDED)
    assert file.read_bytes() == before


def test_statements_of_the_team_are_kept(file: Path) -> None:
    policy.write("dev", RECORDED)
    document = json.loads(file.read_text())
    document["Statement"].append(OWN)
    file.write_text(json.dumps(document))
    policy.check("dev", RECORDED)

    other_table = RecordedBackend("restored", RECORDED.user_pool_arn, "")
    assert policy.write("dev", other_table)
    assert statements(file)["SendMail"] == OWN
    assert statements(file)["ReadAndWriteProfiles"]["Resource"].endswith(":table/restored")


def test_the_statement_of_earlier_versions_is_replaced(file: Path) -> None:
    """It allowed a stage to write the logs of any stage whose name begins alike."""
    earlier = {"Sid": "WriteOwnLogs", "Effect": "Allow", "Action": ["logs:*"], "Resource": "*"}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [earlier]}))
    assert policy.write("dev", RECORDED)
    assert "WriteOwnLogs" not in statements(file)


@pytest.mark.parametrize("missing", ["ReadAndWriteProfiles", "CreateLogGroup", "WriteLogs"])
def test_a_missing_statement_is_refused(file: Path, missing: str) -> None:
    policy.write("dev", RECORDED)
    document = json.loads(file.read_text())
    document["Statement"] = [part for part in document["Statement"] if part["Sid"] != missing]
    file.write_text(json.dumps(document))
    with pytest.raises(DeploymentError, match=f"{missing} .*make backend STAGE=dev"):
        policy.check("dev", RECORDED)


def test_statements_for_another_table_are_refused(file: Path) -> None:
    policy.write("dev", RECORDED)
    with pytest.raises(DeploymentError, match="the table restored"):
        policy.check("dev", RecordedBackend("restored", RECORDED.user_pool_arn, ""))


def test_a_role_of_the_teams_own_needs_no_policy_file(file: Path) -> None:
    policy.check("own", RECORDED)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"Statement": {}}', '{"Statement": ["x"]}'])
def test_a_broken_policy_file_is_explained_and_kept(file: Path, text: str) -> None:
    file.write_text(text)
    for use in (policy.check, policy.write):
        with pytest.raises(DeploymentError, match=r"policy-dev\.json"):
            use("dev", RECORDED)
    assert file.read_text() == text
