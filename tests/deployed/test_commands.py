"""The life of a stage: `make backend`, `deploy`, `smoke`, `web-config`, `destroy` and more."""

import json
import re
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import boto3

from chalicelib.store import ProfileStore
from deploy import api as api_stack
from deploy import backend, cognito, stacks
from deploy.smoke_checks import CHECKS
from deploy.user_pool import find_sub
from local.emulator import confirmation_code
from local.process import wait_until
from tests.deployed import existing
from tests.deployed.conftest import (
    GUIDE,
    Account,
    Deployment,
    Shell,
    cloud_of,
)
from tests.local.make import running
from tests.support.api_server import running_command
from tests.support.bad_bodies import STAGE_LIMIT
from tests.support.cloud import Cloud
from tests.support.documents import DOCS, commands
from tests.support.http_api import assert_problem
from tests.support.users import PASSWORD, User, sign_up_user

NO_PREFLIGHT_HEADERS = "preflight: PATCH with If-Match is allowed"
"""The check of `make smoke` that fails here: ministack 1.5.33 responds to preflights itself."""

ALARM_TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"


# --- make backend ---------------------------------------------------------------------------------


def test_the_backend_is_recorded(account: Account, dev_backend: Cloud) -> None:
    assert account.environment("dev") == {
        "MAX_PROFILE_BYTES": str(STAGE_LIMIT),
        **backend.chalice_environment(dev_backend.outputs),
        "ERASURE": "account",
    }
    policy = (account.folder / ".chalice" / "policy-dev.json").read_text()
    assert f'"{dev_backend.outputs["TableArn"]}"' in policy


def test_a_second_make_backend_changes_nothing(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    config = account.folder / ".chalice" / "config.json"
    before = config.read_bytes()
    output = shell.run("backend", "dev")
    assert "complete" not in output
    assert "Recorded" not in output
    assert config.read_bytes() == before


def test_a_table_that_an_operator_recorded_is_kept(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    restored = existing.create_table()
    with account.stages_changed() as stages:
        stages.update("dev", DYNAMODB_TABLE=restored)
        shell.run("backend", "dev")
        assert account.environment("dev")["DYNAMODB_TABLE"] == restored
        policy = (account.folder / ".chalice" / "policy-dev.json").read_text()
        assert f':table/{restored}"' in policy
    shell.run("backend", "dev")  # writes the policy for the stage's own table again


def test_without_a_region_the_backends_is_used(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    no_region = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    shell.run("backend", "dev", **no_region)
    with account.stages_changed() as stages:
        stages.set("dev", {})
        assert "export AWS_DEFAULT_REGION=" in shell.error("backend", "dev", **no_region)


# --- make smoke, make token, make web-config ------------------------------------------------------


def test_the_documented_smoke_command_finds_all_well(
    account: Account, deployed: Deployment
) -> None:
    (command,) = commands(GUIDE, "Check the deployment")
    variables = dict(re.findall(r"(\w+)=(\S+)", command))
    client_id = deployed.cloud.outputs["UserPoolClientId"]
    cognito.sign_up(client_id, variables["EMAIL"], variables["PASSWORD"])
    code = confirmation_code(deployed.cloud.port, variables["EMAIL"])
    cognito.confirm(client_id, variables["EMAIL"], code)

    done = account.run(*shlex.split(command))

    checks = done.stdout.partition("Not documented by AWS")[0]
    results = dict(re.findall(r"^  (\S.*?\S)  +(.*)$", checks, re.MULTILINE))
    failed = {name for name, result in results.items() if result.startswith("FAILED")}
    assert len(results) == len(CHECKS), done.stdout + done.stderr
    assert failed == {NO_PREFLIGHT_HEADERS}, done.stdout
    assert f"1 of {len(CHECKS)} failed." in done.stderr
    assert done.returncode != 0


def test_smoke_restores_a_profile_that_it_may_overwrite(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    user = new_user()
    deployed.api.post(user, '{"mine": 12345678901234567890.50}')
    url = f"URL={deployed.url}/user/profile"
    done = account.run("make", "-s", "smoke", url, f"TOKEN={user.id_token}", "OVERWRITE=yes")
    assert "EMAIL and PASSWORD" in done.stdout
    assert f"1 of {len(CHECKS)} failed." in done.stderr, f"all but: {NO_PREFLIGHT_HEADERS}"
    assert '"mine":12345678901234567890.5}' in deployed.api.get(user).body.decode()


def test_a_token_of_a_deployed_stage_opens_its_api(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    user = new_user()
    token = account.make("token", "STAGE=dev", f"EMAIL={user.email}", f"PASSWORD={PASSWORD}")
    response = deployed.api("GET", token=token.strip())
    assert_problem(response, 404, "profile-not-found")


def test_the_documented_commands_show_users(account: Account, deployed: Deployment) -> None:
    heading = "Find and read users"
    users, user, first_user = commands(DOCS / "operating.md", heading)
    email = shlex.split(user)[-1].removeprefix("ACCOUNT=")
    sub = sub_of_new_user(deployed, email)
    store = ProfileStore.connect(deployed.cloud.outputs["TableName"])
    profile = store.replace(sub, {"n": Decimal("0.10")})
    operator = credentials_of_an_iam_user()
    try:
        listed = account.run_documented(users, **operator)
        assert f'"etag":"\\"{profile.revision}\\""' in listed
        shown = json.loads(account.run_documented(user, **operator))
        assert shown["profile"]["etag"] == f'"{profile.revision}"'
        assert shown["metadata"]["app_metadata"] == {}
        piped = account.run("bash", "-c", first_user, **operator)
        assert (piped.stdout, piped.stderr) == (listed.splitlines(keepends=True)[0], "")
    finally:
        store.delete(sub)


def credentials_of_an_iam_user() -> dict[str, str]:
    """Variables for a shell. The emulator gives the function a caller only for a key it knows."""
    iam = boto3.client("iam")
    name = iam.create_user(UserName=f"operator-{uuid.uuid4().hex[:8]}")["User"]["UserName"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def sub_of_new_user(deployed: Deployment, email: str) -> str:
    """The sub of the user with this address, who is created if necessary."""
    outputs = deployed.cloud.outputs
    client = boto3.client("cognito-idp")
    with suppress(client.exceptions.UsernameExistsException):
        client.admin_create_user(
            UserPoolId=outputs["UserPoolId"], Username=email, MessageAction="SUPPRESS"
        )
    return find_sub(outputs["UserPoolId"], email)


def test_the_url_of_a_stage_and_nothing_else(account: Account, deployed: Deployment) -> None:
    assert account.make("url", "STAGE=dev") == f"{deployed.url}\n"


def test_the_documented_commands_show_the_functions_log(
    account: Account, deployed: Deployment, new_user: Callable[[], User]
) -> None:
    show, follow = commands(DOCS / "operating.md", "Logs")
    deployed.api.get(new_user())
    line = log_line("dev")
    output = account.run_documented(show)
    assert "REPORT RequestId: " in output, "the emulator writes only Lambda's own lines"
    assert f"{line}\n" in output
    assert follow == f"{show} SINCE=1h FOLLOW=yes"
    assert line in account.make("logs", "STAGE=dev", "SINCE=1h")


def log_line(stage: str) -> str:
    """Write a line into the log of the stage's function, as the function does; return it."""
    client = boto3.client("logs")
    line = json.dumps({"level": "INFO", "message": f"GET /user/profile: 200 ({uuid.uuid4()})"})
    group = f"/aws/lambda/{api_stack.stack_name(stage)}-api"
    stream = uuid.uuid4().hex
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(time.time() * 1000), "message": line}]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return line


def test_a_log_is_followed_until_ctrl_c(
    account: Account, deployed: Deployment, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    command = [f"{account.folder}/.venv/bin/python", "-m", "deploy", "logs", "dev", "--follow=yes"]
    first = log_line("dev")
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=account.folder, env=account.variables, stdout=file, stderr=file
        )
    try:
        assert wait_until(lambda: first in output.read_text(), timeout=30)
        second = log_line("dev")
        assert wait_until(lambda: second in output.read_text(), timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
    assert output.read_text().count(first) == 1
    assert "Traceback" not in output.read_text()


def test_a_stage_without_an_api_has_no_url_and_no_log(
    account: Account, dev_backend: Cloud, shell: Shell
) -> None:
    with account.stages_changed() as stages:
        stages.set("prod", account.environment("dev"))
        for command in ("url", "logs"):
            assert "make deploy STAGE=prod" in shell.error(command, "prod")


def test_a_stage_without_an_api_has_no_users(account: Account, dev_backend: Cloud) -> None:
    with account.stages_changed() as stages:
        stages.set("prod", account.environment("dev"))
        done = account.run("make", "-s", "users", "STAGE=prod")
    assert done.returncode != 0
    assert "make deploy STAGE=prod" in done.stderr


def test_users_need_aws_credentials(account: Account, dev_backend: Cloud) -> None:
    nobody = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = account.run("make", "-s", "users", "STAGE=dev", **nobody)
    assert done.returncode != 0
    assert "there are no AWS credentials" in done.stderr


def test_the_page_is_served_for_a_deployed_stage(account: Account, deployed: Deployment) -> None:
    make_web_config, make_web = commands(DOCS / "page.md", "With a deployed stage")
    output = account.run_documented(make_web_config)
    assert_page_is_configured_for(deployed, account, output)
    assert make_web == "make web"
    with running(account.folder, "web") as command:
        settings = command.page()("GET", "/config.json").json()
    assert settings["api"] == f"{deployed.url}/user/profile"


def test_chalice_local_serves_a_deployed_stage(
    account: Account, deployed: Deployment, new_user: Callable[[], User], logs: list[Path]
) -> None:
    (command,) = commands(DOCS / "local.md", "Using a deployed stage")
    user = new_user()
    deployed.api.post(user, '{"name": "Ada"}')
    logs.append(account.folder / "chalice-local.log")
    with running_command(command, account.folder, account.variables, logs[-1]) as api:
        assert api.get(user).json()["profile_data"] == {"name": "Ada"}
        assert_problem(api("GET"), 401, "not-signed-in")


def assert_page_is_configured_for(deployment: Deployment, account: Account, output: str) -> None:
    outputs = deployment.cloud.outputs
    sign_in = f"https://{outputs['UserPoolDomain']}"
    assert json.loads((account.folder / "web" / "config.json").read_text()) == {
        "api": f"{deployment.url}/user/profile",
        "issuer": f"https://cognito-idp.us-east-1.amazonaws.com/{outputs['UserPoolId']}",
        "client_id": outputs["UserPoolClientId"],
        "sign_in": sign_in,
        "erasure": {"url": f"{deployment.url}/user", "max_sign_in_age": 600},
        "cognito_api": "https://cognito-idp.us-east-1.amazonaws.com",
    }
    origin = f"http://127.0.0.1:{deployment.cloud.port}"
    servers = sorted([origin, sign_in, "https://cognito-idp.us-east-1.amazonaws.com"])
    assert f"connect-src 'self' {' '.join(servers)};" in output


# --- make openapi ---------------------------------------------------------------------------------


def test_the_description_of_a_stage_has_its_url(account: Account, deployed: Deployment) -> None:
    account.make("openapi", "STAGE=dev")
    written = json.loads((account.folder / "out" / "dev" / "openapi.json").read_text())
    assert [server["url"] for server in written["servers"]] == [deployed.url]


def test_settings_that_are_not_deployed_are_reported(
    account: Account, deployed: Deployment
) -> None:
    with account.stages_changed() as stages:
        stages.update("dev", PUBLIC_FIELDS="name")
        done = account.run("make", "-s", "openapi", "STAGE=dev", "FILE=public.yaml")
    assert done.returncode == 0
    assert "Warning: PUBLIC_FIELDS is name in .chalice/config.json, and not set in" in done.stderr
    assert "/profiles:" in (account.folder / "public.yaml").read_text()


# --- make deploy, make destroy, make destroy-backend ----------------------------------------------


def test_a_stage_from_its_first_deployment_to_its_deletion(
    account: Account, cloud: Cloud, shell: Shell
) -> None:
    add_stage(account, "trial")
    account.make("backend", "STAGE=trial", "DOMAIN_SUFFIX=tests")
    account.make("deploy", "STAGE=trial", f"ALARM_TOPIC={ALARM_TOPIC}")
    outputs = stacks.outputs(api_stack.stack_name("trial"))
    assert outputs is not None
    assert deployed_parameters("trial")["AlarmTopic"] == ALARM_TOPIC
    trial = Deployment(cloud_of("trial", cloud), api_stack.url(outputs))
    user = sign_up_user(trial.cloud)
    assert trial.api.post(user, "{}").status == 200

    # A change is served after the next deployment.
    with account.stages_changed() as stages:
        stages.update("trial", REQUIRE_PRECONDITIONS="true")
        account.make("deploy", "STAGE=trial")
    assert_problem(trial.api.post(user, "{}"), 428, "precondition-required")
    assert deployed_parameters("trial")["AlarmTopic"] == ALARM_TOPIC

    # The backend stays as long as the API uses it.
    assert "make destroy STAGE=trial" in shell.error("destroy-backend", "trial", "--confirm=trial")
    output = account.make("destroy", "STAGE=trial")
    assert "Users and data are kept" in output
    assert trial.api("GET").status in (403, 404)
    assert "no API" in shell.run("destroy", "trial")
    for command in ("web-config", "openapi"):
        assert "make deploy STAGE=trial" in shell.error(command, "trial")

    # Users and data are deleted only if the stage's name is given.
    for confirm in ("", "--confirm=dev"):
        arguments = [argument for argument in (confirm,) if argument]
        assert "CONFIRM=trial" in shell.error("destroy-backend", "trial", *arguments)
    assert stacks.outputs(backend.stack_name("trial")) == trial.cloud.outputs
    output = account.make("destroy-backend", "STAGE=trial", "CONFIRM=trial")
    table = trial.cloud.outputs["TableName"]
    assert table in output
    assert not existing.table_exists(table)
    assert not existing.pool_exists(trial.cloud.outputs["UserPoolId"])
    assert account.environment("trial") == {"MAX_PROFILE_BYTES": str(STAGE_LIMIT)}
    gone = shell.error("destroy-backend", "trial", "--confirm=trial")
    assert backend.stack_name("trial") in gone
    assert "make backend STAGE=trial" in shell.error("web-config", "trial")


def deployed_parameters(stage: str) -> dict[str, str]:
    stack = boto3.client("cloudformation").describe_stacks(StackName=api_stack.stack_name(stage))
    parameters = stack["Stacks"][0]["Parameters"]
    return {found["ParameterKey"]: found["ParameterValue"] for found in parameters}


def add_stage(account: Account, stage: str) -> None:
    """Add a stage to the clone, as the message about an unknown stage advises."""
    file = account.folder / ".chalice" / "config.json"
    config = json.loads(file.read_text())
    config["stages"][stage] = {}
    file.write_text(json.dumps(config, indent=2))
