"""A CloudFormation template in YAML, and the properties that it gives its resources.

It evaluates !Ref of a parameter, !Sub with a text, !If, and the functions of conditions. A value
that depends on anything else, such as another resource or the region, is UNRESOLVED.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

from deploy.errors import DeploymentError

Template: TypeAlias = dict[str, Any]

NO_VALUE = object()
"""The value of !Ref AWS::NoValue: the property is absent."""
UNRESOLVED = object()
"""A value, or the outcome of a condition, that only CloudFormation knows."""


class _Loader(yaml.SafeLoader):
    """Reads !Ref X as {"Ref": "X"} and !Sub X as {"Fn::Sub": "X"}, as in JSON templates."""


def _read_function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)  # type: ignore[arg-type]
    if name in ("Ref", "Condition"):
        return {name: value}
    if name == "GetAtt":
        value = value.split(".", 1)
    return {f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _read_function)


def load(text: str, source: str) -> Template:
    """Read a template in YAML or JSON. `source` names it in messages. Raises DeploymentError."""
    try:
        template: Template = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise DeploymentError(f"{source} cannot be read: {message}.") from error
    return template


def properties(template: Template, resource: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a resource's properties. `parameters` that are left out have their defaults.

    A value of the type CommaDelimitedList is a list of strings; numbers are strings, as parameters
    are in CloudFormation. Returns an empty object if the template has no such resource.
    """
    found = template["Resources"].get(resource)
    if found is None:
        return {}
    resolver = _resolver(template, parameters)
    resolved: dict[str, Any] = resolver.resolve(found.get("Properties", {}))
    return resolved


def is_declared(template: Template, resource: str, parameters: Mapping[str, str]) -> bool:
    """Return whether the template has the resource, and its condition does not exclude it."""
    found = template["Resources"].get(resource)
    if found is None:
        return False
    condition = found.get("Condition")
    return condition is None or _resolver(template, parameters).outcome(condition) is not False


def _resolver(template: Template, parameters: Mapping[str, str]) -> _Resolver:
    values = {
        name: _parameter_value(declared, parameters.get(name))
        for name, declared in template.get("Parameters", {}).items()
    }
    return _Resolver(template, values)


def _parameter_value(declared: Mapping[str, Any], given: str | None) -> str | list[str]:
    value = given
    if value is None:
        value = str(declared.get("Default", ""))
    if declared["Type"] == "CommaDelimitedList":
        return [member.strip() for member in value.split(",")]
    return value


class _Resolver:
    def __init__(self, template: Template, parameters: Mapping[str, str | list[str]]) -> None:
        self._parameters = parameters
        self._conditions = template.get("Conditions", {})

    def resolve(self, value: Any) -> Any:
        """Return a value with its functions evaluated. Absent members are left out.

        A list with an unresolved member is unresolved; an object keeps such a member.
        """
        if isinstance(value, list):
            members = [self.resolve(member) for member in value]
            if UNRESOLVED in members:
                return UNRESOLVED
            return [member for member in members if member is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if _is_function(value):
            ((name, argument),) = value.items()
            return self._evaluate(name, argument)
        resolved = {name: self.resolve(member) for name, member in value.items()}
        return {name: member for name, member in resolved.items() if member is not NO_VALUE}

    def _evaluate(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return self._reference(argument)
        if name == "Fn::Sub" and isinstance(argument, str):
            return self._substituted(argument)
        if name == "Fn::If":
            condition, if_true, if_false = argument
            outcome = self.outcome(condition)
            if outcome is None:
                return UNRESOLVED
            return self.resolve(if_true if outcome else if_false)
        return UNRESOLVED

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self._parameters.get(name, UNRESOLVED)

    def _substituted(self, text: str) -> Any:
        names = re.findall(r"\$\{([^!}][^}]*)\}", text)
        if not set(names) <= set(self._parameters):
            return UNRESOLVED
        for name in names:
            text = text.replace("${" + name + "}", str(self._parameters[name]))
        return text

    def outcome(self, condition: str) -> bool | None:
        """Return whether a condition holds; None if only CloudFormation knows."""
        return self._truth(self._conditions.get(condition, {}))

    def _truth(self, expression: Mapping[str, Any]) -> bool | None:
        if len(expression) != 1:
            return None
        ((function, argument),) = expression.items()
        if function == "Condition":
            return self.outcome(argument)
        if function == "Fn::Equals":
            left, right = (self.resolve(side) for side in argument)
            if UNRESOLVED in (left, right):
                return None
            return bool(left == right)
        if function not in ("Fn::Not", "Fn::And", "Fn::Or"):
            return None
        outcomes = [self._truth(member) for member in argument]
        if None in outcomes:
            return None
        if function == "Fn::Not":
            return not outcomes[0]
        if function == "Fn::And":
            return all(outcomes)
        return any(outcomes)


def _is_function(value: dict[str, Any]) -> bool:
    if len(value) != 1:
        return False
    (name,) = value
    return name == "Ref" or str(name).startswith("Fn::")
