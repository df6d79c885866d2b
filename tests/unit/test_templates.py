"""The declarations for AWS: the backend's template, and the stages' settings and policies."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from chalice.config import Config

from deploy import backend as backend_stack
from deploy.packaging import TEMPLATE as API_TEMPLATE
from tests.support.dynamodb_calls import actions_of_the_service

ROOT = Path(__file__).parents[2]
CHALICE_FOLDER = ROOT / ".chalice"
SETTINGS: dict[str, Any] = json.loads((CHALICE_FOLDER / "config.json").read_text())
STAGES = list(SETTINGS["stages"])


class CloudFormationLoader(yaml.SafeLoader):
    """Reads !Ref X as {"Ref": "X"} and !Sub X as {"Fn::Sub": "X"}, as in JSON templates."""


def load_function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        assert isinstance(node, yaml.SequenceNode)
        value = loader.construct_sequence(node, deep=True)
    if name == "Ref":
        return {"Ref": value}
    return {f"Fn::{name}": value}


CloudFormationLoader.add_multi_constructor("!", load_function)


@pytest.fixture(scope="module")
def backend() -> dict[str, Any]:
    text = backend_stack.TEMPLATE.read_text()
    template: dict[str, Any] = yaml.load(text, Loader=CloudFormationLoader)  # noqa: S506
    return template


def test_cfn_lint_accepts_the_backend() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [cfn_lint, backend_stack.TEMPLATE], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["Table", "UserPool"])
def test_users_and_data_outlive_the_stack(backend: dict[str, Any], name: str) -> None:
    resource = backend["Resources"][name]
    assert resource["DeletionPolicy"] == "Retain"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_users_and_data_are_protected(backend: dict[str, Any]) -> None:
    table = backend["Resources"]["Table"]["Properties"]
    pool = backend["Resources"]["UserPool"]["Properties"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"]["Fn::If"][1:] == [True, False]
    assert pool["DeletionProtection"]["Fn::If"][1:] == ["ACTIVE", "INACTIVE"]
    assert backend["Parameters"]["DeletionProtection"]["Default"] == "true"


def test_the_app_client_is_safe_in_a_browser(backend: dict[str, Any]) -> None:
    client = backend["Resources"]["UserPoolClient"]["Properties"]
    assert client["GenerateSecret"] is False
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert client["EnableTokenRevocation"] is True
    assert client["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["AllowedOAuthFlows"]["Fn::If"][1:] == [["code", "implicit"], ["code"]]
    scopes = {"phone", "email", "openid", "profile", "aws.cognito.signin.user.admin"}
    assert set(client["AllowedOAuthScopes"]) == scopes


@pytest.mark.parametrize("suffix", ["a", "demo", "team-7", "x" * 20])
def test_a_domain_suffix_that_cognito_accepts(backend: dict[str, Any], suffix: str) -> None:
    assert re.fullmatch(backend["Parameters"]["DomainSuffix"]["AllowedPattern"], suffix)


@pytest.mark.parametrize(
    "suffix",
    ["", "-a", "a-", "Demo", "a_b", "a.b", "x" * 21, "aws", "my-aws-1", "amazonas", "cognito"],
)
def test_a_domain_suffix_that_cognito_refuses(backend: dict[str, Any], suffix: str) -> None:
    assert not re.fullmatch(backend["Parameters"]["DomainSuffix"]["AllowedPattern"], suffix)


@pytest.mark.parametrize(
    ("topic", "is_allowed"),
    [
        ("", True),
        ("arn:aws:sns:eu-central-1:123456789012:alarms", True),
        ("mail me", False),
        ("arn:aws:sqs:eu-central-1:123456789012:alarms", False),
    ],
)
def test_an_alarm_topic_is_the_arn_of_a_topic(topic: str, is_allowed: bool) -> None:
    parameter = json.loads(API_TEMPLATE.read_text())["Parameters"]["AlarmTopic"]
    assert bool(re.fullmatch(parameter["AllowedPattern"], topic)) == is_allowed


def test_the_outputs_are_those_that_deploy_reads(backend: dict[str, Any]) -> None:
    read_by_deploy = {"TableName", "UserPoolId", "UserPoolDomain"}
    recorded = set(backend_stack.OUTPUT_OF_VARIABLE.values())
    assert read_by_deploy | recorded | {"TableArn"} == set(backend["Outputs"])


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_may_call_what_it_calls_only(stage: str) -> None:
    """A team may add statements for its own resources."""
    file = policy_file(stage)
    name = file.relative_to(ROOT)
    statements = {found.get("Sid"): found for found in json.loads(file.read_text())["Statement"]}
    data = statements.pop("ReadAndWriteProfiles")
    assert data["Effect"] == "Allow"
    assert set(data["Action"]) == actions_of_the_service(), f"update the actions in {name}"
    assert data["Resource"] == f"arn:aws:dynamodb:*:*:table/{table_of(stage)}", (
        f"{name} must allow them on the table of the stage {stage}"
    )
    logs = statements.pop("WriteOwnLogs")
    assert logs["Effect"] == "Allow"
    log_actions = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert set(logs["Action"]) == log_actions
    own = f"arn:aws:logs:*:*:log-group:/aws/lambda/user-profile-{stage}"
    assert logs["Resource"] == [own, f"{own}:*", f"{own}-*"], (
        f"{name} must allow them on the logs of the stage {stage}"
    )
    for other in statements.values():
        assert not allows_database_calls(other, table_of(stage)), (
            f"{name}: only ReadAndWriteProfiles may allow calls on the table of profiles"
        )


def allows_database_calls(statement: dict[str, Any], table: str) -> bool:
    """Whether the statement is about calls of DynamoDB on the table."""
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"
    actions = as_list(statement["Action"])
    resources = as_list(statement["Resource"])
    is_about_dynamodb = any(action.startswith(("dynamodb:", "*")) for action in actions)
    return is_about_dynamodb and any(fnmatch(arn, resource) for resource in resources)


def as_list(value: str | list[str]) -> list[str]:
    """The strings of a member that may be a single string or a list of them."""
    if isinstance(value, str):
        return [value]
    return value


def table_of(stage: str) -> str:
    """The name of the stage's table, which `make backend` or an operator has recorded."""
    recorded: dict[str, str] = SETTINGS["stages"][stage].get("environment_variables", {})
    return recorded.get("DYNAMODB_TABLE", f"user-profile-{stage}")


def policy_file(stage: str) -> Path:
    name: str = SETTINGS["stages"][stage].get("iam_policy_file", f"policy-{stage}.json")
    return CHALICE_FOLDER / name


@pytest.mark.parametrize("stage", STAGES)
def test_chalice_uses_the_projects_policy(stage: str) -> None:
    config = Config(stage, config_from_disk=SETTINGS)
    assert config.autogen_policy is False
    assert config.app_name == "user-profile"
