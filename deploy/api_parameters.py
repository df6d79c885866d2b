"""The parameters of resources/api.json: from .chalice/config.json and the options."""

from __future__ import annotations

import json

from deploy import api_settings, backend_parameters
from deploy.errors import DeploymentError
from deploy.packaging import TEMPLATE

DERIVED = frozenset({"AccountLogsRole", "MakeFunctionLogs", "MakeAccessLogs"})
"""Parameters that `make deploy` sets itself."""


def parameters(stage: str, alarm_topic: str, text: str) -> dict[str, str]:
    """Return the parameters to deploy the stage's API with.

    `alarm_topic` and `text`, "Name=value Name='a value'", are the values of the options ALARM_TOPIC
    and PARAMETERS. They have precedence over the member `api` of the stage. Raises DeploymentError.
    """
    recorded = api_settings.settings_of(stage).parameters
    given = backend_parameters.parse(text)
    if alarm_topic and given.setdefault("AlarmTopic", alarm_topic) != alarm_topic:
        raise DeploymentError("AlarmTopic is given twice, as an option and in PARAMETERS.")
    backend_parameters.print_conflicts("make deploy", given, recorded)
    chosen = {**recorded, **given}
    declared = json.loads(TEMPLATE.read_text(encoding="utf-8"))["Parameters"]
    settable = set(declared) - DERIVED
    for name in chosen:
        if name not in settable:
            raise DeploymentError(
                f"resources/api.json has no parameter {name} to set. It has: "
                f"{', '.join(sorted(settable))}."
            )
    backend_parameters.check_numbers(chosen, declared)
    return chosen
