"""Values of parameters that CloudFormation accepts and refuses, before a stack is changed."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest

from deploy import backend, packaging, template_parameters
from deploy.errors import DeploymentError

TEMPLATES = {
    "resources/api.json": json.loads(packaging.TEMPLATE.read_text(encoding="utf-8")),
    "resources/backend.yaml": backend.template(),
}
DECLARED: dict[str, dict[str, Any]] = {
    "Rate": {"Type": "Number", "MinValue": 1},
    "Hours": {"Type": "Number", "MinValue": 0, "MaxValue": 24},
    "Most": {"Type": "Number", "MaxValue": 5},
    "Days": {"Type": "Number", "AllowedValues": [1, 7]},
    "Plan": {"Type": "String", "AllowedValues": ["LITE", "PLUS"]},
    "Name": {
        "Type": "String",
        "AllowedPattern": "|[a-z]+",
        "ConstraintDescription": "lower-case letters, or empty",
    },
    "Word": {"Type": "String", "AllowedPattern": r"\w+"},
    "Any": {"Type": "String"},
    "List": {"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]+"},
    "Java": {"Type": "String", "AllowedPattern": r"\p{Lower}+"},
    "JavaSet": {"Type": "String", "AllowedPattern": "[a-z&&[^b]]"},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Rate", "1"),
        ("Rate", "1000000"),
        ("Hours", "0"),
        ("Hours", "24"),
        ("Most", "5"),
        ("Most", "-5"),
        ("Days", "7"),
        ("Plan", "LITE"),
        ("Name", ""),
        ("Name", "abc"),
        ("Word", "a_1"),
        ("Any", "A a\n"),
        ("List", "a,B"),
        ("Java", "A"),
        ("JavaSet", "b"),
    ],
)
def test_a_value_that_cloudformation_may_accept(name: str, value: str) -> None:
    """A pattern in Java's own syntax is left to CloudFormation."""
    template_parameters.check_values({name: value}, DECLARED)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("Rate", "0", "a whole number from 1"),
        ("Rate", "1.5", "a whole number"),
        ("Rate", "", "a whole number"),
        ("Rate", "\N{ARABIC-INDIC DIGIT ONE}", "a whole number"),
        ("Hours", "-1", "a whole number from 0 to 24"),
        ("Hours", "25", "a whole number from 0 to 24"),
        ("Most", "6", "a whole number up to 5"),
        ("Days", "2", "one of 1, 7"),
        ("Plan", "lite", "one of LITE, PLUS"),
        ("Plan", "", "one of LITE, PLUS"),
        ("Name", "abc1", "lower-case letters, or empty"),
        ("Name", "abc\n", "lower-case letters, or empty"),
        ("Word", "ä", r"a text that matches \w+"),
    ],
)
def test_a_value_that_cloudformation_refuses(name: str, value: str, rule: str) -> None:
    with pytest.raises(DeploymentError) as refused:
        template_parameters.check_values({name: value}, DECLARED)
    assert str(refused.value) == f"{name} is {value!r}. It must be {rule}."


def test_the_place_of_a_wrong_value_is_named() -> None:
    with pytest.raises(DeploymentError, match=r"^Rate of the stage dev in config is '0'\. It must"):
        template_parameters.check_values({"Rate": "0"}, DECLARED, " of the stage dev in config")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_pattern_of_the_templates_is_checked(template: str) -> None:
    """A pattern in Java's own syntax would be left to CloudFormation, after other changes."""
    declared = TEMPLATES[template]["Parameters"]
    patterns = [found["AllowedPattern"] for found in declared.values() if "AllowedPattern" in found]
    assert patterns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in patterns:
            re.compile(pattern)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_defaults_of_the_templates_are_accepted(template: str) -> None:
    declared = TEMPLATES[template]["Parameters"]
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in declared.items()
        if "Default" in parameter
    }
    template_parameters.check_values(defaults, declared)
