"""A clone of the project for tests that run its commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from local import page
from tests.support.project import copy_project

ROOT = Path(__file__).parents[2]

STAGE_SETTINGS = {"local": {"USE_LOCAL_CLOUD": "true"}, "dev": {}, "prod": {}}
"""The environment variables of the stages in a project that nobody has configured."""


def copy_of_the_project(folder: Path) -> Path:
    """Make `folder` a fresh clone of the project with its requirements installed.

    Its stages are not configured, whatever the project's own .chalice/config.json contains.
    """
    copy_project(ROOT, folder)
    unconfigure_stages(folder / ".chalice" / "config.json")
    (folder / ".venv").symlink_to(sys.prefix)
    page.install()
    (folder / "web" / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    return folder


def unconfigure_stages(config_file: Path) -> None:
    """Remove the settings of a team's stages from a copy's configuration."""
    config = json.loads(config_file.read_text())
    for stage, settings in STAGE_SETTINGS.items():
        config["stages"][stage]["environment_variables"] = settings
    config_file.write_text(json.dumps(config, indent=2) + "\n")
