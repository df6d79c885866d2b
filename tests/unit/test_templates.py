"""The declarations for AWS: the backend's template, and the stages' settings and policies."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from chalice.config import Config

from deploy import __main__ as deploy_command
from deploy import backend as backend_stack
from deploy import backend_parameters, chalice_config, live_settings
from deploy.packaging import TEMPLATE as API_TEMPLATE
from deploy.template import is_declared, properties
from tests.support.documents import DOCS, example

ROOT = Path(__file__).parents[2]
CHALICE_FOLDER = ROOT / ".chalice"
SETTINGS: dict[str, Any] = json.loads((CHALICE_FOLDER / "config.json").read_text())
STAGES = list(SETTINGS["stages"])


@pytest.fixture(scope="module")
def backend() -> dict[str, Any]:
    return backend_stack.template()


def test_cfn_lint_accepts_the_backend() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [cfn_lint, backend_stack.TEMPLATE], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_cfn_lint_accepts_the_example_of_change_events(tmp_path: Path) -> None:
    template = tmp_path / "events.yaml"
    template.write_text(example(DOCS / "operating.md", "Change events", "yaml"))
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([cfn_lint, template], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["Table", "UserPool"])
def test_users_and_data_outlive_the_stack(backend: dict[str, Any], name: str) -> None:
    resource = backend["Resources"][name]
    assert resource["DeletionPolicy"] == "Retain"
    assert resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", ["UserPoolClient", "UserPoolDomain"])
def test_sign_in_outlives_the_stack_but_not_a_rollback(backend: dict[str, Any], name: str) -> None:
    resource = backend["Resources"][name]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
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
    assert properties(backend, "UserPoolClient", {})["ExplicitAuthFlows"] == [
        "ALLOW_USER_SRP_AUTH",
        "ALLOW_REFRESH_TOKEN_AUTH",
    ]
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


@pytest.mark.parametrize("parameter", ["AppName", "Stage"])
def test_names_have_the_same_rule_everywhere(backend: dict[str, Any], parameter: str) -> None:
    pattern = backend["Parameters"][parameter]["AllowedPattern"]
    assert pattern == chalice_config.APP_NAME.pattern
    assert deploy_command.STAGE_NAME.pattern == pattern


def schema_of(resource_type: str) -> dict[str, Any]:
    """CloudFormation's schema of a resource type, from cfn-lint."""
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(
        "us-east-1", resource_type
    ).schema
    return schema


def test_no_parameter_is_part_of_a_property_that_replaces(backend: dict[str, Any]) -> None:
    """CloudFormation replaces a resource if one of its create-only properties changes."""
    settable = set(backend["Parameters"]) - backend_parameters.DERIVED - {"DomainSuffix"}
    for name, resource in backend["Resources"].items():
        schema = schema_of(resource["Type"])
        paths = [
            *schema.get("createOnlyProperties", []),
            *schema.get("conditionalCreateOnlyProperties", []),
        ]
        for path in paths:
            value = resource["Properties"].get(path.removeprefix("/properties/"))
            used = set(re.findall(r"\w+", json.dumps(value)))
            assert not used & settable, f"{path} of {name} depends on a parameter"


NOT_COMPARED = {
    "AWS::Cognito::UserPool": {
        # fixed when the pool is created
        "AliasAttributes", "Schema", "UsernameAttributes", "UsernameConfiguration",
        # results
        "Arn", "ProviderName", "ProviderURL", "UserPoolId",
        # changed one by one
        "UserPoolTags",
    },
    "AWS::Cognito::UserPoolClient": {
        "ClientId", "ClientSecret", "GenerateSecret", "Name", "UserPoolId",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("resource_type", "compared"),
    [
        ("AWS::Cognito::UserPool", live_settings.POOL_PROPERTIES),
        ("AWS::Cognito::UserPoolClient", live_settings.CLIENT_PROPERTIES),
    ],
)
def test_every_property_that_an_update_resets_is_compared(
    resource_type: str, compared: tuple[str, ...]
) -> None:
    properties = set(schema_of(resource_type)["properties"])
    assert properties == set(compared) | NOT_COMPARED[resource_type], (
        "add the property to deploy/live_settings.py, or to NOT_COMPARED"
    )


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


@pytest.mark.parametrize(
    ("boundary", "is_allowed"),
    [
        ("", True),
        ("arn:aws:iam::123456789012:policy/deployment/boundary", True),
        ("arn:aws:iam::aws:policy/PowerUserAccess", True),
        ("boundary", False),
        ("arn:aws:iam::123456789012:role/boundary", False),
    ],
)
def test_a_permissions_boundary_is_the_arn_of_a_policy(boundary: str, is_allowed: bool) -> None:
    parameter = json.loads(API_TEMPLATE.read_text())["Parameters"]["PermissionsBoundary"]
    assert bool(re.fullmatch(parameter["AllowedPattern"], boundary)) == is_allowed


TRIGGER = "arn:aws:lambda:eu-central-1:123456789012:function:trigger"


@pytest.mark.parametrize(
    ("trigger", "is_allowed"),
    [
        ("", True),
        (TRIGGER, True),
        (f"{TRIGGER}:live", True),
        (f"{TRIGGER}:12", True),
        ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:my_Trigger-1", True),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:function:trigger", True),
        ("trigger", False),
        (f"{TRIGGER}:", False),
        (f"{TRIGGER} ", False),
        (TRIGGER.replace(":function:", ":layer:"), False),
        (TRIGGER.replace(":lambda:", ":sns:"), False),
    ],
)
def test_a_trigger_is_the_arn_of_a_function(
    backend: dict[str, Any], trigger: str, is_allowed: bool
) -> None:
    triggers = [name for name in backend["Parameters"] if name.endswith("Trigger")]
    assert len(triggers) == 7
    for name in triggers:
        pattern = backend["Parameters"][name]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, trigger)) == is_allowed, name


def test_every_role_of_the_api_can_have_a_boundary() -> None:
    resources = json.loads(API_TEMPLATE.read_text())["Resources"]
    for name in ("ApiHandlerRole", "GatewayLogsRole"):  # Chalice declares the type of the first
        condition, boundary, nothing = resources[name]["Properties"]["PermissionsBoundary"][
            "Fn::If"
        ]
        assert condition == "WithPermissionsBoundary"
        assert boundary == {"Ref": "PermissionsBoundary"}
        assert nothing == {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    ("parameters", "flows"),
    [
        ({"RefreshTokenRotation": "true"}, []),
        ({"Passkeys": "true"}, ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_AUTH"]),
        ({"Passkeys": "true", "RefreshTokenRotation": "true"}, ["ALLOW_USER_AUTH"]),
    ],
)
def test_sign_in_flows_follow_from_the_settings(
    backend: dict[str, Any], parameters: dict[str, str], flows: list[str]
) -> None:
    client = properties(backend, "UserPoolClient", parameters)
    assert client["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH", *flows]


PASSKEYS = {
    "Passkeys": "true",
    "PasskeyDomain": "auth.example.com",
    "PasskeyUserVerification": "required",
    "PasskeyFactor": "MULTI_FACTOR_WITH_USER_VERIFICATION",
}
PASSKEY_PROPERTIES = (
    "WebAuthnRelyingPartyID",
    "WebAuthnUserVerification",
    "WebAuthnFactorConfiguration",
)


def test_passkeys_are_on_request(backend: dict[str, Any]) -> None:
    pool = properties(backend, "UserPool", PASSKEYS)
    assert pool["Policies"]["SignInPolicy"] == {
        "AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]
    }
    values = [pool[name] for name in PASSKEY_PROPERTIES]
    assert values == ["auth.example.com", "required", "MULTI_FACTOR_WITH_USER_VERIFICATION"]


@pytest.mark.parametrize("parameters", [{}, {**PASSKEYS, "Passkeys": "false"}])
def test_without_passkeys_nothing_of_them_is_set(
    backend: dict[str, Any], parameters: dict[str, str]
) -> None:
    pool = properties(backend, "UserPool", parameters)
    assert "SignInPolicy" not in pool["Policies"]
    assert not set(PASSKEY_PROPERTIES) & set(pool)


def test_managed_login_has_a_style(backend: dict[str, Any]) -> None:
    assert not is_declared(backend, "ManagedLoginStyle", {})
    assert is_declared(backend, "ManagedLoginStyle", {"ManagedLogin": "true"})
    attached = {"ManagedLogin": "true", "MakeUserPool": "false"}
    assert not is_declared(backend, "ManagedLoginStyle", attached)
    domain = properties(backend, "UserPoolDomain", {"ManagedLogin": "true"})
    assert domain["ManagedLoginVersion"] == 2


def test_the_sign_in_page_is_the_classic_one_by_default(backend: dict[str, Any]) -> None:
    """Cognito documents no default, and not that an update without a version goes back to it."""
    assert properties(backend, "UserPoolDomain", {})["ManagedLoginVersion"] == 1


def test_threat_protection_is_on_request(backend: dict[str, Any]) -> None:
    assert "UserPoolAddOns" not in properties(backend, "UserPool", {})
    pool = properties(backend, "UserPool", {"ThreatProtection": "AUDIT"})
    assert pool["UserPoolAddOns"] == {"AdvancedSecurityMode": "AUDIT"}


@pytest.mark.parametrize(
    ("parameters", "maximum"),
    [
        ({}, None),
        ({"MaxReadUnits": "100"}, {"MaxReadRequestUnits": "100"}),
        ({"MaxWriteUnits": "50"}, {"MaxWriteRequestUnits": "50"}),
        (
            {"MaxReadUnits": "100", "MaxWriteUnits": "50"},
            {"MaxReadRequestUnits": "100", "MaxWriteRequestUnits": "50"},
        ),
        ({"MaxReadUnits": "100", "BillingMode": "PROVISIONED"}, None),
    ],
)
def test_the_units_of_an_on_demand_table_can_be_limited(
    backend: dict[str, Any], parameters: dict[str, str], maximum: dict[str, str] | None
) -> None:
    assert properties(backend, "Table", parameters).get("OnDemandThroughput") == maximum


@pytest.mark.parametrize(
    ("value", "is_allowed"),
    [("", True), ("1", True), ("40000", True), ("0", False), ("-1", False), ("ten", False)],
)
def test_a_limit_of_units_is_a_number_from_1(
    backend: dict[str, Any], value: str, is_allowed: bool
) -> None:
    for name in ("MaxReadUnits", "MaxWriteUnits"):
        pattern = backend["Parameters"][name]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, value)) == is_allowed


def test_the_outputs_are_those_that_deploy_reads(backend: dict[str, Any]) -> None:
    read_by_deploy = {"TableName", "UserPoolId", "UserPoolDomain"}
    recorded = set(backend_stack.OUTPUT_OF_VARIABLE.values())
    assert read_by_deploy | recorded | {"TableArn"} == set(backend["Outputs"])


@pytest.mark.parametrize("stage", STAGES)
def test_chalice_uses_the_projects_policy(stage: str) -> None:
    config = Config(stage, config_from_disk=SETTINGS)
    assert config.autogen_policy is False
