"""What the project takes from others, and what runs it in CI: pinned, with hashes, and the same Pythons everywhere."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import install

ROOT = Path(__file__).parents[2]
LOCKS = {
    "requirements-dev": "requirements.txt", "requirements-tools": None, "tests/requirements": None,
    "tests/fuzz/requirements": None, "bench/requirements": None,
}  # fmt: skip
"""Each .in that `make lock` makes a .txt of, and the file that it includes."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==([^\s;]+)", re.MULTILINE)
RELEASED = re.compile(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})")  # or the commit of a release
PYTHONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["tox"]["env_list"]
SOURCES = (
    "*.py",
    *(f"{folder}/**/*.py" for folder in ("chalicelib", "local", "deploy", "tests", "bench")),
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())


def pins(text: str) -> set[tuple[str, str]]:
    """The packages that are pinned in a requirements file, by their normalized names (PEP 503), and the versions."""
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in PIN.findall(text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_hashes_and_no_place(lock: str) -> None:
    text = (ROOT / f"{lock}.txt").read_text()
    entries = re.findall(r"^[^#\s].*(?:\n .*)*", text, re.MULTILINE)
    assert len(entries) == len(PIN.findall(text)) > 0
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert not re.search(r"://|--(extra-)?index|--find-links", text), (
        "where packages come from is each machine's own"
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_are_made_of_what_is_asked_for(lock: str) -> None:
    asked = pins((ROOT / f"{lock}.in").read_text())
    if included := LOCKS[lock]:
        asked |= pins((ROOT / included).read_text())
    assert asked <= pins((ROOT / f"{lock}.txt").read_text()), "run `make lock`"


def test_the_oldest_python_is_the_same_everywhere() -> None:
    oldest = f"{install.OLDEST[0]}.{install.OLDEST[1]}"
    assert oldest == PYTHONS[0]
    assert f"--python-version {oldest} " in (ROOT / "Makefile").read_text()
    assert f"Python {oldest} or newer" in (ROOT / "README.md").read_text()


def test_ci_is_make_test_on_every_supported_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == PYTHONS
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_runs_released_actions_for_a_bounded_time(path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert 0 < job["timeout-minutes"] <= 90
        actions = [step["uses"] for step in job["steps"] if "uses" in step]
        assert [action for action in actions if not RELEASED.fullmatch(action)] == []


def test_dependabot_looks_after_what_there_is() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    looked_after = {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    folders = {
        path.parent.relative_to(ROOT).as_posix() for path in (ROOT / f"{lock}.in" for lock in LOCKS)
    }
    assert {("uv", "/" + folder.strip(".")) for folder in folders} | {
        ("github-actions", "/")
    } <= looked_after


def test_no_command_goes_through_a_shell() -> None:
    """ruff's S602, S604, S605 and S609 find those: they are on, and nobody has turned one off somewhere."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    off = {
        *lint["ignore"],
        *(rule for rules in lint["per-file-ignores"].values() for rule in rules),
    }
    assert "S" in lint["select"]
    assert off.isdisjoint({"S", "S6", "S60", "S602", "S604", "S605", "S609"})
    shell = re.compile(r"shell\s*=\s*True|os\.(system|popen)\(|# noqa.*S60[2-9]")
    sources = [path for folder in SOURCES for path in ROOT.glob(folder) if path != Path(__file__)]
    assert [path.name for path in sources if shell.search(path.read_text())] == []


def test_the_threat_model_has_the_tokens_lifetimes() -> None:
    template, told = (
        (ROOT / "resources" / "backend.yaml").read_text(),
        (ROOT / "SECURITY.md").read_text(),
    )
    for token, unit in (("Id", "minutes"), ("Access", "minutes"), ("Refresh", "days")):
        (validity,) = re.findall(rf"{token}TokenValidity: (\d+)", template)
        assert f"{token}Token: {unit}" in template
        (row,) = (
            line
            for line in told.splitlines()
            if line.startswith(f"| a user's {token.lower()} token")
        )
        assert f"{validity} {unit}" in row
