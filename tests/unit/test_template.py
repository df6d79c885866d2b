"""Reading a template in YAML, and the properties that it gives a resource."""

import pytest

from deploy import template
from deploy.errors import DeploymentError

CONSTANT = "!Equals [x, x]"
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
      Text: !Sub "${Name}"
      Region: !Sub "${Name}-${AWS::Region}"
      Providers: [COGNITO, !Ref Table]
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
    assert template.properties(template.load(TEXT, "it"), "Pool", {}) == {
        "Text": "x",
        "Urls": ["a", "b"],
        "Minutes": "60",
        "Nested": {"Kept": ["one", "two"]},
        "List": ["always"],
        "Region": template.UNRESOLVED,
        "Providers": template.UNRESOLVED,
        "Other": template.UNRESOLVED,
        "Arn": template.UNRESOLVED,
    }


def test_parameters_change_values_and_conditions() -> None:
    found = template.properties(template.load(TEXT, "it"), "Pool", {"Name": "y", "Urls": "c"})
    assert found["Text"] == "y"
    assert found["Urls"] == ["c"]
    assert found["Nested"] == {"Kept": ["three"], "Absent": "there"}
    assert found["List"] == ["there", "always"]


def test_an_absent_resource_has_no_properties() -> None:
    assert template.properties(template.load(TEXT, "it"), "Nowhere", {}) == {}


def test_a_template_in_json_is_read_too() -> None:
    text = '{"Resources": {"Pool": {"Properties": {"A": {"Ref": "B"}}}}}'
    assert template.properties(template.load(text, "it"), "Pool", {}) == {"A": template.UNRESOLVED}


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
    kept = template.properties(template.load(text, "it"), "Pool", {})["Nested"]["Kept"]
    assert kept == (["one", "two"] if holds else ["three"])


@pytest.mark.parametrize(
    "condition",
    [
        "!Equals [!Ref AWS::Region, us-east-1]",
        "!Not [!Equals [!Ref AWS::Region, us-east-1]]",
        "!And [!Condition IsX, !Equals [!Ref AWS::Region, us-east-1]]",
        "!Contains [!Ref Name, x]",
    ],
)
def test_a_condition_that_only_cloudformation_knows(condition: str) -> None:
    text = TEXT.replace(
        "!Equals [!Ref Name, x]\n", condition.replace("!Condition IsX", CONSTANT) + "\n"
    )
    found = template.properties(template.load(text, "it"), "Pool", {})
    assert found["Nested"] == {"Kept": template.UNRESOLVED, "Absent": template.UNRESOLVED}


def test_a_text_with_functions_of_its_own_is_unresolved() -> None:
    text = TEXT.replace('!Sub "${Name}"', '!Sub ["${A}", {A: !Ref Name}]')
    found = template.properties(template.load(text, "it"), "Pool", {})
    assert found["Text"] is template.UNRESOLVED


def test_text_that_is_not_yaml_is_explained() -> None:
    with pytest.raises(DeploymentError, match="the template cannot be read"):
        template.load("Resources: [", "the template")
