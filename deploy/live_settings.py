"""Settings of a live user pool and app client that the next update of their stack could reset.

CloudFormation updates a user pool with one call that sets everything: what the template does not
declare returns to Cognito's default (API reference, UpdateUserPool). A setting that somebody made
in the console would be lost without a warning.

A setting is reported if its live value differs both from the one that was last deployed and from
the one that the update sets. CloudFormation's own drift detection is not enough: it compares only
the properties that a template declares.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from deploy import lookup, template
from deploy.aws import report_aws_errors
from deploy.stacks import Stack

POOL_PROPERTIES = (
    "AccountRecoverySetting",
    "AdminCreateUserConfig",
    "AutoVerifiedAttributes",
    "DeletionProtection",
    "DeviceConfiguration",
    "EmailAuthenticationMessage",
    "EmailAuthenticationSubject",
    "EmailConfiguration",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "EnabledMfas",
    "IssuerConfiguration",
    "KeyConfiguration",
    "LambdaConfig",
    "MfaConfiguration",
    "Policies",
    "SmsAuthenticationMessage",
    "SmsConfiguration",
    "SmsVerificationMessage",
    "UserAttributeUpdateSettings",
    "UserPoolAddOns",
    "UserPoolName",
    "UserPoolTier",
    "VerificationMessageTemplate",
    "WebAuthnFactorConfiguration",
    "WebAuthnRelyingPartyID",
    "WebAuthnUserVerification",
)
"""Properties of AWS::Cognito::UserPool that UpdateUserPool or SetUserPoolMfaConfig sets.

Without the tags, which CloudFormation changes one by one.
"""

CLIENT_PROPERTIES = (
    "AccessTokenValidity",
    "AllowedOAuthFlows",
    "AllowedOAuthFlowsUserPoolClient",
    "AllowedOAuthScopes",
    "AnalyticsConfiguration",
    "AuthSessionValidity",
    "CallbackURLs",
    "ClientName",
    "DefaultRedirectURI",
    "EnablePropagateAdditionalUserContextData",
    "EnableTokenRevocation",
    "ExplicitAuthFlows",
    "IdTokenValidity",
    "LogoutURLs",
    "PreventUserExistenceErrors",
    "ReadAttributes",
    "RefreshTokenRotation",
    "RefreshTokenValidity",
    "SupportedIdentityProviders",
    "TokenValidityUnits",
    "WriteAttributes",
)
"""Properties of AWS::Cognito::UserPoolClient that UpdateUserPoolClient sets."""

DEFAULTS: Mapping[str, Any] = {
    "AdminCreateUserConfig.UnusedAccountValidityDays": 7,
    "AuthSessionValidity": 3,
    "EmailConfiguration.EmailSendingAccount": "COGNITO_DEFAULT",
    "IssuerConfiguration.Type": "ORIGINAL",
    "KeyConfiguration.KeyType": "AWS_OWNED_KEY",
    "MfaConfiguration": "OFF",
    "Policies.SignInPolicy.AllowedFirstAuthFactors": ["PASSWORD"],
    "RefreshTokenRotation.Feature": "DISABLED",
    "UserPoolAddOns.AdvancedSecurityMode": "OFF",
    "UserPoolTier": "ESSENTIALS",
    "VerificationMessageTemplate.DefaultEmailOption": "CONFIRM_WITH_CODE",
    "WebAuthnFactorConfiguration": "SINGLE_FACTOR",
    "WebAuthnUserVerification": "preferred",
}
"""Values that Cognito gives a property without a value, other than empty, false and 0.

Those of properties that resources/backend.yaml always declares are left out. Source: the API
reference of CreateUserPool and CreateUserPoolClient.
"""

LONGEST_TEXT = 80
"""Characters of a value in a message."""


@dataclass(frozen=True)
class Difference:
    """A setting whose live value is not the deployed one. None means that it has no value."""

    resource: str
    name: str
    """The property, with the members inside it: Policies.PasswordPolicy.MinimumLength."""
    live: Any
    deployed: Any

    def __str__(self) -> str:
        return (
            f"{self.resource} {self.name} is {_text(self.live)}, was deployed as "
            f"{_text(self.deployed)}"
        )


def _text(value: Any) -> str:
    """A value in one short line."""
    if value in (None, "", []):
        return "empty"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return textwrap.shorten(text, LONGEST_TEXT)


def differences(
    stack: Stack,
    deployed: template.Template,
    wanted: template.Template,
    new_parameters: Mapping[str, str],
) -> list[Difference]:
    """Return the live settings that an update of the stack could reset.

    `stack` was deployed with the template `deployed`. The update is to the template `wanted`; the
    parameters that are not in `new_parameters` keep their values. Raises DeploymentError.
    """
    pool_id = stack.outputs.get("UserPoolId")
    if pool_id is None:
        return []
    live = _live_settings(pool_id, stack.outputs.get("UserPoolClientId", ""))
    parameters_after = {**stack.parameters, **new_parameters}
    found: list[Difference] = []
    for resource, names in (("UserPool", POOL_PROPERTIES), ("UserPoolClient", CLIENT_PROPERTIES)):
        before = template.properties(deployed, resource, stack.parameters)
        after = template.properties(wanted, resource, parameters_after)
        for name in names:
            value = live[resource].get(name)
            would_change = {path for path, _, _ in _compare(name, value, after.get(name))}
            for path, live_value, deployed_value in _compare(name, value, before.get(name)):
                if path in would_change:
                    found.append(Difference(resource, path, live_value, deployed_value))
    return found


def _live_settings(pool_id: str, client_id: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the live pool and app client, by the resources' names."""
    pool = lookup.user_pool(pool_id)
    app_client = lookup.app_client(pool_id, client_id)
    with report_aws_errors("reading the second factors of the user pool"):
        mfa = boto3.client("cognito-idp").get_user_pool_mfa_config(UserPoolId=pool_id)
    enabled_mfas = []
    if mfa.get("SoftwareTokenMfaConfiguration", {}).get("Enabled"):
        enabled_mfas.append("SOFTWARE_TOKEN_MFA")
    if mfa.get("SmsMfaConfiguration", {}).get("SmsConfiguration"):
        enabled_mfas.append("SMS_MFA")
    if mfa.get("EmailMfaConfiguration"):
        enabled_mfas.append("EMAIL_OTP")
    email = mfa.get("EmailMfaConfiguration", {})
    passkeys = mfa.get("WebAuthnConfiguration", {})
    renamed_properties = {
        "EnabledMfas": enabled_mfas,
        "UserPoolName": pool["Name"],
        "EmailAuthenticationMessage": email.get("Message"),
        "EmailAuthenticationSubject": email.get("Subject"),
        "WebAuthnRelyingPartyID": passkeys.get("RelyingPartyId"),
        "WebAuthnUserVerification": passkeys.get("UserVerification"),
        "WebAuthnFactorConfiguration": passkeys.get("FactorConfiguration"),
    }
    return {
        "UserPool": {**pool, **renamed_properties},
        "UserPoolClient": dict(app_client),
    }


def _compare(name: str, live: Any, declared: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the live and the declared value of each part that differs.

    A value that is known only to CloudFormation, such as a reference, is taken for equal.
    """
    if declared is template.UNRESOLVED:
        return
    if isinstance(live, dict) or isinstance(declared, dict):
        live_members = _members(live)
        declared_members = _members(declared)
        for member in sorted({*live_members, *declared_members}):
            yield from _compare(
                f"{name}.{member}", live_members.get(member), declared_members.get(member)
            )
    elif _normalized(name, live) != _normalized(name, declared):
        yield name, live, declared


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _normalized(name: str, value: Any) -> Any:
    """Return a value in a form to compare.

    Numbers and booleans are strings, as parameters of a template are. No value is the default. The
    order of a list does not count.
    """
    if isinstance(value, bool | int):
        value = str(value).lower()
    if value in (None, "", [], "false", "0"):
        value = DEFAULTS.get(name)
    if isinstance(value, list):
        return sorted(_text_of_member(member) for member in value)
    if value is None:
        return None
    return str(value)


def _text_of_member(member: Any) -> str:
    """Return a member of a list as a text; the order of an object's own members does not count."""
    if isinstance(member, dict):
        return str(sorted((key, str(value)) for key, value in member.items()))
    return str(member)
