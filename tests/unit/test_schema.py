"""The optional JSON Schema: data that it refuses, and errors in the schema."""

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import InvalidProfile, Violation
from chalicelib.profile import JSON, MAX_VIOLATIONS, ProfileCheck, check_profile_data
from chalicelib.schema import profile_check
from chalicelib.settings import InvalidSetting

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "email": {"type": "string", "format": "email"},
        "born": {"type": "integer"},
        "score": {"type": "number", "multipleOf": 0.1, "maximum": 12345678901234567890},
        "address": {"$ref": "#/$defs/address"},
    },
    "required": ["name"],
    "unevaluatedProperties": False,
    "$defs": {
        "address": {
            "allOf": [{"properties": {"city": {"type": "string"}}}],
            "properties": {"zip": {"type": "string"}},
            "unevaluatedProperties": False,
        }
    },
}


@pytest.fixture
def checking(tmp_path: Path) -> Callable[[object], ProfileCheck]:
    """Returns the check for a schema."""

    def write_and_load(content: object) -> ProfileCheck:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "profile.schema.json").write_text(text)
        return profile_check("profile.schema.json", tmp_path)

    return write_and_load


def test_without_a_schema_only_the_limits_are_checked() -> None:
    assert profile_check("") is check_profile_data


@pytest.mark.parametrize(
    "data",
    [
        {"name": "Ada"},
        {
            "name": "Ada",
            "email": "ada@example.com",
            "born": 1815,
            "address": {"city": "London", "zip": "W1"},
        },
        {"name": "Ada", "born": Decimal("1815.0"), "score": Decimal("0.3")},
    ],
)
def test_conforming_data_pass(checking: Callable[..., Any], data: JSON) -> None:
    assert checking(PERSON)(data) == check_profile_data(data)


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        ({}, ["/name"]),
        ({"name": 1, "born": "x"}, ["/born", "/name"]),
        ({"name": "x" * 21}, ["/name"]),
        ({"name": "Ada", "email": "not an address"}, ["/email"]),
        ({"name": "Ada", "born": Decimal("1815.5")}, ["/born"]),
        ({"name": "Ada", "score": Decimal("0.35")}, ["/score"]),
        ({"name": "Ada", "unknown": 1, "a/b": 2}, ["/a~1b", "/unknown"]),
        ({"name": "Ada", "address": {"city": 1}}, ["/address/city"]),
        ({"name": "Ada", "address": {"city": "London", "planet": "x"}}, ["/address/planet"]),
        ({"name": "Ada", "address": {"": 1}}, ["/address/"]),
    ],
)
def test_violations_point_to_the_values(
    checking: Callable[..., Any], data: JSON, pointers: list[str]
) -> None:
    with pytest.raises(InvalidProfile) as caught:
        checking(PERSON)(data)
    assert sorted({violation.pointer for violation in caught.value.violations}) == pointers


def test_a_report_of_many_violations_stays_small(checking: Callable[..., Any]) -> None:
    data: JSON = {f"key-{number}": "x" * 1000 for number in range(200)}
    for content in (
        {"additionalProperties": {"type": "integer"}},
        {"unevaluatedProperties": False},
    ):
        with pytest.raises(InvalidProfile) as caught:
            checking(content)(data)
        assert 1 <= len(caught.value.violations) <= MAX_VIOLATIONS
        assert all(len(violation.detail) <= 500 for violation in caught.value.violations)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        {"type": "nonsense"},
        {"properties": []},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/elsewhere.json"},
        {"$ref": "other.json"},
        {"pattern": "("},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"type": "array"},
        {"type": ["array", "null"]},
        '{"not":' * 20_000 + "{}" + "}" * 20_000,
    ],
)
def test_a_wrong_schema_is_reported_in_one_line(
    checking: Callable[..., Any], content: object
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        checking(content)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("PROFILE_SCHEMA: chalicelib/profile.schema.json: ")


def test_a_missing_schema_file_is_named() -> None:
    with pytest.raises(InvalidSetting, match=r"nowhere\.json: there is no such file"):
        profile_check("nowhere.json")


def test_a_missing_library_is_reported_with_advice(
    checking: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(InvalidSetting, match=r"requirements\.txt"):
        checking(PERSON)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"type": "nonsense"}, "/type"),
        ({"properties": {"a": {"type": "nonsense"}}}, "/properties/a/type"),
        ({"properties": {"a/b": {"pattern": "("}}}, "/properties/a~1b/pattern"),
        ({"$defs": {"x": {"required": "name"}}}, "/$defs/x/required"),
        ('{"type": "object",\n"properties": }', "line 2"),
    ],
)
def test_a_mistake_in_a_schema_is_located(
    checking: Callable[..., Any], content: object, place: str
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        checking(content)
    assert place in str(caught.value)


@pytest.mark.parametrize("wrong", ["objct", ["string", "objct"], 5])
def test_a_wrong_type_in_a_schema_comes_with_the_types(
    checking: Callable[..., Any], wrong: object
) -> None:
    with pytest.raises(InvalidSetting, match=r"must be one of array, boolean, .* string"):
        checking({"properties": {"a": {"type": wrong}}})


def test_a_field_named_type_can_be_wrong_too(checking: Callable[..., Any]) -> None:
    with pytest.raises(InvalidSetting, match="at /properties/type") as caught:
        checking({"properties": {"type": 5}})
    assert "one of array" not in str(caught.value)


# --- the texts of violations ----------------------------------------------------------------------

TEXTS: list[tuple[JSON, JSON, str]] = [
    ({"type": "string"}, 1, "This must be a text."),
    ({"type": ["integer", "null"]}, "1", "This must be null or a whole number."),
    ({"minLength": 1, "title": "E-mail address"}, "", "Enter an e-mail address."),
    ({"minLength": 1, "title": "URL"}, "", "Enter a URL."),
    ({"minLength": 1}, "", "Enter a x."),
    ({"minLength": 2}, "a", "Use at least 2 characters."),
    ({"maxLength": 1}, "ab", "Use at most 1 character."),
    ({"minimum": 1}, 0, "This must be 1 or more."),
    ({"maximum": 3}, 4, "This must be 3 or less."),
    ({"exclusiveMinimum": 3}, 3, "This must be more than 3."),
    ({"exclusiveMaximum": 3}, 3, "This must be less than 3."),
    ({"multipleOf": 2}, 3, "This must be a multiple of 2."),
    ({"enum": ["en", "de", None]}, "x", "Choose one of these: en, de, null."),
    ({"const": True}, False, "This must be true."),
    ({"format": "date"}, "10.12.1815", "Enter a date, such as 1815-12-10."),
    ({"format": "hostname"}, "..", "This does not have the format hostname."),
    ({"pattern": "^https:"}, "http:", "This does not have the expected form."),
    ({"minItems": 1}, [], "Add at least 1 entry."),
    ({"maxItems": 2}, [1, 2, 3], "Keep at most 2 entries."),
    ({"uniqueItems": True}, [1, 1], "Remove the entries that are in the list twice."),
    ({"minProperties": 1}, {}, "Add at least 1 member."),
    ({"maxProperties": 1}, {"a": 1, "b": 2}, "Keep at most 1 member."),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "The name of a member is not allowed."),
    ({"not": {}}, 1, "This is not allowed here."),
    ({"anyOf": [{"type": "null"}, {"type": "string"}]}, 1, "This is not allowed here."),
]


@pytest.mark.parametrize(("part", "value", "text"), TEXTS)
def test_a_violation_says_what_to_enter(
    checking: Callable[..., Any], part: JSON, value: JSON, text: str
) -> None:
    with pytest.raises(InvalidProfile) as caught:
        checking({"properties": {"x": part}})({"x": value})
    assert caught.value.violations == [Violation("/x", text)]


def test_a_wrong_value_of_a_known_member_is_not_called_unknown(
    checking: Callable[..., Any],
) -> None:
    with pytest.raises(InvalidProfile) as caught:
        checking(PERSON)({"name": "Ada", "address": {"city": 1, "planet": 2}})
    assert caught.value.violations == [
        Violation("/address/city", "This must be a text."),
        Violation("/address/planet", "There is no such field. Remove it."),
    ]


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ({"title": "Name", "type": "string"}, "Enter a name."),
        ({"title": "Hobbies", "type": "array"}, "Hobbies is missing."),
        ({"type": "object"}, "x is missing."),
        (True, "Enter a x."),
    ],
)
@pytest.mark.parametrize("is_referenced", [False, True])
def test_a_missing_member_is_named_by_its_title(
    checking: Callable[..., Any], member: JSON, text: str, *, is_referenced: bool
) -> None:
    person: JSON = {"properties": {"x": member}, "required": ["x"]}
    schema: JSON = {"properties": {"person": person}}
    if is_referenced:
        schema = {"properties": {"person": {"$ref": "#/$defs/person"}}, "$defs": {"person": person}}
    with pytest.raises(InvalidProfile) as caught:
        checking(schema)({"person": {}})
    assert caught.value.violations == [Violation("/person/x", text)]


def test_texts_contain_no_profile_data_and_stay_short(checking: Callable[..., Any]) -> None:
    secret = "planted-3f1c" * 200
    schema = {
        "properties": {"kind": {"enum": ["x" * 100] * 200, "maxLength": 5, "pattern": "^y"}},
        "additionalProperties": False,
    }
    with pytest.raises(InvalidProfile) as caught:
        checking(schema)({"kind": secret, **{f"m{number}": 1 for number in range(200)}})
    assert len(caught.value.violations) == MAX_VIOLATIONS
    for violation in caught.value.violations:
        assert "planted" not in violation.detail
        assert len(violation.detail) <= 500
