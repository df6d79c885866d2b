"""Several clones in one account: owners, adoption, names, and tags."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from deploy import backend, ownership, stacks
from tests.deployed import existing
from tests.deployed.conftest import Clone
from tests.support.chalice_adapter import chalice_endpoint
from tests.support.cloud import Cloud

STAGE = "dev"
NewClone = Callable[..., Clone]


@pytest.fixture
def rival(clone: Clone, new_clone: NewClone) -> Clone:
    """A second clone of the repository, with the same app_name in the same account."""
    return new_clone(clone.app_name)


def add_colleague(clone: Clone, colleague: Clone) -> None:
    """Give another clone the committed files of .chalice."""
    for file in (clone.folder / ".chalice").iterdir():
        if file.is_file():
            shutil.copy2(file, colleague.folder / ".chalice")


# --- owners ---------------------------------------------------------------------------------------


def test_a_second_clone_does_not_take_over_a_backend(clone: Clone, rival: Clone) -> None:
    clone.run("backend", STAGE, "--callback-urls=https://app.example.com")
    before = clone.stack(f"{STAGE}-backend")
    clone.run("deploy", STAGE)
    untouched = rival.snapshot()
    for command in ("backend", "destroy-backend"):
        error = rival.error(command, STAGE)
        assert f"{clone.app_name}-{STAGE}-backend exists already" in error
        assert f"its app is {clone.app_name}, its stage is {STAGE}" in error
        assert f"its owner_id is {clone.config['owner_id']}" in error
        assert "ADOPT=yes" in error
    assert clone.stack(f"{STAGE}-backend") == before
    assert rival.snapshot() == untouched


def test_a_second_clone_learns_whose_api_it_reads(clone: Clone, rival: Clone) -> None:
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    for command in ("url", "logs"):
        assert "Note: " not in clone.account.run("make", "-s", command, f"STAGE={STAGE}").stderr
        done = rival.account.run("make", "-s", command, f"STAGE={STAGE}")
        assert done.returncode == 0, done.stderr
        assert f"its owner_id is {clone.config['owner_id']}" in done.stderr
        assert "Note: " not in done.stdout


def test_a_second_clone_does_not_replace_an_api(clone: Clone, rival: Clone) -> None:
    """It has a backend of its own under the same name, since it attached everything."""
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    before = clone.stack(STAGE)
    pool = existing.create_pool()
    shutil.copytree(clone.folder / "out", rival.folder / "out")
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    rival.run("backend", STAGE, *pool.options, f"--table={existing.create_table()}")
    for command in ("deploy", "destroy"):
        assert f"the stack {clone.app_name}-{STAGE} exists already" in rival.error(command, STAGE)
    assert clone.stack(STAGE) == before


def test_chalice_does_not_replace_another_projects_function(
    clone: Clone, rival: Clone, cloud: Cloud
) -> None:
    pool = existing.create_pool()
    clone.run("backend", STAGE, *pool.options, f"--table={existing.create_table()}")
    other_pool = existing.create_pool()
    rival.run("backend", STAGE, *other_pool.options, f"--table={existing.create_table()}")
    with chalice_endpoint(cloud.port, {}) as endpoint:
        first = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert first.returncode == 0, first.stdout + first.stderr
        second = rival.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line.startswith(f"error: the function {clone.app_name}-{STAGE} exists already")
    function = boto3.client("lambda").get_function_configuration(
        FunctionName=f"{clone.app_name}-{STAGE}"
    )
    assert function["Environment"]["Variables"]["USER_POOL_ARN"] == pool.arn


def test_chalice_does_not_deploy_into_another_account(clone: Clone) -> None:
    clone.run("backend", STAGE)
    done = clone.chalice("deploy", AWS_ACCESS_KEY_ID="222222222222")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the backend of dev is in the account 000000000000")


def test_one_stage_is_deployed_in_one_way_only(clone: Clone, cloud: Cloud) -> None:
    """Two APIs would serve one table."""
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    done = clone.chalice("deploy")
    assert done.returncode == 1
    assert "make deploy has deployed the API of dev already" in done.stderr
    clone.run("destroy", STAGE)
    with chalice_endpoint(cloud.port, {}) as endpoint:
        done = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "chalice deploy has deployed the API of dev already" in clone.error("deploy", STAGE)
        error = clone.error("destroy-backend", STAGE, f"--confirm={STAGE}")
    assert "the API still uses the backend" in error


NO_RESOURCES = '{"schema_version": "2.0", "backend": "api", "resources": []}'
"""What `chalice deploy` records if it is interrupted while it creates the function."""


@pytest.mark.parametrize("record", ["", NO_RESOURCES], ids=["another clone's", "interrupted"])
def test_a_function_without_a_record_is_named(clone: Clone, cloud: Cloud, record: str) -> None:
    """No command forgets it, or deploys a second API on its table; chalice deploy completes it."""
    clone.run("backend", STAGE)
    file = clone.folder / ".chalice" / "deployed" / f"{STAGE}.json"
    with chalice_endpoint(cloud.port, {}) as endpoint:
        done = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        if record:
            file.write_text(record)
        else:
            file.unlink()
        errors = {
            clone.error("destroy", STAGE),
            clone.error("destroy-backend", STAGE, f"--confirm={STAGE}"),
            clone.error("deploy", STAGE),
        }
        (error,) = errors
        assert f"the function {clone.app_name}-{STAGE}" in error
        assert f"chalice deploy --stage {STAGE}" in error
        assert clone.stack(STAGE) is None
        done = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is deleted" in clone.run("destroy", STAGE, AWS_ENDPOINT_URL=endpoint)
    clone.run("destroy-backend", STAGE, f"--confirm={STAGE}")


@pytest.mark.parametrize("has_logs", [True, False])
def test_logs_of_chalice_deploy_are_kept_and_named(
    clone: Clone, cloud: Cloud, has_logs: bool
) -> None:
    """Lambda makes the log group when the function writes its first line."""
    clone.run("backend", STAGE)
    group = f"/aws/lambda/{clone.app_name}-{STAGE}"
    with chalice_endpoint(cloud.port, {}) as endpoint:
        done = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        if has_logs:
            boto3.client("logs").create_log_group(logGroupName=group)
        output = clone.run("destroy", STAGE, AWS_ENDPOINT_URL=endpoint)
    advice = f"aws logs delete-log-group --log-group-name {group}\n"
    assert (advice in output) == has_logs


def test_an_api_beside_a_function_without_a_record_is_deleted(clone: Clone, cloud: Cloud) -> None:
    """An earlier version deployed both. chalice deploy works only after the stack is deleted."""
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    variables = {"Variables": {"DYNAMODB_TABLE": clone.variables(STAGE)["DYNAMODB_TABLE"]}}
    boto3.client("lambda").create_function(
        FunctionName=f"{clone.app_name}-{STAGE}",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.app",
        Code={"ZipFile": (clone.folder / "out" / STAGE / "deployment.zip").read_bytes()},
        Environment=variables,
    )
    assert f"chalice deploy --stage {STAGE}" in clone.error("destroy", STAGE)
    assert clone.stack(STAGE) is None


def test_a_colleague_with_the_committed_files_is_the_same_owner(
    clone: Clone, new_clone: NewClone
) -> None:
    clone.run("backend", STAGE)
    colleague = new_clone()
    add_colleague(clone, colleague)
    assert "Nothing to record" in colleague.run("backend", STAGE)
    colleague.run("deploy", STAGE)
    clone.run("deploy", STAGE)
    clone.run("destroy", STAGE)
    colleague.run("destroy-backend", STAGE, f"--confirm={STAGE}")


def test_a_stack_of_another_owner_can_be_adopted(clone: Clone, rival: Clone) -> None:
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    before = clone.stack(f"{STAGE}-backend"), clone.stack(STAGE)

    output = rival.run("backend", STAGE, "--adopt=yes")

    assert "changed nothing else" in output
    assert (clone.stack(f"{STAGE}-backend"), clone.stack(STAGE)) == before
    rival.run("backend", STAGE)
    rival.run("deploy", STAGE)
    assert rival.variables(STAGE) == clone.variables(STAGE)
    # The clone that made the stacks still owns them.
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)


def test_an_adopted_stack_is_only_that_stack(clone: Clone, rival: Clone) -> None:
    """Somebody else's new stack with the same name is not adopted with it."""
    clone.run("backend", STAGE)
    rival.run("backend", STAGE, "--adopt=yes")
    clone.run("destroy-backend", STAGE, f"--confirm={STAGE}")
    clone.run("backend", STAGE)
    assert "exists already" in rival.error("backend", STAGE)


def test_without_another_owners_stack_there_is_nothing_to_adopt(clone: Clone) -> None:
    assert "nothing to adopt" in clone.error("backend", STAGE, "--adopt=yes")
    clone.run("backend", STAGE)
    assert "nothing to adopt" in clone.error("backend", STAGE, "--adopt=yes")


def test_a_backend_of_an_earlier_version_stays_the_teams(clone: Clone) -> None:
    """Its stack has no tags. That it made the recorded user pool shows whose it is."""
    clone.run("backend", STAGE)
    stack = clone.stack(f"{STAGE}-backend")
    assert stack is not None
    existing.set_stack_tags(stack, {})
    config = clone.config
    del config["owner_id"]
    del config["stages"][STAGE]["backend"]
    clone.config_file.write_text(json.dumps(config))

    clone.run("backend", STAGE)

    after = clone.stack(f"{STAGE}-backend")
    assert after is not None
    assert after.tags[ownership.OWNER_TAG] == clone.config["owner_id"]
    assert after.outputs == stack.outputs


def test_a_stack_that_appears_after_the_check_is_refused(clone: Clone, rival: Clone) -> None:
    """Two clones run their first command at the same time."""
    deploy = backend.deploy

    def let_the_rival_be_faster(*arguments: Any) -> dict[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backend, "deploy", deploy)
            rival.run("backend", STAGE)
        return deploy(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "deploy", let_the_rival_be_faster)
        error = clone.error("backend", STAGE)
    assert "another command has just created the stack" in error
    stack = rival.stack(f"{STAGE}-backend")
    assert stack is not None
    assert stack.tags[ownership.OWNER_TAG] == rival.config["owner_id"]
    assert "exists already" in clone.error("backend", STAGE)


def test_adopting_has_no_other_options(clone: Clone, rival: Clone) -> None:
    clone.run("backend", STAGE)
    before = rival.snapshot()
    assert "no other options" in rival.error("backend", STAGE, "--adopt=yes", "--table=theirs")
    assert rival.snapshot() == before


def test_an_adopted_backend_is_deleted_after_an_interruption(clone: Clone, rival: Clone) -> None:
    """Its table and user pool have the tag of the clone that made them."""
    clone.run("backend", STAGE)
    rival.run("backend", STAGE, "--adopt=yes")
    rival.run("backend", STAGE)
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    rival.run("destroy-backend", STAGE, f"--confirm={STAGE}")
    assert not existing.table_exists(f"{clone.app_name}-{STAGE}")


@pytest.mark.parametrize("stage", ["dev-backend", "dev-api", "Dev", "a/b", "x" * 21, "my-aws"])
def test_a_stages_name_must_not_meet_another_stages_names(clone: Clone, stage: str) -> None:
    """The API's stack of a stage dev-backend would be the backend's stack of dev."""
    clone.run("backend", STAGE)
    before = clone.stack(f"{STAGE}-backend")
    clone.set_stage(stage)
    for command in ("backend", "deploy", "destroy", "destroy-backend"):
        assert f"the stage's name '{stage}' cannot be used" in clone.error(command, stage)
    assert clone.stack(f"{STAGE}-backend") == before


def test_a_stack_of_another_stage_is_not_ours(new_clone: NewClone) -> None:
    """The app x-y with the stage dev has the same names as the app x with the stage y-dev."""
    app_name = existing.unique("app")
    clone = new_clone(f"{app_name}-y")
    clone.run("backend", "dev")
    other = new_clone(app_name)
    other.configure(owner_id=clone.config["owner_id"])
    other.set_stage("y-dev")
    assert "exists already" in other.error("backend", "y-dev")


ORDERS = {
    "Resources": {
        "Orders": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        }
    }
}
"""A template of another team, which has nothing to do with this project."""


def test_a_stack_of_another_kind_is_not_adopted(clone: Clone) -> None:
    name = f"{clone.app_name}-{STAGE}-backend"
    stacks.deploy(name, json.dumps(ORDERS), {}, progress=print)
    before = clone.snapshot()
    assert "has none of the resources of this project" in clone.error(
        "backend", STAGE, "--adopt=yes"
    )
    assert clone.snapshot() == before


def test_an_update_deletes_no_resource_that_the_template_lacks(clone: Clone) -> None:
    """Somebody has added a table of orders to the stack, and the change is not in this clone."""
    clone.run("backend", STAGE)
    name = f"{clone.app_name}-{STAGE}-backend"
    template = backend.template()
    text = stacks.deployed_template(name).replace(
        "Resources:\n", f"Resources:\n  Orders: {json.dumps(ORDERS['Resources']['Orders'])}\n", 1
    )
    assert "Orders" not in template["Resources"]
    stacks.deploy(name, text, {}, progress=print)
    before = clone.stack(f"{STAGE}-backend")
    for command in ("backend", "destroy-backend"):
        assert "Orders" in clone.error(command, STAGE)
    assert clone.stack(f"{STAGE}-backend") == before


def test_a_moved_backend_is_reported_by_the_next_deployment(clone: Clone) -> None:
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    restored = existing.create_table()
    variables = {**clone.variables(STAGE), "DYNAMODB_TABLE": restored}
    clone.set_stage(STAGE, environment_variables=variables)
    clone.run("backend", STAGE)
    output = clone.run("deploy", STAGE)
    assert f"DYNAMODB_TABLE changes from {clone.app_name}-{STAGE} to {restored}" in output
    assert "changes from" not in clone.run("deploy", STAGE)


# --- tags -----------------------------------------------------------------------------------------


def test_what_is_deployed_has_the_tags(clone: Clone) -> None:
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    expected = {
        ownership.APP_TAG: clone.app_name,
        ownership.STAGE_TAG: STAGE,
        ownership.OWNER_TAG: clone.config["owner_id"],
    }
    backend = clone.stack(f"{STAGE}-backend")
    api = clone.stack(STAGE)
    assert backend is not None
    assert api is not None
    assert backend.tags == api.tags == expected

    table = boto3.client("dynamodb").list_tags_of_resource(ResourceArn=backend.outputs["TableArn"])
    assert expected.items() <= {tag["Key"]: tag["Value"] for tag in table["Tags"]}.items()
    pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=backend.outputs["UserPoolId"])
    assert expected.items() <= pool["UserPool"]["UserPoolTags"].items()
    function = boto3.client("lambda").list_tags(Resource=api.outputs["APIHandlerArn"])
    assert expected.items() <= function["Tags"].items()
    bucket = boto3.client("s3").get_bucket_tagging(
        Bucket=f"{clone.app_name}-packages-000000000000-us-east-1"
    )
    own = {ownership.APP_TAG: clone.app_name, ownership.OWNER_TAG: clone.config["owner_id"]}
    assert {tag["Key"]: tag["Value"] for tag in bucket["TagSet"]} == own


def test_tags_of_the_team_stay(clone: Clone) -> None:
    clone.run("backend", STAGE)
    stack = clone.stack(f"{STAGE}-backend")
    assert stack is not None
    with_theirs = {**stack.tags, "cost-center": "42"}
    existing.set_stack_tags(stack, with_theirs)
    clone.run("backend", STAGE, "--callback-urls=https://app.example.com")
    after = clone.stack(f"{STAGE}-backend")
    assert after is not None
    assert after.tags == with_theirs


def test_deploying_needs_an_owner(clone: Clone) -> None:
    """A merge has dropped the line."""
    clone.run("backend", STAGE)
    config = clone.config
    del config["owner_id"]
    clone.config_file.write_text(json.dumps(config))
    error = clone.error("deploy", STAGE)
    assert "owner_id" in error
    assert "make backend STAGE=dev" in error


# --- names ----------------------------------------------------------------------------------------


def test_every_name_follows_from_app_name(clone: Clone) -> None:
    name = f"{clone.app_name}-{STAGE}"
    clone.run("backend", STAGE, "--domain-suffix=acme")
    clone.run("deploy", STAGE)
    backend = clone.stack(f"{STAGE}-backend")
    assert backend is not None
    assert backend.outputs["TableName"] == name
    assert backend.outputs["UserPoolDomain"].startswith(f"{name}-acme.auth.")
    pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=backend.outputs["UserPoolId"])
    assert pool["UserPool"]["Name"] == name
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    names = {group["logGroupName"] for group in groups}
    assert {f"/aws/lambda/{name}-api", f"/aws/apigateway/{name}"} <= names
    policy = (clone.folder / ".chalice" / f"policy-{STAGE}.json").read_text()
    assert f"log-group:/aws/lambda/{name}:" in policy


COMMANDS = ("backend", "deploy", "package", "web-config", "destroy", "destroy-backend")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_new_name_after_the_deployment_is_refused(clone: Clone, command: str) -> None:
    old = clone.app_name
    clone.run("backend", STAGE)
    clone.configure(app_name="another-name")
    error = clone.error(command, STAGE)
    assert f"Set app_name to {old} again" in error
    assert f"the stack {old}-{STAGE}-backend" in error
    assert f"the table {old}-{STAGE}" in error


def test_a_new_name_is_refused_by_chalice_too(clone: Clone) -> None:
    clone.run("backend", STAGE)
    old = clone.app_name
    clone.configure(app_name="another-name")
    done = clone.chalice("package", "out")
    assert done.returncode == 1
    assert f"Set app_name to {old} again" in done.stderr


def test_a_new_name_after_an_interrupted_start_is_refused(clone: Clone) -> None:
    """The stack exists, and the stage does not record its table yet."""
    clone.run("backend", STAGE)
    old = clone.app_name
    clone.set_stage(STAGE, environment_variables={})
    clone.configure(app_name="another-name")
    assert f"the stack {old}-{STAGE}-backend" in clone.error("backend", STAGE)


def test_an_attached_stage_can_be_renamed_before_its_first_deployment(clone: Clone) -> None:
    """Nothing has the old name yet."""
    pool = existing.create_pool()
    clone.run("backend", STAGE, *pool.options, f"--table={existing.create_table()}")
    new = existing.unique("new")
    clone.configure(app_name=new)
    assert "make backend" in clone.error("deploy", STAGE)
    clone.run("backend", STAGE)
    clone.run("deploy", STAGE)
    assert clone.stack(STAGE) is not None
    clone.configure(app_name="another-name")
    error = clone.error("deploy", STAGE)
    assert f"the stack {new}-{STAGE}" in error
    assert pool.pool_id not in error


def test_a_name_that_aws_would_refuse_is_explained(clone: Clone) -> None:
    clone.configure(app_name="My_App")
    for command in COMMANDS:
        assert "app_name in .chalice/config.json is 'My_App'" in clone.error(command, STAGE)
