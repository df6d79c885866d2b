"""`make openapi`: write the OpenAPI description of a stage to a file.

Tools such as openapi-typescript generate types from it, and API clients import it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.chalice_config import replace_file
from deploy.errors import DeploymentError
from deploy.options import is_yes
from deploy.stage_description import MARK, DescribedStage, Document, stage_description

OPTIONS = {
    "FILE": "the file to write: JSON, or YAML if its name ends with .yaml or .yml",
    "OVERWRITE": "yes: replace a file that this command did not write",
}
YAML_SUFFIXES = (".yaml", ".yml")
BEGINNING = 200
"""The number of bytes at the beginning of a written file that contain MARK."""


@dataclass(frozen=True)
class DescriptionRequest:
    """The options of the command."""

    file: Path | None
    """The file to write. None: openapi.json in the stage's folder of out/."""
    overwrite: bool

    @classmethod
    def from_options(cls, file: str, overwrite: str) -> DescriptionRequest:
        """The request that the values of the options name. Raises DeploymentError."""
        return cls(Path(file) if file else None, is_yes("OVERWRITE", overwrite))


def run(stage: DescribedStage, url: str, request: DescriptionRequest) -> None:
    """Write the description of the stage's API at `url`. Raises DeploymentError."""
    file = request.file
    if file is None:
        file = Path("out") / stage.name / "openapi.json"
        _create_folder(file.parent)
    _check_name(file, overwrite=request.overwrite)
    replace_file(file, _text(stage_description(stage, url), file))
    print(f"Wrote {file}, the description of the stage {stage.name} at {url}.")
    if stage.schema is None:
        print("The stage has no PROFILE_SCHEMA, so profile data may have any members.")


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeploymentError(f"cannot create the folder {folder}: {error.strerror}.") from error


def _check_name(file: Path, *, overwrite: bool) -> None:
    """Raise DeploymentError if something has the name that this command may not replace."""
    if not os.path.lexists(file):
        return
    if not file.is_file():
        raise DeploymentError(f"{file} exists and is not a file. Choose another FILE.")
    if not overwrite and not _was_written_by_this_command(file):
        raise DeploymentError(
            f"{file} exists, and make openapi did not write it. Choose another FILE, or set "
            "OVERWRITE=yes."
        )


def _was_written_by_this_command(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return MARK.encode() in opened.read(BEGINNING)
    except OSError as error:
        raise DeploymentError(f"cannot read {file}: {error.strerror}.") from error


def _text(description: Document, file: Path) -> str:
    if file.suffix in YAML_SUFFIXES:
        return yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=100)
    return json.dumps(description, indent=2, ensure_ascii=False) + "\n"
