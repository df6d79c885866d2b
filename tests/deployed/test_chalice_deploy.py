"""`chalice deploy` and `chalice package`, without `make deploy`."""

import sys
from pathlib import Path

import boto3
import pytest

from deploy.chalice_config import API_GATEWAY_STAGE
from tests.deployed.conftest import Account, Clone, Deployment, Shell, deploy_with_chalice
from tests.deployed.test_commands import assert_page_is_configured_for
from tests.support.chalice_adapter import chalice_endpoint
from tests.support.cloud import Cloud
from tests.support.http_api import assert_problem
from tests.support.users import User, sign_up_user

CHALICE = str(Path(sys.executable).with_name("chalice"))
NOT_FOUND_TITLE = "There is no profile yet"


@pytest.fixture(scope="module")
def grace(deployed_by_chalice: Deployment) -> User:
    return sign_up_user(deployed_by_chalice.cloud)


def test_it_serves_profiles(deployed_by_chalice: Deployment, grace: User) -> None:
    api = deployed_by_chalice.api
    assert api.post(grace, '{"name": "Ada", "n": 0.1}').status == 200
    assert api.get(grace).json()["profile_data"]["name"] == "Ada"


def test_its_own_errors_are_problems(deployed_by_chalice: Deployment, grace: User) -> None:
    api = deployed_by_chalice.api
    assert_problem(api("GET"), 401, "not-signed-in")
    assert_problem(api("GET", token=grace.access_token), 401, "not-signed-in")


def test_the_page_is_configured_for_it(account: Account, deployed_by_chalice: Deployment) -> None:
    output = account.make("web-config", "STAGE=prod")
    assert_page_is_configured_for(deployed_by_chalice, account, output)


def test_its_url_and_its_log_are_shown(
    account: Account, deployed_by_chalice: Deployment, grace: User
) -> None:
    assert account.make("url", "STAGE=prod") == f"{deployed_by_chalice.url}\n"
    deployed_by_chalice.api.get(grace)
    assert "REPORT RequestId: " in account.make("logs", "STAGE=prod")


def test_make_smoke_finds_it_by_its_stage(
    account: Account, deployed_by_chalice: Deployment, grace: User
) -> None:
    done = account.run("make", "-s", "smoke", "STAGE=prod", f"TOKEN={grace.id_token}")
    assert done.stdout.startswith(f"{deployed_by_chalice.url}/user/profile\n"), done.stderr


def test_a_changed_source_is_served_after_the_next_one(
    account: Account, deployed_by_chalice: Deployment, grace: User
) -> None:
    deployed_by_chalice.api("DELETE", token=grace.id_token)
    (source,) = (
        path
        for path in (account.folder / "chalicelib").glob("*.py")
        if NOT_FOUND_TITLE in path.read_text()
    )
    with account.changed(f"chalicelib/{source.name}"):
        source.write_text(source.read_text().replace(NOT_FOUND_TITLE, "Nothing here so far"))
        deploy_with_chalice(account, deployed_by_chalice.cloud, deployed_by_chalice.stack_of_api)
    assert deployed_by_chalice.api.get(grace).json()["title"] == "Nothing here so far"


@pytest.mark.parametrize("command", ["deploy", "package"])
def test_without_a_backend_it_stops(account: Account, tmp_path: Path, command: str) -> None:
    arguments = [str(tmp_path)] if command == "package" else []
    with account.stages_changed() as stages:
        stages.set("dev", {})
        done = account.run(CHALICE, command, "--stage", "dev", *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "make backend STAGE=dev" in line


@pytest.mark.parametrize("command", ["deploy", "package"])
def test_the_stage_local_is_not_deployed(account: Account, tmp_path: Path, command: str) -> None:
    arguments = [str(tmp_path)] if command == "package" else []
    with account.stages_changed() as stages:
        stages.update("local", DYNAMODB_TABLE="t", USER_POOL_ARN="p")
        done = account.run(CHALICE, command, "--stage", "local", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: make local runs the stage local on this machine.")
    assert "make backend" not in done.stderr


def test_terraform_gets_the_api_and_nothing_of_api_json(
    account: Account, dev_backend: Cloud, tmp_path: Path
) -> None:
    """As docs/deploying.md says of `chalice package --pkg-format terraform`."""
    done = account.run(
        CHALICE, "package", "--stage", "dev", "--pkg-format", "terraform", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "chalice.tf.json").read_text()
    assert '"required_version": ">= 0.12.26, < 1.4.0"' in text
    for present in ("aws_iam_role_policy", "identityValidationExpression", "awsSigv4", "arm64"):
        assert present in text
    for absent in ("gateway-responses", "aws_cloudwatch", "tracing"):
        assert absent not in text


def test_it_deploys_with_every_setting(clone: Clone, cloud: Cloud) -> None:
    domain = f"{clone.app_name}.example.com"
    certificate = f"arn:aws:acm:us-east-1:000000000000:certificate/{clone.app_name}"
    variables = {
        "CORS_ALLOW_ORIGIN": "https://app.example.com,https://www.example.com",
        "CORS_ALLOW_HEADERS": "traceparent",
        "MAX_PROFILE_BYTES": "1000",
        "PUBLIC_FIELDS": "name,picture",
        "ERASURE": "off",
        "ERASURE_MAX_SIGN_IN_AGE": "60",
        "REQUIRE_PRECONDITIONS": "true",
    }
    clone.set_stage(
        "dev",
        lambda_architecture="x86_64",
        lambda_memory_size=512,
        lambda_timeout=28,
        api_gateway_endpoint_type="EDGE",
        api_gateway_custom_domain={"domain_name": domain, "certificate_arn": certificate},
        environment_variables=variables,
    )
    clone.run("backend", "dev")
    stack_of_api: dict[str, str] = {}
    with chalice_endpoint(cloud.port, stack_of_api) as endpoint:
        done = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        function = boto3.client("lambda").get_function(FunctionName=f"{clone.app_name}-dev")
        configuration = function["Configuration"]
        assert configuration["Architectures"] == ["x86_64"]
        assert (configuration["MemorySize"], configuration["Timeout"]) == (512, 28)
        assert variables.items() <= configuration["Environment"]["Variables"].items()
        (mapped,) = boto3.client("apigateway").get_base_path_mappings(domainName=domain)["items"]
        assert mapped["stage"] == API_GATEWAY_STAGE
        clone.run("destroy", "dev", AWS_ENDPOINT_URL=endpoint)


def test_make_destroy_deletes_its_api(
    account: Account, deployed_by_chalice: Deployment, shell: Shell
) -> None:
    """The last test of this file: it deletes the API."""
    cloud = deployed_by_chalice.cloud
    with chalice_endpoint(cloud.port, deployed_by_chalice.stack_of_api) as endpoint:
        account.make("destroy", "STAGE=prod", AWS_ENDPOINT_URL=endpoint)
    assert deployed_by_chalice.api("GET").status in (403, 404)
    assert "no API" in shell.run("destroy", "prod")
    assert cloud.outputs["TableName"] == account.environment("prod")["DYNAMODB_TABLE"]
