"""Reading a template in YAML, and the properties that it gives a resource."""

import pytest

from deploy import template
from deploy.errors import DeploymentError

TEXT = """
Parameters:
  Name: {Type: String, Default: x}
  Urls: {Type: CommaDelimitedList, Default: "a, b"}
  Minutes: {Type: Number, Default: 60}
Conditions:
  IsX: !Equals [!Ref Name, x]
Resources:
  Pool:
    Type: Some::Type
    Properties:
      Text: !Sub "${Name}-${AWS::Region}"
      Urls: !Ref Urls
      Minutes: !Ref Minutes
      Nested:
        Kept: !If [IsX, [one, two], [three]]
        Absent: !If [IsX, !Ref AWS::NoValue, there]
      List: [!If [IsX, !Ref AWS::NoValue, there], always]
      Other: !Ref Table
      Arn: !GetAtt Table.Arn
"""


def test_parameters_have_their_defaults() -> None:
    assert template.properties(template.load(TEXT), "Pool", {}) == {
        "Text": "x-${AWS::Region}",
        "Urls": ["a", "b"],
        "Minutes": "60",
        "Nested": {"Kept": ["one", "two"]},
        "List": ["always"],
        "Other": {"Ref": "Table"},
        "Arn": {"Fn::GetAtt": ["Table", "Arn"]},
    }


def test_parameters_change_values_and_conditions() -> None:
    found = template.properties(template.load(TEXT), "Pool", {"Name": "y", "Urls": "c"})
    assert found["Text"] == "y-${AWS::Region}"
    assert found["Urls"] == ["c"]
    assert found["Nested"] == {"Kept": ["three"], "Absent": "there"}
    assert found["List"] == ["there", "always"]


def test_an_absent_resource_has_no_properties() -> None:
    assert template.properties(template.load(TEXT), "Nowhere", {}) == {}


def test_a_template_in_json_is_read_too() -> None:
    text = '{"Resources": {"Pool": {"Properties": {"A": {"Ref": "B"}}}}}'
    assert template.properties(template.load(text), "Pool", {}) == {"A": {"Ref": "B"}}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("!Not [!Equals [!Ref Name, x]]", False),
        ("!And [!Equals [!Ref Name, x], !Condition IsX]", True),
        ("!Or [!Equals [!Ref Name, y], !Condition IsX]", True),
        ("!Or [!Equals [!Ref Name, y], !Not [!Condition IsX]]", False),
    ],
)
def test_conditions_can_be_combined(condition: str, holds: bool) -> None:
    text = TEXT.replace("Conditions:\n", f"Conditions:\n  Combined: {condition}\n")
    text = text.replace("Kept: !If [IsX,", "Kept: !If [Combined,")
    kept = template.properties(template.load(text), "Pool", {})["Nested"]["Kept"]
    assert kept == (["one", "two"] if holds else ["three"])


def test_other_functions_are_left_unresolved() -> None:
    text = TEXT.replace('!Sub "${Name}-${AWS::Region}"', '!Sub ["${A}", {A: !Ref Name}]')
    value = template.properties(template.load(text), "Pool", {})["Text"]
    assert template.is_unresolved(value)
    assert not template.is_unresolved({"Fn::Sub": 1, "other": 2})
    assert not template.is_unresolved("text")


def test_text_that_is_not_yaml_is_explained() -> None:
    with pytest.raises(DeploymentError, match="cannot be read"):
        template.load("Resources: [")


def test_an_unknown_condition_is_explained() -> None:
    text = TEXT.replace("!Equals [!Ref Name, x]", "!Contains [!Ref Name, x]")
    with pytest.raises(DeploymentError, match="Contains"):
        template.properties(template.load(text), "Pool", {})
