"""Settings of the API that AWS or Chalice would refuse, before anything is deployed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy import api_checks
from deploy.errors import DeploymentError

REGION = "eu-west-1"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1a2b-3c4d"
ROLE = "arn:aws:iam::123456789012:role/deployment/profiles"


def domain(**members: str) -> dict[str, Any]:
    """Settings with a custom domain that has these members, for a regional API."""
    own = {"domain_name": "api.example.com", "certificate_arn": CERTIFICATE, **members}
    return {"api_gateway_endpoint_type": "REGIONAL", "api_gateway_custom_domain": own}


def policy(name: str) -> dict[str, Any]:
    return {"api": {"security_policy": name}}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that checks the stage dev with these settings."""

    def run(**settings: Any) -> None:
        folder = tmp_path / ".chalice"
        folder.mkdir()
        (folder / "resource-policy.json").write_text("{}")
        (folder / "config.json").write_text(json.dumps({"stages": {"dev": settings}}))
        monkeypatch.chdir(tmp_path)
        api_checks.check("dev", REGION)
        api_checks.warn_of_ignored_role("dev")

    return run


ACCEPTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "regional": {"api_gateway_endpoint_type": "REGIONAL"},
    "edge-optimized": {"api_gateway_endpoint_type": "EDGE"},
    "a domain": domain(),
    "a domain of two parts": domain(domain_name="example.com"),
    "an internationalized domain": domain(domain_name="api.xn--bcher-kva.xn--p1ai"),
    "the longest part of a domain": domain(domain_name=f"{'a' * 63}.example.com"),
    "TLS 1.0 at the domain": domain(tls_version="TLS_1_0"),
    "TLS 1.2 at the domain": domain(tls_version="TLS_1_2"),
    "an edge-optimized domain": domain(
        certificate_arn=CERTIFICATE.replace("eu-west-1", "us-east-1")
    )
    | {"api_gateway_endpoint_type": "EDGE"},
    "TLS 1.0": policy("TLS_1_0"),
    "a policy": policy("SecurityPolicy_TLS13_1_3_2025_09"),
    "a policy of the future": policy("SecurityPolicy_TLS14_2030"),
    "a role": {"manage_iam_role": False, "iam_role_arn": ROLE},
    "a network": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
    "a resource policy": {"api_gateway_policy_file": "resource-policy.json"},
    "no layer": {"automatic_layer": False},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_settings_that_aws_accepts(
    check: Callable[..., None], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    check(**ACCEPTED[name])
    assert capsys.readouterr().err == ""


NOT_A_HOST_NAME = "must be a host name in lower case"
NOT_A_CERTIFICATE = "must be the ARN of a certificate in AWS Certificate Manager"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a private API": ({"api_gateway_endpoint_type": "PRIVATE"}, "does not support private APIs"),
    "an unknown endpoint": ({"api_gateway_endpoint_type": "regional"}, "must be REGIONAL or EDGE"),
    "a VPC endpoint": ({"api_gateway_endpoint_vpce": "vpce-1"}, "is for private APIs"),
    "a URL": (domain(domain_name="https://api.example.com"), NOT_A_HOST_NAME),
    "a path": (domain(domain_name="api.example.com/v1"), NOT_A_HOST_NAME),
    "upper case": (domain(domain_name="API.example.com"), NOT_A_HOST_NAME),
    "one part": (domain(domain_name="localhost"), NOT_A_HOST_NAME),
    "an address": (domain(domain_name="192.0.2.1"), NOT_A_HOST_NAME),
    "a part that is too long": (domain(domain_name=f"{'a' * 64}.example.com"), NOT_A_HOST_NAME),
    "a name that is too long": (domain(domain_name=f"{'a.' * 130}example.com"), NOT_A_HOST_NAME),
    "a wildcard": (domain(domain_name="*.example.com"), NOT_A_HOST_NAME),
    "a line break": (domain(domain_name="api.example.com\n"), NOT_A_HOST_NAME),
    "the name of a certificate": (domain(certificate_arn="api.example.com"), NOT_A_CERTIFICATE),
    "a certificate of IAM": (
        domain(certificate_arn="arn:aws:iam::123456789012:server-certificate/a"),
        NOT_A_CERTIFICATE,
    ),
    "a certificate of another region": (
        domain(certificate_arn=CERTIFICATE.replace("eu-west-1", "us-east-1")),
        "of an API in eu-west-1 needs one in eu-west-1",
    ),
    "a certificate for an edge-optimized API": (
        domain() | {"api_gateway_endpoint_type": "EDGE"},
        "of an API in eu-west-1 needs one in us-east-1",
    ),
    "TLS 1.1": (domain(tls_version="TLS_1_1"), "It must be TLS_1_0 or TLS_1_2."),
    "a policy as a version": (
        domain(tls_version="SecurityPolicy_TLS13_1_3_2025_09"),
        "It must be TLS_1_0 or TLS_1_2.",
    ),
    "another version": (policy("TLS_1_3"), "a name that begins with SecurityPolicy_"),
    "a policy without a name": (policy("SecurityPolicy_"), "a name that begins with"),
    "a policy with a space": (policy("SecurityPolicy_TLS13 "), "a name that begins with"),
    "the name of a role": ({"iam_role_arn": "profiles"}, "must be the ARN of a role"),
    "a user": ({"iam_role_arn": ROLE.replace(":role/", ":user/")}, "must be the ARN of a role"),
    "a number as role": ({"iam_role_arn": 5}, "must be the ARN of a role"),
    "subnets only": ({"subnet_ids": ["subnet-1"]}, "no security_group_ids"),
    "security groups only": ({"security_group_ids": ["sg-1"]}, "no subnet_ids"),
    "subnets of the function only": (
        {"lambda_functions": {"api_handler": {"subnet_ids": ["subnet-1"]}}},
        "no security_group_ids",
    ),
    "a missing resource policy": (
        {"api_gateway_policy_file": "nowhere.json"},
        "there is no such file in .chalice",
    ),
    "a layer": ({"automatic_layer": True}, "Remove the setting"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_would_fail_later(check: Callable[..., None], name: str) -> None:
    settings, message = REFUSED[name]
    with pytest.raises(DeploymentError) as refused:
        check(**settings)
    assert message in str(refused.value)
    assert "stage dev" in str(refused.value)


@pytest.mark.parametrize("setting", [{}, {"manage_iam_role": True}])
def test_a_role_that_chalice_ignores_causes_a_warning(
    check: Callable[..., None], capsys: pytest.CaptureFixture[str], setting: dict[str, bool]
) -> None:
    check(iam_role_arn=ROLE, **setting)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Warning: iam_role_arn of the stage dev")
    assert '"manage_iam_role": false' in line
