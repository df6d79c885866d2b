"""Ctrl-C, or a refused call of AWS, between any two steps of a command: repeated, it completes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from deploy import chalice_config
from tests.deployed import existing
from tests.deployed.conftest import Clone

STAGE = "dev"
MOST_STEPS = 100
"""More than any of the commands has."""
TOLERATED = ("DescribeTimeToLive",)
"""Steps whose failure is reported in a note: the command goes on."""
CALL: Any = BaseClient._make_api_call  # type: ignore[attr-defined]
"""botocore's method through which every call of AWS passes: (client, operation, request)."""
NewClone = Callable[[], Clone]

Failure = Callable[[str], BaseException]
"""Makes the exception that a step raises, from the step's name."""


def interrupt(_: str) -> BaseException:
    return KeyboardInterrupt()


def refuse(step: str) -> BaseException:
    """AWS refuses a call. Files are not refused by AWS, so their steps are interrupted."""
    if step.startswith("write "):
        return KeyboardInterrupt()
    error: Any = {
        "Error": {"Code": "AccessDenied", "Message": f"not authorized to perform {step}"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    return ClientError(error, step)


@dataclass(frozen=True)
class Fault:
    """What happens at the chosen step: an exception, before or after the step has its effect."""

    failure: Failure
    before: bool


FAULTS = {
    "Ctrl-C": Fault(interrupt, before=False),
    "refused by AWS": Fault(refuse, before=True),
}
READS = ("Get", "Describe", "List", "Scan")


@contextmanager
def fault_at(number: int, fault: Fault) -> Iterator[list[str]]:
    """Let a step fail: a call of AWS, or the change of a file. The first has the number 0.

    Yields the names of the steps so far.
    """
    steps: list[str] = []
    replace_file = chalice_config.replace_file

    def step(name: str, action: Callable[[], Any]) -> Any:
        steps.append(name)
        is_chosen = len(steps) == number + 1
        if is_chosen and fault.before:
            raise fault.failure(name)
        try:
            return action()
        finally:
            if is_chosen:
                raise fault.failure(name)

    def make_api_call(client: BaseClient, operation: str, request: Any) -> Any:
        return step(operation, lambda: CALL(client, operation, request))

    def replace(file: Path, text: str) -> None:
        step(f"write {file.name}", lambda: replace_file(file, text))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        patch.setattr(chalice_config, "replace_file", replace)
        yield steps


def at_each_step(
    fault: Fault, prepare: Callable[[], Clone], *command: str
) -> Iterator[tuple[str, Clone]]:
    """Let a command fail at its first step, then at its second, and so on.

    `prepare` makes the clone in which the command runs. When a step has changed something, the
    name of the step that failed and the clone are yielded, and the next attempt has another clone.
    """
    clone = prepare()
    for number in range(MOST_STEPS):
        with fault_at(number, fault) as steps:
            try:
                clone.run(*command)
            except SystemExit as ended:
                message = str(ended.code)
            else:
                if len(steps) > number and steps[number] in TOLERATED:
                    clone = prepare()
                    continue
                assert len(steps) <= number, f"{steps[number]} failed, and the command succeeded"
                return
        assert "\n" not in message
        assert message.startswith(("error: ", "Interrupted. ")), message
        if not all(step.startswith(READS) for step in steps):
            yield steps[-1], clone
            clone = prepare()
    pytest.fail(f"the command has more than {MOST_STEPS} steps")


@pytest.mark.parametrize("name", FAULTS)
def test_make_backend_is_completed(new_clone: NewClone, name: str) -> None:
    steps = []
    for step, clone in at_each_step(FAULTS[name], new_clone, "backend", STAGE):
        steps.append(step)
        clone.run("backend", STAGE)
        assert_backend_is_complete(clone)
    assert {"CreateStack", "write config.json", "write policy-dev.json"} <= set(steps)


def assert_backend_is_complete(clone: Clone) -> None:
    """One stack, recorded with its policy; a further run changes nothing."""
    stack = clone.stack(f"{STAGE}-backend")
    assert stack is not None
    assert clone.variables(STAGE)["USER_POOL_ARN"] == stack.outputs["UserPoolArn"]
    before = clone.snapshot()
    assert "Nothing to record" in clone.run("backend", STAGE)
    assert clone.snapshot() == before


@pytest.mark.parametrize("name", FAULTS)
def test_attaching_is_completed(new_clone: NewClone, name: str) -> None:
    pool = existing.create_pool()
    table = existing.create_table()
    command = ("backend", STAGE, *pool.options, f"--table={table}", "--ttl=yes")
    steps = []
    for step, clone in at_each_step(FAULTS[name], new_clone, *command):
        steps.append(step)
        clone.run(*command)
        assert clone.variables(STAGE)["USER_POOL_ARN"] == pool.arn
        assert clone.variables(STAGE)["DYNAMODB_TABLE"] == table
        assert existing.ttl_of(table) == ("ENABLED", "expires_at")
    assert "UpdateTimeToLive" in steps
    assert pool.describe()["DeletionProtection"] == "ACTIVE"


@pytest.mark.parametrize("name", FAULTS)
def test_a_deletion_is_completed(new_clone: NewClone, name: str) -> None:
    def prepare() -> Clone:
        clone = new_clone()
        clone.run("backend", STAGE)
        prepared.append(clone.variables(STAGE))
        return clone

    prepared: list[dict[str, str]] = []
    steps = []
    command = ("destroy-backend", STAGE, f"--confirm={STAGE}")
    for step, clone in at_each_step(FAULTS[name], prepare, *command):
        steps.append(step)
        variables = prepared[-1]
        if clone.variables(STAGE):  # otherwise the last step was the last of the command
            assert clone.variables(STAGE) == variables, f"forgotten too early, at {step}"
            clone.run(*command)
        assert not existing.table_exists(variables["DYNAMODB_TABLE"])
        assert not existing.pool_exists(chalice_config.pool_id_of(variables))
        assert clone.stage(STAGE) == {"environment_variables": {}}
    for change in ("DeleteStack", "UpdateTable", "DeleteTable", "UpdateUserPool", "DeleteUserPool"):
        assert change in steps


def test_a_deletion_of_half_a_backend_is_completed(new_clone: NewClone) -> None:
    """The user pool is attached: it stays whatever happens."""

    def prepare() -> Clone:
        clone = new_clone()
        clone.run("backend", STAGE, *pool.options)
        return clone

    pool = existing.create_pool()
    command = ("destroy-backend", STAGE, f"--confirm={STAGE}")
    for _, clone in at_each_step(FAULTS["Ctrl-C"], prepare, *command):
        if "DYNAMODB_TABLE" in clone.variables(STAGE):
            clone.run(*command)
        assert not existing.table_exists(f"{clone.app_name}-{STAGE}")
        assert clone.variables(STAGE)["USER_POOL_ARN"] == pool.arn
    assert pool.describe()["DeletionProtection"] == "ACTIVE"


def test_two_people_run_make_backend_at_the_same_time(clone: Clone) -> None:
    """The other's stack appears between the look and the creation."""
    clone.configure(owner_id="0123456789abcdef")

    def create_first(client: BaseClient, operation: str, request: Any) -> Any:
        if operation == "CreateStack":
            CALL(client, operation, request)
        return CALL(client, operation, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", create_first)
        error = clone.error("backend", STAGE)
    assert "run this command again" in error.lower()
    clone.run("backend", STAGE)
    assert_backend_is_complete(clone)
    assert existing.pool_names().count(f"{clone.app_name}-{STAGE}") == 1
