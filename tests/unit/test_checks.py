"""Misspelled names of settings in .chalice/config.json."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from chalicelib import settings
from deploy import checks

DOCUMENTED_NAME = re.compile("([A-Z][A-Z_]+): ")


def test_every_setting_is_known() -> None:
    """The docstring below each attribute in chalicelib/settings.py starts with the setting."""
    tree = ast.parse(Path(settings.__file__).read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    documented = set()
    for statement in [statement for node in classes for statement in node.body]:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            name = DOCUMENTED_NAME.match(str(statement.value.value))
            if name is not None:
                documented.add(name[1])
    assert documented == set(checks.KNOWN_SETTINGS), (
        "update KNOWN_SETTINGS in deploy/checks.py and the docstrings in chalicelib/settings.py"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".chalice").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(project: Path, shared: list[str], own: list[str]) -> None:
    """Write a configuration with these names of variables, for all stages and for dev."""
    config = {
        "environment_variables": dict.fromkeys(shared, "x"),
        "stages": {"dev": {"environment_variables": dict.fromkeys(own, "x")}},
    }
    (project / ".chalice" / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAX_PROFILE_BYTE", "MAX_PROFILE_BYTES"),
        ("REQUIRE_PRECONDITION", "REQUIRE_PRECONDITIONS"),
        ("PROFILE_SHEMA", "PROFILE_SCHEMA"),
        ("CORS_ALLOW_ORIGINS", "CORS_ALLOW_ORIGIN"),
        ("cors_allow_origin", "CORS_ALLOW_ORIGIN"),
        ("USE_LOCAL_CLOUDS", "USE_LOCAL_CLOUD"),
    ],
)
@pytest.mark.parametrize("is_shared", [True, False])
def test_a_misspelled_setting_causes_a_warning(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, meant: str, *, is_shared: bool
) -> None:
    write(project, [name] if is_shared else [], [] if is_shared else [name])
    checks.warn_of_misspelled_settings("dev")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Warning: {name} in .chalice/config.json")
    assert meant in line


def test_known_and_own_variables_cause_no_warning(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["LOG_LEVEL", "MAX_BYTES", "TABLE", "CORS_MAX_AGE", checks.USE_LOCAL_CLOUD]
    write(project, list(checks.KNOWN_SETTINGS), own)
    checks.warn_of_misspelled_settings("dev")
    assert capsys.readouterr().err == ""
