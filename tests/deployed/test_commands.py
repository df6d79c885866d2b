"""`make backend`, `deploy`, `gateway`, `smoke`, `destroy` and `chalice deploy`, as a user gives them, and what they
refuse."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from deploy import api as api_stack
from deploy import backend, cognito, stacks
from local.emulator import confirmation_code
from tests.conftest import PASSWORD, ROOT, User, assert_problem, users_of
from tests.deployed.conftest import Account, Deployment
from tests.support.chalice_adapter import chalice_can_import

CHALICE = str(Path(sys.executable).with_name("chalice"))


def test_the_backend_is_recorded_and_nothing_else_changes(
    account: Account, deployed: Deployment
) -> None:
    recorded = account.environment("dev")
    assert recorded == backend.chalice_environment(deployed.cloud.outputs)
    written = (account.folder / ".chalice/config.json").read_text()
    empty = re.sub(r'("environment_variables": )\{\s*"DYN[^}]*\}', r"\1{}", written)
    assert empty == (ROOT / ".chalice/config.json").read_text()


def test_the_backend_again_is_no_change(account: Account, deployed: Deployment) -> None:
    before = (account.folder / ".chalice/config.json").read_bytes()
    said = account.make("backend", "STAGE=dev")
    assert "complete" not in said
    assert "Nothing to record" in said
    assert (account.folder / ".chalice/config.json").read_bytes() == before


def test_deploying_again_after_a_change_serves_the_change(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    user = new_user()
    deployed.api.post(user, "{}")
    with account.changed(".chalice/config.json") as config:
        settings = json.loads(config.read_text())
        settings["stages"]["dev"]["environment_variables"]["REQUIRE_PRECONDITIONS"] = "true"
        config.write_text(json.dumps(settings))
        account.make("deploy", "STAGE=dev")
        assert_problem(deployed.api.post(user, "{}"), 428, "precondition-required")
    account.make("deploy", "STAGE=dev")
    assert deployed.api.post(user, "{}").status == 200


def test_chalice_deploy_by_hand_serves_profiles(by_chalice: Deployment, grace: User) -> None:
    assert by_chalice.api.post(grace, '{"name": "Ada", "n": 0.1}').status == 200
    assert by_chalice.api.get(grace).json()["profile_data"]["name"] == "Ada"
    assert_problem(by_chalice.api("GET"), 401, "not-signed-in")
    assert_problem(by_chalice.api("GET", token=grace.access_token), 401, "not-signed-in")


def test_chalice_deploy_again_after_a_change_serves_the_change(
    account: Account, by_chalice: Deployment, grace: User
) -> None:
    by_chalice.api("DELETE", token=grace.id_token)
    with account.changed("chalicelib/web.py") as web:
        web.write_text(web.read_text().replace("There is no profile yet", "Nothing here so far"))
        with chalice_can_import(by_chalice.cloud.port, by_chalice.imported) as endpoint:
            done = account.run(CHALICE, "deploy", "--stage", "prod", AWS_ENDPOINT_URL=endpoint)
    assert done.returncode == 0, done.stdout + done.stderr
    assert by_chalice.api.get(grace).json()["title"] == "Nothing here so far"


@pytest.fixture(scope="module")
def grace(by_chalice: Deployment) -> User:
    return users_of(by_chalice.cloud)()


@pytest.mark.parametrize("command", ["deploy", "package"])
def test_chalice_by_hand_stops_without_a_backend(
    account: Account, tmp_path: Path, command: str
) -> None:
    arguments = [str(tmp_path)] if command == "package" else []
    with account.changed(".chalice/config.json") as config:
        config.write_text((ROOT / ".chalice/config.json").read_text())
        done = account.run(
            CHALICE, command, "--stage", "dev", *arguments, AWS_ENDPOINT_URL="http://127.0.0.1:9"
        )
        assert account.refusal("deploy", "STAGE=dev").endswith("Run: make backend STAGE=dev")
    assert done.returncode == 1
    assert done.stderr == "error: the stage dev has no backend yet. Run: make backend STAGE=dev\n"


def test_smoke_finds_a_deployment_in_order(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    user = new_user()
    done = account.run(
        "make",
        "-s",
        "smoke",
        f"URL={deployed.url}",
        f"EMAIL={user.email}",
        f"PASSWORD={PASSWORD}",
        "STAGE=dev",
    )
    lines = dict(re.findall(r"^  (\S.*?\S)  +(.*)$", done.stdout, re.MULTILINE))
    failed = {name for name, result in lines.items() if result != "ok"}
    assert len(lines) == 10, done.stdout + done.stderr
    # ministack 1.5.33 answers preflights without the headers of the definition.
    assert failed == {"preflight: PATCH with If-Match is allowed"}, done.stdout
    assert done.returncode != 0
    assert_problem(deployed.api.get(user), 404, "profile-not-found")


REFUSALS = {
    "no stage": (["backend"], {}, "say which stage: make backend STAGE=dev"),
    "an unknown stage": (["deploy", "STAGE=nowhere"], {}, "there is no stage 'nowhere'"),
    "the local stage": (["deploy", "STAGE=local"], {}, "make local"),
    "a reserved domain suffix": (
        ["backend", "STAGE=prod", "DOMAIN_SUFFIX=my-aws"],
        {},
        "without the words",
    ),
    "no credentials": (
        ["backend", "STAGE=dev"],
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"},
        "there are no AWS credentials",
    ),
    "an AWS profile that is none": (
        ["deploy", "STAGE=dev"],
        {"AWS_PROFILE": "nope"},
        "(nope) could not be found",
    ),
    "another region": (
        ["deploy", "STAGE=dev"],
        {"AWS_DEFAULT_REGION": "eu-west-1"},
        "AWS_DEFAULT_REGION=us-east-1",
    ),
    "a topic that is none": (
        ["deploy", "STAGE=dev", "ALARM_TOPIC=mail me"],
        {},
        "the ARN of an SNS topic",
    ),
    "no URL": (["smoke"], {}, "make smoke URL="),
    "nobody to ask as": (["smoke", "URL=http://127.0.0.1:9/api"], {}, "say who asks"),
    "nothing there": (
        ["smoke", "URL=http://127.0.0.1:9/api", "TOKEN=a.b.c"],
        {},
        "does not answer",
    ),
    "a gateway that Chalice did not make": (
        ["gateway", "STAGE=dev"],
        {},
        "chalice deploy --stage dev",
    ),
    "users and data in use": (
        ["destroy-backend", "STAGE=dev", "CONFIRM=dev"],
        {},
        "make destroy STAGE=dev",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_refused_in_a_line(
    account: Account, deployed: Deployment, name: str
) -> None:
    command, shell, told = REFUSALS[name]
    assert told in account.refusal(*command, **shell)


def test_a_backend_of_another_account_is_not_deployed_upon(
    account: Account, deployed: Deployment
) -> None:
    with account.changed(".chalice/config.json") as config:
        config.write_text(config.read_text().replace(":000000000000:", ":111111111111:"))
        for command in ("backend", "deploy", "destroy"):
            assert "is in the account 111111111111" in account.refusal(command, "STAGE=dev")


def test_what_an_operator_recorded_for_this_pool_stays(
    account: Account, deployed: Deployment
) -> None:
    with account.changed(".chalice/config.json") as config:
        config.write_text(
            config.read_text().replace('"user-profile-dev"', '"user-profile-dev-restored"')
        )
        assert "does not name the table user-profile-dev-restored" in account.refusal(
            "deploy", "STAGE=dev"
        )
        account.make("backend", "STAGE=dev")
        assert account.environment("dev")["DYNAMODB_TABLE"] == "user-profile-dev-restored"


def test_a_stage_that_was_copied_with_its_backend_is_told(
    account: Account, deployed: Deployment
) -> None:
    with account.changed(".chalice/config.json") as config:
        settings = json.loads(config.read_text())
        settings["stages"]["copy"] = settings["stages"]["dev"]
        config.write_text(json.dumps(settings))
        assert "copy and dev record the same table" in account.refusal("deploy", "STAGE=copy")
        settings["stages"]["copy"] = {
            "environment_variables": {"DYNAMODB_TABLE": "t", "USER_POOL_ARN": "no"}
        }
        config.write_text(json.dumps(settings))
        assert "which is no ARN" in account.refusal("deploy", "STAGE=copy")
        copied = settings["stages"]["copy"]["environment_variables"]
        copied["USER_POOL_ARN"] = settings["stages"]["dev"]["environment_variables"][
            "USER_POOL_ARN"
        ]
        config.write_text(json.dumps(settings))
        assert "has no .chalice/policy-copy.json" in account.refusal("deploy", "STAGE=copy")


def test_a_schema_wants_its_validator_packaged(account: Account, deployed: Deployment) -> None:
    with account.changed(".chalice/config.json") as config:
        config.write_text(
            config.read_text().replace('"DYNAMO', '"PROFILE_SCHEMA": "none.json", "DYNAMO')
        )
        assert "needs jsonschema-rs in requirements.txt" in account.refusal("package", "STAGE=dev")


def test_without_a_region_the_recorded_one_is_taken(account: Account, deployed: Deployment) -> None:
    shell = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    account.make("backend", "STAGE=dev", **shell)
    with account.changed(".chalice/config.json") as config:
        config.write_text((ROOT / ".chalice/config.json").read_text())
        assert "no AWS region is set" in account.refusal("backend", "STAGE=dev", **shell)


def test_a_taken_domain_and_the_failed_stack_are_told(
    account: Account, deployed: Deployment
) -> None:
    cognito = boto3.client("cognito-idp")
    taken = cognito.create_user_pool(PoolName="another")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain="user-profile-trial-taken", UserPoolId=taken)
    with account.changed(".chalice/config.json") as config:
        config.write_text(
            config.read_text().replace(
                '"dev": {', '"trial": {"environment_variables": {}}, "dev": {'
            )
        )
        assert "UserPoolDomain" in account.refusal("backend", "STAGE=trial", "DOMAIN_SUFFIX=taken")
        again = account.refusal("backend", "STAGE=trial", "DOMAIN_SUFFIX=free")
        assert "delete-stack --stack-name user-profile-trial-backend" in again


def test_the_readmes_deploy_section_works_as_written(
    account: Account, deployed: Deployment
) -> None:
    section = (ROOT / "README.md").read_text().partition("## Deploy it")[2].partition("\n## ")[0]
    lines = re.findall(r"^make .*$", section, re.MULTILINE)
    assert lines[:2] == ["make backend STAGE=dev", "make deploy STAGE=dev"], (
        "as the stage was deployed"
    )
    smoke_command = lines[2]
    email, password = re.findall(r"EMAIL=(\S+) PASSWORD=(\S+)", smoke_command)[0]
    client_id = deployed.cloud.outputs["UserPoolClientId"]
    cognito.sign_up(client_id, email, password)
    cognito.confirm(client_id, email, confirmation_code(deployed.cloud.port, email))
    for command in lines[:2]:
        account.make(*command.split()[1:])
    done = account.run(*smoke_command.split())
    assert "1 of 10 failed." in done.stderr
    assert done.stdout.count("  ok\n") == 9, "all but the preflight: see above"


def test_a_token_of_a_deployed_stage_opens_its_api(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    user = new_user()
    token = account.make(
        "-s", "token", "STAGE=dev", f"EMAIL={user.email}", f"PASSWORD={PASSWORD}"
    ).strip()
    assert_problem(deployed.api("GET", token=token), 404, "profile-not-found")
    assert "EMAIL and PASSWORD are required" in account.refusal("token", "STAGE=dev")


def test_smoke_leaves_a_profile_alone_unless_told_and_puts_it_back(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    user = new_user()
    deployed.api.post(user, '{"mine": 12345678901234567890.50}')
    arguments = ["smoke", f"URL={deployed.url}/user/profile", f"TOKEN={user.id_token}"]
    assert "OVERWRITE=yes" in account.refusal(*arguments)
    done = account.run("make", "-s", *arguments, "OVERWRITE=yes")
    assert "not checked: needs EMAIL and PASSWORD" in done.stdout
    assert "1 of 10 failed." in done.stderr, "the preflight: see above"
    assert '"mine":12345678901234567890.5}' in deployed.api.get(user).body.decode()


def test_the_page_is_told_of_a_stage_however_it_was_deployed(
    account: Account, deployed: Deployment, by_chalice: Deployment
) -> None:
    file = account.folder / "web" / "config.json"
    for stage, deployment in (("dev", deployed), ("prod", by_chalice)):
        said = account.make("web-config", f"STAGE={stage}")
        assert f"web/config.json is for the stage {stage} now" in said
        outputs = deployment.cloud.outputs
        origin = f"http://127.0.0.1:{deployment.cloud.port}"
        sign_in = f"https://{outputs['UserPoolDomain']}"
        assert json.loads(file.read_text()) == {
            "api": f"{deployment.url}/user/profile",
            "issuer": f"https://cognito-idp.us-east-1.amazonaws.com/{outputs['UserPoolId']}",
            "client_id": outputs["UserPoolClientId"],
            "sign_in": sign_in,
        }
        assert f"connect-src 'self' {origin} {sign_in};" in said


def test_destroy_leaves_users_and_data_and_destroy_backend_asks(
    account: Account, by_chalice: Deployment
) -> None:
    outputs = by_chalice.cloud.outputs
    account.make("deploy", "STAGE=prod")
    with chalice_can_import(by_chalice.cloud.port, by_chalice.imported) as endpoint:
        said = account.make("destroy", "STAGE=prod", AWS_ENDPOINT_URL=endpoint)
    assert "Users and data are where they were" in said
    assert by_chalice.api("GET").status in (403, 404)
    assert stacks.outputs(api_stack.stack_name("prod")) is None
    assert "has no API in this account" in account.make("destroy", "STAGE=prod")
    assert account.refusal("web-config", "STAGE=prod").endswith("Run: make deploy STAGE=prod")
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    assert outputs["TableName"] in tables

    assert "nothing was deleted" in account.refusal("destroy-backend", "STAGE=prod")
    assert "nothing was deleted" in account.refusal("destroy-backend", "STAGE=prod", "CONFIRM=dev")
    assert stacks.outputs(backend.stack_name("prod")) == outputs
    said = account.make("destroy-backend", "STAGE=prod", "CONFIRM=prod")
    assert f"the table {outputs['TableName']} with about" in said
    assert outputs["TableName"] not in boto3.client("dynamodb").list_tables()["TableNames"]
    pools = boto3.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]
    assert outputs["UserPoolId"] not in {pool["Id"] for pool in pools}
    assert account.environment("prod") == {}
    assert "there is no stack" in account.refusal("destroy-backend", "STAGE=prod", "CONFIRM=prod")
    assert account.refusal("web-config", "STAGE=prod").endswith("Run: make backend STAGE=prod")
