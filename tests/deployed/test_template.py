"""The template of `make package`, which CloudFormation deploys, and the role in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import boto3
import botocore.session
import pytest
from samtranslator.translator.transform import transform

from deploy import api_logs, api_parameters, chalice_config, policy, stacks
from deploy.chalice_config import API_GATEWAY_STAGE
from deploy.gateway_responses import MEMBER, gateway_responses
from deploy.packaging import TEMPLATE
from tests.deployed.conftest import Account, Clone, Deployment
from tests.support.aws_calls import actions_of_the_service
from tests.support.clone import record_backend

Template: TypeAlias = dict[str, Any]

APP = chalice_config.app_name()
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def template(package: Path) -> Template:
    loaded: Template = json.loads((package / "sam.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def definition(template: Template) -> dict[str, Any]:
    """The OpenAPI definition of the API."""
    found: dict[str, Any] = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    return found


class NoManagedPolicies:
    """The loader of managed policies for SAM's transform. The template uses none by name."""

    def load(self) -> dict[str, str]:
        return {}


def test_cfn_lint_accepts_it_before_and_after_sams_transform(package: Path, tmp_path: Path) -> None:
    assert_template_is_valid(package / "sam.json", tmp_path)


def assert_template_is_valid(
    file: Path, folder: Path, parameters: Mapping[str, str] = MappingProxyType({})
) -> Template:
    """Assert that cfn-lint accepts a template, and the result of SAM's transform; return that.

    Parameters that are left out have their defaults.
    """
    uploaded: Template = json.loads(file.read_text())
    uploaded["Resources"]["APIHandler"]["Properties"]["CodeUri"] = "s3://bucket/key"
    result: Template = transform(uploaded, dict(parameters), NoManagedPolicies())
    transformed = folder / "transformed.json"
    transformed.write_text(json.dumps(result))
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [cfn_lint, file, transformed], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    return result


@pytest.mark.parametrize(
    ("partition", "region"), [("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")]
)
def test_the_template_fits_every_partition(clone: Clone, partition: str, region: str) -> None:
    pool = f"arn:{partition}:cognito-idp:{region}:000000000000:userpool/{region}_Abc"
    variables = {"DYNAMODB_TABLE": "t", "USER_POOL_ARN": pool, "USER_POOL_CLIENT_ID": "c"}
    record_backend(clone.folder, "dev", variables)
    clone.run("package", "dev", AWS_DEFAULT_REGION=region, AWS_REGION=region)
    template = (clone.folder / "out" / "dev" / "sam.json").read_text()
    assert "arn:aws:" not in template
    assert "amazonaws.com" not in template.replace("lambda.amazonaws.com", "").replace(
        "apigateway.amazonaws.com", ""
    ), "an address of the partition aws; the two names of services are the same everywhere"


def test_a_role_that_exists_already_is_used(clone: Clone, tmp_path: Path) -> None:
    role = "arn:aws:iam::000000000000:role/profiles"
    clone.set_stage("dev", manage_iam_role=False, iam_role_arn=role)
    clone.run("backend", "dev")
    clone.run("package", "dev")
    result = assert_template_is_valid(clone.folder / "out" / "dev" / "sam.json", tmp_path)
    function = result["Resources"]["APIHandler"]
    assert function["Properties"]["Role"] == role
    assert "ApiHandlerRole" not in result["Resources"]


CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/12345678-1234-1234-1234-123456789012"


@pytest.mark.parametrize("endpoint", ["REGIONAL", "EDGE"])
def test_a_custom_domain_is_deployed(clone: Clone, tmp_path: Path, endpoint: str) -> None:
    domain = f"{clone.app_name}.example.com"
    clone.set_stage(
        "dev",
        api_gateway_endpoint_type=endpoint,
        api_gateway_custom_domain={"domain_name": domain, "certificate_arn": CERTIFICATE},
        api={"only_custom_domain": True},
    )
    clone.run("backend", "dev")
    output = clone.run("deploy", "dev")
    assert f"The DNS record of {domain} must point to " in output
    result = assert_template_is_valid(clone.folder / "out" / "dev" / "sam.json", tmp_path)
    (stage,) = (
        name
        for name, resource in result["Resources"].items()
        if resource["Type"] == "AWS::ApiGateway::Stage"
    )
    mapping = result["Resources"]["ApiGatewayCustomDomainMapping"]["Properties"]
    assert mapping["Stage"] == {"Ref": stage}, "otherwise it does not wait for the stage"
    (mapped,) = boto3.client("apigateway").get_base_path_mappings(domainName=domain)["items"]
    assert mapped["stage"] == API_GATEWAY_STAGE
    stack = clone.stack("dev")
    assert stack is not None
    assert stack.outputs["CustomDomainURL"] == f"https://{domain}"
    clone.run("destroy", "dev")


def test_the_api_has_one_stage_which_the_alarms_watch(account: Account, template: Template) -> None:
    config = json.loads((account.folder / ".chalice/config.json").read_text())
    api = template["Resources"]["RestAPI"]["Properties"]
    assert api["StageName"] == config["api_gateway_stage"] == API_GATEWAY_STAGE
    assert api["OpenApiVersion"] == "2.0", "otherwise SAM makes another stage, named Stage"
    watched = [
        dimension["Value"]
        for resource in template["Resources"].values()
        for dimension in resource.get("Properties", {}).get("Dimensions", [])
        if dimension["Name"] == "Stage"
    ]
    assert set(watched) == {API_GATEWAY_STAGE}


def test_the_api_is_named_after_its_stack(template: Template, definition: dict[str, Any]) -> None:
    """Metrics are selected by the API's name, and Chalice uses one name for all stages."""
    name = template["Resources"]["RestAPI"]["Properties"]["Name"]
    assert name == definition["info"]["title"] == {"Ref": "AWS::StackName"}


def test_each_method_is_throttled(template: Template, definition: dict[str, Any]) -> None:
    settings = template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    assert settings[0]["ResourcePath"] == "/*"
    assert settings[0]["HttpMethod"] == "*"
    limits = limits_of(template)
    assert limits.pop("/* *") == ("ThrottleRate", "ThrottleBurst")
    assert limits["/~1users~1{sub}~1profile PATCH"] == ("UsersThrottleRate", "UsersThrottleBurst")
    assert set(limits.values()) == {("UsersThrottleRate", "UsersThrottleBurst")}
    assert len(limits) == sum(
        len(methods.keys() - {"options"})
        for path, methods in definition["paths"].items()
        if path.startswith("/users")
    )
    assert "ProfilesThrottleRate" not in template["Parameters"], "no PUBLIC_FIELDS, no /profiles"


def test_public_profiles_have_a_throttling_of_their_own(clone: Clone, tmp_path: Path) -> None:
    clone.set_stage("dev", environment_variables={"PUBLIC_FIELDS": "name"})
    clone.run("backend", "dev")
    clone.run("package", "dev")
    file = clone.folder / "out" / "dev" / "sam.json"
    assert_template_is_valid(file, tmp_path)
    limits = limits_of(json.loads(file.read_text()))
    assert limits["/~1profiles GET"] == ("ProfilesThrottleRate", "ProfilesThrottleBurst")


def limits_of(template: Template) -> dict[str, tuple[str, str]]:
    """The parameters of the throttling, by path and method."""
    return {
        f"{setting['ResourcePath']} {setting['HttpMethod']}": (
            setting["ThrottlingRateLimit"]["Ref"],
            setting["ThrottlingBurstLimit"]["Ref"],
        )
        for setting in template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    }


def test_the_deployed_stage_has_the_throttling(deployed: Deployment) -> None:
    stage = boto3.client("apigateway").get_stage(
        restApiId=deployed.url.split("/restapis/")[1].split("/")[0], stageName=API_GATEWAY_STAGE
    )
    # AWS's keys have no slash at the beginning, ministack's have one.
    settings = {key.lstrip("/"): value for key, value in stage["methodSettings"].items()}
    assert settings["*/*"]["throttlingRateLimit"] == 1000
    assert settings["*/*"]["throttlingBurstLimit"] == 2000
    assert settings["~1users/GET"]["throttlingRateLimit"] == 100


def test_requests_are_traced(template: Template) -> None:
    assert template["Resources"]["RestAPI"]["Properties"]["TracingEnabled"] is True
    assert template["Resources"]["APIHandler"]["Properties"]["Tracing"] == "Active"


def test_every_method_but_options_has_the_authorizer(definition: dict[str, Any]) -> None:
    methods = definition["paths"]["/user/profile"]
    assert set(methods) == METHODS | {"options"}
    for method in METHODS:
        assert methods[method]["security"] == [{"user-pool": []}]
    assert "security" not in methods["options"]


def test_the_authorizer_accepts_tokens_of_the_apps_client_only(
    account: Account, definition: dict[str, Any]
) -> None:
    recorded = account.environment("dev")
    authorizer = definition["securityDefinitions"]["user-pool"]
    assert authorizer["x-amazon-apigateway-authorizer"] == {
        "type": "cognito_user_pools",
        "providerARNs": [recorded["USER_POOL_ARN"]],
        "identityValidationExpression": f"^({recorded['USER_POOL_CLIENT_ID']})$",
    }


def test_the_preflight_lets_a_browser_send_everything(definition: dict[str, Any]) -> None:
    options = definition["paths"]["/user/profile"]["options"]
    response = options["x-amazon-apigateway-integration"]["responses"]["default"]
    headers = {
        name.removeprefix("method.response.header."): value.strip("'")
        for name, value in response["responseParameters"].items()
    }
    assert headers["Access-Control-Allow-Origin"] == "*"
    methods = headers["Access-Control-Allow-Methods"].lower().split(",")
    assert set(methods) == METHODS | {"options"}
    allowed = set(headers["Access-Control-Allow-Headers"].split(","))
    assert {"Authorization", "Content-Type", "If-Match", "If-None-Match"} <= allowed


def test_api_gateways_own_errors_are_the_projects(definition: dict[str, Any]) -> None:
    assert definition[MEMBER] == gateway_responses()


def test_the_only_managed_policies_write_traces_and_logs(template: Template) -> None:
    """These two policies name no resource: their actions support none."""
    roles = roles_of(template)
    assert set(roles) == {"ApiHandlerRole", "GatewayLogsRole"}
    managed = {
        name: [arn["Fn::Sub"].rpartition("/")[2] for arn in role["ManagedPolicyArns"]]
        for name, role in roles.items()
    }
    assert managed == {
        "ApiHandlerRole": ["AWSXRayDaemonWriteAccess"],
        "GatewayLogsRole": ["AmazonAPIGatewayPushToCloudWatchLogs"],
    }
    assert "Policies" not in roles["GatewayLogsRole"]


def test_the_functions_policy_is_that_of_make_backend(account: Account, template: Template) -> None:
    (inline,) = roles_of(template)["ApiHandlerRole"]["Policies"]
    with chdir(account.folder):
        recorded = chalice_config.recorded_backend("dev")
        assert inline["PolicyDocument"]["Statement"] == policy.statements("dev", recorded)


def roles_of(template: Template) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def test_logs_are_json_and_are_kept_for_30_days(template: Template) -> None:
    resources = template["Resources"]
    logging = resources["APIHandler"]["Properties"]["LoggingConfig"]
    assert logging["LogFormat"] == "JSON"
    assert logging["LogGroup"]["Fn::If"][1] == {"Ref": "FunctionLogs"}
    groups = [
        resource for resource in resources.values() if resource["Type"] == "AWS::Logs::LogGroup"
    ]
    retention = [group["Properties"]["RetentionInDays"] for group in groups]
    assert retention == [{"Ref": "LogRetentionDays"}] * len(api_logs.GROUPS)
    assert template["Parameters"]["LogRetentionDays"]["Default"] == 30


def test_access_logs_have_no_addresses_unless_asked_for(template: Template) -> None:
    """IP addresses are personal data."""
    settings = template["Resources"]["RestAPI"]["Properties"]["AccessLogSetting"]
    condition, with_address, without_address = settings["Format"]["Fn::If"]
    assert condition == "WithAccessLogAddress"
    assert template["Parameters"]["AccessLogAddress"]["Default"] == "false"
    line = json.loads(without_address)
    assert line["status"] == "$context.status"
    assert line["caller"] == "$context.identity.userArn"
    assert without_address.count("$context.identity") == 1
    assert json.loads(with_address) == {**line, "address": "$context.identity.sourceIp"}


def test_alarms_go_to_the_topic_if_there_is_one(template: Template) -> None:
    alarms = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    watched = {alarm["MetricName"] for alarm in alarms}
    assert watched == {
        "5XXError", "4XXError", "Latency", "Count",
        "Throttles", "Errors",
        "ReadThrottleEvents", "WriteThrottleEvents",
        "SignInThrottles", "TokenRefreshThrottles",
    }  # fmt: skip
    topic_or_none = ["WithAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]
    for alarm in alarms:
        assert alarm["AlarmActions"]["Fn::If"] == topic_or_none
        assert alarm["OKActions"]["Fn::If"] == topic_or_none


ALL_PARAMETERS = {
    "AlarmTopic": "arn:aws:sns:us-east-1:000000000000:alarms",
    "PermissionsBoundary": "arn:aws:iam::000000000000:policy/boundary",
    "ThrottleRate": "11",
    "ThrottleBurst": "12",
    "UsersThrottleRate": "13",
    "UsersThrottleBurst": "14",
    "ClientErrorCount": "20",
    "SilenceHours": "24",
    "Dashboard": "true",
    "LogRetentionDays": "90",
    "AccessLogAddress": "true",
}


def test_the_api_deploys_with_every_parameter(clone: Clone, tmp_path: Path) -> None:
    settable = set(json.loads(TEMPLATE.read_text())["Parameters"]) - api_parameters.NOT_SETTABLE
    others = {"ProfilesThrottleRate", "ProfilesThrottleBurst"}
    assert set(ALL_PARAMETERS) == settable - others, "add the new parameter to ALL_PARAMETERS"
    clone.run("backend", "dev")
    clone.set_stage("dev", api={"parameters": {**ALL_PARAMETERS, "ProfilesThrottleRate": "15"}})
    output = clone.run("deploy", "dev")
    assert "the parameter ProfilesThrottleRate has no effect" in output
    file = clone.folder / "out" / "dev" / "sam.json"
    assert_template_is_valid(file, tmp_path, ALL_PARAMETERS)
    stack = clone.stack("dev")
    assert stack is not None
    assert ALL_PARAMETERS.items() <= dict(stack.parameters).items()
    alarms = boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{clone.app_name}-dev")
    names = {alarm["AlarmName"].split("-")[3] for alarm in alarms["MetricAlarms"]}
    assert names >= {"Silence", "ClientErrors", "DatabaseWriteThrottles", "SignInThrottles"}
    name = f"{clone.app_name}-dev-us-east-1"
    body = boto3.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    assert clone.variables("dev")["DYNAMODB_TABLE"] in body
    assert "${" not in body
    clone.run("deploy", "dev", OPTION_PARAMETERS="Dashboard=false ClientErrorCount=0")
    assert "Overview" not in stacks.physical_ids(f"{clone.app_name}-dev")


def test_a_stage_without_app_clients_has_no_alarm_for_them(clone: Clone, tmp_path: Path) -> None:
    clone.run("backend", "dev")
    clone.set_stage(
        "dev", environment_variables={**clone.variables("dev"), "USER_POOL_CLIENT_ID": ""}
    )
    clone.run("package", "dev")
    file = clone.folder / "out" / "dev" / "sam.json"
    assert_template_is_valid(file, tmp_path)
    template = json.loads(file.read_text())
    assert template["Mappings"]["Backend"]["Names"]["UserPoolClient"] == "none"
    for alarm in ("SignInThrottles", "TokenRefreshThrottles"):
        assert template["Resources"][alarm]["Condition"] == "WithUserPoolClient"
    find_client = {"Fn::FindInMap": ["Backend", "Names", "UserPoolClient"]}
    is_none = {"Fn::Equals": [find_client, "none"]}
    assert template["Conditions"]["WithUserPoolClient"] == {"Fn::Not": [is_none]}


def test_the_deployed_role_allows_the_services_calls_only(deployed: Deployment) -> None:
    table = deployed.cloud.outputs["TableArn"]
    role = deployed_role(f"{APP}-dev-ApiHandler")
    service = botocore.session.get_session().get_service_model("dynamodb")
    every_action = [f"dynamodb:{name}" for name in service.operation_names]
    # BatchGetItem is for PUBLIC_FIELDS, which this stage does not set.
    needed = actions_of_the_service("dynamodb") - {"dynamodb:BatchGetItem"}
    assert allowed_actions(role, every_action, table) == needed
    for other in (f"{table}-2", table.replace("-dev", "-prod"), f"{table}/index/sk-pk-index"):
        assert allowed_actions(role, every_action, other) == set()


def test_the_deployed_role_may_delete_users_of_its_pool_only(deployed: Deployment) -> None:
    pool = deployed.cloud.outputs["UserPoolArn"]
    role = deployed_role(f"{APP}-dev-ApiHandler")
    service = botocore.session.get_session().get_service_model("cognito-idp")
    every_action = [f"cognito-idp:{name}" for name in service.operation_names]
    needed = actions_of_the_service("cognito-idp")
    assert allowed_actions(role, every_action, pool) == needed
    assert allowed_actions(role, list(needed), f"{pool}2") == set()


def deployed_role(prefix: str) -> str:
    """Return the ARN of the only role whose name begins with `prefix`."""
    roles = boto3.client("iam").list_roles()["Roles"]
    (arn,) = (role["Arn"] for role in roles if role["RoleName"].startswith(prefix))
    return arn


def allowed_actions(role: str, actions: list[str], resource: str) -> set[str]:
    """Return the actions that the role may perform on the resource."""
    iam = boto3.client("iam")
    allowed = set()
    for action in actions:
        simulated = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
        )
        (result,) = simulated["EvaluationResults"]
        if result["EvalDecision"] == "allowed":
            allowed.add(action)
    return allowed
