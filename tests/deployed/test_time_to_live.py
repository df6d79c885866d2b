"""TTL of a stage's table, which removes markers of erased accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from chalicelib import items
from deploy import backend, template
from tests.deployed import existing
from tests.deployed.conftest import Clone
from tests.deployed.existing import set_ttl, ttl_of

STAGE = "dev"
CALL: Any = BaseClient._make_api_call  # type: ignore[attr-defined]
"""botocore's method through which every call of AWS passes: (client, operation, request)."""


@contextmanager
def dynamodb_answers(operation: str, answer: Callable[[], Any]) -> Iterator[list[str]]:
    """Let an operation return what `answer` returns. Yields the names of all operations called."""
    called: list[str] = []

    def make_api_call(client: BaseClient, name: str, request: Any) -> Any:
        called.append(name)
        return answer() if name == operation else CALL(client, name, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        yield called


@pytest.fixture
def table() -> str:
    """A table that a team already has. Its TTL is off."""
    return existing.create_table()


@pytest.fixture
def attached(clone: Clone, table: str) -> Clone:
    """A clone whose stage uses the table."""
    clone.run("backend", STAGE, f"--table={table}")
    return clone


# --- a table that the stack makes -----------------------------------------------------------------


def test_the_stack_turns_ttl_on() -> None:
    properties = template.properties(backend.template(), "Table", {})
    assert properties["TimeToLiveSpecification"] == {
        "AttributeName": items.EXPIRES_AT,
        "Enabled": True,
    }


def test_ttl_is_no_option_for_the_stacks_own_table(clone: Clone) -> None:
    for _ in ("before the table is made", "after that"):
        before = clone.snapshot()
        error = clone.error("backend", STAGE, "--ttl=yes")
        assert "TTL=yes is for a table that existed before" in error
        assert clone.snapshot() == before
        clone.run("backend", STAGE)


def test_ttl_of_the_stacks_own_table_that_is_off_is_noted(clone: Clone) -> None:
    """ministack 1.5.33 ignores TTL in a stack, as if it had been turned off elsewhere."""
    output = clone.run("backend", STAGE)
    table = clone.variables(STAGE)["DYNAMODB_TABLE"]
    assert f"Note: TTL of the table {table} is off" in output
    assert f"aws dynamodb update-time-to-live --table-name {table}" in output
    set_ttl(table, "expires_at")
    assert "Note: TTL" not in clone.run("backend", STAGE)


# --- a table that the stack did not make ----------------------------------------------------------


def test_a_table_with_the_services_ttl_needs_nothing(clone: Clone, table: str) -> None:
    set_ttl(table, "expires_at")
    output = clone.run("backend", STAGE, f"--table={table}")
    assert "TTL" not in output
    assert "TTL_ATTRIBUTE" not in clone.variables(STAGE)


def test_another_ttl_attribute_is_used(clone: Clone, table: str) -> None:
    set_ttl(table, "ttl")
    output = clone.run("backend", STAGE, f"--table={table}")
    assert "TTL_ATTRIBUTE        ttl" in output
    assert clone.variables(STAGE)["TTL_ATTRIBUTE"] == "ttl"
    assert ttl_of(table) == ("ENABLED", "ttl")


@pytest.mark.parametrize("attribute", items.USED_ATTRIBUTES)
def test_a_ttl_attribute_of_the_services_own_is_refused(
    clone: Clone, table: str, attribute: str
) -> None:
    set_ttl(table, attribute)
    before = clone.snapshot()
    error = clone.error("backend", STAGE, f"--table={table}")
    assert f"uses the attribute {attribute}, which the service cannot use" in error
    assert "Change the TTL to another attribute, such as expires_at" in error
    assert clone.snapshot() == before
    assert clone.stack(f"{STAGE}-backend") is None
    assert ttl_of(table) == ("ENABLED", attribute)


def test_without_ttl_it_is_explained_and_left_off(clone: Clone, table: str) -> None:
    output = clone.run("backend", STAGE, f"--table={table}")
    (note,) = (line for line in output.splitlines() if line.startswith("Note: TTL"))
    assert f"make orphans STAGE={STAGE}" in note
    assert f"make backend STAGE={STAGE} TTL=yes" in note
    assert f"deletes every item of the table {table} whose attribute expires_at" in note
    assert ttl_of(table) == ("DISABLED", "")


def test_without_erasure_no_marker_needs_ttl(clone: Clone, table: str) -> None:
    clone.set_stage(STAGE, environment_variables={"ERASURE": "off"})
    assert "TTL" not in clone.run("backend", STAGE, f"--table={table}")


def test_ttl_is_turned_on_after_what_it_means(attached: Clone, table: str) -> None:
    output = attached.run("backend", STAGE, "--ttl=yes")
    assert f"deletes every item of the table {table} whose attribute expires_at" in output
    assert "Note: TTL" not in output
    assert ttl_of(table) == ("ENABLED", "expires_at")
    assert "TTL_ATTRIBUTE" not in attached.variables(STAGE)


def test_ttl_is_turned_on_once(clone: Clone, table: str) -> None:
    """DynamoDB refuses a second change within an hour."""
    command = ("backend", STAGE, f"--table={table}", "--ttl=yes")
    clone.run(*command)
    with dynamodb_answers("UpdateTimeToLive", lambda: pytest.fail("called again")) as called:
        assert "is on, with the attribute expires_at" in clone.run(*command)
    assert "DescribeTimeToLive" in called


def test_a_restored_table_can_have_ttl(clone: Clone, table: str) -> None:
    """DynamoDB restores a table without its TTL."""
    clone.run("backend", STAGE)
    variables = {**clone.variables(STAGE), "DYNAMODB_TABLE": table}
    clone.set_stage(STAGE, environment_variables=variables)
    assert "TTL=yes" in clone.run("backend", STAGE)
    clone.run("backend", STAGE, "--ttl=yes")
    assert ttl_of(table) == ("ENABLED", "expires_at")


def test_a_ttl_that_was_changed_elsewhere_is_recorded(attached: Clone, table: str) -> None:
    set_ttl(table, "ttl")
    attached.run("backend", STAGE)
    assert attached.variables(STAGE)["TTL_ATTRIBUTE"] == "ttl"
    set_ttl(table, "expires_at")
    assert "expires_at (was ttl)" in attached.run("backend", STAGE)
    assert attached.variables(STAGE)["TTL_ATTRIBUTE"] == "expires_at"


def test_a_ttl_that_was_turned_off_elsewhere_keeps_its_name(attached: Clone, table: str) -> None:
    """Markers that exist have the attribute."""
    set_ttl(table, "ttl")
    attached.run("backend", STAGE)
    set_ttl(table, "ttl", enabled=False)
    assert "whose attribute ttl is a number" in attached.run("backend", STAGE)
    attached.run("backend", STAGE, "--ttl=yes")
    assert attached.variables(STAGE)["TTL_ATTRIBUTE"] == "ttl"
    assert ttl_of(table) == ("ENABLED", "ttl")


@pytest.mark.parametrize("value", ["revision", "with space", "a" * 256])
def test_a_recorded_name_that_cannot_be_used_is_refused(attached: Clone, value: str) -> None:
    variables = {**attached.variables(STAGE), "TTL_ATTRIBUTE": value}
    attached.set_stage(STAGE, environment_variables=variables)
    assert f"TTL_ATTRIBUTE: {value!r}" in attached.error("backend", STAGE, "--ttl=yes")


@pytest.mark.parametrize("value", ["no", "true", "YES"])
def test_an_unknown_value_of_the_option_is_refused(clone: Clone, value: str) -> None:
    assert f"TTL={value} is not understood" in clone.error("backend", STAGE, f"--ttl={value}")


def test_a_missing_permission_is_named(clone: Clone, table: str) -> None:
    def refuse() -> Any:
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "not you"}}, "DescribeTimeToLive"
        )

    before = clone.snapshot()
    with dynamodb_answers("DescribeTimeToLive", refuse):
        error = clone.error("backend", STAGE, f"--table={table}")
    assert f"permission dynamodb:DescribeTimeToLive on the table {table}" in error
    assert clone.snapshot() == before


def test_a_ttl_that_is_being_turned_off_must_be_off_first(clone: Clone, table: str) -> None:
    answer = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLING", "AttributeName": "ttl"}}
    with dynamodb_answers("DescribeTimeToLive", lambda: answer) as called:
        error = clone.error("backend", STAGE, f"--table={table}", "--ttl=yes")
    assert "is being turned off" in error
    assert "UpdateTimeToLive" not in called
