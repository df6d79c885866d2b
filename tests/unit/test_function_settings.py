"""The function's settings in .chalice/config.json, which are checked before a deployment."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy import function_settings
from deploy.errors import DeploymentError
from tests.support.clone import ROOT

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
RUNNING = function_settings.running_python()
OTHER = "3.12" if RUNNING == "3.11" else "3.11"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".chalice").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(
    project: Path, shared: Mapping[str, object], dev: Mapping[str, object] | None = None
) -> None:
    """Check the stage dev with the project's settings and these; None removes a shared one.

    `dev` are settings of the stage.
    """
    config: dict[str, Any] = {**CONFIG, function_settings.PYTHON_VERSION: RUNNING, **shared}
    config = {name: value for name, value in config.items() if value is not None}
    config["stages"] = {"dev": dev or {}, "prod": {}}
    (project / ".chalice" / "config.json").write_text(json.dumps(config))
    function_settings.check("dev")


def test_the_projects_settings_are_accepted(project: Path) -> None:
    check(project, {})


def test_the_project_deploys_a_version_that_is_tested() -> None:
    tox = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["tox"]
    assert tuple(tox["env_list"]) == function_settings.SUPPORTED_PYTHONS
    assert CONFIG[function_settings.PYTHON_VERSION] in function_settings.SUPPORTED_PYTHONS


def test_another_python_than_the_functions_is_refused(project: Path) -> None:
    with pytest.raises(DeploymentError) as refused:
        check(project, {"lambda_python_version": OTHER})
    assert f"make install PYTHON=python{OTHER}" in str(refused.value)
    assert f'set lambda_python_version to "{RUNNING}"' in str(refused.value)


def test_a_stage_may_have_its_own_python_version(project: Path) -> None:
    check(project, {"lambda_python_version": OTHER}, dev={"lambda_python_version": RUNNING})
    with pytest.raises(DeploymentError, match=f"runs on Python {OTHER}"):
        check(project, {}, dev={"lambda_python_version": OTHER})


@pytest.mark.parametrize("version", [None, "", "3", "3.10", "3.15", "3.13.0", "python3.13"])
def test_a_python_version_that_is_not_supported(project: Path, version: object) -> None:
    with pytest.raises(DeploymentError, match=r"lambda_python_version in .* is .*3\.13"):
        check(project, {"lambda_python_version": version})


@pytest.mark.parametrize("version", [3, 3.13])
def test_a_python_version_is_a_string(project: Path, version: float) -> None:
    with pytest.raises(DeploymentError, match=f"is {version}, a number. It must be a string"):
        check(project, {"lambda_python_version": version})


@pytest.mark.parametrize("architecture", [None, "arm64", "x86_64"])
def test_an_architecture_of_lambda_is_accepted(project: Path, architecture: str | None) -> None:
    check(project, {"lambda_architecture": architecture})


@pytest.mark.parametrize("architecture", ["arm", "ARM64", "", 64, ["arm64"]])
def test_another_architecture_is_refused(project: Path, architecture: object) -> None:
    with pytest.raises(DeploymentError, match="It must be arm64 or x86_64"):
        check(project, {"lambda_architecture": architecture})


NUMBERS = {"lambda_memory_size": (128, 10_240), "lambda_timeout": (16, 28)}
"""The smallest and the largest value of each setting."""


@pytest.mark.parametrize("name", NUMBERS)
def test_both_ends_of_a_range_are_accepted(project: Path, name: str) -> None:
    for value in NUMBERS[name]:
        check(project, {name: value})


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_lambda_or_the_api_cannot_use(project: Path, name: str) -> None:
    smallest, largest = NUMBERS[name]
    nonsense = (smallest - 1, largest + 1, 0, -20, 20.0, 1024.5, True, "20", [20], None)
    for value in (*nonsense, float("nan"), float("inf")):
        with pytest.raises(DeploymentError, match=f"{name} of the stage dev .* whole number"):
            check(project, {name: value})


def test_a_number_for_the_function_alone_is_checked(project: Path) -> None:
    """Chalice prefers it to the others."""
    own = {"lambda_functions": {"api_handler": {"lambda_timeout": 90}}}
    with pytest.raises(DeploymentError, match="is 90"):
        check(project, {}, dev={"lambda_timeout": 20, **own})
    with pytest.raises(DeploymentError, match="is 90"):
        check(project, own)
    check(project, own, dev={"lambda_timeout": 20})


@pytest.mark.parametrize("name", [None, "api"])
def test_api_gateways_stage_is_api(project: Path, name: str | None) -> None:
    check(project, {"api_gateway_stage": name})


@pytest.mark.parametrize("name", ["v1", "API", "", 1])
def test_another_stage_of_api_gateway_is_refused(project: Path, name: object) -> None:
    with pytest.raises(DeploymentError, match="It must be api: the alarms"):
        check(project, {}, dev={"api_gateway_stage": name})
