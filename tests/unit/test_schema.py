"""The optional JSON Schema: data that it refuses, and errors in the schema."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import InvalidProfile
from chalicelib.profile import JSON, MAX_VIOLATIONS, check_profile_data
from chalicelib.schema import profile_check
from tests.support.clone import ROOT, record_backend, reset_stages
from tests.support.project import copy_project

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
def checking(tmp_path: Path) -> Callable[[object], Callable[[JSON], JSON]]:
    """Returns the check for a schema."""

    def write_and_load(content: object) -> Callable[[JSON], JSON]:
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
    assert checking(PERSON)(data) == data


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
def test_a_wrong_schema_ends_the_process_with_one_line(
    checking: Callable[..., Any], content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        checking(content)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: PROFILE_SCHEMA, chalicelib/profile.schema.json: ")


def test_a_missing_schema_file_ends_the_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        profile_check("nowhere.json")
    assert "nowhere.json" in capsys.readouterr().err


def test_a_missing_library_ends_the_process_with_advice(
    checking: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(SystemExit):
        checking(PERSON)
    assert "requirements.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["package", "out"], ["local", "--no-autoreload", "--port", "0"]]
)
def test_chalice_commands_stop_at_a_wrong_schema(tmp_path: Path, command: list[str]) -> None:
    project = tmp_path / "user-profile"
    copy_project(ROOT, project)
    reset_stages(project)
    (project / "chalicelib" / "wrong.json").write_text('{"type": "nonsense"}')
    variables = {
        "DYNAMODB_TABLE": "user-profile-dev",
        "USER_POOL_ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_x",
        "PROFILE_SCHEMA": "wrong.json",
    }
    record_backend(project, "dev", variables)
    with (project / "requirements.txt").open("a") as requirements:
        requirements.write("jsonschema-rs==0.60.3\n")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    chalice = Path(sys.executable).with_name("chalice")
    done = subprocess.run(
        [chalice, command[0], "--stage", "dev", *command[1:]],
        cwd=project,
        env=bare | {"AWS_DEFAULT_REGION": "us-east-1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "error: PROFILE_SCHEMA, chalicelib/wrong.json" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "out").exists()
