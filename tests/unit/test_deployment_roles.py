"""resources/deployment-roles.yaml: its policies suffice for CloudFormation, and give no more.

tests/deployed/test_deployment_roles.py runs the commands with them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

import cfnlint
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from deploy import backend, packaging, template

ROOT = Path(__file__).parents[2]
FILE = ROOT / "resources" / "deployment-roles.yaml"
STAGE_POLICIES = ("StackPolicy", "CustomDomainPolicy", "DeployerPolicy", "OperatorPolicy")
POLICIES = ("Boundary", *STAGE_POLICIES)
ACTIONS = "AdditionalSpecs/Policies.json"
"""In cfn-lint: the actions of each service, with the types of resources that a policy can name."""
LARGEST_POLICY = 6144
"""Characters of a managed policy, without white space (IAM User Guide, quotas)."""

MADE_BY_CHALICE_AND_SAM = {
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
}
"""Types of the API's stack that resources/api.json does not name."""
CUSTOM_DOMAIN = {"AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::DomainName"}
"""Types of the API's stack if the stage has a custom domain. Chalice makes them."""

UNUSED = (
    # Keys of the account, and a sign-in domain of one's own with a certificate
    "kms:*",
    "cloudfront:*",
    # Functions in a network, with a file system, layers, signed code or a capacity provider
    "ec2:*",
    "elasticfilesystem:*",
    "s3files:*",
    "lambda:*CodeSigningConfig",
    "lambda:PutFunctionScalingConfig",
    "lambda:PassCapacityProvider",
    "lambda:AssociateRuntimeAlias",
    # Tables that are replicas, are imported from S3, or stream to Kinesis, or have a policy
    "dynamodb:*Kinesis*",
    "dynamodb:*Replica",
    "dynamodb:*Item",
    "dynamodb:ImportTable",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PutResourcePolicy",
    "dynamodb:DeleteResourcePolicy",
    "kinesis:*",
    "s3:GetObjectMetadata",
    "s3:ListBucket",
    "s3:REST.PUT.OBJECT",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    # Log groups that mask data, have keys or a policy, or are delivered elsewhere
    "logs:*DataProtectionPolicy",
    "logs:*IndexPolicy",
    "logs:*KmsKey",
    "logs:*LogDelivery",
    "logs:*LogGroupDeletionProtection",
    "logs:PutBearerTokenAuthentication",
    "logs:PutResourcePolicy",
    "logs:DeleteResourcePolicy",
    "firehose:*",
    # Removing the boundary of a role: nothing may
    "iam:DeleteRolePermissionsBoundary",
)
"""Permissions of CloudFormation's handlers for properties that the templates do not have."""

Statement: TypeAlias = dict[str, Any]


@pytest.fixture(scope="module")
def roles() -> dict[str, Any]:
    """The resources of the template."""
    found: dict[str, Any] = template.load(FILE.read_text(), FILE.name)["Resources"]
    return found


def statements(roles: dict[str, Any], policy: str) -> list[Statement]:
    found: list[Statement] = roles[policy]["Properties"]["PolicyDocument"]["Statement"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(roles: dict[str, Any], policy: str) -> Iterator[str]:
    for statement in statements(roles, policy):
        yield from as_list(statement["Action"])


def resource_types() -> set[str]:
    """The types of the resources in the two stacks, after SAM's transform."""
    declared = [
        backend.template()["Resources"],
        json.loads(packaging.TEMPLATE.read_text())["Resources"],
    ]
    types = {
        resource["Type"]
        for resources in declared
        for resource in resources.values()
        if "Type" in resource
    }
    return types | MADE_BY_CHALICE_AND_SAM


def test_cfn_lint_accepts_the_deployment_roles() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([cfn_lint, FILE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("resource_type", sorted(resource_types()))
def test_cloudformation_may_do_what_its_handlers_do(
    roles: dict[str, Any], resource_type: str
) -> None:
    """CloudFormation's schemas list the permissions of each handler."""
    assert_policy_suffices(roles, "StackPolicy", resource_type)


@pytest.mark.parametrize("resource_type", sorted(CUSTOM_DOMAIN))
def test_cloudformation_may_make_the_custom_domain(
    roles: dict[str, Any], resource_type: str
) -> None:
    assert_policy_suffices(roles, "CustomDomainPolicy", resource_type)


def assert_policy_suffices(roles: dict[str, Any], policy: str, resource_type: str) -> None:
    allowed = list(actions(roles, policy))
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    for handler in ("create", "read", "update", "delete"):
        for needed in schema["handlers"].get(handler, {}).get("permissions", []):
            assert any(fnmatchcase(needed, pattern) for pattern in (*allowed, *UNUSED)), (
                f"{handler} of {resource_type} needs {needed}: add it to {policy} in "
                "resources/deployment-roles.yaml, or to UNUSED in this file"
            )


def test_cloudformation_may_change_the_stages_domain_only(roles: dict[str, Any]) -> None:
    """An account can have domains of other APIs, whose rights have no tags or names of stages."""
    new, own = statements(roles, "CustomDomainPolicy")
    assert new["Action"] == "apigateway:POST"
    assert new["Resource"]["Fn::Sub"].endswith("::/domainnames")
    for resource in own["Resource"]:
        assert "/domainnames/${CustomDomain}" in resource["Fn::Sub"]
    attached = roles["CloudFormationRole"]["Properties"]["ManagedPolicyArns"]
    with_domain = ["WithCustomDomain", {"Ref": "CustomDomainPolicy"}, {"Ref": "AWS::NoValue"}]
    assert attached == [{"Ref": "StackPolicy"}, {"Fn::If": with_domain}]


@pytest.mark.parametrize(
    ("domain", "is_allowed"),
    [("", True), ("api.acme.com", True), ("*.acme.com", False), ("api.acme.com/v1", False)],
)
def test_a_custom_domain_is_one_domain(domain: str, is_allowed: bool) -> None:
    parameters = template.load(FILE.read_text(), FILE.name)["Parameters"]
    assert bool(re.fullmatch(parameters["CustomDomain"]["AllowedPattern"], domain)) == is_allowed


@pytest.mark.parametrize("policy", STAGE_POLICIES)
def test_every_right_is_limited_to_the_stage_if_it_can_be(
    roles: dict[str, Any], policy: str
) -> None:
    """IAM has no names of user pools and REST APIs, and some reading is possible for all only."""
    for statement in statements(roles, policy):
        text = json.dumps(statement)
        names = ("${AppName}-", '{"Ref": "Stage"}', "/domainnames/${CustomDomain}")
        is_of_the_stage = any(name in text for name in names)
        only_reads = all(
            re.fullmatch(r"[a-z-]+:(GET|Describe[\w*]*|Get\w*|List\w*)", action)
            for action in as_list(statement["Action"])
        )
        exceptions = {
            "RestApi",
            "NewCustomDomain",
            "LogsRoleOfApiGateway",
            "RunSamsTransform",
            "LetCloudFormationAct",
            "RolesThatServicesMakeForThemselves",
        }
        assert is_of_the_stage or only_reads or statement["Sid"] in exceptions, statement["Sid"]


@pytest.mark.parametrize("policy", POLICIES)
def test_an_action_without_resources_is_allowed_for_all(roles: dict[str, Any], policy: str) -> None:
    """A statement that limits such an action, like CreateUserPool, to an ARN allows nothing.

    AWS's Service Authorization Reference lists these actions; cfn-lint has a copy.
    """
    services = json.loads(Path(cfnlint.__file__).with_name("data").joinpath(ACTIONS).read_text())
    for statement in statements(roles, policy):
        for action in as_list(statement["Action"]):
            service, name = action.split(":")
            if statement["Resource"] == "*" or "*" in name:
                continue
            known = services[service]["Actions"]
            assert known[name.lower()].get("Resources"), (
                f"{statement['Sid']} in {FILE.name}: give {action} the resource *"
            )


def test_a_role_can_only_be_made_within_the_boundary(roles: dict[str, Any]) -> None:
    within = {"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy"}
    granting = [
        statement
        for statement in statements(roles, "StackPolicy")
        if within & set(as_list(statement["Action"]))
    ]
    (statement,) = granting
    assert within <= set(statement["Action"])
    assert statement["Condition"] == {
        "StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}
    }
    assert "iam:DeleteRolePermissionsBoundary" not in statement["Action"]


def test_the_deployment_roles_are_not_of_the_stage(roles: dict[str, Any]) -> None:
    """The roles of the API's stack can be changed: those of a deployment must not be among them."""
    for name, resource in roles.items():
        assert resource["Properties"]["Path"] == "/deployment/", name
        assert "RoleName" not in resource["Properties"], name


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_fits_into_iams_limit(roles: dict[str, Any], policy: str) -> None:
    document = json.dumps(roles[policy]["Properties"]["PolicyDocument"])
    longest = document.replace("${AppName}", "a" * 20).replace("${Stage}", "s" * 13)
    longest = longest.replace("${AWS::AccountId}", "1" * 12).replace("${AWS::Region}", "r" * 14)
    longest = longest.replace("${CustomDomain}", "d" * 253)
    assert len(re.sub(r"\s", "", longest)) <= LARGEST_POLICY


def test_a_new_description_does_not_replace_a_policy(roles: dict[str, Any]) -> None:
    for policy in POLICIES:
        assert "Description" not in roles[policy]["Properties"]


@pytest.mark.parametrize(
    ("repository", "is_allowed"),
    [
        ("", True),
        ("acme/profile", True),
        ("acme@123456/profile@456789", True),
        ("acme", False),
        ("acme/*", False),
        ("acme/pro?ile", False),
        ("acme/profile:environment:dev", False),
    ],
)
def test_a_repository_is_one_repository(repository: str, is_allowed: bool) -> None:
    parameters = template.load(FILE.read_text(), FILE.name)["Parameters"]
    assert bool(re.fullmatch(parameters["Repository"]["AllowedPattern"], repository)) == is_allowed


def test_github_must_be_the_repository_and_environment(roles: dict[str, Any]) -> None:
    role = roles["GitHubRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    conditions = statement["Condition"]["StringEquals"]
    assert set(statement["Condition"]) == {"StringEquals"}, "no wildcards"
    assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    subject, _ = conditions["token.actions.githubusercontent.com:sub"]["Fn::Sub"]
    assert subject == "repo:${Repository}:environment:${Name}"
