"""docs/extending.md: its diffs apply, and the tests that it shows pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.project import copy_project

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"`(?P<file>tests/unit/\w+\.py)`[^`]*```python\n(?P<test>.*?)```", re.DOTALL)
DIFF = re.compile(r"```diff\n(.*?)```", re.DOTALL)


def run(*command: str, folder: Path) -> None:
    """Run a command in a copy of the project, whose coverage is not measured."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        command, cwd=folder, env=shell, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_work(tmp_path: Path) -> None:
    copy_project(ROOT, tmp_path)
    text = DOCUMENT.read_text()
    for number, diff in enumerate(DIFF.findall(text)):
        patch = tmp_path / f"{number}.diff"
        patch.write_text(diff)
        applied = subprocess.run(
            ["git", "apply", patch.name],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert applied.returncode == 0, (
            f"Diff {number + 1} of docs/extending.md no longer applies. "
            f"Update it for the current code. {applied.stderr}"
        )
    tests = BLOCK.findall(text)
    assert len(tests) == len(DIFF.findall(text)), "docs/extending.md must have a test for each diff"
    for file, test in tests:
        with (tmp_path / file).open("a") as opened:
            opened.write(f"\n\n{test}")
    files = sorted({file for file, _ in tests} | {"tests/unit/test_architecture.py"})
    pytest_command = [sys.executable, "-m", "pytest", "--no-cov", "-q", "-p", "no:cacheprovider"]
    run(*pytest_command, *files, folder=tmp_path)
    run(sys.executable, "-m", "mypy", "app.py", "chalicelib", folder=tmp_path)
    run(sys.executable, "-m", "ruff", "check", "app.py", "chalicelib", folder=tmp_path)
