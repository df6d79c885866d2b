"""`make orphans`: what is listed, finished and removed, and what is never touched."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib import items
from chalicelib.items import Kind
from deploy import stacks, user_pool
from deploy.find_orphans import print_orphans
from deploy.table_accounts import Orphan
from tests.deployed.existing import create_pool, create_table
from tests.operators.conftest import Done, Stage, new_sub
from tests.support.commands import ROOT

ERASED_AT: dict[str, Any] = {items.ERASED_AT: {"S": "2026-11-22T10:00:00.000000Z"}}
PAST: dict[str, Any] = {items.EXPIRES_AT: {"N": "1"}}
FUTURE: dict[str, Any] = {items.EXPIRES_AT: {"N": str(2**40)}}
KINDS = pytest.mark.parametrize(
    "kind", [items.PROFILE, items.METADATA], ids=["profile", "metadata"]
)
COGNITO = "before-send.cognito-identity-provider"
DYNAMODB = "before-send.dynamodb"


class Users:
    """A user pool with one user. Its app has a random name, so nothing of it is deployed."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.client = boto3.client("cognito-idp")
        self.pool = create_pool(with_domain=False)
        stage.app_name = f"test-{uuid.uuid4().hex[:8]}"
        stage.configure(USER_POOL_ARN=self.pool.arn, ERASURE="account")

    def create(self) -> str:
        """Create a user; return the sub."""
        created = self.client.admin_create_user(
            UserPoolId=self.pool.pool_id, Username=f"{uuid.uuid4().hex}@example.com"
        )
        attributes = created["User"]["Attributes"]
        return next(found["Value"] for found in attributes if found["Name"] == "sub")

    def has(self, sub: str) -> bool:
        """Whether the pool has a user with this sub."""
        return user_pool.UserPool.connect(self.pool.pool_id).find(sub) is not None

    def create_with_profile(self) -> str:
        """Create a user who has a profile; return the sub."""
        sub = self.create()
        self.stage.profiles.replace(sub, {"n": 1})
        return sub


@pytest.fixture
def users(stage: Stage) -> Users:
    return Users(stage)


@pytest.fixture
def on_call(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
    """A function that lets `action` run before each AWS call of a kind, in place of its response
    if it returns one."""
    session = boto3.session.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)

    def register(event: str, action: Callable[[], Any]) -> None:
        session.events.register(event, lambda **_: action())

    return register


def once(action: Callable[[], Any]) -> Callable[[], Any]:
    """The action, for the first call only."""
    calls: list[None] = []

    def act() -> Any:
        calls.append(None)
        return action() if len(calls) == 1 else None

    return act


def interrupt() -> None:
    raise KeyboardInterrupt


def listed(done: Done) -> dict[str, dict[str, Any]]:
    """The lines of a command that succeeded, by sub."""
    assert done.status == 0, done.errors
    lines = [json.loads(line) for line in done.output.splitlines()]
    return {line["sub"]: line for line in lines}


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Pipe a text to the next command."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def is_marker(stage: Stage, sub: str, kind: Kind) -> bool:
    """Whether the item is a marker that expires."""
    return stage.item(sub, kind).keys() == {"pk", "sk", items.ERASED_AT, items.EXPIRES_AT}


def is_erased(stage: Stage, sub: str) -> bool:
    return all(is_marker(stage, sub, kind) for kind in (items.PROFILE, items.METADATA))


# --- the list -------------------------------------------------------------------------------------


def test_users_who_are_gone_are_listed(stage: Stage, users: Users) -> None:
    users.create_with_profile()
    profile, metadata, both = sorted(new_sub() for _ in range(3))
    stage.profiles.replace(profile, {"secret": "Rosebud"})
    stage.metadata.replace(metadata, {"app_metadata": {}})
    stage.profiles.replace(both, {})
    latest = stage.metadata.replace(both, {})
    done = stage.run("orphans")
    found = listed(done)
    assert list(found) == [profile, metadata, both]
    assert found[profile]["stored"] == ["profile"]
    assert found[metadata]["stored"] == ["metadata"]
    assert found[both] == {
        "sub": both,
        "stored": ["profile", "metadata"],
        "updated_at": latest.updated_at,
    }
    assert "Orphans: 3. Profiles in the table: 3." in done.errors
    assert done.errors.rstrip().endswith("make orphans STAGE=dev DELETE=3")
    assert "Rosebud" not in done.output
    assert stage.profiles.get(profile).data == {"secret": "Rosebud"}


def test_a_stage_without_orphans_says_so(stage: Stage, users: Users) -> None:
    users.create_with_profile()
    done = stage.run("orphans")
    assert listed(done) == {}
    assert "No orphans. Profiles in the table: 1." in done.errors


def test_an_item_of_the_original_example_has_no_time(stage: Stage, users: Users) -> None:
    sub = new_sub()
    stage.put(sub, profile_data={"M": {}})
    assert listed(stage.run("orphans"))[sub]["updated_at"] is None


def test_a_terminal_gets_a_table_without_control_characters() -> None:
    sub = new_sub()
    ours, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as output:
        orphan = Orphan(sub, ("profile", "metadata"), "2026-11-22T10:00:00.5Z\x1b")
        print_orphans([orphan], output)
    line = os.read(ours, 1000).decode().rstrip()
    os.close(ours)
    assert line == f"{sub}  profile and metadata  2026-11-22T10:00:00Z\\u001b"


def test_all_pages_of_table_and_pool_are_read(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_pool, "PAGE_SIZE", 1)
    gone = [new_sub() for _ in range(4)]
    for sub in [*gone, *(users.create() for _ in range(3))]:
        stage.profiles.replace(sub, {"text": "x" * 300_000})  # a page of Scan has 1 MB
    assert sorted(listed(stage.run("orphans"))) == sorted(gone)


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("USERS#ALL", "USER#ada"),
        ("ORDERS", "USER#00000000-0000-4000-8000-000000000000"),
        ("USER#ada", "METADATA#ada"),
    ],
)
def test_items_of_other_programs_are_left_alone(
    stage: Stage, users: Users, pk: str, sk: str
) -> None:
    item = {"pk": {"S": pk}, "sk": {"S": sk}, **ERASED_AT}
    stage.client.put_item(TableName=stage.table, Item=item)
    done = stage.run("orphans")
    assert listed(done) == {}
    assert "Left alone, as other programs wrote them: 1 item." in done.errors
    assert stage.client.scan(TableName=stage.table)["Items"] == [item]


@pytest.mark.parametrize("call", [f"{DYNAMODB}.Scan", f"{COGNITO}.ListUsers"])
def test_a_user_who_signs_up_during_the_run_is_no_orphan(
    stage: Stage, users: Users, on_call: Any, call: str
) -> None:
    gone = new_sub()
    stage.profiles.replace(gone, {})
    new: list[str] = []
    on_call(call, once(lambda: new.append(users.create_with_profile())))
    assert list(listed(stage.run("orphans"))) == [gone]
    assert stage.profiles.get(new[0])


# --- removing -------------------------------------------------------------------------------------


def test_the_shown_number_removes_the_orphans(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = users.create_with_profile()
    gone = new_sub()
    stage.profiles.replace(gone, {})
    type_in(monkeypatch, "1\n")
    done = stage.run("orphans", "--delete=1")
    assert listed(done) == {}
    assert done.errors.endswith("Done: 1 orphans removed.\n")
    assert is_erased(stage, gone)
    assert stage.profiles.get(kept)
    assert "No orphans" in stage.run("orphans").errors


@pytest.mark.parametrize("delete", ["0", "1", "3"])
def test_another_number_removes_nothing(stage: Stage, users: Users, delete: str) -> None:
    gone = [new_sub(), new_sub()]
    for sub in gone:
        stage.profiles.replace(sub, {})
    done = stage.run("orphans", f"--delete={delete}")
    assert done.status == 1
    assert (
        f"error: DELETE={delete}, but the number of orphans is 2 now. None was removed"
        in done.errors
    )
    assert sorted(listed(stage.run("orphans"))) == sorted(gone)


@pytest.mark.parametrize("delete", ["all", "-1", "1.0", "1 2", "1234567890"])
def test_what_is_no_number_is_refused(stage: Stage, users: Users, delete: str) -> None:
    assert (
        f"error: DELETE={delete} is not a number"
        in stage.run("orphans", f"--delete={delete}").errors
    )


def test_five_percent_are_removed_without_typing(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "")
    for _ in range(19):
        users.create_with_profile()
    gone = new_sub()
    stage.profiles.replace(gone, {})
    assert stage.run("orphans", "--delete=1").status == 0
    assert is_erased(stage, gone)


@pytest.mark.parametrize(("typed", "is_removed"), [("", False), ("2\n", False), (" 1 \n", True)])
def test_more_than_five_percent_need_the_number_again(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch, typed: str, is_removed: bool
) -> None:
    """Also in a pipe: a script that computes DELETE could run with the wrong user pool."""
    for _ in range(18):
        users.create_with_profile()
    gone = new_sub()
    stage.profiles.replace(gone, {})
    type_in(monkeypatch, typed)
    done = stage.run("orphans", "--delete=1")
    assert "The orphans (1) are more than 5 % of the profiles (19)" in done.errors
    assert is_erased(stage, gone) is is_removed
    assert ("no orphan was removed" in done.errors) is not is_removed


def test_a_user_who_appears_before_the_removal_is_kept(
    stage: Stage, users: Users, on_call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cognito's list is eventually consistent, so a new user may be missing in it."""
    late = users.create_with_profile()
    type_in(monkeypatch, "1\n")
    (other,) = users.client.list_users(UserPoolId=users.pool.pool_id, Limit=1)["Users"]
    on_call(f"{COGNITO}.ListUsers", once(lambda: response(200, {"Users": [other]})))
    done = stage.run("orphans", "--delete=1")
    assert done.status == 0
    assert f"{late} is in the user pool and was kept." in done.errors
    assert stage.profiles.get(late).data == {"n": 1}
    assert users.has(late)


def test_removing_an_orphan_never_deletes_an_account(
    stage: Stage, users: Users, on_call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the list nor the look-up has found the account, and a third request would."""
    late = users.create_with_profile()
    type_in(monkeypatch, "1\n")
    (other,) = users.client.list_users(UserPoolId=users.pool.pool_id, Limit=1)["Users"]
    calls: list[None] = []

    def without_the_user() -> AWSResponse | None:
        calls.append(None)
        return response(200, {"Users": [other]}) if len(calls) <= 2 else None

    on_call(f"{COGNITO}.ListUsers", without_the_user)
    assert "1 orphans removed" in stage.run("orphans", "--delete=1").errors
    assert users.has(late)


def test_a_profile_that_is_gone_meanwhile_is_no_orphan(
    stage: Stage, users: Users, on_call: Any
) -> None:
    sub = new_sub()
    stage.profiles.replace(sub, {})
    on_call(f"{COGNITO}.ListUsers", once(lambda: stage.profiles.delete(sub)))
    assert listed(stage.run("orphans")) == {}


@pytest.mark.parametrize(
    ("redirection", "arguments", "status", "message"),
    [
        ("<&-", ["--delete=1"], 1, "error: no orphan was removed. Type 1, or pipe it"),
        (">&-", [], 0, "Orphans: 1."),
    ],
    ids=["input", "output"],
)
def test_a_closed_standard_stream_is_no_bug(
    stage: Stage,
    users: Users,
    redirection: str,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    """A shell closes a stream, and Python has None for it."""
    sub = new_sub()
    stage.profiles.replace(sub, {})
    script = f'exec "$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "deploy", "orphans", "dev", *arguments],
        cwd=stage.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not is_erased(stage, sub)


def test_an_interrupted_removal_continues(
    stage: Stage, users: Users, on_call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [new_sub() for _ in range(3)]
    for sub in gone:
        stage.profiles.replace(sub, {})
    type_in(monkeypatch, "3\n")

    interruptions: list[None] = []

    def interrupt_after_one_user() -> None:
        if not interruptions and any(is_erased(stage, sub) for sub in gone):
            interruptions.append(None)
            raise KeyboardInterrupt

    on_call(f"{DYNAMODB}.UpdateItem", interrupt_after_one_user)
    done = stage.run("orphans", "--delete=3")
    assert done.status == 1
    assert "Interrupted. Done: 1 orphans removed. The erasure of" in done.errors
    assert "The next run finishes it." in done.errors
    assert done.errors.endswith("To continue, run: make orphans STAGE=dev")

    again = stage.run("orphans")
    assert "Finished the erasure of" in again.errors
    assert len(listed(again)) == 1
    type_in(monkeypatch, "1\n")
    assert stage.run("orphans", "--delete=1").status == 0
    assert "No orphans" in stage.run("orphans").errors


def test_ctrl_c_in_the_first_change_says_so(
    stage: Stage, users: Users, on_call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = new_sub()
    stage.profiles.replace(gone, {})
    type_in(monkeypatch, "1\n")
    on_call(f"{DYNAMODB}.UpdateItem", once(interrupt))
    done = stage.run("orphans", "--delete=1")
    assert f"Interrupted. Done: nothing. The erasure of {gone} may be incomplete." in done.errors
    assert f"Finished the erasure of {gone}." in stage.run("orphans").errors


def test_ctrl_c_before_any_change_says_so(stage: Stage, users: Users, on_call: Any) -> None:
    stage.profiles.replace(new_sub(), {})
    on_call(f"{COGNITO}.ListUsers", interrupt)
    done = stage.run("orphans", "--delete=1")
    assert done.status == 1
    assert done.errors.startswith("Interrupted. Nothing was changed.")


def test_an_orphan_is_removed_where_erasure_is_off(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.configure(ERASURE="off")
    gone = new_sub()
    stage.metadata.replace(gone, {})
    type_in(monkeypatch, "1\n")
    assert stage.run("orphans", "--delete=1").status == 0
    assert is_erased(stage, gone)


# --- unfinished erasures --------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("has_account", [True, False])
def test_an_unfinished_erasure_is_finished(
    stage: Stage, users: Users, kind: Kind, has_account: bool
) -> None:
    """Whichever marker was written, and whether the account was deleted already or not."""
    sub = users.create() if has_account else new_sub()
    stage.profiles.replace(sub, {})
    stage.put(sub, kind, **ERASED_AT)
    done = stage.run("orphans")
    assert listed(done) == {}
    assert f"Finished the erasure of {sub}." in done.errors
    assert is_erased(stage, sub)
    assert not users.has(sub)
    assert sub not in stage.run("orphans").errors


@KINDS
def test_an_account_that_an_erasure_missed_is_deleted_on_request(
    stage: Stage, users: Users, kind: Kind
) -> None:
    """Cognito's search did not find it yet, right after the sign-up."""
    sub = users.create()
    stage.put(sub, kind, **ERASED_AT, **FUTURE)
    shown = stage.run("orphans")
    assert f"{sub} was erased, but the user pool has the account." in shown.errors
    assert "make orphans STAGE=dev DELETE_ACCOUNTS=1" in shown.errors
    refused = stage.run("orphans", "--delete-accounts=2")
    assert refused.status == 1
    assert "the number of erased users with an account is 1 now. None was deleted" in refused.errors
    assert users.has(sub)
    done = stage.run("orphans", "--delete-accounts=1")
    assert f"Deleted the account of {sub}." in done.errors
    assert not users.has(sub)
    assert stage.item(sub, kind)[items.EXPIRES_AT] == FUTURE[items.EXPIRES_AT]


def test_removing_orphans_with_a_wrong_pool_deletes_no_account(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another pool is recorded, and the mistake is corrected after the removal."""
    present = users.create_with_profile()
    other = create_pool(with_domain=False)
    boto3.client("cognito-idp").admin_create_user(
        UserPoolId=other.pool_id, Username="other@example.com"
    )
    stage.configure(USER_POOL_ARN=other.arn)
    type_in(monkeypatch, "1\n")
    assert stage.run("orphans", "--delete=1").status == 0
    stage.configure(USER_POOL_ARN=users.pool.arn)
    assert stage.run("orphans").status == 0
    assert users.has(present)


@pytest.mark.parametrize("expiry", [{}, FUTURE], ids=["unfinished", "finished"])
def test_accounts_are_kept_where_erasure_is_off(
    stage: Stage, users: Users, expiry: dict[str, Any]
) -> None:
    stage.configure(ERASURE="off")
    sub = users.create()
    stage.put(sub, **ERASED_AT, **expiry)
    before = stage.item(sub)
    done = stage.run("orphans")
    assert done.status == 0
    assert f"{sub}: erased, but the user pool has the account, which is kept" in done.errors
    assert users.has(sub)
    assert stage.item(sub) == before


def test_a_user_without_account_is_finished_where_erasure_is_off(
    stage: Stage, users: Users
) -> None:
    stage.configure(ERASURE="")
    sub = new_sub()
    stage.put(sub, **ERASED_AT)
    assert f"Finished the erasure of {sub}." in stage.run("orphans").errors
    assert is_erased(stage, sub)


def test_the_ttl_attribute_of_the_stage_is_used(stage: Stage, users: Users) -> None:
    stage.configure(TTL_ATTRIBUTE="ttl")  # a reserved word of DynamoDB
    unfinished = new_sub()
    finished = new_sub()
    stage.put(unfinished, **ERASED_AT, **FUTURE)
    stage.put(finished, **ERASED_AT, ttl={"N": str(2**40)})
    done = stage.run("orphans")
    assert unfinished in done.errors
    assert finished not in done.errors
    assert "N" in stage.item(unfinished)["ttl"]


def test_a_user_name_that_is_another_users_sub_is_reported(stage: Stage, users: Users) -> None:
    pool = users.client.create_user_pool(PoolName="names")["UserPool"]
    stage.configure(USER_POOL_ARN=pool["Arn"])
    victim = users.client.admin_create_user(UserPoolId=pool["Id"], Username="victim")["User"]
    victim_sub = str(victim["Attributes"][0].get("Value"))
    other = users.client.admin_create_user(UserPoolId=pool["Id"], Username=victim_sub)["User"]
    other_sub = next(a.get("Value", "") for a in other["Attributes"] if a["Name"] == "sub")
    stage.put(other_sub, **ERASED_AT)
    done = stage.run("orphans")
    assert done.status == 1
    assert f"The user name of {other_sub} is the sub of another user" in done.errors
    assert len(users.client.list_users(UserPoolId=pool["Id"])["Users"]) == 2


# --- expired markers ------------------------------------------------------------------------------


@KINDS
def test_expired_markers_are_removed_without_ttl(stage: Stage, users: Users, kind: Kind) -> None:
    old = new_sub()
    new = new_sub()
    stage.put(old, kind, **ERASED_AT, **PAST)
    stage.put(new, kind, **ERASED_AT, **FUTURE)
    done = stage.run("orphans")
    assert "Removed 1 expired marker: the table has no TTL on expires_at." in done.errors
    assert stage.item(old, kind) == {}
    assert stage.item(new, kind)
    assert "expired" not in stage.run("orphans").errors


def test_a_table_with_ttl_removes_its_markers_itself(
    stage: Stage, users: Users, on_call: Any
) -> None:
    deletions: list[None] = []
    on_call(f"{DYNAMODB}.DeleteItem", lambda: deletions.append(None))
    set_ttl(stage, items.EXPIRES_AT)
    stage.put(new_sub(), **ERASED_AT, **PAST)
    assert "expired" not in stage.run("orphans").errors
    assert not deletions


def test_a_ttl_on_another_attribute_is_none(stage: Stage, users: Users) -> None:
    set_ttl(stage, "other")
    sub = new_sub()
    stage.put(sub, **ERASED_AT, **PAST)
    assert "Removed 1 expired marker" in stage.run("orphans").errors
    assert stage.item(sub) == {}


def set_ttl(stage: Stage, attribute: str) -> None:
    specification: Any = {"Enabled": True, "AttributeName": attribute}
    stage.client.update_time_to_live(TableName=stage.table, TimeToLiveSpecification=specification)


@pytest.mark.parametrize("expiry", [{"S": "1"}, {"NULL": True}])
def test_a_time_that_is_no_number_never_passes(stage: Stage, users: Users, expiry: Any) -> None:
    sub = new_sub()
    stage.put(sub, **ERASED_AT, expires_at=expiry)
    assert stage.run("orphans").status == 0
    assert stage.item(sub)


# --- refusals -------------------------------------------------------------------------------------


@pytest.fixture
def untouched(stage: Stage, users: Users) -> Any:
    """An orphan and an unfinished erasure, which a refused command must leave as they are."""
    stage.profiles.replace(new_sub(), {})
    stage.put(new_sub(), **ERASED_AT)
    before = stage.client.scan(TableName=stage.table)["Items"]
    yield
    assert stage.client.scan(TableName=stage.table)["Items"] == before


def test_a_pool_without_users_is_refused(stage: Stage, users: Users, untouched: None) -> None:
    pool = users.client.create_user_pool(PoolName="empty")["UserPool"]
    stage.configure(USER_POOL_ARN=pool["Arn"])
    done = stage.run("orphans", "--delete=1")
    assert f"error: the user pool {pool['Id']} has no users" in done.errors


def test_an_empty_stage_has_no_orphans(stage: Stage, users: Users) -> None:
    """Neither users nor profiles."""
    pool = create_pool(with_domain=False)
    stage.configure(USER_POOL_ARN=pool.arn)
    done = stage.run("orphans")
    assert done.status == 0
    assert "No orphans." in done.errors


def test_a_pool_that_does_not_exist_is_refused(stage: Stage, users: Users, untouched: None) -> None:
    stage.configure(USER_POOL_ARN=f"{users.pool.arn.rpartition('/')[0]}/us-east-1_missing")
    done = stage.run("orphans", "--delete=1")
    assert "error: AWS refused ListUsers (reading the user pool us-east-1_missing)" in done.errors


def test_another_pool_than_the_stacks_is_refused(
    stage: Stage, users: Users, untouched: None
) -> None:
    deploy_stack(f"{stage.app_name}-dev-backend", UserPoolId="us-east-1_made")
    done = stage.run("orphans", "--delete=1")
    assert f"dev records the user pool {users.pool.pool_id}, but its stack" in done.errors
    assert "has made us-east-1_made" in done.errors


def test_the_pool_of_the_stack_is_accepted(stage: Stage, users: Users) -> None:
    deploy_stack(f"{stage.app_name}-dev-backend", UserPoolId=users.pool.pool_id)
    assert stage.run("orphans").status == 0


def test_a_table_of_two_stages_is_refused(stage: Stage, users: Users, untouched: None) -> None:
    file = stage.folder / ".chalice" / "config.json"
    config = json.loads(file.read_text())
    config["stages"]["copy"] = config["stages"]["dev"]
    file.write_text(json.dumps(config))
    assert "error: dev and copy record the same table" in stage.run("orphans").errors


def deploy_stack(name: str, **outputs: str) -> None:
    """Deploy a stack with these outputs."""
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    stacks.deploy(name, json.dumps(template), {}, print)


@pytest.mark.parametrize("deployed_by", ["make deploy", "chalice deploy"])
def test_another_pool_than_the_apis_is_refused(
    stage: Stage, users: Users, untouched: None, deployed_by: str
) -> None:
    name = f"{stage.app_name}-dev"
    if deployed_by == "make deploy":
        deploy_stack(name, APIHandlerName=f"{name}-api")
        name = f"{name}-api"
    other = create_pool(with_domain=False)
    create_function(name, DYNAMODB_TABLE=stage.table, USER_POOL_ARN=other.arn)
    done = stage.run("orphans", "--delete=1")
    assert f"uses the user pool {other.pool_id}" in done.errors
    assert "make deploy STAGE=dev" in done.errors


@pytest.mark.parametrize("is_restored", [False, True])
def test_the_pool_of_the_api_is_accepted(stage: Stage, users: Users, *, is_restored: bool) -> None:
    """A restored table is compared before the API uses it."""
    table = create_table() if is_restored else stage.table
    name = f"{stage.app_name}-dev"
    create_function(name, DYNAMODB_TABLE=table, USER_POOL_ARN=users.pool.arn)
    assert stage.run("orphans").status == 0


def create_function(name: str, **variables: str) -> None:
    boto3.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.app",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},  # an empty archive
        Environment={"Variables": variables},
    )


def test_a_wrong_setting_is_reported(stage: Stage, users: Users, untouched: None) -> None:
    stage.configure(ERASURE="yes")
    assert "error: a setting of the stage dev is invalid: ERASURE" in stage.run("orphans").errors


def test_an_unknown_option_is_refused(
    stage: Stage, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTION_NAMES", "STAGE DELETED")
    assert "error: make orphans has no option DELETED. It has: STAGE, DELETE, DELETE_ACCOUNTS." in (
        stage.run("orphans").errors
    )


# --- a busy Cognito -------------------------------------------------------------------------------


class _Body(io.BytesIO):
    def stream(self) -> Any:
        yield self.read()


def response(status: int, body: Any) -> AWSResponse:
    """A response of Cognito."""
    text = json.dumps(body, default=str).encode()
    headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.1"})
    return AWSResponse("http://127.0.0.1", status, headers, _Body(text))


def throttled() -> AWSResponse:
    return response(400, {"__type": "TooManyRequestsException", "message": "Rate exceeded"})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the code waited. No time passes."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("operation", ["ListUsers", "AdminDeleteUser"])
def test_a_throttled_cognito_is_asked_again(
    stage: Stage, users: Users, on_call: Any, pauses: list[float], operation: str
) -> None:
    sub = users.create()
    stage.put(sub, **ERASED_AT)
    on_call(f"{COGNITO}.{operation}", once(throttled))
    done = stage.run("orphans")
    assert f"Finished the erasure of {sub}." in done.errors
    assert is_erased(stage, sub)
    assert pauses


def test_a_cognito_that_stays_busy_ends_the_command(
    stage: Stage, users: Users, on_call: Any, pauses: list[float]
) -> None:
    first, second = sorted([users.create(), users.create()])
    for sub in (first, second):
        stage.put(sub, **ERASED_AT)
    deletions: list[None] = []

    def throttle_the_second() -> AWSResponse | None:
        deletions.append(None)
        return throttled() if len(deletions) > 1 else None

    on_call(f"{COGNITO}.AdminDeleteUser", throttle_the_second)
    done = stage.run("orphans")
    assert done.status == 1
    assert "error: The user pool is busy." in done.errors
    assert f"Done: 1 erasures finished. The erasure of {second} may be incomplete" in done.errors
    assert users.has(second)
    assert not users.has(first)
