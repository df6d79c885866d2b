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


def choose(file: Path, **variables: str) -> None:
    """Set environment variables of the stage dev."""
    config_file = file.with_name("config.json")
    config = json.loads(config_file.read_text())
    config["stages"]["dev"]["environment_variables"] = variables
    config_file.write_text(json.dumps(config))


def actions_on(file: Path, resource: str) -> set[str]:
    """The actions that the policy allows on a resource."""
    return {
        action
        for statement in statements(file).values()
        for action in statement["Action"]
        if resource in statement["Resource"]
    }


TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/profiles"
ERASURE_ON = {"ERASURE": "account"}
EVERY_ROUTE = {"ERASURE": "account", "PUBLIC_FIELDS": "name"}
READ_AND_WRITE = {
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
}
ERASE = {"cognito-idp:AdminDeleteUser", "cognito-idp:ListUsers"}


def test_the_function_may_call_what_it_calls(file: Path) -> None:
    choose(file, **EVERY_ROUTE)
    assert policy.write("dev", RECORDED)
    needed = actions_of_the_service("dynamodb")
    assert actions_on(file, TABLE) == needed, "update the actions in deploy/policy.py"
    needed = actions_of_the_service("cognito-idp")
    assert actions_on(file, RECORDED.user_pool_arn) == needed, "update deploy/policy.py"
    every_own_id = set(policy.OWN_IDS)
    assert every_own_id == {*statements(file), "WriteOwnLogs"}, "update OWN_IDS"


@pytest.mark.parametrize(
    ("settings", "on_the_table", "on_the_pool"),
    [
        ({}, READ_AND_WRITE, set()),
        ({"ERASURE": "off", "PUBLIC_FIELDS": ""}, READ_AND_WRITE, set()),
        ({"PUBLIC_FIELDS": " , "}, READ_AND_WRITE, set()),
        ({"PUBLIC_FIELDS": "name"}, READ_AND_WRITE | {"dynamodb:BatchGetItem"}, set()),
        ({"ERASURE": "account"}, READ_AND_WRITE | {"dynamodb:PutItem"}, ERASE),
    ],
)
def test_the_function_may_do_what_its_settings_need_only(
    file: Path, settings: dict[str, str], on_the_table: set[str], on_the_pool: set[str]
) -> None:
    choose(file, **settings)
    policy.write("dev", RECORDED)
    assert actions_on(file, TABLE) == on_the_table
    assert actions_on(file, RECORDED.user_pool_arn) == on_the_pool
    assert "*" not in [statement["Resource"] for statement in statements(file).values()]


def test_rights_that_are_not_needed_any_more_are_removed(file: Path) -> None:
    choose(file, **EVERY_ROUTE)
    policy.write("dev", RECORDED)
    choose(file, ERASURE="off")
    policy.check("dev", RECORDED)
    assert policy.write("dev", RECORDED)
    assert set(statements(file)) == {"ReadAndWriteProfiles", "CreateLogGroup", "WriteLogs"}


def test_rights_that_are_not_needed_cause_a_warning(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has turned erasure off and has not run make backend."""
    choose(file, **ERASURE_ON)
    policy.write("dev", RECORDED)
    policy.warn_of_unneeded_rights("dev", RECORDED)
    assert capsys.readouterr().err == ""
    choose(file, ERASURE="off")
    policy.warn_of_unneeded_rights("dev", RECORDED)
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 2
    assert "cognito-idp:AdminDeleteUser" in warnings[1]
    assert "make backend STAGE=dev" in warnings[1]


def test_statements_of_the_team_cause_no_warning(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write("dev", RECORDED)
    document = json.loads(file.read_text())
    document["Statement"].append(OWN)
    file.write_text(json.dumps(document))
    policy.warn_of_unneeded_rights("dev", RECORDED)
    policy.warn_of_unneeded_rights("own", RECORDED)
    assert capsys.readouterr().err == ""


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


ANY_TABLE = "arn:aws:dynamodb:*:*:table/acme-dev"
FIRST_LOGS = {"Sid": "WriteOwnLogs", "Effect": "Allow", "Action": ["logs:*"], "Resource": ["*"]}
EARLIER_POLICIES: dict[str, list[dict[str, Any]]] = {
    "GET and POST": [
        {
            "Sid": "ReadAndWriteProfiles",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": ANY_TABLE,
        },
        FIRST_LOGS,
    ],
    "PUT, PATCH and DELETE": [
        {
            "Sid": "ReadAndWriteProfiles",
            "Effect": "Allow",
            "Action": ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": ANY_TABLE,
        },
        FIRST_LOGS,
    ],
    "exact ARNs": [
        {
            "Sid": "ReadAndWriteProfiles",
            "Effect": "Allow",
            "Action": ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": TABLE,
        },
    ],
}
"""The statements that earlier versions of the project had."""


@pytest.mark.parametrize("name", EARLIER_POLICIES)
def test_after_an_update_make_backend_is_advised(file: Path, name: str) -> None:
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": EARLIER_POLICIES[name]}))
    with pytest.raises(DeploymentError, match="make backend STAGE=dev"):
        policy.check("dev", RECORDED)
    assert policy.write("dev", RECORDED)
    policy.check("dev", RECORDED)
    assert set(statements(file)) == {"ReadAndWriteProfiles", "CreateLogGroup", "WriteLogs"}


@pytest.mark.parametrize("setting", [{"ERASURE": "account"}, {"PUBLIC_FIELDS": "name"}])
def test_a_new_setting_needs_make_backend_first(file: Path, setting: dict[str, str]) -> None:
    policy.write("dev", RECORDED)
    choose(file, **setting)
    with pytest.raises(DeploymentError, match="make backend STAGE=dev"):
        policy.check("dev", RECORDED)
    policy.write("dev", RECORDED)
    policy.check("dev", RECORDED)


@pytest.mark.parametrize("missing", [sid for sid in policy.OWN_IDS if sid != "WriteOwnLogs"])
def test_a_missing_statement_is_refused(file: Path, missing: str) -> None:
    choose(file, **EVERY_ROUTE)
    policy.write("dev", RECORDED)
    document = json.loads(file.read_text())
    document["Statement"] = [part for part in document["Statement"] if part["Sid"] != missing]
    file.write_text(json.dumps(document))
    with pytest.raises(DeploymentError, match=f"{missing}, .*make backend STAGE=dev"):
        policy.check("dev", RECORDED)


def test_a_missing_policy_file_is_explained(file: Path) -> None:
    with pytest.raises(DeploymentError) as refused:
        policy.check("dev", RECORDED)
    message = str(refused.value)
    assert message.startswith("there is no .chalice/policy-dev.json with the statements ")
    assert "make backend STAGE=dev" in message


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
