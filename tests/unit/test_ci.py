"""CI runs `make test` on every supported Python, with minimal permissions."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from requirements.install import OLDEST_PYTHON

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
SUPPORTED_PYTHONS = SETTINGS["tox"]["env_list"]
GITHUB = ROOT / ".github"
ACTION = re.compile(r"^ *(?:- )?uses: (?P<name>[\w.-]+/[\w./-]+)@(?P<pin>.*)$", re.MULTILINE)
COMMIT_AND_VERSION = re.compile(r"[0-9a-f]{40}  # v\d+\.\d+\.\d+")
"""How an action is pinned: the commit of a release, and the release for readers and Dependabot."""


def settings_for_github(name: str) -> dict[str, Any]:
    """A file in .github. Skips the test if there is none: a team may use another host."""
    file = GITHUB / name
    if not file.exists():
        pytest.skip(f".github/{name} is not there")
    settings: dict[str, Any] = yaml.safe_load(file.read_text())
    return settings


@pytest.fixture
def workflow() -> dict[str, Any]:
    return settings_for_github("workflows/test.yml")


def test_ci_is_make_test_on_every_supported_python(workflow: dict[str, Any]) -> None:
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == SUPPORTED_PYTHONS
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]


def test_the_oldest_supported_python_is_the_same_everywhere() -> None:
    oldest = f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"
    assert SUPPORTED_PYTHONS[0] == oldest
    assert SETTINGS["ruff"]["target-version"] == "py" + oldest.replace(".", "")


def test_ci_only_reads_and_ends_in_time(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert 0 < job["timeout-minutes"] <= 90


def workflows() -> list[Path]:
    """The GitHub workflows of the project."""
    return sorted((GITHUB / "workflows").glob("*.yml"))


def test_each_action_is_pinned_to_the_commit_of_a_release() -> None:
    for file in workflows():
        for action in ACTION.finditer(file.read_text()):
            assert COMMIT_AND_VERSION.fullmatch(action["pin"]), f"{file.name}: {action['name']}"


def test_zizmor_finds_nothing_in_the_workflows() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    files = [file for file in [*workflows(), GITHUB / "dependabot.yml"] if file.exists()]
    done = subprocess.run(
        [zizmor, "--offline", "--quiet", "--strict-collection", *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dependabot_updates_every_lock() -> None:
    updated = set()
    for update in settings_for_github("dependabot.yml")["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.strip("/")).is_dir(), f".github/dependabot.yml: no {folder}"
            updated.add((update["package-ecosystem"], folder))
    expected = {("uv", "/requirements"), ("github-actions", "/")}
    for lock in [*ROOT.glob("web/package-lock.json"), *ROOT.glob("tests/*/package-lock.json")]:
        expected.add(("npm", f"/{lock.parent.relative_to(ROOT).as_posix()}"))
    assert expected <= updated, f"add to .github/dependabot.yml: {expected - updated}"


def test_ruff_refuses_commands_that_go_through_a_shell() -> None:
    lint = SETTINGS["ruff"]["lint"]
    ignored = set(lint["ignore"])
    for pattern, rules in lint["per-file-ignores"].items():
        if pattern != "bench/peers/*":  # examples to measure against
            ignored |= set(rules)
    assert "S" in lint["select"]
    assert ignored.isdisjoint({"ALL", "S", "S6", "S60", "S602", "S604", "S605", "S609"})
