"""The packages to compare: this service as `make package` builds it, and those of bench/peers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.clone import record_backend, reset_stages
from tests.support.lambda_runtime import compile_all
from tests.support.project import copy_project

PROJECT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
SERVICE_FILES = {"app.py", "chalicelib", "chalice"}
"""The content of the service's package besides the AWS SDK."""
NOT_THE_SDK = SERVICE_FILES | {"__pycache__", ".built"}
SETTINGS = {
    "DYNAMODB_TABLE": "user-profile-dev",
    "USER_POOL_ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_bench",
    "USER_POOL_CLIENT_ID": "bench",
}
"""The environment variables of a stage whose backend does not exist."""


@dataclass(frozen=True)
class Package:
    """An unpacked Lambda package, and the size of its zip."""

    name: str
    task: Path
    handler: str
    zip_bytes: int


@dataclass(frozen=True)
class Packages:
    """All packages. Ratios are relative to `reference`, which is one of the peers."""

    service: Package
    peers: list[Package]
    reference: Package

    @property
    def all(self) -> list[Package]:
        return [self.service, *self.peers]


def build(folder: Path) -> Packages:
    """Build all packages in subfolders of `folder`."""
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(_pins()))
    service = _build_service(folder)
    reference = _build_peer(folder, "bare boto3.resource, compiled", "bare_resource", ["boto3"])
    peers = [
        _build_peer_with_slim_sdk(folder, service),
        reference,
        _build_peer(
            folder,
            "bare boto3.resource, not compiled",
            "bare_resource",
            ["boto3"],
            is_compiled=False,
        ),
        _build_peer(
            folder, "Powertools, compiled", "powertools", ["boto3", "aws-lambda-powertools"]
        ),
        _build_peer(
            folder, "FastAPI and Mangum, compiled", "fastapi_mangum", ["boto3", "fastapi", "mangum"]
        ),
    ]
    return Packages(service, peers, reference)


def _pins() -> list[str]:
    """The versions of every package that a peer may need, as pip's constraints."""
    locks = (PROJECT / "requirements" / "develop.txt", PEERS / "requirements.txt")
    text = "\n".join(lock.read_text() for lock in locks)
    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?==([\w.]+)", text, re.MULTILINE)
    return [f"{name}=={version}" for name, version in pins]


def _build_service(folder: Path) -> Package:
    """Build this service's package in a copy of the project."""
    project = folder / "project"
    copy_project(PROJECT, project)
    reset_stages(project)
    record_backend(project, "dev", SETTINGS)
    subprocess.run(
        [sys.executable, "-m", "deploy", "package", "dev"],
        cwd=project,
        env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"},
        check=True,
        stdout=sys.stderr,
    )
    archive = project / "out" / "dev" / "deployment.zip"
    task = folder / "this-service"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(task)
    return Package("this service", task, "app.app", archive.stat().st_size)


def _build_peer(
    folder: Path, name: str, module: str, requirements: list[str], *, is_compiled: bool = True
) -> Package:
    """Build the package of a module in bench/peers.

    A package that is not compiled has no bytecode, like wheels from PyPI.
    """
    task = _new_task(folder, name, module)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-warn-conflicts",
            "--no-compile",
            "--target",
            str(task),
            "--constraint",
            str(folder / "constraints.txt"),
            *requirements,
        ],
        check=True,
        stdout=sys.stderr,
    )
    if is_compiled:
        compile_all(task)
    return Package(name, task, f"{module}.handler", _zip_size(task))


def _build_peer_with_slim_sdk(folder: Path, service: Package) -> Package:
    """Build the smallest peer: botocore without a framework, and the service's own slim SDK."""
    name = "bare botocore, slim SDK"
    module = "bare_botocore"
    task = _new_task(folder, name, module)
    for part in service.task.iterdir():
        if part.name in NOT_THE_SDK:
            continue
        if part.is_dir():
            shutil.copytree(part, task / part.name)
        else:
            shutil.copyfile(part, task / part.name)
    compile_all(task)
    return Package(name, task, f"{module}.handler", _zip_size(task))


def _new_task(folder: Path, name: str, module: str) -> Path:
    task = folder / re.sub(r"\W+", "-", name)
    task.mkdir()
    shutil.copyfile(PEERS / f"{module}.py", task / f"{module}.py")
    return task


def _zip_size(task: Path) -> int:
    """The size of the zip that `task` makes, in bytes."""
    archive = task.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in sorted(task.rglob("*")):
            if file.is_file():
                zipped.write(file, file.relative_to(task))
    return archive.stat().st_size
