"""The function's Python, architecture and numbers, and the packages in its zip."""

from __future__ import annotations

import json
import platform
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy import function_settings
from tests.deployed.conftest import Clone
from tests.support.clone import ROOT, record_backend

RUNNING = function_settings.running_python()
OTHER = "3.12" if RUNNING == "3.11" else "3.11"
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
BACKEND = {
    "DYNAMODB_TABLE": "user-profile-dev",
    "USER_POOL_ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc",
    "USER_POOL_CLIENT_ID": "client",
}


@pytest.fixture
def recorded(clone: Clone) -> Clone:
    """A clone whose stage dev records a backend that does not exist: enough for packaging."""
    record_backend(clone.folder, "dev", BACKEND)
    return clone


def test_the_template_has_the_projects_settings(package: Path) -> None:
    template = json.loads((package / "sam.json").read_text())
    function = template["Resources"]["APIHandler"]["Properties"]
    assert function["Runtime"] == f"python{RUNNING}"
    assert function["Architectures"] == [CONFIG["lambda_architecture"]]
    assert function["MemorySize"] == CONFIG["lambda_memory_size"]
    assert function["Timeout"] == CONFIG["lambda_timeout"]


def test_compiled_files_are_of_the_functions_python(package: Path) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as zipped:
        compiled = [Path(name).suffixes[0] for name in zipped.namelist() if name.endswith(".pyc")]
    assert set(compiled) == {f".{sys.implementation.cache_tag}"}


@pytest.mark.parametrize("command", ["package", "deploy"])
def test_with_another_python_nothing_is_built(recorded: Clone, command: str) -> None:
    recorded.configure(lambda_python_version=OTHER)
    assert f"make install PYTHON=python{OTHER}" in recorded.error(command, "dev")
    arguments = ["out"] if command == "package" else []
    done = recorded.chalice(command, *arguments)
    assert done.returncode == 1
    assert f"error: the function runs on Python {OTHER}" in done.stderr
    assert not (recorded.folder / "out").exists()
    assert not (recorded.folder / ".chalice" / "deployments").exists()


NONSENSE: list[dict[str, Any]] = [
    {"lambda_timeout": float("nan")},
    {"lambda_timeout": 30},
    {"lambda_memory_size": 64},
    {"lambda_architecture": "arm"},
    {"api_gateway_stage": "v1"},
]


@pytest.mark.parametrize("settings", NONSENSE, ids=lambda settings: "-".join(map(str, settings)))
def test_settings_that_cannot_work_stop_packaging(
    recorded: Clone, settings: dict[str, Any]
) -> None:
    recorded.configure(**settings)
    for command in ("package", "deploy"):
        assert next(iter(settings)) in recorded.error(command, "dev")


def test_another_stage_of_api_gateway_by_option(recorded: Clone) -> None:
    done = recorded.chalice("deploy", "--api-gateway-stage", "v1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: api_gateway_stage is 'v1'")


def test_a_package_without_a_wheel_is_not_deployed(recorded: Clone) -> None:
    """Chalice prints that it could not install it, and continues."""
    machine = platform.machine()
    add_wheel(recorded.folder, f"linux_{machine}")
    other = "x86_64" if machine == "aarch64" else "arm64"
    recorded.configure(lambda_architecture=other)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(recorded.folder)}
    for _ in range(2):  # the second time, Chalice would use the same zip again
        done = recorded.chalice("package", "out", **offline)
        assert done.returncode == 1
        assert "error: the package was refused: it lacks only-here" in done.stderr
        assert not (recorded.folder / "out").exists()
    add_wheel(recorded.folder, "any")
    assert recorded.chalice("package", "out", **offline).returncode == 0


def add_wheel(folder: Path, tag: str) -> None:
    """Require a package, whose wheel for this platform is in the folder."""
    (folder / "requirements.txt").write_text("only-here==1\n")
    with zipfile.ZipFile(folder / f"only_here-1-py3-none-{tag}.whl", "w") as wheel:
        wheel.writestr("only_here.py", "")
        information = "only_here-1.dist-info"
        metadata = "Metadata-Version: 2.1\nName: only-here\nVersion: 1\n"
        wheel.writestr(f"{information}/METADATA", metadata)
        wheel.writestr(f"{information}/WHEEL", f"Wheel-Version: 1.0\nTag: py3-none-{tag}\n")
        wheel.writestr(f"{information}/RECORD", "")


def test_a_changed_architecture_is_reported(clone: Clone) -> None:
    clone.run("backend", "dev")
    clone.set_stage("dev", lambda_architecture="x86_64")
    clone.run("deploy", "dev")
    before = function_of(clone)
    clone.set_stage("dev", lambda_architecture="arm64")
    output = clone.run("deploy", "dev")
    name = f"python{RUNNING}"
    assert f"the function changes from {name} on x86_64 to {name} on arm64" in output
    after = function_of(clone)
    assert after["Architectures"] == ["arm64"]
    assert after["FunctionArn"] == before["FunctionArn"]
    assert "the function changes" not in clone.run("deploy", "dev")


def function_of(clone: Clone) -> Any:
    stack = clone.stack("dev")
    assert stack is not None
    name = stack.outputs["APIHandlerName"]
    return boto3.client("lambda").get_function_configuration(FunctionName=name)
