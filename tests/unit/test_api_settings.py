"""Settings of the API in .chalice/config.json, and the template that follows from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy import api, api_settings, api_template
from deploy.errors import DeploymentError
from deploy.packaging import TEMPLATE

DOMAIN = {
    "domain_name": "api.example.com",
    "certificate_arn": "arn:aws:acm:eu-west-1:1:certificate/1",
}


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that writes .chalice/config.json with these settings of the stage dev."""

    def write(**settings: Any) -> None:
        folder = tmp_path / ".chalice"
        folder.mkdir(exist_ok=True)
        backend = {
            "DYNAMODB_TABLE": "profiles",
            "USER_POOL_ARN": "arn:aws:cognito-idp:eu-west-1:1:userpool/eu-west-1_Abc",
        }
        stage = {"environment_variables": backend, **settings}
        config = {"app_name": "user-profile", "stages": {"dev": stage}}
        (folder / "config.json").write_text(json.dumps(config))
        monkeypatch.chdir(tmp_path)

    return write


def template_of_dev() -> dict[str, Any]:
    return api_template.for_stage(json.loads(TEMPLATE.read_text(encoding="utf-8")), "dev")


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        (None, "https://api.example.com"),
        ("/", "https://api.example.com"),
        ("(none)", "https://api.example.com"),
        ("v1", "https://api.example.com/v1"),
    ],
)
def test_a_custom_domain_has_the_urls_prefix(
    configure: Callable[..., None], prefix: str | None, url: str
) -> None:
    settings = DOMAIN if prefix is None else {**DOMAIN, "url_prefix": prefix}
    configure(api_gateway_custom_domain=settings)
    domain = api_settings.custom_domain("dev")
    assert domain is not None
    assert domain.url == url
    assert template_of_dev()["Outputs"]["CustomDomainURL"]["Value"] == url


def test_a_stage_without_a_custom_domain(configure: Callable[..., None]) -> None:
    configure()
    assert api_settings.custom_domain("dev") is None
    template = template_of_dev()
    assert "Outputs" not in template
    assert api_template.DOMAIN not in template["Resources"]
    assert "DisableExecuteApiEndpoint" not in template["Resources"]["RestAPI"]["Properties"]


def test_the_domains_mapping_waits_for_the_stage(configure: Callable[..., None]) -> None:
    configure(api_gateway_custom_domain=DOMAIN)
    mapping = template_of_dev()["Resources"]["ApiGatewayCustomDomainMapping"]["Properties"]
    assert mapping["Stage"] == {"Ref": "RestAPI.Stage"}


@pytest.mark.parametrize(
    ("settings", "policy"),
    [({}, {"SecurityPolicy": "TLS_1_2"}), ({"tls_version": "TLS_1_0"}, None)],
)
def test_a_domain_needs_tls_1_2_unless_configured(
    configure: Callable[..., None], settings: dict[str, str], policy: dict[str, str] | None
) -> None:
    configure(api_gateway_custom_domain={**DOMAIN, **settings})
    domain = template_of_dev()["Resources"].get(api_template.DOMAIN, {})
    assert domain.get("Properties") == policy


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("REGIONAL", "RegionalDomainName"),
        ("EDGE", "DistributionDomainName"),
        (None, "DistributionDomainName"),
    ],
)
def test_the_dns_target_is_that_of_the_endpoint(
    configure: Callable[..., None], endpoint: str | None, target: str
) -> None:
    configure(api_gateway_custom_domain=DOMAIN, api_gateway_endpoint_type=endpoint)
    output = template_of_dev()["Outputs"]["CustomDomainTarget"]["Value"]
    assert output == {"Fn::GetAtt": [api_template.DOMAIN, target]}


def test_the_default_address_can_be_turned_off(configure: Callable[..., None]) -> None:
    configure(api_gateway_custom_domain=DOMAIN, api={"only_custom_domain": True})
    properties = template_of_dev()["Resources"]["RestAPI"]["Properties"]
    assert properties["DisableExecuteApiEndpoint"] is True


@pytest.mark.parametrize(
    ("endpoint", "configured", "policy", "mode"),
    [
        ("REGIONAL", None, "SecurityPolicy_TLS13_1_2_2021_06", "BASIC"),
        ("REGIONAL", "TLS_1_0", "TLS_1_0", None),
        ("EDGE", None, None, None),
        (None, "SecurityPolicy_TLS12_2018_EDGE", "SecurityPolicy_TLS12_2018_EDGE", "BASIC"),
    ],
)
def test_a_regional_api_needs_tls_1_2(
    configure: Callable[..., None],
    endpoint: str | None,
    configured: str | None,
    policy: str | None,
    mode: str | None,
) -> None:
    settings = {"security_policy": configured} if configured else {}
    configure(api_gateway_endpoint_type=endpoint, api=settings)
    api_properties = template_of_dev()["Resources"]["RestAPI"]["Properties"]
    assert api_properties.get("SecurityPolicy") == policy
    assert api_properties.get("EndpointAccessMode") == mode


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"api": {"only_custom_domain": True}}, "no api_gateway_custom_domain"),
        ({"api": []}, "must be a JSON object"),
        ({"api": {"paramters": {}}}, 'unknown member "paramters"'),
        ({"api": {"only_custom_domain": "yes"}}, "not true or false"),
        ({"api": {"security_policy": 1.2}}, '"security_policy" that is not a string'),
        ({"api": {"parameters": {"ThrottleRate": 5}}}, "has 5 as the parameter ThrottleRate"),
        ({"api": {"parameters": {"Dashboard": True}}}, "has true as the parameter Dashboard"),
        ({"api": {"parameters": {"ThrottleRate": None}}}, '"200" instead of 200'),
        ({"api": {"parameters": []}}, "not a JSON object"),
        ({"api_gateway_custom_domain": "api.example.com"}, "must be an object with a domain_name"),
        ({"api_gateway_custom_domain": {"domain_name": "a"}}, "the certificate_arn"),
    ],
)
def test_wrong_settings_of_the_api_are_explained(
    configure: Callable[..., None], settings: dict[str, Any], message: str
) -> None:
    configure(**settings)
    with pytest.raises(DeploymentError, match=message):
        template_of_dev()


def test_the_url_of_a_deployed_api_is_its_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    outputs = {"RestAPIId": "a1", "EndpointURL": "https://a1.execute-api.eu-west-1.example/api/"}
    assert api.url(outputs) == "https://a1.execute-api.eu-west-1.example/api"
    outputs["CustomDomainURL"] = "https://api.example.com/v1"
    assert api.url(outputs) == "https://api.example.com/v1"
