"""Copies of the project for tests and benchmarks that change or deploy it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def copy_project(project: Path, folder: Path) -> None:
    """Copy a project into `folder`: the files that git tracks or would track, with uncommitted
    changes."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=project, text=True
    )
    for name in listed.splitlines():
        source = project / name
        # git also lists a file whose deletion is not committed.
        if source.is_file():
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
