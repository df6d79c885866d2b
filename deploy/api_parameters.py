"""The parameters of resources/api.json: from .chalice/config.json and the options."""

from __future__ import annotations

import json
from collections.abc import Mapping

from deploy import api_settings, template_parameters
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
    given = template_parameters.parse_with_options(text, options)
    return template_parameters.choose("make deploy", stage, recorded, given, _check)


def check_region_of_topic(chosen: Mapping[str, str], region: str) -> None:
    """Refuse a topic of another region than that of the alarms. Raises DeploymentError."""
    topic = chosen.get("AlarmTopic", "")
    if not topic:
        return
    topic_region = topic.split(":")[3]
    if topic_region != region:
        raise DeploymentError(
            f"the topic {topic} is in the region {topic_region}, and the API in {region}. "
            f"CloudWatch sends alarms to topics of its own region only: choose one in {region}."
        )


def _check(values: Mapping[str, str], place: str) -> None:
    """Refuse parameters that cannot be set, and values that they cannot have.

    `place` says where the values are, for messages. Raises DeploymentError.
    """
    declared = json.loads(TEMPLATE.read_text(encoding="utf-8"))["Parameters"]
    settable = set(declared) - NOT_SETTABLE
    for name in values:
        template_parameters.check_name(name, settable, "resources/api.json", place)
    template_parameters.check_values(values, declared, place)
