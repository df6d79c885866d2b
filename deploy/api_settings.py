"""The settings of a stage's API in .chalice/config.json: its custom domain, and its member `api`.

Chalice defines `api_gateway_custom_domain` and reads it. It ignores the member `api`, which is this
project's own:

    "prod": {"api": {"parameters": {"ThrottleRate": "500"}, "only_custom_domain": true}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy import chalice_config
from deploy.errors import DeploymentError

ROOT_PATHS = ("", "/", "(none)")
"""Values of Chalice's url_prefix that stand for the root of the domain."""


@dataclass(frozen=True)
class CustomDomain:
    """The domain at which users reach the API: the setting api_gateway_custom_domain."""

    name: str
    certificate_arn: str
    path: str = ""
    """The path before the API's own paths, without slashes. Empty: the root of the domain."""
    tls_version: str = ""
    """Empty: this project's default."""

    @property
    def url(self) -> str:
        """The URL of the API, without a slash at the end."""
        return f"https://{self.name}/{self.path}".rstrip("/")


@dataclass(frozen=True)
class ApiSettings:
    """The stage's member `api`."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of resources/api.json. `make deploy` applies them."""
    only_custom_domain: bool = False
    """Whether API Gateway's own address of the API (execute-api) is turned off."""
    security_policy: str = ""
    """API Gateway's name of the TLS versions and ciphers. Empty: the project's default."""

    @classmethod
    def from_json(cls, value: object) -> ApiSettings:
        """Read the member `api`. Raises ValueError if it has another format."""
        members = chalice_config.known_members(value, cls)
        only_custom_domain = members.get("only_custom_domain", False)
        if not isinstance(only_custom_domain, bool):
            raise ValueError('has an "only_custom_domain" that is not true or false')
        security_policy = chalice_config.text_member(members, "security_policy")
        return cls(chalice_config.parameters_member(members), only_custom_domain, security_policy)


def settings_of(stage: str) -> ApiSettings:
    """Return the stage's member `api`. Raises DeploymentError."""
    value = chalice_config.setting(stage, "api")
    if value is None:
        return ApiSettings()
    try:
        settings = ApiSettings.from_json(value)
    except ValueError as error:
        raise DeploymentError(
            f'"api" of the stage {stage} in {chalice_config.FILE} {error}.'
        ) from error
    if settings.only_custom_domain and custom_domain(stage) is None:
        raise DeploymentError(
            f"the stage {stage} has only_custom_domain and no api_gateway_custom_domain, so nobody "
            f"could reach its API. Correct it in {chalice_config.FILE}."
        )
    return settings


def custom_domain(stage: str) -> CustomDomain | None:
    """Return the stage's custom domain; None if it has none. Raises DeploymentError."""
    value = chalice_config.setting(stage, "api_gateway_custom_domain")
    if not value:
        return None
    names = ("domain_name", "certificate_arn")
    if not isinstance(value, dict) or not all(_is_text(value.get(name)) for name in names):
        raise DeploymentError(
            f"api_gateway_custom_domain of the stage {stage} in {chalice_config.FILE} must be an "
            "object with a domain_name and the certificate_arn of a certificate in AWS Certificate "
            "Manager."
        )
    prefix = str(value.get("url_prefix", ""))
    path = prefix.strip("/")
    if prefix in ROOT_PATHS:
        path = ""
    return CustomDomain(
        name=value["domain_name"],
        certificate_arn=value["certificate_arn"],
        path=path,
        tls_version=str(value.get("tls_version") or ""),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
