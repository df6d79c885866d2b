"""Chalice's settings of the API in .chalice/config.json, before a deployment.

AWS refuses a wrong one during the deployment, after other changes. Chalice ends with a traceback
for some, and ignores others.
"""

from __future__ import annotations

import re
import sys

from deploy import api_settings, chalice_config, service_role
from deploy.api_settings import CustomDomain
from deploy.api_template import EDGE, ENHANCED_POLICY, endpoint_type
from deploy.chalice_config import FILE
from deploy.errors import DeploymentError

HOST_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
CERTIFICATE_ARN = re.compile(
    r"arn:[a-z-]+:acm:(?P<region>[a-z0-9-]+):[0-9]+:certificate/[A-Za-z0-9-]+"
)
REGION_OF_CLOUDFRONT = "us-east-1"
"""CloudFront, which serves an edge-optimized API, takes certificates of this region only."""
ENDPOINT_TYPES = ("REGIONAL", EDGE)
TLS_VERSIONS = ("TLS_1_0", "TLS_1_2")
"""API Gateway's versions that Chalice passes on. Chalice ignores other values."""
SECURITY_POLICY = re.compile(f"{'|'.join(TLS_VERSIONS)}|{ENHANCED_POLICY}[A-Za-z0-9_]+")
NETWORK_SETTINGS = ("subnet_ids", "security_group_ids")


def check(stage: str, region: str) -> None:
    """Check the settings of the API of a stage that is in `region`. Raises DeploymentError."""
    _check_endpoint(stage)
    domain = api_settings.custom_domain(stage)
    if domain is not None:
        _check_domain(stage, domain, region)
    _check_security_policy(stage)
    _check_role(stage)
    _check_network(stage)
    _check_resource_policy(stage)
    if chalice_config.setting(stage, "automatic_layer"):
        raise DeploymentError(
            f"automatic_layer{chalice_config.place(stage)} is not supported: the package has "
            "everything that the function needs. Remove the setting."
        )


def _check_endpoint(stage: str) -> None:
    found = endpoint_type(stage)
    if found not in ENDPOINT_TYPES:
        raise DeploymentError(
            f"api_gateway_endpoint_type{chalice_config.place(stage)} is {found!r}. It must be "
            f"{' or '.join(ENDPOINT_TYPES)}: this project does not support private APIs."
        )
    if chalice_config.setting(stage, "api_gateway_endpoint_vpce"):
        raise DeploymentError(
            f"api_gateway_endpoint_vpce{chalice_config.place(stage)} is for private APIs, which "
            "this project does not support. Remove the setting."
        )


def _check_domain(stage: str, domain: CustomDomain, region: str) -> None:
    place = f"api_gateway_custom_domain{chalice_config.place(stage)}"
    if not HOST_NAME.fullmatch(domain.name):
        raise DeploymentError(
            f"domain_name of {place} is {domain.name!r}. It must be a host name in lower case, "
            "without a scheme and a path, such as api.example.com."
        )
    if domain.tls_version not in ("", *TLS_VERSIONS):
        raise DeploymentError(
            f"tls_version of {place} is {domain.tls_version!r}. It must be "
            f"{' or '.join(TLS_VERSIONS)}. Without it, the domain has TLS_1_2."
        )
    certificate = CERTIFICATE_ARN.fullmatch(domain.certificate_arn)
    if certificate is None:
        raise DeploymentError(
            f"certificate_arn of {place} is {domain.certificate_arn!r}. It must be the ARN of a "
            "certificate in AWS Certificate Manager, such as "
            "arn:aws:acm:eu-central-1:123456789012:certificate/1a2b3c4d."
        )
    needed = region
    if endpoint_type(stage) == EDGE:
        needed = REGION_OF_CLOUDFRONT
    if certificate["region"] != needed:
        raise DeploymentError(
            f"the certificate of {place} is in the region {certificate['region']}. The endpoint "
            f"{endpoint_type(stage)} of an API in {region} needs one in {needed}. Request a "
            "certificate there, and set its ARN."
        )


def _check_security_policy(stage: str) -> None:
    policy = api_settings.settings_of(stage).security_policy
    if policy and not SECURITY_POLICY.fullmatch(policy):
        raise DeploymentError(
            f'security_policy in "api"{chalice_config.place(stage)} is {policy!r}. It must be '
            f"{', '.join(TLS_VERSIONS)} or a name that begins with {ENHANCED_POLICY}, such as "
            "SecurityPolicy_TLS13_1_3_2025_09."
        )


def _check_role(stage: str) -> None:
    arn = chalice_config.function_setting(stage, "iam_role_arn")
    if not arn:
        return
    if not isinstance(arn, str) or not service_role.ROLE_ARN.fullmatch(arn):
        raise DeploymentError(
            f"iam_role_arn{chalice_config.place(stage)} is {arn!r}. It must be the ARN of a role, "
            "such as arn:aws:iam::123456789012:role/name."
        )


def warn_of_ignored_role(stage: str) -> None:
    """Print a warning if Chalice ignores the stage's role. Raises DeploymentError."""
    has_role = bool(chalice_config.function_setting(stage, "iam_role_arn"))
    manages_role = chalice_config.function_setting(stage, "manage_iam_role") is not False
    if has_role and manages_role:
        print(
            f"Warning: iam_role_arn{chalice_config.place(stage)} has no effect, because Chalice "
            'makes a role of its own. To use yours, also set "manage_iam_role": false.',
            file=sys.stderr,
            flush=True,
        )


def _check_network(stage: str) -> None:
    """Refuse subnets without security groups, and the reverse, as Chalice does."""
    given = [name for name in NETWORK_SETTINGS if chalice_config.function_setting(stage, name)]
    if len(given) == 1:
        (missing,) = set(NETWORK_SETTINGS) - set(given)
        raise DeploymentError(
            f"the stage {stage} has {given[0]} in {FILE}, and no {missing}. A function in a VPC "
            "needs both."
        )


def _check_resource_policy(stage: str) -> None:
    name = chalice_config.setting(stage, "api_gateway_policy_file")
    if not name:
        return
    if not isinstance(name, str) or not (FILE.parent / name).is_file():
        raise DeploymentError(
            f"api_gateway_policy_file{chalice_config.place(stage)} is {name!r}, and there is no "
            f"such file in {FILE.parent}. Correct the name, or remove the setting."
        )
