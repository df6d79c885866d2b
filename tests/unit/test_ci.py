"""CI runs `make test` on every supported Python, with minimal permissions."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from requirements.install import OLDEST_PYTHON
from tests.unit.test_documents import TARGETS

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
SUPPORTED_PYTHONS = SETTINGS["tox"]["env_list"]
GITHUB = ROOT / ".github"
DEPLOY_WORKFLOW = ROOT / "docs" / "deploy-workflow.yml"
"""An example for teams, who copy it to .github/workflows."""
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
    """The GitHub workflows of the project, and the one that a team copies."""
    return [*sorted((GITHUB / "workflows").glob("*.yml")), DEPLOY_WORKFLOW]


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


# --- the workflow that a team copies --------------------------------------------------------------


@pytest.fixture
def deployment() -> dict[str, Any]:
    """The jobs of docs/deploy-workflow.yml."""
    workflow: dict[Any, Any] = yaml.safe_load(DEPLOY_WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    assert workflow[True] == {"push": {"branches": ["main"]}}, "YAML reads `on` as a boolean"
    jobs: dict[str, Any] = workflow["jobs"]
    return jobs


def runs(job: dict[str, Any]) -> list[str]:
    """The commands of a job."""
    return [step["run"] for step in job["steps"] if "run" in step]


def test_prod_is_deployed_after_dev_and_the_tests(deployment: dict[str, Any]) -> None:
    assert runs(deployment["test"]) == ["make test"]
    assert deployment["dev"]["needs"] == "test"
    assert deployment["prod"]["needs"] == "dev"
    assert list(deployment) == ["test", "dev", "prod"]


def test_dev_and_prod_are_deployed_alike(deployment: dict[str, Any]) -> None:
    for stage in ("dev", "prod"):
        job = deployment[stage]
        assert job["environment"] == job["env"]["STAGE"] == stage
        assert job["concurrency"] == {"group": f"deploy-{stage}", "cancel-in-progress": False}
        assert job["steps"] == deployment["dev"]["steps"]


def test_only_jobs_of_an_environment_can_sign_in_to_aws(deployment: dict[str, Any]) -> None:
    for job in deployment.values():
        expected = {"contents": "read"}
        if "environment" in job:
            expected["id-token"] = "write"
        assert job["permissions"] == expected
        assert 0 < job["timeout-minutes"] <= 90
        checkout, python, *_ = job["steps"]
        assert checkout["with"] == {"persist-credentials": False}
        assert python["with"]["python-version"] in SUPPORTED_PYTHONS


def test_the_workflow_gives_make_options_that_it_has(deployment: dict[str, Any]) -> None:
    commands = [command for job in deployment.values() for command in runs(job)]
    for command in commands:
        make, target, *options = shlex.split(command)
        assert make == "make"
        assert target in TARGETS
        for option in options:
            name, _, value = option.partition("=")
            assert name in TARGETS[target], f"`make help` lists no {name} for {target}"
            assert re.fullmatch(r"\$[A-Z_]+", value), "a shell must not read a value of GitHub's"


def test_each_variable_of_the_workflow_is_documented(deployment: dict[str, Any]) -> None:
    used = set(re.findall(r"(?:vars|secrets)\.([A-Z_]+)", DEPLOY_WORKFLOW.read_text()))
    documented = (DEPLOY_WORKFLOW.parent / "deploying-from-ci.md").read_text()
    assert used
    for name in used:
        assert f"`{name}`" in documented


def test_the_workflows_use_the_same_versions_of_actions() -> None:
    """Dependabot updates only those in .github."""
    pins: dict[str, set[str]] = {}
    for file in workflows():
        for action in ACTION.finditer(file.read_text()):
            pins.setdefault(action["name"], set()).add(action["pin"])
    for name, found in pins.items():
        assert len(found) == 1, f"use one version of {name} in: {', '.join(map(str, workflows()))}"
