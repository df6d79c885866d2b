"""The template of a stage's API: what is added before and after Chalice merges its own.

`for_stage` adds to resources/api.json what the stage's settings ask for. Chalice merges the result
into the template that it generates. `add_throttling` adds what depends on the API's routes.
"""

from __future__ import annotations

from deploy import api_settings, chalice_config, dashboard
from deploy.api_settings import CustomDomain
from deploy.template import Template

ROLE = "ApiHandlerRole"
"""Chalice's name for the function's role in the template."""
DOMAIN = "ApiGatewayCustomDomain"
"""Chalice's name for the custom domain in the template."""
EDGE = "EDGE"
"""The type of an API that is reached through CloudFront, Chalice's default."""
MAPPING = "Backend"
"""The mapping with the names of the stage's table, user pool and app client."""
NAMES = "Names"
"""The only key of that mapping. CloudFormation's mappings have two levels."""
NO_CLIENT = "none"
"""The name in the mapping if no app client is recorded: a mapping cannot have an empty value."""
DASHBOARD_NAME = {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}
"""The dashboard's name. All regions of an account share the names of dashboards."""
TLS_1_2 = "SecurityPolicy_TLS13_1_2_2021_06"
"""API Gateway's policy that requires TLS 1.2 or newer. Its default for APIs accepts TLS 1.0."""
ENHANCED_POLICY = "SecurityPolicy_"
"""The beginning of policies that need an endpoint access mode."""
THROTTLED_PATHS = {"/users": "Users", "/profiles": "Profiles"}
"""Paths with a throttling of their own, and the beginning of its parameters' names."""
PREFLIGHT = "options"
"""The method of requests that API Gateway answers itself."""


def for_stage(template: Template, stage: str) -> Template:
    """Complete resources/api.json, which is `template`, for one stage; return it.

    Raises DeploymentError.
    """
    resources = template["Resources"]
    if chalice_config.setting(stage, "manage_iam_role") is False:
        del resources[ROLE]  # it would be a role without a type
    names = _names_of_backend(stage)
    template["Mappings"] = {MAPPING: {NAMES: names}}
    found_names = {name: {"Fn::FindInMap": [MAPPING, NAMES, name]} for name in names}
    resources["Overview"]["Properties"] = {
        "DashboardName": DASHBOARD_NAME,
        "DashboardBody": {"Fn::Sub": [dashboard.body(), found_names]},
    }
    settings = api_settings.settings_of(stage)
    _add_security_policy(template, settings.security_policy or _default_policy(stage))
    domain = api_settings.custom_domain(stage)
    if domain is not None:
        _add_custom_domain(template, domain, endpoint_type(stage))
    if settings.only_custom_domain:
        # SAM writes it into the API's definition. A change of it makes a new deployment, without
        # which API Gateway does not apply it: a parameter of the stack would change nothing.
        resources["RestAPI"]["Properties"]["DisableExecuteApiEndpoint"] = True
    return template


def _names_of_backend(stage: str) -> dict[str, str]:
    """Return the names by which CloudWatch's metrics are found. Raises DeploymentError."""
    recorded = chalice_config.recorded_backend(stage)
    return {
        "Table": recorded.table,
        "UserPool": chalice_config.pool_id_of(chalice_config.environment(stage)),
        "UserPoolClient": recorded.client_ids.partition(",")[0].strip() or NO_CLIENT,
    }


def endpoint_type(stage: str) -> str:
    """Return the type of the API's endpoint, such as REGIONAL. Raises DeploymentError."""
    return str(chalice_config.setting(stage, "api_gateway_endpoint_type") or EDGE)


def _default_policy(stage: str) -> str:
    """Return the security policy of the API; empty for API Gateway's default.

    Edge-optimized APIs have other policies, whose names end with EDGE.
    """
    if endpoint_type(stage) == EDGE:
        return ""
    return TLS_1_2


def _add_security_policy(template: Template, policy: str) -> None:
    """Set the security policy of the API; an empty one leaves API Gateway's default."""
    if not policy:
        return
    api = template["Resources"]["RestAPI"]["Properties"]
    api["SecurityPolicy"] = policy
    if policy.startswith(ENHANCED_POLICY):
        # STRICT would also refuse requests that arrive under another name, as through a proxy.
        api["EndpointAccessMode"] = "BASIC"
    # A change of the definition makes SAM deploy the API, which the policy needs to take effect.
    api["DefinitionBody"]["info"]["description"] = f"The security policy is {policy}."


def _add_custom_domain(template: Template, domain: CustomDomain, endpoint: str) -> None:
    """Correct the custom domain that Chalice declares, and add its outputs."""
    # Chalice 1.34.0 names the stage as a text, so CloudFormation does not wait for it, and the
    # first deployment fails. With the reference, it waits.
    mapping = {"Properties": {"Stage": {"Ref": "RestAPI.Stage"}}}
    template["Resources"][f"{DOMAIN}Mapping"] = mapping
    if not domain.tls_version:
        # API Gateway's own default also accepts TLS 1.0.
        template["Resources"][DOMAIN] = {"Properties": {"SecurityPolicy": "TLS_1_2"}}
    target = "RegionalDomainName"
    if endpoint == EDGE:
        target = "DistributionDomainName"
    template["Outputs"] = {
        "CustomDomainURL": {"Value": domain.url},
        "CustomDomainTarget": {
            "Description": "The name to which the domain's DNS record must point",
            "Value": {"Fn::GetAtt": [DOMAIN, target]},
        },
    }


def add_throttling(template: Template) -> None:
    """Add the throttling of the routes under THROTTLED_PATHS to a template that Chalice generated.

    API Gateway has no settings for a path and all paths below it: each method has its own. If the
    stage has no route under a path, the path's parameters are removed.
    """
    api = template["Resources"]["RestAPI"]["Properties"]
    for prefix, name in THROTTLED_PATHS.items():
        rate = f"{name}ThrottleRate"
        burst = f"{name}ThrottleBurst"
        routes = _routes(api["DefinitionBody"], prefix)
        if not routes:
            del template["Parameters"][rate], template["Parameters"][burst]
        for path, method in routes:
            api["MethodSettings"].append(
                {
                    "ResourcePath": "/" + path.replace("/", "~1"),
                    "HttpMethod": method.upper(),
                    "ThrottlingRateLimit": {"Ref": rate},
                    "ThrottlingBurstLimit": {"Ref": burst},
                }
            )


def _routes(definition: Template, prefix: str) -> list[tuple[str, str]]:
    """Return the path and the method of each route at `prefix` and below it."""
    return [
        (path, method)
        for path, methods in definition["paths"].items()
        for method in methods
        if f"{path}/".startswith(f"{prefix}/") and method != PREFLIGHT
    ]
