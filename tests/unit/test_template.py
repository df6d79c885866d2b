"""Reading a template in YAML, and the properties that it gives a resource."""

import pytest

from deploy import template

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


@pytest.mark.parametrize("text", ['{"Resources": {"Pool": {"Properties": {"A": {"Ref": "B"}}}}}'])
def test_a_template_in_json_is_read_too(text: str) -> None:
    assert template.properties(template.load(text), "Pool", {}) == {"A": {"Ref": "B"}}
