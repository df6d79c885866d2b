"""What `make package` builds: the template's facts, the zip's content, and the zip in AWS's own runtime."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from samtranslator.translator.transform import transform

from deploy import api as api_stack
from tests.conftest import User
from tests.deployed.conftest import Account, Deployment
from tests.support import lambda_runtime as runtimes
from tests.support.events import event
from tests.support.lambda_runtime import Runtime
from tests.unit.test_templates import calls_of_the_store

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="session")
def template(built: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((built / "sam.json").read_text())
    return loaded


# --- the template -----------------------------------------------------------------------------------------------------


def test_cfn_lint_passes_the_template_and_what_sam_makes_of_it(
    built: Path, template: dict[str, Any], tmp_path: Path
) -> None:
    uploaded = json.loads(json.dumps(template))
    uploaded["Resources"]["APIHandler"]["Properties"]["CodeUri"] = "s3://bucket/key"

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    (tmp_path / "transformed.json").write_text(
        json.dumps(transform(uploaded, {}, NoManagedPolicies()))
    )
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    for file in (built / "sam.json", tmp_path / "transformed.json"):
        found = subprocess.run([cfn_lint, file], check=False, capture_output=True, text=True)
        assert (found.returncode, found.stdout) == (0, "")


def test_there_is_one_stage_and_it_is_the_one_that_alarms_watch(
    account: Account, template: dict[str, Any]
) -> None:
    config = json.loads((account.folder / ".chalice/config.json").read_text())
    api = template["Resources"]["RestAPI"]["Properties"]
    assert api["StageName"] == config["api_gateway_stage"] == api_stack.STAGE_NAME
    assert api["OpenApiVersion"] == "2.0", "else SAM makes another stage, named Stage"
    assert api["Name"] == api["DefinitionBody"]["info"]["title"] == {"Ref": "AWS::StackName"}
    assert (
        api["TracingEnabled"],
        template["Resources"]["APIHandler"]["Properties"]["Tracing"],
    ) == (True, "Active")
    watched = [
        dimension["Value"]
        for found in template["Resources"].values()
        for dimension in found.get("Properties", {}).get("Dimensions", [])
        if dimension["Name"] == "Stage"
    ]
    assert watched == ["api", "api"]


def test_every_method_but_options_has_the_authorizer(template: dict[str, Any]) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    (methods,) = definition["paths"].values()
    assert set(methods) == METHODS | {"options"}
    for method in METHODS:
        assert methods[method]["security"] == [{"user-pool": []}]
    assert "security" not in methods["options"]


def test_the_authorizer_takes_the_apps_own_tokens_alone(
    account: Account, template: dict[str, Any]
) -> None:
    recorded = account.environment("dev")
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    (authorizer,) = definition["securityDefinitions"].values()
    assert authorizer["x-amazon-apigateway-authorizer"] == {
        "type": "cognito_user_pools",
        "providerARNs": [recorded["USER_POOL_ARN"]],
        "identityValidationExpression": f"^({recorded['USER_POOL_CLIENT_ID']})$",
    }


def test_the_preflight_is_in_the_definition(template: dict[str, Any]) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    answer = definition["paths"]["/user/profile"]["options"]["x-amazon-apigateway-integration"][
        "responses"
    ]["default"]
    headers = {
        name.rpartition(".")[2]: value.strip("'")
        for name, value in answer["responseParameters"].items()
    }
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert {
        method.lower() for method in headers["Access-Control-Allow-Methods"].split(",")
    } == METHODS | {"options"}
    assert {"Authorization", "Content-Type", "If-Match", "If-None-Match"} <= set(
        headers["Access-Control-Allow-Headers"].split(",")
    )


def test_every_error_of_api_gateway_is_a_problem_that_scripts_can_read(
    template: dict[str, Any],
) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    responses = definition["x-amazon-apigateway-gateway-responses"]
    kinds: Any = (
        botocore.session.get_session()
        .get_service_model("apigateway")
        .shape_for("GatewayResponseType")
    )
    assert set(responses) == set(kinds.enum)
    for kind, response in responses.items():
        headers = {
            name.rpartition(".")[2]: value for name, value in response["responseParameters"].items()
        }
        assert headers["Content-Type"] == "'application/problem+json'"
        assert headers["Access-Control-Allow-Origin"] == "'*'"
        assert headers["Access-Control-Expose-Headers"] == "'ETag,Retry-After'"
        assert headers["Cache-Control"] == "'no-store'"
        problem = json.loads(response["responseTemplates"]["application/json"])
        assert set(problem) == {"type", "title", "status", "detail", "request_id"}
        assert str(problem["status"]) == response["statusCode"]
        assert problem["request_id"] == "$context.requestId"
        assert ("WWW-Authenticate" in headers) == (problem["status"] == 401), kind
        assert ("Retry-After" in headers) == (problem["status"] in (429, 504)), kind


def test_nothing_is_allowed_everywhere(template: dict[str, Any]) -> None:
    """But for X-Ray's and API Gateway's own managed policies, whose calls name no resource in AWS either."""
    roles = {
        name: found
        for name, found in template["Resources"].items()
        if found["Type"] == "AWS::IAM::Role"
    }
    assert set(roles) == {"ApiHandlerRole", "GatewayLogsRole"}
    managed = [
        arn["Fn::Sub"] for role in roles.values() for arn in role["Properties"]["ManagedPolicyArns"]
    ]
    writing_traces, writing_logs = (arn.rpartition("/")[2] for arn in managed)
    assert (writing_traces, writing_logs) == (
        "AWSXRayDaemonWriteAccess",
        "AmazonAPIGatewayPushToCloudWatchLogs",
    )
    (policy,) = roles["ApiHandlerRole"]["Properties"]["Policies"]
    data, logs = policy["PolicyDocument"]["Statement"]
    assert "*" not in "".join(data["Action"] + logs["Action"])
    assert data["Resource"] == "arn:aws:dynamodb:*:*:table/user-profile-dev"
    assert all(
        ":log-group:/aws/lambda/user-profile-dev" in resource for resource in logs["Resource"]
    )
    assert "Policies" not in roles["GatewayLogsRole"]["Properties"]


def test_logs_are_json_and_do_not_stay_for_ever(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    assert resources["APIHandler"]["Properties"]["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": {"Ref": "FunctionLogs"},
    }
    groups = [
        found["Properties"]
        for found in resources.values()
        if found["Type"] == "AWS::Logs::LogGroup"
    ]
    assert [group["RetentionInDays"] for group in groups] == [30, 30]
    line = json.loads(resources["RestAPI"]["Properties"]["AccessLogSetting"]["Format"])
    assert line["status"] == "$context.status"
    assert "$context.identity" not in json.dumps(line), "addresses are personal data"


def test_alarms_tell_the_topic_if_there_is_one(template: dict[str, Any]) -> None:
    alarms = [
        found["Properties"] for found in template["Resources"].values() if "Alarm" in found["Type"]
    ]
    assert {alarm["MetricName"] for alarm in alarms} == {
        "5XXError",
        "Latency",
        "Throttles",
        "Errors",
    }
    for alarm in alarms:
        assert alarm["AlarmActions"]["Fn::If"] == [
            "WithAlarmTopic",
            [{"Ref": "AlarmTopic"}],
            {"Ref": "AWS::NoValue"},
        ]
    # The metrics of an API go by its name, which Chalice makes the same for all stages.
    assert template["Resources"]["RestAPI"]["Properties"]["Name"] == {"Ref": "AWS::StackName"}


# --- the role, as it was deployed -------------------------------------------------------------------------------------


def test_the_deployed_role_allows_the_stores_calls_on_its_table_and_no_others(
    deployed: Deployment,
) -> None:
    iam = boto3.client("iam")
    (role,) = (
        role["Arn"]
        for role in iam.list_roles()["Roles"]
        if role["RoleName"].startswith("user-profile-dev-ApiHandler")
    )
    table = deployed.cloud.outputs["TableArn"]

    def allowed(resource: str) -> set[str]:
        operations = botocore.session.get_session().get_service_model("dynamodb").operation_names
        found = set()
        for name in operations:
            (result,) = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[f"dynamodb:{name}"], ResourceArns=[resource]
            )["EvaluationResults"]
            if result["EvalDecision"] == "allowed":
                found.add(f"dynamodb:{name}")
        return found

    assert allowed(table) == calls_of_the_store()
    for other in (f"{table}-2", table.replace("-dev", "-prod"), f"{table}/index/sk-pk-index"):
        assert allowed(other) == set()


# --- the zip ----------------------------------------------------------------------------------------------------------


def test_the_zip_holds_what_runs_and_nothing_else(built: Path) -> None:
    names = zipfile.ZipFile(built / "deployment.zip").namelist()
    assert len(names) == len(set(names)), "nothing is in it twice"
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "app.py", "chalicelib", "chalice", "__pycache__", ".built",
        "botocore", "jmespath", "dateutil", "urllib3", "six.py",
    }  # fmt: skip
    assert {
        name for name in names if name.startswith("chalicelib/") and "__pycache__" not in name
    } == {
        f"chalicelib/{path.name}"
        for path in (Path(__file__).parents[2] / "chalicelib").glob("*.py")
    }


def test_the_zip_is_under_3_megabytes(built: Path) -> None:
    assert (built / "deployment.zip").stat().st_size < 3_000_000


def test_everything_in_the_zip_is_compiled(built: Path) -> None:
    with zipfile.ZipFile(built / "deployment.zip") as archive:
        for name in filter(lambda name: name.endswith(".py"), archive.namelist()):
            path = Path(name)
            compiled = archive.read(
                str(path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc")
            )
            own = path.parts[0] in ("app.py", "chalicelib", "chalice")
            assert compiled[4:8] == (b"\x03\0\0\0" if own else b"\x01\0\0\0"), (
                "by content; own code is checked"
            )
            if own:
                assert compiled[8:16] == importlib.util.source_hash(archive.read(name)), (
                    "of just this source"
                )


def test_without_vendor_it_takes_the_runtimes_sdk(
    built: Path, account: Account, ada: User, tmp_path: Path
) -> None:
    runtimes.install(
        tmp_path / "runtime",
        extra_packages=("botocore", "jmespath", "python-dateutil", "six", "urllib3"),
    )
    with zipfile.ZipFile(built / "deployment.zip") as archive:
        own = [
            name
            for name in archive.namelist()
            if name.split("/")[0] in ("app.py", "chalicelib", "chalice")
        ]
        archive.extractall(tmp_path / "task", own)
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    variables |= account.environment("dev")
    with runtimes.function(
        tmp_path / "runtime", tmp_path / "task", "app.app", variables
    ) as function:
        answer = function.invoke(event("GET", ada.sub, variables["USER_POOL_CLIENT_ID"]))
    assert answer["statusCode"] in (200, 404), answer


def test_the_zip_answers_in_awss_own_runtime(
    runtime: Runtime, account: Account, new_user: Callable[[], User]
) -> None:
    user, client_id = new_user(), account.environment("dev")["USER_POOL_CLIENT_ID"]
    assert runtime.invoke(event("GET", user.sub, client_id))["statusCode"] == 404
    posted = runtime.invoke(event("POST", user.sub, client_id, '{"n": 12345678901234567890.5}'))
    assert posted["statusCode"] == 200, posted
    read = runtime.invoke(event("GET", user.sub, client_id))
    assert '"profile_data":{"n":12345678901234567890.5}' in read["body"]
    assert read["headers"]["ETag"] == posted["headers"]["ETag"]


def test_each_request_is_one_line_of_json_in_the_log(
    installed: Path, account: Account, ada: User
) -> None:
    """Lambda's own format, with what one asks a log for beside the message: as fields."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    variables |= account.environment("dev") | {"DYNAMODB_TABLE": "user-profile-nowhere"}
    client_id = variables["USER_POOL_CLIENT_ID"]
    with runtimes.function(installed, installed / "task", "app.app", variables) as function:
        for method, body in (("GET", None), ("PUT", "{"), ("PUT", None)):
            function.invoke(event(method, ada.sub, client_id, body))
        function.invoke({"detail-type": "Scheduled Event"})
        logged = function.log.read_text()
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    mistake, *refused, ping = [line for line in lines if line.get("logger") == "user-profile"]
    assert mistake["level"] == "ERROR"
    assert mistake["errorType"] == "ResourceNotFoundException"
    assert any("store.py" in frame for frame in mistake["stackTrace"])
    assert [(line["level"], line["error"]) for line in refused] == [("INFO", "MalformedJSON")] * 2
    assert (ping["level"], ping["status"], ping["method"]) == ("INFO", 400, "-")
    for line in (mistake, *refused):
        assert line["timestamp"]
        assert line["duration_ms"] > 0
        assert (line["sub"], line["route"], line["request_id"]) == (
            ada.sub,
            "/user/profile",
            "request-1",
        )
    assert [(line["method"], line["status"], line["database_calls"]) for line in (mistake, *refused)] == [
        ("GET", 500, 1), ("PUT", 400, 0), ("PUT", 400, 0)
    ]  # fmt: skip
