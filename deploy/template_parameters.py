"""The parameters of a CloudFormation template: from .chalice/config.json and the options.

Their values are checked as CloudFormation checks them. CloudFormation refuses a wrong value only
when it starts to change the stack. By then, the commands have made other changes, such as an
uploaded package.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from deploy import chalice_config
from deploy.errors import DeploymentError

WHOLE_NUMBER = re.compile("-?[0-9]+")

Check: TypeAlias = Callable[[Mapping[str, str], str], None]
"""Refuses parameters, by raising DeploymentError. The text says where they are, for messages."""


def choose(
    command: str, stage: str, recorded: Mapping[str, str], given: Mapping[str, str], check: Check
) -> dict[str, str]:
    """Return the parameters for a run of `command`: those of the options have precedence.

    `recorded` are those in .chalice/config.json, `given` those of the options. Each is checked with
    the place where it comes from. Raises DeploymentError.
    """
    _print_conflicts(command, given, recorded)
    check(given, "")
    in_effect = {name: value for name, value in recorded.items() if name not in given}
    check(in_effect, chalice_config.place(stage))
    return {**in_effect, **given}


def parse_with_options(text: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that PARAMETERS and the other options set.

    `text` is the value of PARAMETERS; `options` are the values of the others, by the parameter's
    name, empty if not given. Raises DeploymentError, also if the two differ.
    """
    given = _parse(text)
    for name, value in options.items():
        if value and given.setdefault(name, value) != value:
            raise DeploymentError(f"{name} is given twice, as an option and in PARAMETERS.")
    return given


def _parse(text: str) -> dict[str, str]:
    """Split "Name=value Name='a value'" as a shell does. Raises DeploymentError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DeploymentError(f"PARAMETERS cannot be read: {error}.") from error
    parsed = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise DeploymentError(
                f"PARAMETERS has {word!r}, which is not Name=value. Example: "
                'PARAMETERS="MfaConfiguration=OPTIONAL IdTokenMinutes=15"'
            )
        if name in parsed:
            raise DeploymentError(f"PARAMETERS has {name} twice.")
        parsed[name] = value
    return parsed


def _print_conflicts(command: str, given: Mapping[str, str], recorded: Mapping[str, str]) -> None:
    """Print a note for each parameter that an option sets for this run of `command` only."""
    for name in sorted(given.keys() & recorded.keys()):
        if given[name] != recorded[name]:
            print(
                f"Note: {chalice_config.FILE} sets {name} to {recorded[name]}. The next {command} "
                f"without {name}={given[name]} sets that again."
            )


def check_name(name: str, settable: Collection[str], template: str, place: str = "") -> None:
    """Refuse a parameter that the template does not have, or that cannot be set.

    `place` says where it is given, for messages. Raises DeploymentError.
    """
    if name not in settable:
        raise DeploymentError(
            f"{name}{place} is not a parameter of {template} that can be set. Those are: "
            f"{', '.join(sorted(settable))}."
        )


def check_values(values: Mapping[str, str], declared: Mapping[str, Any], place: str = "") -> None:
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
