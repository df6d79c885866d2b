"""`make users` and `make user`, with the API of `chalice local`."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chalicelib import items
from chalicelib.json_text import read_json
from chalicelib.store import ProfileStore
from deploy import user_data
from deploy.errors import CommandError, DeploymentError
from deploy.user_pool import AccountError, find_sub
from deploy.users_api import UsersApi
from local import operators
from local.errors import LocalError
from tests.support.cloud import Cloud, record_environment
from tests.support.commands import ROOT
from tests.support.http_api import Api
from tests.support.operators import operator_of, shell_of_make_local
from tests.support.ports import free_ports
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

USERS = [sys.executable, "-m", "local", "users"]
END_SECONDS = 30


@pytest.fixture(autouse=True)
def shell(api: Api) -> Iterator[None]:
    """A shell as after `make local API_PORT=...`. The commands change its environment."""
    with shell_of_make_local(api):
        yield


@pytest.fixture
def three_users(store: ProfileStore) -> Iterator[list[str]]:
    """The subs of three users with a profile, sorted."""
    subs = sorted(str(uuid.uuid4()) for _ in range(3))
    for sub in subs:
        store.replace(sub, {"name": "Ada", "n": Decimal("12345678901234567890.5")})
    yield subs
    for sub in subs:
        store.delete(sub)


def shown(capsys: pytest.CaptureFixture[str], account: str) -> dict[str, Any]:
    """What `make user` prints for an account, read with exact numbers."""
    operators.show_user("local", account)
    (line,) = capsys.readouterr().out.splitlines()
    user = read_json(line.encode())
    assert isinstance(user, dict)
    return user


# --- make users -----------------------------------------------------------------------------------


def test_every_user_is_a_line_over_several_pages(
    api: Api,
    three_users: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(user_data, "PAGE_SIZE", 2)
    operators.show_users("local")
    lines = capsys.readouterr().out.splitlines()
    found = [json.loads(line)["sub"] for line in lines]
    assert found == sorted(set(found))
    assert set(three_users) <= set(found)
    pages = "".join(pages_of(operator_of(api)))
    assert all(line in pages for line in lines), "the text of the API"


def pages_of(operator: UsersApi) -> Iterator[str]:
    """The text of each page of the list, as the API sends it."""
    query = {"limit": "100"}
    while True:
        page = operator.send("GET", "/users", query=query)
        yield page.text
        if "next" not in page.json():
            return
        query["cursor"] = page.json()["next"]


def test_a_terminal_gets_a_table(three_users: list[str]) -> None:
    ours, commands_terminal = pty.openpty()
    environment = os.environ | {"COLUMNS": "80"}
    process = subprocess.Popen(USERS, cwd=ROOT, env=environment, stdout=commands_terminal)
    os.close(commands_terminal)
    output = read_terminal(ours)
    assert process.wait(END_SECONDS) == 0
    headings, *rows = output.splitlines()
    assert headings.split() == ["sub", "updated_at", "profile_data"]
    assert [row for row in rows if row.startswith(three_users[0]) and row.endswith("name, n")]
    assert max(map(len, rows)) <= 80
    assert "12345678901234567890" not in output


def read_terminal(terminal: int) -> str:
    """What a command writes to a terminal, until it closes the other end."""
    output = b""
    while select.select([terminal], [], [], END_SECONDS)[0]:
        try:
            output += os.read(terminal, 65536)
        except OSError:  # Linux reports the other end's closing as an error
            break
    os.close(terminal)
    return output.decode()


def test_a_closed_pipe_ends_the_list_quietly(three_users: list[str], store: ProfileStore) -> None:
    for sub in three_users:
        store.replace(sub, {"text": "x" * 100_000})  # more than a pipe holds
    script = 'set -o pipefail; "$@" | head -n 1'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *USERS],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "sub" in json.loads(done.stdout)


def test_a_full_output_is_an_error(three_users: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            USERS, cwd=ROOT, check=False, stdout=full, stderr=subprocess.PIPE, timeout=END_SECONDS
        )
    assert done.returncode == 1
    assert done.stderr == b"error: the output could not be written: No space left on device.\n"


# --- make user ------------------------------------------------------------------------------------


def test_a_user_is_shown_with_profile_metadata_and_etags(
    api: Api, user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = api.send(user, "PUT", {"name": "Ada", "n": 12345678901234567890})
    path = f"/users/{user.sub}/metadata"
    metadata = operator_of(api).send("PUT", path, body='{"app_metadata": {"n": 0.50}}')
    by_email = shown(capsys, user.email)
    assert by_email == {
        "sub": user.sub,
        "profile": {**stored.json(), "etag": stored.headers["ETag"]},
        "metadata": {**metadata.json(parse_float=Decimal), "etag": metadata.headers["ETag"]},
    }
    assert shown(capsys, user.sub) == by_email
    assert shown(capsys, f" {user.email.upper()}") == by_email
    assert shown(capsys, user.sub.upper()) == by_email


def test_a_user_without_a_profile_is_shown_as_such(
    user: User, dynamodb: DynamoDBClient, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb.delete_item(TableName=table, Key=items.metadata_key(user.sub))
    assert shown(capsys, user.email) == {
        "sub": user.sub,
        "profile": None,
        "metadata": {"sub": user.sub, "app_metadata": {}, "private_metadata": {}},
    }


def test_a_sub_needs_no_user_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(boto3, "client")
    sub = str(uuid.uuid4())
    assert find_sub("no-such-pool", sub) == sub


def test_an_address_of_several_users_is_refused_with_their_subs(
    cloud: Cloud, new_user: Callable[[], User]
) -> None:
    """A federated user can have the address of another user."""
    pool_id = cloud.outputs["UserPoolId"]
    one = new_user()
    other = new_user()
    boto3.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=pool_id,
        Username=other.email,
        UserAttributes=[{"Name": "email", "Value": one.email.title()}],
    )
    first, second = sorted([one.sub, other.sub])
    with pytest.raises(AccountError, match=f"2 users have .* its sub: {first}, {second}"):
        find_sub(pool_id, one.email)


@pytest.mark.parametrize(
    "email", ["nobody@example.com", 'x" or email ^= "@', "a\\@example.com", '"', "@"]
)
def test_an_address_without_a_user_is_named(cloud: Cloud, user: User, email: str) -> None:
    with pytest.raises(AccountError, match=re.escape(email)):
        find_sub(cloud.outputs["UserPoolId"], email)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["", "ada", "f2547e8f"])
def test_another_text_is_no_account(account: str) -> None:
    with pytest.raises(CommandError, match=r"e-mail address|ACCOUNT is required"):
        operators.show_user("local", account)


def test_an_unknown_option_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTION_NAMES", "EMAIL API_PORT")
    with pytest.raises(DeploymentError, match="make user has no option EMAIL"):
        operators.show_user("local", "ada@example.com")
    with pytest.raises(DeploymentError, match="make users has no option EMAIL"):
        operators.show_users("local")


def test_an_api_that_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("OPTION_API_PORT", str(port))
    with pytest.raises(LocalError, match=f"port {port}. Start it with `make local`"):
        operators.show_users("local")


def test_an_emulator_that_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("OPTION_AWS_PORT", str(port))
    with pytest.raises(LocalError, match=f"127.0.0.1:{port}. Start it with `make local`"):
        operators.show_user("local", "ada@example.com")


def test_a_program_without_users_on_the_port_is_named(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AWS emulator has no path /users."""
    monkeypatch.setenv("OPTION_API_PORT", str(cloud.port))
    with pytest.raises(CommandError, match=f"{cloud.port}.*(another program|Another program)"):
        operators.show_users("local")


def test_credentials_that_the_api_refuses_are_reported(cloud: Cloud) -> None:
    record_environment(cloud, AWS_ACCESS_KEY_ID="other")
    try:
        with pytest.raises(CommandError, match="execute-api:Invoke for GET/users "):
            operators.show_users("local")
    finally:
        record_environment(cloud)


def test_a_stage_without_a_backend_is_refused() -> None:
    with pytest.raises(DeploymentError, match="make backend STAGE=prod"):
        operators.show_users("prod")
