"""The service, deployed to the AWS emulator with the commands in docs/deploying.md."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from deploy import __main__ as deploy_command
from deploy import api as api_stack
from deploy import backend, chalice_config, gateway_responses, smoke, stacks
from tests.support import lambda_runtime as runtimes
from tests.support.chalice_adapter import chalice_endpoint
from tests.support.clone import copy_of_the_project
from tests.support.cloud import Cloud
from tests.support.documents import DOCS, commands
from tests.support.http_api import Api
from tests.support.lambda_runtime import Runtime
from tests.support.users import User, sign_up_user

GUIDE = DOCS / "deploying.md"
COMMAND_SECONDS = 180
NOT_INHERITED = ("MAKE", "MFLAGS", "LOCAL_STATE", "OPTION_")
"""Prefixes of the variables of a surrounding `make`, and of the tests' own local cloud."""


@dataclass(frozen=True)
class Account:
    """A clone of the project, and a shell in it that is signed in to the AWS emulator."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone, with more environment variables."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.variables, **variables},
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def run_documented(self, command: str, **variables: str) -> str:
        """Run a command from a document. It must succeed; return its output."""
        done = self.run(*shlex.split(command), **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make(self, *arguments: str, **variables: str) -> str:
        """Run `make`, which must succeed; return its output."""
        done = self.run("make", "-s", *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def changed(self, name: str) -> Iterator[Path]:
        """A file of the clone to be changed; restored at the end."""
        file = self.folder / name
        before = file.read_bytes()
        try:
            yield file
        finally:
            file.write_bytes(before)

    @contextmanager
    def stages_changed(self) -> Iterator[Stages]:
        """The stages of .chalice/config.json to be changed; restored at the end."""
        with self.changed(".chalice/config.json") as file:
            yield Stages(file)

    def environment(self, stage: str) -> dict[str, str]:
        """Return the environment variables recorded for the stage."""
        return Stages(self.folder / ".chalice" / "config.json").environment(stage)


@dataclass(frozen=True)
class Stages:
    """The stages of a .chalice/config.json."""

    file: Path

    def environment(self, stage: str) -> dict[str, str]:
        """Return the stage's environment variables, including those of all stages."""
        config = json.loads(self.file.read_text())
        shared: dict[str, str] = config["environment_variables"]
        own: dict[str, str] = config["stages"][stage]["environment_variables"]
        return shared | own

    def set(self, stage: str, variables: Mapping[str, str]) -> None:
        """Replace the environment variables of a stage, which is added if there is none."""
        config = json.loads(self.file.read_text())
        config["stages"].setdefault(stage, {})["environment_variables"] = dict(variables)
        self.file.write_text(json.dumps(config, indent=2))

    def update(self, stage: str, **variables: str) -> None:
        """Set some environment variables of a stage."""
        self.set(stage, {**self.environment(stage), **variables})


@pytest.fixture(scope="session")
def account(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Account:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)
    }
    folder = copy_of_the_project(tmp_path_factory.mktemp("account") / "user-profile")
    return Account(folder, inherited)


class Shell:
    """Runs commands of deploy/ in the account's folder and in this process: `make` takes seconds.

    The environment variables given are set, or removed if they are empty.
    """

    def __init__(
        self,
        account: Account,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self._account = account
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, command: str, *arguments: str, **variables: str) -> str:
        """Run a command, which must succeed; return its output."""
        self._call(command, arguments, variables)
        return self._capsys.readouterr().out

    def error(self, command: str, *arguments: str, **variables: str) -> str:
        """Run a command, which must fail; return its error message."""
        message = self.outcome(command, *arguments, **variables)
        assert message.startswith("error: ")
        assert "\n" not in message
        return message

    def outcome(self, command: str, *arguments: str, **variables: str) -> str:
        """Run a command, which must fail; return its last message, which may be a result."""
        with pytest.raises(SystemExit) as ended:
            self._call(command, arguments, variables)
        return str(ended.value.code)

    def _call(self, command: str, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
        with self._monkeypatch.context() as patch:
            patch.chdir(self._account.folder)
            if variables:
                patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the earlier environment
            for name, value in variables.items():
                if value:
                    patch.setenv(name, value)
                else:
                    patch.delenv(name, raising=False)
            if command == "smoke":
                smoke.main(arguments)
            else:
                deploy_command.main([command, *arguments])


class Clone:
    """A clone of the project of its own, with its own app_name, and a shell in it."""

    def __init__(self, account: Account, shell: Shell) -> None:
        self.account = account
        self.folder = account.folder
        self.run = shell.run
        self.error = shell.error
        self.outcome = shell.outcome

    @property
    def config(self) -> dict[str, Any]:
        """The content of .chalice/config.json."""
        config: dict[str, Any] = json.loads(self.config_file.read_text())
        return config

    @property
    def config_file(self) -> Path:
        return self.folder / ".chalice" / "config.json"

    @property
    def app_name(self) -> str:
        name: str = self.config["app_name"]
        return name

    def configure(self, **members: Any) -> None:
        """Set top-level members of .chalice/config.json."""
        self.config_file.write_text(json.dumps({**self.config, **members}, indent=2) + "\n")

    def set_stage(self, stage: str, **members: Any) -> None:
        """Set members of a stage, which is added if there is none."""
        stages = self.config["stages"]
        stages[stage] = {**stages.get(stage, {}), **members}
        self.configure(stages=stages)

    def stage(self, stage: str) -> dict[str, Any]:
        """The members of a stage."""
        found: dict[str, Any] = self.config["stages"][stage]
        return found

    def variables(self, stage: str) -> dict[str, str]:
        """The environment variables of a stage."""
        found: dict[str, str] = self.stage(stage).get("environment_variables", {})
        return found

    def pool_id(self, stage: str) -> str:
        """The id of the user pool that a stage records."""
        return chalice_config.pool_id_of(self.variables(stage))

    def snapshot(self) -> dict[str, bytes]:
        """The content of each file in .chalice."""
        folder = self.folder / ".chalice"
        return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

    def chalice(
        self, command: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a `chalice` command for the stage dev, with more environment variables."""
        chalice = f"{self.folder}/.venv/bin/chalice"
        return self.account.run(chalice, command, "--stage", "dev", *arguments, **variables)

    def stack(self, suffix: str) -> stacks.Stack | None:
        """The stack with the app's name and this suffix: dev-backend or dev."""
        return stacks.describe(f"{self.app_name}-{suffix}")


@pytest.fixture
def new_clone(
    cloud: Cloud,
    account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Clone]:
    """A function that makes a clone; its app_name is random, so that tests do not meet in AWS."""

    def make(app_name: str = "") -> Clone:
        app_name = app_name or f"test-{uuid.uuid4().hex[:8]}"
        folder = copy_of_the_project(tmp_path / uuid.uuid4().hex[:8] / "user-profile")
        own = Account(folder, account.variables)
        clone = Clone(own, Shell(own, monkeypatch, capsys))
        clone.configure(app_name=app_name)
        return clone

    return make


@pytest.fixture
def clone(new_clone: Callable[..., Clone]) -> Clone:
    return new_clone()


@pytest.fixture
def shell(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return Shell(account, monkeypatch, capsys)


@dataclass(frozen=True)
class Deployment:
    """A deployed stage: its backend and the URL of its API."""

    cloud: Cloud
    url: str
    stack_of_api: dict[str, str] = field(default_factory=dict)
    """See chalice_endpoint."""

    @property
    def api(self) -> Api:
        return Api(self.cloud.port, urlsplit(self.url).path)


@pytest.fixture(scope="session")
def dev_backend(account: Account, cloud: Cloud) -> Cloud:
    """The stage dev with its backend."""
    make_backend, _ = commands(GUIDE, "Deploy a stage")
    account.run_documented(make_backend)
    return cloud_of("dev", cloud)


@pytest.fixture(scope="session")
def deployed(account: Account, dev_backend: Cloud) -> Deployment:
    """The stage dev with its backend and its API."""
    _, make_deploy = commands(GUIDE, "Deploy a stage")
    account.run_documented(make_deploy)
    outputs = stacks.outputs(api_stack.stack_name("dev"))
    assert outputs is not None
    # AWS reads the gateway responses from the API's definition; ministack 1.5.33 does not.
    gateway_responses.put_gateway_responses(outputs["RestAPIId"])
    return Deployment(dev_backend, api_stack.url(outputs))


@pytest.fixture(scope="session")
def deployed_by_chalice(account: Account, cloud: Cloud) -> Deployment:
    """The stage prod, deployed by `make backend`, `chalice deploy` and `make gateway`."""
    make_backend, _, make_gateway = chalice_commands()
    account.run_documented(make_backend)
    stack_of_api: dict[str, str] = {}
    deploy_with_chalice(account, cloud, stack_of_api)
    account.run_documented(make_gateway)
    record = json.loads((account.folder / ".chalice/deployed/prod.json").read_text())
    (api,) = (found for found in record["resources"] if found["resource_type"] == "rest_api")
    url = api_stack.url({"RestAPIId": api["rest_api_id"]})
    return Deployment(cloud_of("prod", cloud), url, stack_of_api)


def deploy_with_chalice(account: Account, cloud: Cloud, stack_of_api: dict[str, str]) -> None:
    """Run the guide's `chalice deploy`, for the stage prod."""
    _, chalice_deploy, _ = chalice_commands()
    with chalice_endpoint(cloud.port, stack_of_api) as endpoint:
        account.run_documented(chalice_deploy, AWS_ENDPOINT_URL=endpoint)


def chalice_commands() -> list[str]:
    """The guide's `make backend`, `chalice deploy` and `make gateway`, for the stage prod."""
    documented = commands(GUIDE, "Deploying with chalice deploy")
    return [command.replace("dev", "prod") for command in documented]


def cloud_of(stage: str, cloud: Cloud) -> Cloud:
    """The same emulator, with the backend of another stage."""
    outputs = stacks.outputs(backend.stack_name(stage))
    assert outputs is not None
    return Cloud(cloud.port, cloud.folder, outputs)


@pytest.fixture(scope="session")
def package(account: Account, dev_backend: Cloud) -> Path:
    """The folder of the package of the stage dev, as `make package` builds it."""
    account.make("package", "STAGE=dev")
    return account.folder / "out" / "dev"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's runtime client and its emulator."""
    folder = tmp_path_factory.mktemp("runtime")
    runtimes.install(folder)
    return folder


@pytest.fixture(scope="session")
def aws_variables() -> dict[str, str]:
    """The variables with which AWS clients find the emulator."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@pytest.fixture(scope="session")
def runtime(
    package: Path,
    account: Account,
    installed: Path,
    logs: list[Path],
    aws_variables: dict[str, str],
) -> Iterator[Runtime]:
    """The package in AWS's runtime, with nothing else installed."""
    logs.append(installed / "log")
    task = installed / "task"
    with zipfile.ZipFile(package / "deployment.zip") as archive:
        archive.extractall(task)
    variables = aws_variables | account.environment("dev")
    with runtimes.function(installed, task, "app.app", variables) as function:
        yield function


# --- for the tests of tests/api, which run here with the deployed API -----------------------------

# tests/conftest.py also has these users, but creates them once per session: after a test of
# tests/api, they would belong to another user pool.


@pytest.fixture(scope="session")
def api(deployed: Deployment) -> Api:
    return deployed.api


@pytest.fixture(scope="session")
def table(dev_backend: Cloud) -> str:
    return dev_backend.outputs["TableName"]


@pytest.fixture(scope="session")
def new_user(dev_backend: Cloud) -> Callable[[], User]:
    return partial(sign_up_user, dev_backend)


@pytest.fixture(scope="session")
def ada(new_user: Callable[[], User]) -> User:
    return new_user()


@pytest.fixture(scope="session")
def grace(new_user: Callable[[], User]) -> User:
    return new_user()


EVERY_VALUE = ("method", "path", "make_token")
"""Parameters whose values all run again, because API Gateway distinguishes them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the cases of tests from tests/api that make no difference for API Gateway.

    The remaining cases are all methods, paths and tokens, with the first value of every other
    parameter. The function handles the other values, and tests/api covers them.
    """
    kept = []
    left_out = []
    for item in items:
        if item.path.name == "test_same_suite.py" and not _is_first_case(item):
            left_out.append(item)
        else:
            kept.append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def _is_first_case(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return True
    indices = callspec.indices.items()
    return all(index == 0 for name, index in indices if name not in EVERY_VALUE)
