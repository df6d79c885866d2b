"""What a stage's settings add to resources/api.json before Chalice merges it."""

from __future__ import annotations

from typing import Any, TypeAlias

from deploy import api_settings, chalice_config
from deploy.api_settings import CustomDomain

Template: TypeAlias = dict[str, Any]

ROLE = "ApiHandlerRole"
"""Chalice's name for the function's role in the template."""
DOMAIN = "ApiGatewayCustomDomain"
"""Chalice's name for the custom domain in the template."""
EDGE = "EDGE"
"""The type of an API that is reached through CloudFront, Chalice's default."""


def for_stage(template: Template, stage: str) -> Template:
    """Return resources/api.json, which is `template`, for one stage. Raises DeploymentError."""
    resources = template["Resources"]
    if chalice_config.setting(stage, "manage_iam_role") is False:
        del resources[ROLE]  # it would be a role without a type
    domain = api_settings.custom_domain(stage)
    if domain is not None:
        _add_custom_domain(template, domain, endpoint_type(stage))
    if api_settings.settings_of(stage).only_custom_domain:
        # SAM writes it into the API's definition. A change of it makes a new deployment, without
        # which API Gateway does not apply it: a parameter of the stack would change nothing.
        resources["RestAPI"]["Properties"]["DisableExecuteApiEndpoint"] = True
    return template


def endpoint_type(stage: str) -> str:
    """Return the type of the API's endpoint, such as REGIONAL. Raises DeploymentError."""
    return str(chalice_config.setting(stage, "api_gateway_endpoint_type") or EDGE)


def _add_custom_domain(template: Template, domain: CustomDomain, endpoint: str) -> None:
    # Chalice 1.34.0 names the stage as a text, so CloudFormation does not wait for it, and the
    # first deployment fails. With the reference, it waits.
    mapping = {"Properties": {"Stage": {"Ref": "RestAPI.Stage"}}}
    template["Resources"][f"{DOMAIN}Mapping"] = mapping
    if not domain.has_tls_version:
        # API Gateway's own default also accepts TLS 1.0.
        template["Resources"][DOMAIN] = {"Properties": {"SecurityPolicy": "TLS_1_2"}}
    target = "DistributionDomainName" if endpoint == EDGE else "RegionalDomainName"
    template["Outputs"] = {
        "CustomDomainURL": {"Value": domain.url},
        "CustomDomainTarget": {
            "Description": "The name to which the domain's DNS record must point",
            "Value": {"Fn::GetAtt": [DOMAIN, target]},
        },
    }
