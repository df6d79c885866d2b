"""The packages of requirements.txt that must be in the zip."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy import package_content
from deploy.errors import DeploymentError

ARM64 = "aarch64"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".chalice").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(project: Path, requirements: str, variables: Mapping[str, str] | None = None) -> None:
    (project / "requirements.txt").write_text(requirements)
    stages = {"dev": {"environment_variables": dict(variables or {})}}
    config = {"lambda_architecture": "arm64", "stages": stages}
    (project / ".chalice" / "config.json").write_text(json.dumps(config))


def archive_with(project: Path, packages: Mapping[str, str]) -> Path:
    """A zip with these packages (name and version); each has the lines of its Requires-Dist."""
    file = project / "deployment.zip"
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("six-1.17.0.dist-info/LICENSE", "as in vendor/")
        for package, requires in packages.items():
            name, version = package.split("==")
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            for requirement in requires.splitlines():
                metadata += f"Requires-Dist: {requirement}\n"
            folder = f"{name.replace('-', '_')}-{version}.dist-info"
            zipped.writestr(f"{folder}/METADATA", metadata)
    return file


@pytest.mark.parametrize(
    "requirements",
    [
        "",
        "# only a comment\n\n",
        "jsonschema-rs==0.60.3",
        "JSONSchema_RS == 0.60.3  # a comment",
        "jsonschema-rs==0.60.3 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n",
        "jsonschema-rs[extra]>=0.60",
        "--index-url https://packages.test/simple\n./wheels/own.whl\n",
        "colorama==0.4.6 ; sys_platform == 'win32'",
    ],
)
def test_a_complete_package_is_kept(project: Path, requirements: str) -> None:
    configure(project, requirements)
    archive = archive_with(project, {"jsonschema-rs==0.60.3": ""})
    package_content.check("dev", archive)
    assert archive.exists()


@pytest.mark.parametrize(
    "requirements",
    [
        "orjson",
        "OrJson==3.11.4",
        "orjson==3.11.4 \\\n    --hash=sha256:00\n",
        "orjson ; sys_platform == 'linux' and platform_machine == 'aarch64'",
        "# comment\njsonschema-rs==0.60.3\norjson\n",
    ],
)
def test_a_package_that_is_missing_is_named(project: Path, requirements: str) -> None:
    configure(project, requirements)
    archive = archive_with(project, {"jsonschema-rs==0.60.3": ""})
    with pytest.raises(DeploymentError) as refused:
        package_content.check("dev", archive)
    assert "it lacks orjson, which requirements.txt" in str(refused.value)
    assert "on arm64" in str(refused.value)


def test_an_incomplete_zip_is_built_again_next_time(project: Path) -> None:
    """Chalice uses a zip again while its sources are the same."""
    configure(project, "orjson")
    archive = archive_with(project, {})
    with pytest.raises(DeploymentError):
        package_content.check("dev", archive)
    assert not archive.exists()


def test_a_profile_schema_needs_its_library_in_the_zip(project: Path) -> None:
    windows_only = "jsonschema-rs==0.60.3 ; sys_platform == 'win32'"
    configure(project, windows_only, {"PROFILE_SCHEMA": "profile.schema.json"})
    with pytest.raises(DeploymentError, match="it lacks jsonschema-rs"):
        package_content.check("dev", archive_with(project, {}))
    package_content.check("dev", archive_with(project, {"jsonschema-rs==0.60.3": ""}))


def test_what_a_package_requires_must_be_in_the_zip(project: Path) -> None:
    configure(project, "outer[speed]")
    requires = "inner>=1\nfast ; extra == 'speed'\nslow ; extra == 'docs'\nwin ; os_name == 'nt'"
    packages = {"outer==1": requires, "fast==1": "", "inner==1": "innermost"}
    with pytest.raises(DeploymentError, match="it lacks innermost, which"):
        package_content.check("dev", archive_with(project, packages))
    package_content.check("dev", archive_with(project, {**packages, "innermost==1": "outer"}))


def test_requirements_are_those_of_the_functions_machine(project: Path) -> None:
    only_there = "intel ; platform_machine == 'x86_64'"
    packages = archive_with(project, {"outer==1": only_there})
    requirements = package_content.read_requirements("outer")
    assert package_content.missing_packages(packages, requirements, ARM64) == []
    assert package_content.missing_packages(packages, requirements, "x86_64") == ["intel"]
