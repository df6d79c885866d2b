"""What is declared for AWS: the backend's template, the stages' policies and settings."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from chalice.config import Config

ROOT = Path(__file__).parents[2]
STAGES = ("local", "dev", "prod")


class Intrinsics(yaml.SafeLoader):
    """Reads !Ref X as {"Ref": "X"} and !Sub X as {"Fn::Sub": "X"}."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        assert isinstance(node, yaml.SequenceNode)
        value = loader.construct_sequence(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Intrinsics.add_multi_constructor("!", _intrinsic)


@pytest.fixture(scope="module")
def backend() -> dict[str, Any]:
    template: dict[str, Any] = yaml.load(
        (ROOT / "resources" / "backend.yaml").read_text(), Loader=Intrinsics
    )
    return template


def test_cfn_lint_passes() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    found = subprocess.run(
        [cfn_lint, "resources/backend.yaml"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_what_users_stored_outlives_the_stack(backend: dict[str, Any]) -> None:
    for name in ("Table", "UserPool"):
        resource = backend["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    table, pool = (backend["Resources"][name]["Properties"] for name in ("Table", "UserPool"))
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"]["Fn::If"][1:] == [True, False]
    assert pool["DeletionProtection"]["Fn::If"][1:] == ["ACTIVE", "INACTIVE"]
    assert backend["Parameters"]["DeletionProtection"]["Default"] == "true"


def test_the_client_is_one_a_browser_may_have(backend: dict[str, Any]) -> None:
    client = backend["Resources"]["UserPoolClient"]["Properties"]
    assert client["GenerateSecret"] is False
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert client["EnableTokenRevocation"] is True
    assert client["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["AllowedOAuthFlows"]["Fn::If"][1:] == [["code", "implicit"], ["code"]]
    assert set(client["AllowedOAuthScopes"]) == {
        "phone",
        "email",
        "openid",
        "profile",
        "aws.cognito.signin.user.admin",
    }


@pytest.mark.parametrize("suffix", ["a", "demo", "team-7", "x" * 20])
def test_domain_suffixes_that_cognito_takes(backend: dict[str, Any], suffix: str) -> None:
    assert re.fullmatch(backend["Parameters"]["DomainSuffix"]["AllowedPattern"], suffix)


@pytest.mark.parametrize(
    "suffix",
    ["", "-a", "a-", "Demo", "a_b", "a.b", "x" * 21, "aws", "my-aws-1", "amazonas", "cognito"],
)
def test_domain_suffixes_that_cognito_refuses(backend: dict[str, Any], suffix: str) -> None:
    assert not re.fullmatch(backend["Parameters"]["DomainSuffix"]["AllowedPattern"], suffix)


def test_the_outputs_are_what_the_other_parts_read(backend: dict[str, Any]) -> None:
    expected = {
        "TableName",
        "TableArn",
        "UserPoolId",
        "UserPoolArn",
        "UserPoolClientId",
        "UserPoolDomain",
    }
    assert set(backend["Outputs"]) == expected


def calls_of_the_store() -> set[str]:
    """The DynamoDB calls that store.py makes, as IAM actions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "chalicelib" / "store.py").read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Attribute)
            and node.func.value.attr == "client"
            and ast.unparse(node.func.value) == "self.client"
        ):
            found.add("dynamodb:" + node.func.attr.title().replace("_", ""))
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_may_do_what_the_store_does_and_nothing_else(stage: str) -> None:
    settings = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"][stage]
    policy = json.loads((ROOT / ".chalice" / settings["iam_policy_file"]).read_text())
    data, logs = policy["Statement"]
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Allow"}
    assert set(data["Action"]) == calls_of_the_store()
    assert data["Resource"] == f"arn:aws:dynamodb:*:*:table/user-profile-{stage}"
    assert set(logs["Action"]) == {
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    own = f"arn:aws:logs:*:*:log-group:/aws/lambda/user-profile-{stage}"
    assert logs["Resource"] == [own, f"{own}:*", f"{own}-*"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_stages_are_what_chalice_reads_them_as(stage: str) -> None:
    config = Config(
        stage, config_from_disk=json.loads((ROOT / ".chalice" / "config.json").read_text())
    )
    assert config.autogen_policy is False
    assert config.app_name == "user-profile"
    assert config.lambda_timeout is not None
    # botocore's worst case (tests/store) < the function's timeout < API Gateway's 29 s
    assert 14 < config.lambda_timeout < 29
