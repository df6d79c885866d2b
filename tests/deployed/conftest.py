"""The service deployed for real, by the commands of README, to the emulated AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy import api as api_stack
from deploy import backend, stacks
from tests.conftest import Api, Cloud, User, copy_of_the_project, users_of
from tests.support import lambda_runtime as runtimes
from tests.support.chalice_adapter import chalice_can_import
from tests.support.lambda_runtime import Runtime


@dataclass(frozen=True)
class Account:
    """A clone of the project and a shell that is signed in to the emulated AWS."""

    folder: Path
    shell: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str, **shell: str) -> subprocess.CompletedProcess[str]:
        """Run `command` in the clone; `shell` adds to its environment, "" takes away."""
        variables = {name: value for name, value in {**self.shell, **shell}.items() if value}
        return subprocess.run(
            command,
            cwd=self.folder,
            env=variables,
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
        )

    def make(self, *arguments: str, **shell: str) -> str:
        """What `make` says, which must succeed."""
        done = self.run("make", *arguments, **shell)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refusal(self, *arguments: str, **shell: str) -> str:
        """The one line with which `make` refuses."""
        done = self.run("make", *arguments, **shell)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
        return line

    @contextmanager
    def changed(self, name: str) -> Iterator[Path]:
        """A file of the clone that is as it was at the end."""
        file = self.folder / name
        before = file.read_bytes()
        try:
            yield file
        finally:
            file.write_bytes(before)

    def environment(self, stage: str) -> dict[str, str]:
        """What is recorded for the stage."""
        config = json.loads((self.folder / ".chalice" / "config.json").read_text())
        recorded: dict[str, str] = config["stages"][stage]["environment_variables"]
        return recorded


@pytest.fixture(scope="session")
def account(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Account:
    left_out = ("MAKE", "MFLAGS", "LOCAL_STATE")
    shell = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return Account(copy_of_the_project(tmp_path_factory.mktemp("account") / "user-profile"), shell)


@dataclass(frozen=True)
class Deployment:
    """One stage, deployed: what its backend is, and where its API answers."""

    cloud: Cloud
    url: str
    imported: dict[str, str] = field(default_factory=dict)  # see adapter.py

    @property
    def api(self) -> Api:
        return Api(self.cloud.port, urlsplit(self.url).path)


@pytest.fixture(scope="session")
def deployed(account: Account, cloud: Cloud) -> Deployment:
    """The stage dev, by `make backend` and `make deploy`."""
    account.make("backend", "STAGE=dev")
    account.make("deploy", "STAGE=dev")
    outputs = stacks.outputs(api_stack.stack_name("dev")) or {}
    # The emulator (ministack 1.5.33) leaves out of the definition what AWS reads there; it takes it by this call.
    api_stack.put_gateway_responses(outputs["RestAPIId"])
    pool = stacks.outputs(backend.stack_name("dev")) or {}
    return Deployment(Cloud(cloud.port, cloud.folder, pool), api_stack.url(outputs))


@pytest.fixture(scope="session")
def by_chalice(account: Account, cloud: Cloud) -> Deployment:
    """The stage prod, by `make backend`, `chalice deploy` and `make gateway`."""
    account.make("backend", "STAGE=prod", "DOMAIN_SUFFIX=tests")
    imported: dict[str, str] = {}
    with chalice_can_import(cloud.port, imported) as endpoint:
        done = account.run(
            str(Path(sys.executable).with_name("chalice")),
            "deploy",
            "--stage",
            "prod",
            AWS_ENDPOINT_URL=endpoint,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    account.make("gateway", "STAGE=prod")
    record = json.loads((account.folder / ".chalice/deployed/prod.json").read_text())
    (api_id,) = (
        found["rest_api_id"]
        for found in record["resources"]
        if found["resource_type"] == "rest_api"
    )
    pool = stacks.outputs(backend.stack_name("prod")) or {}
    return Deployment(
        Cloud(cloud.port, cloud.folder, pool), api_stack.url({"RestAPIId": api_id}), imported
    )


@pytest.fixture(scope="session")
def built(account: Account, deployed: Deployment) -> Path:
    """The folder of the package of the stage dev."""
    account.make("package", "STAGE=dev")
    return account.folder / "out" / "dev"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's runtime client and its emulator."""
    folder = tmp_path_factory.mktemp("runtime")
    runtimes.install(folder)
    return folder


@pytest.fixture(scope="session")
def runtime(built: Path, account: Account, installed: Path, logs: list[Path]) -> Iterator[Runtime]:
    """The zip in AWS's runtime, with nothing else installed."""
    logs.append(installed / "log")
    task = installed / "task"
    zipfile.ZipFile(built / "deployment.zip").extractall(task)
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with runtimes.function(
        installed, task, "app.app", variables | account.environment("dev")
    ) as function:
        yield function


# The suite of tests/api asks for these by name, and gets those of the deployed service here.


@pytest.fixture(scope="session")
def api(deployed: Deployment) -> Api:
    return deployed.api


@pytest.fixture(scope="session")
def table(deployed: Deployment) -> str:
    return deployed.cloud.outputs["TableName"]


@pytest.fixture(scope="session")
def new_user(deployed: Deployment) -> Callable[[], User]:
    return users_of(deployed.cloud)


@pytest.fixture(scope="session")
def ada(new_user: Callable[[], User]) -> User:
    return new_user()


@pytest.fixture(scope="session")
def grace(new_user: Callable[[], User]) -> User:
    return new_user()
