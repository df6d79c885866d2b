"""A clone of the project for tests that run its commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

from deploy import chalice_config, function_settings, policy
from local import page
from tests.support.bad_bodies import STAGE_LIMIT
from tests.support.project import copy_project

ROOT = Path(__file__).parents[2]

STAGE_SETTINGS = {"local": {"USE_LOCAL_CLOUD": "true"}, "dev": {}, "prod": {}}
"""The stages of a fresh clone, and their environment variables."""


def copy_of_the_project(folder: Path) -> Path:
    """Make `folder` a fresh clone of the project with its requirements installed.

    Its stages are those of a fresh clone, even if a team has changed the project's own stages.
    """
    copy_project(ROOT, folder)
    reset_stages(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    page.install()
    (folder / "web" / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    return folder


def reset_stages(project: Path) -> None:
    """Give a copy of the project the configuration of a fresh clone, with the project's name."""
    folder = project / ".chalice"
    config = json.loads((folder / "config.json").read_text())
    config.pop("owner_id", None)
    # The tests also package with other Pythons than the one that the project deploys.
    config[function_settings.PYTHON_VERSION] = function_settings.running_python()
    config["environment_variables"] = {"MAX_PROFILE_BYTES": str(STAGE_LIMIT)}
    config["stages"] = {
        stage: {"environment_variables": settings} for stage, settings in STAGE_SETTINGS.items()
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in folder.glob("policy-*.json"):
        file.unlink()


def record_backend(project: Path, stage: str, variables: Mapping[str, str]) -> None:
    """Record a backend in a copy of the project, as `make backend` does, without deploying it."""
    with chdir(project):
        chalice_config.record(stage, variables, chalice_config.backend_record(stage))
        policy.write(stage, chalice_config.recorded_backend(stage))
