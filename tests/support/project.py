"""Copies of the project, as a fresh clone would have it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def copy_project(project: Path, folder: Path) -> None:
    """Copy into `folder` what a fresh clone of `project` would have, changes that are not committed included."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=project, text=True
    )
    for name in listed.splitlines():
        if (project / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, folder / name)
