"""The values of a template's parameters, checked as CloudFormation checks them.

CloudFormation refuses a wrong value only when it starts to change the stack. By then, the commands
have made other changes, such as an uploaded package.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from deploy.errors import DeploymentError

WHOLE_NUMBER = re.compile("-?[0-9]+")


def check(values: Mapping[str, str], declared: Mapping[str, Any], place: str = "") -> None:
    """Refuse values that CloudFormation, or later AWS, refuses. Raises DeploymentError.

    `declared` are the parameters of the template. `place` says where the values are, for messages:
    " of the stage dev in .chalice/config.json". Lists are left to CloudFormation.
    """
    for name, value in values.items():
        rule = _broken_rule(value, declared[name])
        if rule:
            raise DeploymentError(f"{name}{place} is {value!r}. It must be {rule}.")


def _broken_rule(value: str, parameter: Mapping[str, Any]) -> str:
    """Return what the value must be, if it is not; empty if the parameter can have it."""
    if parameter["Type"] == "Number":
        return _broken_rule_of_number(value, parameter)
    if parameter["Type"] != "String":
        return ""
    allowed = parameter.get("AllowedValues", [value])
    if value not in allowed:
        return _one_of(allowed)
    pattern = parameter.get("AllowedPattern", "")
    if pattern and not _matches(pattern, value):
        return str(parameter.get("ConstraintDescription", f"a text that matches {pattern}"))
    return ""


def _broken_rule_of_number(value: str, parameter: Mapping[str, Any]) -> str:
    # CloudFormation accepts a decimal point. AWS refuses it later, when the stack changes.
    if not WHOLE_NUMBER.fullmatch(value):
        return "a whole number"
    number = int(value)
    allowed = parameter.get("AllowedValues", [number])
    if number not in allowed:
        return _one_of(allowed)
    least = parameter.get("MinValue", number)
    most = parameter.get("MaxValue", number)
    if least <= number <= most:
        return ""
    if "MinValue" in parameter and "MaxValue" in parameter:
        return f"a whole number from {least} to {most}"
    if "MinValue" in parameter:
        return f"a whole number from {least}"
    return f"a whole number up to {most}"


def _one_of(allowed: list[object]) -> str:
    return f"one of {', '.join(map(str, allowed))}"


def _matches(pattern: str, value: str) -> bool:
    r"""Return whether the whole value matches, by the rules of Java, which CloudFormation uses.

    \w and \d are ASCII there. A pattern that Python cannot read, or reads with a warning, is left
    to CloudFormation: it has Java's own syntax.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            compiled = re.compile(pattern, re.ASCII)
        except (re.error, FutureWarning):
            return True
    return compiled.fullmatch(value) is not None
