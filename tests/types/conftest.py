"""A stage with a schema, the types made from its description, and the tools that make them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.stage_description import DescribedStage, stage_description
from local import page
from tests.support.api_server import running_command
from tests.support.clone import copy_of_the_project
from tests.support.cloud import Cloud, record_environment
from tests.support.http_api import Api

FOLDER = Path(__file__).parent
SCHEMA_FILE = "profile.schema.json"
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 100},
        "bio": {"title": "About you", "type": "string"},
        "language": {"title": "Language", "enum": ["en", "fr"]},
        "address": {"$ref": "#/$defs/address"},
        "friends": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["city"],
        }
    },
}
URL = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/api"


@dataclass(frozen=True)
class Done:
    """A command that has ended, and what it printed."""

    status: int
    output: str


@pytest.fixture(scope="session")
def packages() -> None:
    """Install the packages of package-lock.json."""
    page.install(FOLDER)


@dataclass(frozen=True)
class Types:
    """A folder in which TypeScript is generated, compiled and run."""

    folder: Path

    def generate(self, description: Path) -> None:
        """Make api.ts from a description, as a front end does."""
        done = self.run("openapi-typescript", description, "-o", "api.ts")
        assert done.status == 0, done.output

    def compile(self, file_name: str, program: str | None = None) -> Done:
        """Compile a program with api.ts to JavaScript. Without its text, it is in tests/types."""
        if program is None:
            program = (FOLDER / file_name).read_text()
        (self.folder / file_name).write_text(program)
        (self.folder / "node.d.ts").write_text((FOLDER / "node.d.ts").read_text())
        options = "--strict --skipLibCheck --module nodenext --target es2022"
        return self.run("tsc", *options.split(), "node.d.ts", file_name)

    def run(self, program: str, *arguments: str | Path, **variables: str) -> Done:
        """Run a program of node_modules, or node."""
        installed = FOLDER / "node_modules" / ".bin" / program
        command = [installed if installed.exists() else program, *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | variables,
            check=False,
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def types(packages: None, tmp_path: Path) -> Types:
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return Types(tmp_path)


def description_with(folder: Path, schema: object, **variables: str) -> Path:
    """Write the description of a stage with a schema, None for none, and these settings."""
    if schema is not None:
        (folder / SCHEMA_FILE).write_text(json.dumps(schema))
        variables["PROFILE_SCHEMA"] = SCHEMA_FILE
    settings = DescribedStage.read("dev", variables, folder)
    file = folder / "openapi.json"
    file.write_text(json.dumps(stage_description(settings, URL)))
    return file


@dataclass(frozen=True)
class Service:
    """A running API whose stage has SCHEMA, in a copy of the project."""

    api: Api
    clone: Path
    variables: dict[str, str]

    def start(self, command: str) -> Done:
        """Run a command in the copy."""
        done = subprocess.run(
            shlex.split(command),
            cwd=self.clone,
            env=self.variables,
            check=False,
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def run(self, command: str) -> None:
        """Run a command in the copy; it must succeed."""
        done = self.start(command)
        assert done.status == 0, done.output


@pytest.fixture(scope="session")
def service(
    cloud: Cloud, logs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("types")
    clone = copy_of_the_project(folder / "user-profile")
    (clone / "chalicelib" / SCHEMA_FILE).write_text(json.dumps(SCHEMA))
    config = clone / ".chalice" / "config.json"
    changed = json.loads(config.read_text())
    changed["environment_variables"]["PROFILE_SCHEMA"] = SCHEMA_FILE
    config.write_text(json.dumps(changed))
    log = folder / "api.log"
    logs.append(log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_STATE", str(folder))
        record_environment(cloud, PROFILE_SCHEMA=SCHEMA_FILE)
        variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MAKE", "MFLAGS", "OPTION_"))
        }
    command = ".venv/bin/chalice local --stage local"
    with running_command(command, clone, variables, log) as api:
        yield Service(api, clone, variables)
