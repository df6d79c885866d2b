"""docs/extending.md: its diffs apply, and the tests that it shows pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import copy_project

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "extending.md"
TEST = re.compile(r"`(?P<file>tests/unit/\w+\.py)`[^`]*```python\n(?P<code>.*?)```", re.DOTALL)
DIFF = re.compile(r"```diff\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A section with a diff, and the test that it shows."""

    heading: str
    diff: str
    test_file: str
    test: str


def examples() -> list[Example]:
    """The sections of the document that show a diff."""
    assert DOCUMENT.exists(), "there is no docs/extending.md: delete tests/unit/test_extending.py"
    found = []
    for section in DOCUMENT.read_text().split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        diff = "".join(DIFF.findall(section))
        if not diff:
            continue
        test = TEST.search(section)
        assert test is not None, f'docs/extending.md, "{heading}": show a test of the diff'
        found.append(Example(heading, diff, test["file"], test["code"]))
    assert found, "docs/extending.md shows no diff: delete tests/unit/test_extending.py"
    return found


def apply(example: Example, folder: Path) -> None:
    """Apply an example to a copy of the project, unless the project already contains the change.

    The code around the change may differ from the example.
    """
    file = folder / "example.diff"
    file.write_text(example.diff)
    if git_apply(file, "--reverse", "--check").returncode == 0:
        return
    done = git_apply(file)
    assert done.returncode == 0, (
        f'The diff in docs/extending.md, "{example.heading}", no longer applies. Update it for the '
        f"current code, or delete the section.\n{done.stderr}"
    )
    with (folder / example.test_file).open("a") as opened:
        opened.write(f"\n\n{example.test}")


def git_apply(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Apply a diff in its folder. One matching line of context is enough."""
    return subprocess.run(
        ["git", "apply", "-C1", *options, file.name],
        cwd=file.parent,
        check=False,
        capture_output=True,
        text=True,
    )


def run(*command: str, folder: Path) -> None:
    """Run a command in a copy of the project, whose coverage is not measured."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        command, cwd=folder, env=shell, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_work(tmp_path: Path) -> None:
    copy_project(ROOT, tmp_path)
    for example in examples():
        apply(example, tmp_path)
    files = {"tests/unit/test_architecture.py", *(example.test_file for example in examples())}
    files = {file for file in files if (tmp_path / file).exists()}
    pytest_command = [sys.executable, "-m", "pytest", "--no-cov", "-q", "-p", "no:cacheprovider"]
    run(*pytest_command, *sorted(files), folder=tmp_path)
    run(sys.executable, "-m", "mypy", "app.py", "chalicelib", folder=tmp_path)
    run(sys.executable, "-m", "ruff", "check", "app.py", "chalicelib", folder=tmp_path)
