"""The parameters of resources/api.json: from .chalice/config.json and the options."""

from __future__ import annotations

import json
from collections.abc import Mapping

from deploy import api_settings, backend_parameters
from deploy.errors import DeploymentError
from deploy.packaging import TEMPLATE

NOT_SETTABLE = frozenset({"AccountLogsRole", "MakeFunctionLogs", "MakeAccessLogs"})
"""Parameters that `make deploy` decides itself, and one for deployments without it."""


def parameters(stage: str, options: Mapping[str, str], text: str) -> dict[str, str]:
    """Return the parameters to deploy the stage's API with.

    `options` are the values of options that set one parameter, by its name; empty if not given.
    `text`, "Name=value Name='a value'", is the value of PARAMETERS. Both have precedence over the
    member `api` of the stage. Raises DeploymentError.
    """
    recorded = api_settings.settings_of(stage).parameters
    given = backend_parameters.parse_with_options(text, options)
    backend_parameters.print_conflicts("make deploy", given, recorded)
    chosen = {**recorded, **given}
    declared = json.loads(TEMPLATE.read_text(encoding="utf-8"))["Parameters"]
    settable = set(declared) - NOT_SETTABLE
    for name in chosen:
        if name not in settable:
            raise DeploymentError(
                f"resources/api.json has no parameter {name} to set. It has: "
                f"{', '.join(sorted(settable))}."
            )
    backend_parameters.check_numbers(chosen, declared)
    return chosen
