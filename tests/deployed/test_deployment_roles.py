"""The commands with the permissions of resources/deployment-roles.yaml, and no others.

The emulator runs with AUTH=true, which evaluates IAM policies for the calls of the commands. It
does not for the calls of CloudFormation: see tests/unit/test_deployment_roles.py.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy import chalice_config, template
from local import environment
from local.emulator import emulator
from tests.deployed.conftest import NOT_INHERITED, Account
from tests.deployed.test_commands import NO_PREFLIGHT_HEADERS
from tests.deployed.test_users import StrictCloud, put_gateway_responses
from tests.support.clone import copy_of_the_project
from tests.support.documents import DOCS, blocks
from tests.support.users import PASSWORD

STAGE = "dev"
TEMPLATE = Path(__file__).parents[2] / "resources" / "deployment-roles.yaml"


@dataclass(frozen=True)
class StrictAccount:
    """An AWS account that evaluates IAM policies, with the roles of the stage dev."""

    folder: Path
    variables: dict[str, str]
    outputs: dict[str, str]
    """Of the stack of the roles."""

    @property
    def administrator(self) -> boto3.session.Session:
        """ministack lets the key `test` do everything."""
        return boto3.session.Session("test", "test", region_name="us-east-1")

    def client(self, service: str) -> Any:
        """A client with an administrator's credentials."""
        session: Any = self.administrator
        return session.client(service, endpoint_url=self.variables["AWS_ENDPOINT_URL"])

    def shell_of_new_user(self, *policies: str) -> Account:
        """A shell that is signed in as an IAM user with these policies of the stack."""
        iam = self.client("iam")
        name = "-".join(["user", *policies])
        iam.create_user(UserName=name)
        for policy in policies:
            iam.attach_user_policy(UserName=name, PolicyArn=self.outputs[policy])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        credentials = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        return Account(self.folder, self.variables | credentials)

    @property
    def role(self) -> str:
        return f"ROLE_ARN={self.outputs['CloudFormationRoleArn']}"


@pytest.fixture(scope="module")
def strict_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictAccount]:
    folder = tmp_path_factory.mktemp("roles")
    project = copy_of_the_project(folder / "user-profile")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", *NOT_INHERITED))
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTH", "true")
        with emulator(0, folder / "state") as running:
            variables = inherited | environment.for_endpoint(running.port)
            account = StrictAccount(project, variables, {})
            account.outputs.update(deploy_roles(account))
            make_bucket_for_http(account)
            yield account


def make_bucket_for_http(account: StrictAccount) -> None:
    """Make the bucket of packages, which `make deploy` then uses as it is.

    The emulator has no TLS, which `make deploy` requires for a bucket that it makes.
    """
    account.client("s3").create_bucket(Bucket="user-profile-packages-000000000000-us-east-1")


def deploy_roles(account: StrictAccount) -> dict[str, str]:
    """Deploy the roles with the documented parameters; return the outputs of the stack."""
    documented = blocks(DOCS / "deploying-from-ci.md")
    text = next(block.text for block in documented if block.heading == "The roles")
    command = shlex.split(text.replace("\\\n", " "))
    name = command[command.index("--stack-name") + 1]
    given = command[command.index("--parameter-overrides") + 1 :]
    parameters = {
        **dict(argument.split("=", 1) for argument in given),
        "Stage": STAGE,
        "CustomDomain": "api.example.com",
    }
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template_without_tags_of_user_pools()),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1}
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def template_without_tags_of_user_pools() -> dict[str, Any]:
    """The template without conditions that ministack 1.5.33 does not evaluate."""
    loaded = template.load(TEMPLATE.read_text(), TEMPLATE.name)
    for resource in loaded["Resources"].values():
        for statement in resource["Properties"].get("PolicyDocument", {}).get("Statement", []):
            condition = json.dumps(statement.get("Condition"))
            if "aws:ResourceTag" in condition or "iam:PolicyARN" in condition:
                del statement["Condition"]
    return loaded


@pytest.fixture(scope="module")
def ci(strict_account: StrictAccount) -> Account:
    """A shell with the permissions of the CI job."""
    return strict_account.shell_of_new_user("DeployerPolicyArn")


@pytest.fixture(scope="module")
def operator(strict_account: StrictAccount) -> Account:
    """A shell with the permissions of a person who operates the stage."""
    return strict_account.shell_of_new_user("DeployerPolicyArn", "OperatorPolicyArn")


@pytest.fixture(scope="module")
def deployed_by_ci(strict_account: StrictAccount, ci: Account) -> str:
    """The stage, deployed with the permissions of CI. The output of `make deploy`."""
    ci.make("backend", f"STAGE={STAGE}", strict_account.role)
    boundary = f"PERMISSIONS_BOUNDARY={strict_account.outputs['BoundaryArn']}"
    return ci.make("deploy", f"STAGE={STAGE}", strict_account.role, boundary)


def error(shell: Account, *arguments: str) -> str:
    """Run `make`, which must fail; return its message."""
    done = shell.run("make", "-s", *arguments)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_ci_may_deploy_and_update_the_stage(
    strict_account: StrictAccount, ci: Account, deployed_by_ci: str
) -> None:
    assert "The API is at" in deployed_by_ci
    assert "it lacks the tags" in deployed_by_ci, "CI may read the tags of the bucket"
    assert "Nothing to record" in ci.make("backend", f"STAGE={STAGE}", strict_account.role)
    with ci.stages_changed() as stages:
        stages.update(STAGE, ERASURE_MAX_SIGN_IN_AGE="300")
        assert "The API is at" in ci.make("deploy", f"STAGE={STAGE}", strict_account.role)
    cloudformation = strict_account.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=f"user-profile-{STAGE}")["Stacks"]
    parameters = {row["ParameterKey"]: row["ParameterValue"] for row in stack["Parameters"]}
    assert parameters["PermissionsBoundary"] == strict_account.outputs["BoundaryArn"]


@pytest.mark.usefixtures("deployed_by_ci")
def test_ci_may_check_the_deployment(strict_account: StrictAccount, ci: Account) -> None:
    cloud = StrictCloud(strict_account.administrator, strict_account.variables, {})
    cloud.outputs.update(cloud.outputs_of(f"user-profile-{STAGE}"))
    put_gateway_responses(cloud)
    cognito = strict_account.client("cognito-idp")
    user = {"UserPoolId": pool_id(ci), "Username": "smoke@example.com"}
    cognito.admin_create_user(**user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
    done = ci.run(
        "make", "-s", "smoke", f"STAGE={STAGE}", "EMAIL=smoke@example.com", f"PASSWORD={PASSWORD}"
    )
    failed = re.findall(r"^  (\S.*?\S)  +FAILED", done.stdout, re.MULTILINE)
    assert failed == [NO_PREFLIGHT_HEADERS], done.stdout + done.stderr


def pool_id(shell: Account) -> str:
    """The id of the user pool that the stage records."""
    return chalice_config.pool_id_of(shell.environment(STAGE))


@pytest.mark.usefixtures("deployed_by_ci")
def test_ci_may_not_delete_the_stage_or_read_its_users(ci: Account) -> None:
    assert "DeleteStack" in error(ci, "destroy", f"STAGE={STAGE}")
    assert "Scan" in error(ci, "export", f"STAGE={STAGE}", "FILE=users.jsonl")
    assert "ListUsers" in error(ci, "user", f"STAGE={STAGE}", "ACCOUNT=ada@example.com")
    assert "FilterLogEvents" in error(ci, "logs", f"STAGE={STAGE}")


def test_ci_may_not_deploy_another_stage(strict_account: StrictAccount, ci: Account) -> None:
    assert "DescribeStacks" in error(ci, "backend", "STAGE=prod", strict_account.role)


def test_a_user_without_the_policies_may_do_nothing(strict_account: StrictAccount) -> None:
    stranger = strict_account.shell_of_new_user()
    assert "AWS refused" in error(stranger, "backend", f"STAGE={STAGE}", strict_account.role)


@pytest.mark.usefixtures("deployed_by_ci")
def test_an_operator_may_move_data_and_remove_the_stage(
    strict_account: StrictAccount, operator: Account
) -> None:
    """The last test of this file: it removes the stage."""
    cognito = strict_account.client("cognito-idp")
    cognito.admin_create_user(UserPoolId=pool_id(operator), Username="ada@example.com")
    stage = f"STAGE={STAGE}"
    file = "FILE=profiles.jsonl"
    sub = "5a1f8f9e-8bc5-4f1e-9d0e-6f3f2b9c0d11"
    line = f'{{"kind": "profile", "sub": "{sub}", "profile_data": {{"name": "Ada"}}}}\n'
    (operator.folder / "profiles.jsonl").write_text(line)
    operator.make("logs", stage)
    operator.make("import", stage, file, "ANY_SUB=yes")
    operator.make("export", stage, file, "OVERWRITE=yes")
    assert sub in operator.make("orphans", stage)
    removed = operator.run("sh", "-c", f"echo 1 | make -s orphans {stage} DELETE=1")
    assert removed.returncode == 0, removed.stderr
    assert "is deleted" in operator.make("destroy", stage, strict_account.role)
    output = operator.make("destroy-backend", stage, f"CONFIRM={STAGE}", strict_account.role)
    assert "is deleted" in output
