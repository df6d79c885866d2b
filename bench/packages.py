"""What is measured: this service as it is packaged, and what one would write instead, from bench/peers."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.lambda_runtime import compile_all
from tests.support.project import copy_project

HERE = Path(__file__).parent
SETTINGS = {
    "DYNAMODB_TABLE": "user-profile-dev",
    "USER_POOL_ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_bench",
    "USER_POOL_CLIENT_ID": "bench",
}
"""Of a backend that is not there."""


@dataclass
class Package:
    """What is measured, and what was found: lists with a value for each round."""

    name: str
    task: Path
    handler: str
    zip_bytes: int = 0
    found: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        self.found.setdefault(what, []).append(value)

    def median(self, what: str) -> float:
        return statistics.median(self.found[what])

    def ratio(self, reference: Package, what: str) -> float:
        """How many times as much as `reference`: the median of the rounds' own ratios, since two that take turns within
        a minute share the machine's mood."""
        if what == "zip":
            return self.zip_bytes / reference.zip_bytes
        return statistics.median(
            mine / its for mine, its in zip(self.found[what], reference.found[what], strict=True)
        )


def ours(folder: Path) -> Package:
    """This service, as `make package` builds it: in a copy, with a backend that is not there."""
    project = folder / "project"
    copy_project(Path.cwd(), project)
    config = json.loads((project / ".chalice/config.json").read_text())
    config["stages"]["dev"]["environment_variables"] = SETTINGS
    (project / ".chalice/config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "resources", "package", "dev"]
    subprocess.run(
        command,
        cwd=project,
        env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"},
        check=True,
        stdout=2,
    )
    archive = project / "out/dev/deployment.zip"
    task = folder / "ours"
    zipfile.ZipFile(archive).extractall(task)
    return Package("this service", task, "app.app", archive.stat().st_size)


def peer(
    folder: Path, name: str, module: str, requirements: list[str], *, compiled: bool = True
) -> Package:
    """A handler of bench/peers with what it needs, compiled, or as wheels have it: without bytecode."""
    task = folder / name.replace(" ", "-")
    task.mkdir()
    shutil.copyfile(HERE / "peers" / f"{module}.py", task / f"{module}.py")
    if requirements:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-warn-conflicts",
            "--no-compile",
            "--target",
            str(task),
            *requirements,
        ]
        subprocess.run([*command, "-c", str(folder / "constraints.txt")], check=True, stdout=2)
    if compiled:
        compile_all(task)
    return Package(name, task, f"{module}.handler", _zip_size(task, folder / "size.zip"))


def _zip_size(task: Path, archive: Path) -> int:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in sorted(task.rglob("*")):
            if file.is_file():
                zipped.write(file, file.relative_to(task))
    return archive.stat().st_size


def build(folder: Path) -> list[Package]:
    """All that take turns, this service first."""
    pinned = "".join(
        file.read_text()
        for file in (Path("requirements-dev.txt"), HERE / "peers" / "requirements.txt")
    )
    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?(==[\w.]+)", pinned, re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(map("".join, pins)))
    mine = ours(folder)
    floor = peer(folder, "bare botocore, slim SDK", "bare_botocore", [])
    for part in Path(mine.task).iterdir():
        if part.name not in ("app.py", "chalicelib", "chalice", "__pycache__", ".built"):
            (shutil.copytree if part.is_dir() else shutil.copyfile)(part, floor.task / part.name)
    compile_all(floor.task)
    floor.zip_bytes = _zip_size(floor.task, folder / "size.zip")
    return [
        mine,
        floor,
        peer(folder, "bare boto3.resource, compiled", "bare_resource", ["boto3"]),
        peer(folder, "bare boto3.resource, as usual", "bare_resource", ["boto3"], compiled=False),
        peer(folder, "Powertools, compiled", "powertools", ["boto3", "aws-lambda-powertools"]),
        peer(
            folder, "FastAPI and Mangum, compiled", "fastapi_mangum", ["boto3", "fastapi", "mangum"]
        ),
    ]
