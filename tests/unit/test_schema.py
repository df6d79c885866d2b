"""The optional JSON Schema: data that it refuses, and errors in the schema."""

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import InvalidProfile
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
        ({}, [""]),
        ({"name": 1, "born": "x"}, ["/born", "/name"]),
        ({"name": "x" * 21}, ["/name"]),
        ({"name": "Ada", "email": "not an address"}, ["/email"]),
        ({"name": "Ada", "born": Decimal("1815.5")}, ["/born"]),
        ({"name": "Ada", "score": Decimal("0.35")}, ["/score"]),
        ({"name": "Ada", "unknown": 1}, [""]),
        ({"name": "Ada", "address": {"city": 1}}, ["/address", "/address/city"]),
        ({"name": "Ada", "address": {"city": "London", "planet": "x"}}, ["/address"]),
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
    with pytest.raises(InvalidSetting, match=r"nowhere\.json"):
        profile_check("nowhere.json")


def test_a_missing_library_is_reported_with_advice(
    checking: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(InvalidSetting, match=r"requirements\.txt"):
        checking(PERSON)
