"""A CloudFormation template in YAML, and the properties that it gives its resources.

Evaluated are !Ref of a parameter, !Sub with a text, !If, and the functions of conditions. Any other
function stays as it is, such as {"Ref": name} for another resource.
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


def load(text: str) -> Template:
    """Read a template in YAML or JSON. Raises DeploymentError."""
    try:
        template: Template = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise DeploymentError(f"resources/backend.yaml cannot be read: {message}.") from error
    return template


def properties(template: Template, resource: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a resource's properties. `parameters` that are left out have their defaults.

    A value of the type CommaDelimitedList is a list of strings; numbers are strings, as parameters
    are in CloudFormation. Returns an empty object if the template has no such resource.
    """
    found = template["Resources"].get(resource)
    if found is None:
        return {}
    values = {
        name: _parameter_value(declared, parameters.get(name))
        for name, declared in template.get("Parameters", {}).items()
    }
    resolved: dict[str, Any] = _Resolver(template, values).resolve(found.get("Properties", {}))
    return resolved


def _parameter_value(declared: Mapping[str, Any], given: str | None) -> str | list[str]:
    value = given
    if value is None:
        value = str(declared.get("Default", ""))
    if declared["Type"] == "CommaDelimitedList":
        return [member.strip() for member in value.split(",")]
    return value


def is_unresolved(value: object) -> bool:
    """Return whether a value is a function that `properties` does not evaluate."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    (name,) = value
    return name == "Ref" or str(name).startswith("Fn::")


class _Resolver:
    def __init__(self, template: Template, parameters: Mapping[str, str | list[str]]) -> None:
        self._parameters = parameters
        self._conditions = template.get("Conditions", {})

    def resolve(self, value: Any) -> Any:
        """Return a value with its functions evaluated. Absent members are left out."""
        if isinstance(value, list):
            members = [self.resolve(member) for member in value]
            return [member for member in members if member is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self._reference(argument)
            if name == "Fn::Sub" and isinstance(argument, str):
                return self._substituted(argument)
            if name == "Fn::If":
                condition, if_true, if_false = argument
                return self.resolve(if_true if self._holds(condition) else if_false)
        resolved = {name: self.resolve(member) for name, member in value.items()}
        return {name: member for name, member in resolved.items() if member is not NO_VALUE}

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self._parameters.get(name, {"Ref": name})

    def _substituted(self, text: str) -> str:
        def value_of(match: re.Match[str]) -> str:
            return str(self._parameters.get(match[1], match[0]))

        return re.sub(r"\$\{(\w+)\}", value_of, text)

    def _holds(self, condition: str) -> bool:
        return self._is_true(self._conditions[condition])

    def _is_true(self, expression: Mapping[str, Any]) -> bool:
        ((function, argument),) = expression.items()
        if function == "Condition":
            return self._holds(argument)
        if function == "Fn::Not":
            return not self._is_true(argument[0])
        if function == "Fn::And":
            return all(map(self._is_true, argument))
        if function == "Fn::Or":
            return any(map(self._is_true, argument))
        if function == "Fn::Equals":
            left, right = argument
            return bool(self.resolve(left) == self.resolve(right))
        raise DeploymentError(f"a condition of the template has {function}, which is unknown here.")
