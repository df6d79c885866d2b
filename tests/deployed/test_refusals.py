"""Refusals of the commands of deploy/, before anything is changed, and their advice."""

import os
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from deploy import chalice_config, stacks
from tests.deployed.conftest import Account, Clone, Shell
from tests.support.cloud import Cloud

APP = chalice_config.app_name()


@dataclass(frozen=True)
class Refusal:
    """A command that cannot succeed, and a part of its error message."""

    command: tuple[str, ...]
    message: str
    variables: dict[str, str] = field(default_factory=dict)


NOWHERE = "http://127.0.0.1:9/api"
REFUSALS = {
    "no stage": Refusal(("backend", ""), "make backend STAGE=dev"),
    "an unknown stage": Refusal(("deploy", "nowhere"), "'nowhere'"),
    "the local stage": Refusal(("deploy", "local"), "make local"),
    "no credentials": Refusal(
        ("backend", "dev"),
        "aws configure",
        {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
    ),
    "an unknown AWS profile": Refusal(
        ("deploy", "dev"), "(nope) could not be found", {"AWS_PROFILE": "nope"}
    ),
    "an unknown AWS profile at first": Refusal(
        ("backend", "prod"), "(nope) could not be found", {"AWS_PROFILE": "nope"}
    ),
    "an unknown region": Refusal(
        ("backend", "prod"), "mars-1", {"AWS_DEFAULT_REGION": "mars-1", "AWS_REGION": "mars-1"}
    ),
    "another region": Refusal(
        ("deploy", "dev"), "AWS_DEFAULT_REGION=us-east-1", {"AWS_DEFAULT_REGION": "eu-west-1"}
    ),
    "a partition without support": Refusal(
        ("backend", "prod"), "aws-eusc", {"AWS_DEFAULT_REGION": "eusc-de-east-1"}
    ),
    "a partition without Cognito": Refusal(
        ("backend", "prod"), "aws-iso", {"AWS_DEFAULT_REGION": "us-iso-east-1"}
    ),
    "another word than yes": Refusal(("backend", "prod", "--adopt=true"), "ADOPT=yes"),
    "a gateway that Chalice did not make": Refusal(
        ("gateway", "dev"), "chalice deploy --stage dev"
    ),
    "smoke of a stage without an API": Refusal(("smoke", "--stage=prod"), "make deploy STAGE=prod"),
    "smoke without a URL": Refusal(("smoke",), "make smoke URL="),
    "smoke without a user": Refusal(("smoke", f"--url={NOWHERE}"), "TOKEN="),
    "smoke without a backend": Refusal(
        ("smoke", f"--url={NOWHERE}", "--stage=prod"),
        "make backend STAGE=prod",
        {"OPTION_EMAIL": "ada@example.com", "OPTION_PASSWORD": "x"},
    ),
    "smoke of a URL without a server": Refusal(
        ("smoke", f"--url={NOWHERE}"), NOWHERE, {"OPTION_TOKEN": "a.b.c"}
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_command_that_cannot_succeed_is_refused(
    account: Account, dev_backend: Cloud, shell: Shell, name: str
) -> None:
    refusal = REFUSALS[name]
    with account.stages_changed() as stages:
        stages.set("prod", {})
        assert refusal.message in shell.error(*refusal.command, **refusal.variables)


def test_make_shows_the_error_and_fails(account: Account) -> None:
    done = account.run("make", "-s", "deploy")
    assert done.returncode != 0
    first_line = done.stderr.splitlines()[0]
    assert first_line.startswith("error: ")
    assert "make deploy STAGE=dev" in first_line


@pytest.mark.parametrize("command", ["backend", "deploy", "destroy"])
def test_a_backend_in_another_account_is_left_alone(
    account: Account, dev_backend: Cloud, shell: Shell, command: str
) -> None:
    arn = dev_backend.outputs["UserPoolArn"].replace(":000000000000:", ":111111111111:")
    with account.stages_changed() as stages:
        stages.update("dev", USER_POOL_ARN=arn)
        assert "111111111111" in shell.error(command, "dev")


@pytest.mark.parametrize("name", ["config", "policy-dev"])
def test_nothing_is_deployed_that_cannot_be_recorded(clone: Clone, name: str) -> None:
    """A folder has the name of the temporary file: nobody can write it, not even root."""
    (clone.folder / ".chalice" / f".{name}.json.{os.getpid()}").mkdir()
    before = clone.snapshot()
    assert f"cannot write .chalice/{name}.json" in clone.error("backend", "dev")
    assert clone.stack("dev-backend") is None
    assert clone.snapshot() == before


@pytest.mark.parametrize("name", ["config", "policy-dev"])
def test_nothing_is_deployed_with_a_broken_file(clone: Clone, name: str) -> None:
    app_name = clone.app_name
    (clone.folder / ".chalice" / f"{name}.json").write_text("{")
    before = clone.snapshot()
    assert f"cannot read .chalice/{name}.json" in clone.error("backend", "dev")
    assert stacks.describe(f"{app_name}-dev-backend") is None
    assert clone.snapshot() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"manage_iam_role": False}, "iam_role_arn"),
        ({"autogen_policy": True}, "autogen_policy must be false"),
        ({"iam_policy_file": 5}, "iam_policy_file of the stage dev"),
        ({"api_gateway_endpoint_type": "PRIVATE"}, "does not support private APIs"),
    ],
)
def test_settings_with_which_no_request_would_succeed(
    clone: Clone, settings: dict[str, Any], message: str
) -> None:
    clone.run("backend", "dev")
    clone.set_stage("dev", **settings)
    for command in ("package", "deploy"):
        assert message in clone.error(command, "dev")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--alarm-topic=foo", "It must be the ARN of an SNS topic, or empty."),
        ("--alarm-topic=arn:aws:sns:eu-west-1:000000000000:alarms", "choose one in us-east-1"),
        ("--permissions-boundary=foo", "It must be the ARN of an IAM policy, or empty."),
        ("--parameters=ThrottleRate=0", "It must be a whole number from 1."),
    ],
)
def test_a_wrong_value_is_refused_before_the_upload(
    clone: Clone, option: str, message: str
) -> None:
    clone.run("backend", "dev")
    assert message in clone.error("deploy", "dev", option)
    assert clone.stack("dev") is None
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    assert not any(bucket["Name"].startswith(clone.app_name) for bucket in buckets)


@pytest.mark.parametrize("client_ids", [",,", " ", " , "])
def test_a_list_of_clients_has_a_client(clone: Clone, client_ids: str) -> None:
    """Without one, the API would accept the tokens of every client of the user pool."""
    clone.run("backend", "dev")
    variables = {**clone.variables("dev"), "USER_POOL_CLIENT_ID": client_ids}
    clone.set_stage("dev", environment_variables=variables)
    for command in ("package", "deploy"):
        assert "which has no id" in clone.error(command, "dev")


def test_the_policy_must_name_the_recorded_table(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    with account.stages_changed() as stages:
        stages.update("dev", DYNAMODB_TABLE="restored")
        error = shell.error("deploy", "dev")
    assert "the table restored" in error
    assert "make backend STAGE=dev" in error


def test_two_stages_must_not_share_a_table(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    with account.stages_changed() as stages:
        stages.set("copy", stages.environment("dev"))
        assert "copy and dev" in shell.error("deploy", "copy")


def test_the_recorded_user_pool_must_be_an_arn(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    with account.stages_changed() as stages:
        stages.set("copy", {"DYNAMODB_TABLE": "t", "USER_POOL_ARN": "no"})
        assert "USER_POOL_ARN" in shell.error("deploy", "copy")


def test_a_stage_needs_a_policy_file(account: Account, dev_backend: Cloud, shell: Shell) -> None:
    arn = dev_backend.outputs["UserPoolArn"]
    with account.stages_changed() as stages:
        stages.set("copy", {"DYNAMODB_TABLE": "t", "USER_POOL_ARN": arn})
        assert ".chalice/policy-copy.json" in shell.error("deploy", "copy")


def test_a_schema_needs_its_validator_in_the_package(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    requirements = account.folder / "requirements.txt"
    without = [line for line in requirements.read_text().splitlines() if "jsonschema" not in line]
    with account.changed("requirements.txt"), account.stages_changed() as stages:
        requirements.write_text("\n".join(without))
        stages.update("dev", PROFILE_SCHEMA="any.json")
        assert "make lock" in shell.error("package", "dev")


def test_a_reserved_domain_suffix_is_refused(clone: Clone) -> None:
    assert "without the words" in clone.error("backend", "dev", "--domain-suffix=my-aws")
    assert clone.stack("dev-backend") is None


def test_a_taken_sign_in_domain_is_explained(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    cognito = boto3.client("cognito-idp")
    another_pool = cognito.create_user_pool(PoolName="another")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain=f"{APP}-second-taken", UserPoolId=another_pool)
    with account.stages_changed() as stages:
        stages.set("second", {})
        taken = shell.error("backend", "second", "--domain-suffix=taken")
        again = shell.error("backend", "second", "--domain-suffix=free")
    assert "UserPoolDomain" in taken
    assert f"{APP}-second-backend is in the state ROLLBACK_COMPLETE" in again
    assert "make destroy-backend" in again


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"resources": [{}]}'])
def test_an_unreadable_record_of_chalice_is_explained(
    account: Account, dev_backend: Cloud, shell: Shell, text: str
) -> None:
    folder = account.folder / ".chalice" / "deployed"
    folder.mkdir(exist_ok=True)
    record = folder / "dev.json"
    record.write_text(text)
    try:
        assert ".chalice/deployed/dev.json" in shell.error("gateway", "dev")
    finally:
        record.unlink()
