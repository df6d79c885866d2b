"""A clone of the project for tests that run its commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from local import page
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
    """Give a copy of the project the stages of a fresh clone: without backends and settings.

    The policy of each stage is that of the stage local, with the stage's own table and logs.
    tests/unit/test_templates.py checks the policies of the project's own stages.
    """
    folder = project / ".chalice"
    config = json.loads((folder / "config.json").read_text())
    config.pop("environment_variables", None)
    config["stages"] = {}
    policy = (folder / "policy-local.json").read_text()
    for stage, settings in STAGE_SETTINGS.items():
        file = folder / f"policy-{stage}.json"
        file.write_text(policy.replace("user-profile-local", f"user-profile-{stage}"))
        config["stages"][stage] = {
            "iam_policy_file": file.name,
            "environment_variables": settings,
        }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
