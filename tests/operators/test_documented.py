"""The examples of docs/operating.md for commands on a stage's data, also for the stage local."""

from __future__ import annotations

import json
import shlex
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.store import ProfileStore
from deploy import backend
from local import environment
from tests.deployed.existing import create_table
from tests.local.make import SHELL, assert_refused, run
from tests.operators.conftest import new_sub
from tests.support.clone import copy_of_the_project, record_backend
from tests.support.cloud import Cloud
from tests.support.documents import DOCS, commands
from tests.support.http_api import Api, assert_problem
from tests.support.ports import free_ports
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_export_and_import(
    cloud: Cloud, dynamodb: DynamoDBClient, user: User, tmp_path: Path
) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    store = ProfileStore(dynamodb, create_table())
    record_backend(clone, "dev", backend_variables(cloud, store))
    shell = environment.for_endpoint(cloud.port)
    assert_documented_commands_run(clone, "dev", store, user, **shell)


def test_export_and_import_for_the_stage_local(
    cloud: Cloud, dynamodb: DynamoDBClient, user: User, tmp_path: Path
) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    store = ProfileStore(dynamodb, create_table())
    recorded = environment.for_endpoint(cloud.port) | backend_variables(cloud, store)
    state = tmp_path / "state"
    state.mkdir()
    (state / "environment.json").write_text(json.dumps(recorded))
    assert_documented_commands_run(clone, "local", store, user, LOCAL_STATE=str(state))


def backend_variables(cloud: Cloud, store: ProfileStore) -> dict[str, str]:
    """The variables of a stage with the emulator's user pool and the table of `store`."""
    return {**backend.chalice_environment(cloud.outputs), "DYNAMODB_TABLE": store.table}


def test_without_a_local_cloud_the_message_says_how_to_start_it(tmp_path: Path) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    export = ("-s", "export", "STAGE=local", "FILE=out.jsonl")
    assert_refused(run(clone, *export), "Start it with `make local`")
    (port,) = free_ports(1)
    (clone / ".local").mkdir()
    recorded = {"DYNAMODB_TABLE": "t", "USER_POOL_ARN": "a", "USER_POOL_CLIENT_ID": "c"}
    stopped = environment.for_endpoint(port) | recorded
    (clone / ".local" / "environment.json").write_text(json.dumps(stopped))
    assert_refused(run(clone, *export), f"does not respond on 127.0.0.1:{port}")


def assert_documented_commands_run(
    clone: Path, stage: str, store: ProfileStore, user: User, **variables: str
) -> None:
    """Export the user's profile, delete it, and import it again, with the documented commands."""
    export, dry_run, restore = (
        shlex.split(command.replace("STAGE=dev", f"STAGE={stage}"))[1:]
        for command in commands(DOCS / "operating.md", "Export and import")
    )
    before = store.replace(user.sub, {"name": "Ada"})
    assert "Exported 1 profile and the metadata of 0 users" in make(clone, *export, **variables)
    store.delete(user.sub)
    assert "1 line: 1 written" in make(clone, *dry_run, **variables)
    assert store.find(user.sub) is None
    assert "1 line: 1 written" in make(clone, *restore, **variables)
    after = store.get(user.sub)
    assert after.data == before.data
    assert after.updated_at == before.updated_at
    assert after.revision != before.revision


# --- erasure --------------------------------------------------------------------------------------


def test_an_account_is_erased(
    api: Api, cloud: Cloud, new_user: Callable[[], User], tmp_path: Path
) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    user = new_user()
    (documented,) = commands(DOCS / "operating.md", "Erase an account")
    command = documented.replace(" STAGE=dev", "").replace("ada@example.com", user.email)
    _, *arguments = shlex.split(command)
    arguments.append(f"API_PORT={api.port}")
    shell = {"LOCAL_STATE": str(cloud.folder)}
    output = make(clone, *arguments, f"CONFIRM={user.email}", **shell)
    assert output.endswith(f"The account {user.email} is erased.\n")
    assert_problem(api.get(user), 410, "account-erased")


@pytest.mark.parametrize("stage", ["dev", "local"])
def test_orphans_are_listed_and_removed(
    cloud: Cloud, dynamodb: DynamoDBClient, user: User, tmp_path: Path, stage: str
) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    store = ProfileStore(dynamodb, create_table())
    recorded = environment.for_endpoint(cloud.port) | backend_variables(cloud, store)
    shell = recorded
    if stage == "dev":
        use_app_name_without_stacks(clone)
        record_backend(clone, "dev", backend_variables(cloud, store))
    else:
        (tmp_path / "environment.json").write_text(json.dumps(recorded))
        shell = {"LOCAL_STATE": str(tmp_path)}
    gone = sorted(new_sub() for _ in range(3))
    for sub in [user.sub, *gone]:
        store.replace(sub, {})
    listing, removal = (
        shlex.split(command.replace("STAGE=dev", f"STAGE={stage}"))
        for command in commands(DOCS / "operating.md", "Orphans")
    )

    listed = run(clone, "-s", *listing[1:], **shell)

    assert listed.returncode == 0, listed.stderr
    assert [json.loads(line)["sub"] for line in listed.stdout.splitlines()] == gone
    assert listed.stderr.endswith(f"run: {shlex.join(removal)}\n")
    removed = subprocess.run(
        removal,
        cwd=clone,
        env=SHELL | shell,
        check=False,
        input="3\n",
        capture_output=True,
        text=True,
    )
    assert removed.returncode == 0, removed.stderr
    assert removed.stderr.endswith("Done: 3 orphans removed.\n")
    assert "No orphans" in run(clone, "-s", *listing[1:], **shell).stderr
    assert store.get(user.sub)


def use_app_name_without_stacks(clone: Path) -> None:
    """Give the app another name. Another test may have deployed the stage dev of this one."""
    file = clone / ".chalice" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "app_name": f"test-{uuid.uuid4().hex[:8]}"}))


def make(folder: Path, *arguments: str, **variables: str) -> str:
    """Run `make`, which must succeed; return its output."""
    done = run(folder, "-s", *arguments, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
