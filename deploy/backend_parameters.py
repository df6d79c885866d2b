"""The parameters of resources/backend.yaml: from the record, the options, and the stage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from deploy import aws, backend, chalice_config, template_parameters
from deploy.backend_plan import Plan, Request
from deploy.chalice_config import Part
from deploy.errors import DeploymentError
from deploy.stacks import Stack

DERIVED = frozenset({"AppName", "Stage", "MakeTable", "MakeUserPool"})
"""Parameters that follow from the stage and from what is attached."""
FOR_TABLE = frozenset({"BillingMode", "Index", "MaxReadUnits", "MaxWriteUnits"})
"""Parameters for the table only."""
FOR_BOTH = frozenset({"DeletionProtection"})
"""Parameters for the table and the user pool. All others are for the user pool."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def parameters(request: Request, plan: Plan, stack: Stack | None) -> dict[str, str]:
    """Return the parameters: the recorded ones, the options', and those that follow from the plan.

    The options have precedence over the record. `stack` is the stage's backend stack. Raises
    DeploymentError.
    """
    recorded = chalice_config.backend_record(request.stage).parameters
    given = _given(request)
    chosen = template_parameters.choose(
        "make backend", request.stage, recorded, given, partial(_check, plan)
    )
    for name in ("CallbackUrls", "LogoutUrls"):
        if name in chosen:
            _check_urls(name, chosen[name])
    chosen["MakeTable"] = _boolean(plan.makes(Part.TABLE))
    chosen["MakeUserPool"] = _boolean(plan.makes(Part.USER_POOL))
    is_new = stack is None or "DomainSuffix" not in stack.parameters
    if is_new and "DomainSuffix" not in chosen:
        chosen["DomainSuffix"] = aws.account_id()
    if stack is not None:
        _refuse_other_domain(stack, chosen)
    return chosen


def _given(request: Request) -> dict[str, str]:
    """Return the parameters that the options set."""
    options = {
        "DomainSuffix": request.domain_suffix,
        "CallbackUrls": request.callback_urls,
        "LogoutUrls": request.logout_urls,
    }
    return template_parameters.parse_with_options(request.parameters, options)


def _check(plan: Plan, values: Mapping[str, str], place: str) -> None:
    """Refuse parameters that cannot be set, and values that they cannot have.

    `place` says where the values are, for messages. Raises DeploymentError.
    """
    declared = backend.template()["Parameters"]
    for name in values:
        template_parameters.check_name(
            name, set(declared) - DERIVED, "resources/backend.yaml", place
        )
        if not _applies(name, plan):
            attached = " and the ".join(part.text for part in plan.attached)
            raise DeploymentError(
                f"{name}{place} is a setting of what this command makes, but the {attached} of the "
                "stage existed before. Change the setting there."
            )
    template_parameters.check_values(values, declared, place)


def _applies(name: str, plan: Plan) -> bool:
    """Return whether the stack makes what the parameter is for."""
    if name in FOR_BOTH:
        return plan.needs_stack
    if name in FOR_TABLE:
        return plan.makes(Part.TABLE)
    return plan.makes(Part.USER_POOL)


def _check_urls(name: str, urls: str) -> None:
    """Refuse URLs that Cognito refuses. Source: its API reference, CreateUserPoolClient."""
    for url in urls.split(","):
        if not _is_accepted(url.strip()):
            raise DeploymentError(
                f"{name} has {url!r}. Each URL must be absolute, without a fragment or spaces, and "
                "begin with https://, the scheme of an app, or http:// for this machine only."
            )


def _is_accepted(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_absolute = bool(parts.scheme and parts.netloc)
    is_plain = not parts.fragment and not re.search(r"\s", url)
    is_safe = parts.scheme != "http" or parts.hostname in LOCAL_HOSTS
    return is_absolute and is_plain and is_safe


def _boolean(value: bool) -> str:
    return str(value).lower()


def _refuse_other_domain(stack: Stack, chosen: Mapping[str, str]) -> None:
    """Refuse another DomainSuffix: CloudFormation would replace the domain."""
    deployed = stack.parameters.get("DomainSuffix")
    wanted = chosen.get("DomainSuffix", deployed)
    if "UserPoolDomain" in stack.outputs and wanted != deployed:
        raise DeploymentError(
            f"the sign-in domain ends with {deployed} and cannot be changed to {wanted}: users and "
            "front ends use its address."
        )
