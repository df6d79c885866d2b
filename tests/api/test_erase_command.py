"""`make erase`, with the API of `chalice local`."""

from __future__ import annotations

import builtins
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from chalicelib import items
from chalicelib.items import Item
from deploy import erase_account
from deploy.errors import CommandError, DeploymentError
from deploy.user_pool import Account, UserPool
from deploy.users_api import NoResponse, UsersApi
from local import operators
from tests.support.cloud import Cloud
from tests.support.commands import ROOT
from tests.support.fake_session import response
from tests.support.http_api import Api, assert_problem
from tests.support.operators import operator_of, shell_of_make_local
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ERASED_AT: dict[str, Any] = {items.ERASED_AT: {"S": "2026-11-22T10:00:00.000000Z"}}
FUTURE: dict[str, Any] = {items.EXPIRES_AT: {"N": str(2**40)}}
KINDS = (items.PROFILE, items.METADATA)


@pytest.fixture(autouse=True)
def shell(api: Api) -> Iterator[None]:
    """A shell as after `make local API_PORT=...`. The commands change its environment."""
    with shell_of_make_local(api):
        yield


@pytest.fixture
def user(api: Api, new_user: Callable[[], User]) -> User:
    """A new user with a profile."""
    user = new_user()
    assert api.send(user, "PUT", {"name": "Ada"}).status == 200
    return user


@dataclass(frozen=True)
class Backend:
    """What is stored for users, and their accounts."""

    pool_id: str
    dynamodb: DynamoDBClient
    table: str

    def account(self, sub: str) -> Account | None:
        """The account of a user."""
        return UserPool.connect(self.pool_id).find(sub)

    def items(self, sub: str) -> list[Item]:
        """The profile and the metadata of a user, or their markers."""
        responses = [
            self.dynamodb.get_item(TableName=self.table, Key=kind.key(sub), ConsistentRead=True)
            for kind in KINDS
        ]
        return [response["Item"] for response in responses if "Item" in response]

    def put_markers(self, sub: str, **attributes: Any) -> None:
        """Store the markers of an erased account."""
        for kind in KINDS:
            marker = {**kind.key(sub), **ERASED_AT, **attributes}
            self.dynamodb.put_item(TableName=self.table, Item=marker)

    def is_erased(self, sub: str) -> bool:
        """Whether the user has no account, and both markers expire."""
        expires = [items.EXPIRES_AT in item for item in self.items(sub)]
        return expires == [True, True] and self.account(sub) is None

    def is_whole(self, sub: str) -> bool:
        """Whether the user has the account and no marker."""
        has_marker = any(items.ERASED_AT in item for item in self.items(sub))
        return self.account(sub) is not None and not has_marker


@pytest.fixture
def backend(cloud: Cloud, dynamodb: DynamoDBClient, table: str) -> Backend:
    return Backend(cloud.outputs["UserPoolId"], dynamodb, table)


class Terminal(io.StringIO):
    """A terminal on which somebody types."""

    def isatty(self) -> bool:
        return True


def erase(account: str, confirmation: str = "") -> None:
    operators.erase_user("local", account, confirmation)


def on_delete(monkeypatch: pytest.MonkeyPatch, action: Callable[[], Any]) -> None:
    """Call `action` in place of each request DELETE."""
    send: Callable[..., Any] = UsersApi.send

    def send_or_act(self: UsersApi, method: str, path: str, **arguments: Any) -> Any:
        return action() if method == "DELETE" else send(self, method, path, **arguments)

    monkeypatch.setattr(UsersApi, "send", send_or_act)


# --- erasing --------------------------------------------------------------------------------------


def test_the_account_and_its_data_are_erased(
    api: Api, user: User, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    account = backend.account(user.sub)
    assert account is not None
    erase(user.email, user.email)
    assert backend.is_erased(user.sub)
    assert_problem(api.get(user), 410, "account-erased")
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == f"In the stage local, the user {user.sub} has:"
    shown = dict(line.split(maxsplit=1) for line in lines)
    assert shown["account"].startswith(f"{user.email}, user name {account.user_name}, in the")
    assert (shown["profile"], shown["metadata"]) == ("stored", "none")
    assert last == f"The account {user.email} is erased."


@pytest.mark.parametrize("change", [str, str.upper, lambda sub: f" {sub} "])
def test_a_user_can_be_named_by_the_sub(
    user: User, backend: Backend, change: Callable[[str], str]
) -> None:
    erase(change(user.sub), change(user.sub))
    assert backend.is_erased(user.sub)


def test_metadata_of_a_user_without_account_is_erased(
    api: Api, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    sub = str(uuid.uuid4())
    operator_of(api).send("PUT", f"/users/{sub}/metadata", body='{"app_metadata": {"n": 1}}')
    erase(sub, sub)
    assert backend.is_erased(sub)
    output = capsys.readouterr().out
    assert "account   none in the user pool" in output
    assert "metadata  stored" in output


def test_a_second_sign_up_is_another_account(
    api: Api, user: User, new_user: Callable[[], User], backend: Backend, cloud: Cloud
) -> None:
    """The e-mail address names the new account. The markers of the earlier one stay."""
    erase(user.email, user.email)
    markers = backend.items(user.sub)
    again = new_user()
    rename(backend, again, user.email)
    erase(user.email, user.email)
    assert backend.is_erased(again.sub)
    assert backend.items(user.sub) == markers


def rename(backend: Backend, user: User, email: str) -> None:
    """Give a user another e-mail address."""
    client = UserPool.connect(backend.pool_id)._client
    client.admin_update_user_attributes(
        UserPoolId=backend.pool_id,
        Username=user.email,
        UserAttributes=[{"Name": "email", "Value": email}],
    )


def test_an_address_of_two_users_erases_neither(
    user: User, new_user: Callable[[], User], backend: Backend
) -> None:
    other = new_user()
    rename(backend, other, user.email)
    with pytest.raises(CommandError, match="2 users have the e-mail address"):
        erase(user.email, user.email)
    assert backend.is_whole(user.sub)
    assert backend.is_whole(other.sub)


# --- the confirmation -----------------------------------------------------------------------------


def test_typing_the_account_confirms(
    user: User, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{user.email} \n"))
    erase(user.email)
    assert backend.is_erased(user.sub)


@pytest.mark.parametrize("typed", ["", "\n", "y\n", "ada@example.com\n"])
def test_typing_anything_else_erases_nothing(
    user: User, backend: Backend, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    with pytest.raises(CommandError, match=f"nothing was erased. Set CONFIRM={user.email}, or"):
        erase(user.email)
    assert backend.is_whole(user.sub)


def test_a_confirmation_of_another_account_is_refused(user: User, backend: Backend) -> None:
    """Also that of the same user by another name: the operator types what was shown."""
    for confirmation in ("yes", user.sub, "ada@example.com"):
        with pytest.raises(CommandError, match="nothing was erased"):
            erase(user.email, confirmation)
    assert backend.is_whole(user.sub)


def test_without_a_terminal_a_confirmation_is_needed(
    user: User, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{user.email}\n"))
    with pytest.raises(CommandError, match=f"no terminal .* Set CONFIRM={user.email}"):
        erase(user.email)
    assert backend.is_whole(user.sub)


# --- what was there before ------------------------------------------------------------------------


def test_a_second_erasure_says_so(
    user: User, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without asking again: there is nothing to lose."""
    erase(user.sub, user.sub)
    markers = backend.items(user.sub)
    capsys.readouterr()
    erase(user.sub)
    output = capsys.readouterr().out
    assert "profile   erased" in output
    assert output.endswith("The account was erased before. Nothing was left to delete.\n")
    assert backend.items(user.sub) == markers


def test_an_erased_address_asks_for_the_sub(user: User) -> None:
    erase(user.email, user.email)
    with pytest.raises(CommandError, match=r"no user in the pool .* by the sub: ACCOUNT=<sub>"):
        erase(user.email, user.email)


@pytest.mark.parametrize("has_account", [True, False])
def test_an_unfinished_erasure_is_finished(user: User, backend: Backend, has_account: bool) -> None:
    sub = user.sub if has_account else str(uuid.uuid4())
    backend.put_markers(sub)
    erase(sub, sub)
    assert backend.is_erased(sub)


def test_an_account_that_an_erasure_missed_is_reported(
    user: User, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API does not look for it again. Cognito's search had not found it."""
    monkeypatch.setattr(erase_account, "SEARCH_SECONDS", 0)
    backend.put_markers(user.sub, **FUTURE)
    with pytest.raises(CommandError, match="To delete it, run: make orphans STAGE=local"):
        erase(user.sub, user.sub)


def test_an_unknown_sub_is_refused(backend: Backend) -> None:
    sub = str(uuid.uuid4())
    with pytest.raises(CommandError, match=f"nothing to erase: .* no user with the sub {sub}"):
        erase(sub, sub)
    assert backend.items(sub) == []


# --- interruptions and failures -------------------------------------------------------------------


def interrupt(*_: object) -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def test_ctrl_c_at_the_question_erases_nothing(
    user: User, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(builtins, "input", interrupt)
    with pytest.raises(SystemExit, match=r"Interrupted\. Nothing was erased"):
        erase(user.email)
    assert backend.is_whole(user.sub)


def test_ctrl_c_in_a_real_terminal_prints_no_traceback(user: User, backend: Backend) -> None:
    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "erase", f"--account={user.email}"],
        cwd=ROOT,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(terminal)
    assert process.stdout is not None
    output = b""
    while b"to erase the account with its data: " not in output:
        part = os.read(process.stdout.fileno(), 1000)
        assert part, output
        output += part
    interrupt_until_it_ends(process)
    _, errors = process.communicate(timeout=30)
    os.close(ours)
    assert process.returncode == 1
    assert errors.decode() == "Interrupted. Nothing was erased.\n"
    assert backend.is_whole(user.sub)


def interrupt_until_it_ends(process: subprocess.Popen[bytes]) -> None:
    """Send SIGINT. Python misses one that arrives just before it starts to read the terminal."""
    for _ in range(30):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue
        return
    pytest.fail("the command does not end by SIGINT")


def run_with_streams(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make erase` in a shell that redirects its standard streams."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "local", "erase", *arguments],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_closed_standard_input_asks_for_a_confirmation(user: User, backend: Backend) -> None:
    done = run_with_streams("<&-", f"--account={user.email}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: nothing was erased: there is no terminal")
    assert backend.is_whole(user.sub)


def test_a_closed_standard_output_is_no_obstacle(user: User, backend: Backend) -> None:
    done = run_with_streams(">&-", f"--account={user.email}", f"--confirm={user.email}")
    assert (done.returncode, done.stderr) == (0, "")
    assert backend.is_erased(user.sub)


def test_a_pipe_without_a_reader_erases_nothing(user: User, backend: Backend) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "local", "erase", "--account", user.sub, "--confirm", user.sub],
        cwd=ROOT,
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr.startswith("error: nothing was erased: the output cannot be written")
    assert "Traceback" not in done.stderr
    assert backend.is_whole(user.sub)


def test_ctrl_c_during_the_erasure_says_how_to_finish(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the sub: the account with the e-mail address may be gone already."""
    on_delete(monkeypatch, interrupt)
    command = f"To finish it, run: make erase ACCOUNT={user.sub}"
    with pytest.raises(SystemExit, match=f"may be erased, or erased in part. {command}"):
        erase(user.email, user.email)


def refusal(status: int, detail: str) -> requests.Response:
    made = response(status, json.dumps({"type": "about:blank", "detail": detail}))
    made.url = "http://127.0.0.1/users/sub"
    return made


def busy() -> requests.Response:
    return refusal(503, "The user pool is busy.")


def failed() -> requests.Response:
    return refusal(500, "An unexpected error occurred.")


def silent() -> requests.Response:
    raise NoResponse("the API does not respond")


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (busy, "503: The user pool is busy"),
        (failed, "500: An unexpected error occurred"),
        (silent, "the API does not respond"),
    ],
)
def test_a_failure_says_how_to_finish(
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    failure: Callable[[], requests.Response],
    reason: str,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    on_delete(monkeypatch, failure)
    finish = f"in part. To finish it, run: make erase ACCOUNT={user.sub}"
    with pytest.raises(CommandError, match=f"{reason}. The account may be erased {finish}"):
        erase(user.email, user.email)


def test_an_api_without_erasure_is_named(
    user: User, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_delete(monkeypatch, lambda: refusal(404, "There is nothing here."))
    with pytest.raises(CommandError, match="ERASURE is off, or an earlier version"):
        erase(user.email, user.email)
    assert backend.is_whole(user.sub)


@pytest.mark.parametrize("account", ["", " ", "ada", "f2547e8f"])
def test_another_text_is_no_account(account: str) -> None:
    with pytest.raises(CommandError, match=r"e-mail address|ACCOUNT is required"):
        erase(account)


def test_an_unknown_option_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTION_NAMES", "EMAIL")
    with pytest.raises(DeploymentError, match="make erase has no option EMAIL"):
        erase("ada@example.com")
