"""Whether a stage erases accounts: what `make backend` records, grants and explains."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.deployed import existing
from tests.deployed.conftest import Clone
from tests.deployed.existing import ExistingPool

STAGE = "dev"
ROLE = "arn:aws:iam::000000000000:role/profiles"
ERASING_STATEMENTS = {"MarkErasedAccounts", "EraseAccounts"}


def policy_of(clone: Clone) -> dict[str, Any]:
    """The statements in the stage's policy file, by their Sids."""
    document = json.loads((clone.folder / f".chalice/policy-{STAGE}.json").read_text())
    return {statement["Sid"]: statement for statement in document["Statement"]}


def notes_about(text: str, output: str) -> list[str]:
    """The notes in the output of a command that contain a text."""
    return [
        line for line in output.splitlines() if line.startswith("Note: ERASURE") and text in line
    ]


@pytest.fixture
def pool() -> ExistingPool:
    return existing.create_pool()


def test_users_of_the_stages_own_pool_can_be_erased(clone: Clone) -> None:
    output = clone.run("backend", STAGE)
    assert clone.variables(STAGE)["ERASURE"] == "account"
    assert policy_of(clone)["EraseAccounts"]["Resource"] == clone.variables(STAGE)["USER_POOL_ARN"]
    assert "ERASURE              account" in output
    assert notes_about("", output) == []


def test_users_of_an_attached_pool_are_kept(clone: Clone, pool: ExistingPool) -> None:
    output = clone.run("backend", STAGE, *pool.options)
    assert clone.variables(STAGE)["ERASURE"] == "off"
    assert ERASING_STATEMENTS.isdisjoint(policy_of(clone))
    (note,) = notes_about(f"the user pool {pool.pool_id}", output)
    assert "DELETE /user and DELETE /users/{sub}" in note
    assert "set ERASURE to account in .chalice/config.json" in note
    assert notes_about("", clone.run("backend", STAGE)) == [], "it is explained once"


def test_a_team_can_choose_to_erase_users_of_an_attached_pool(
    clone: Clone, pool: ExistingPool
) -> None:
    clone.run("backend", STAGE, *pool.options)
    clone.set_stage(STAGE, environment_variables={**clone.variables(STAGE), "ERASURE": "account"})
    assert f"make backend STAGE={STAGE}" in clone.error("package", STAGE)
    output = clone.run("backend", STAGE)
    (note,) = notes_about("for all apps that share it", output)
    assert pool.pool_id in note
    assert policy_of(clone)["EraseAccounts"]["Resource"] == pool.arn
    clone.run("package", STAGE)


@pytest.mark.parametrize("is_attached", [True, False])
@pytest.mark.parametrize("choice", ["account", "off"])
@pytest.mark.parametrize("is_for_all_stages", [True, False])
def test_a_teams_own_choice_is_kept(
    clone: Clone, pool: ExistingPool, choice: str, *, is_attached: bool, is_for_all_stages: bool
) -> None:
    variables = {"ERASURE": choice}
    if is_for_all_stages:
        clone.configure(
            environment_variables={**clone.config["environment_variables"], **variables}
        )
    else:
        clone.set_stage(STAGE, environment_variables=variables)
    clone.run("backend", STAGE, *(pool.options if is_attached else []))
    recorded = clone.variables(STAGE)
    assert recorded.get("ERASURE") == (None if is_for_all_stages else choice)
    assert ("EraseAccounts" in policy_of(clone)) == (choice == "account")


@pytest.mark.parametrize("value", ["on", "Account", "true", " "])
def test_an_unknown_value_is_refused(clone: Clone, value: str) -> None:
    clone.set_stage(STAGE, environment_variables={"ERASURE": value})
    before = clone.snapshot()
    error = clone.error("backend", STAGE)
    assert f'ERASURE: {value!r} is neither "account" nor "off"' in error
    assert clone.snapshot() == before
    assert clone.stack(f"{STAGE}-backend") is None


def test_a_stage_of_an_earlier_version_is_advised(clone: Clone) -> None:
    clone.run("backend", STAGE)
    variables = clone.variables(STAGE)
    del variables["ERASURE"]
    clone.set_stage(STAGE, environment_variables=variables)
    advice = f"the stage {STAGE} has no ERASURE"
    done = clone.chalice("package", "out/earlier")
    assert done.returncode == 0, done.stderr
    assert advice in done.stderr
    assert f"make backend STAGE={STAGE}" in done.stderr
    clone.run("backend", STAGE)
    assert advice not in clone.chalice("package", "out/earlier").stderr


def test_turning_it_off_takes_the_rights_away(clone: Clone) -> None:
    clone.run("backend", STAGE)
    clone.set_stage(STAGE, environment_variables={**clone.variables(STAGE), "ERASURE": "off"})
    done = clone.chalice("package", "out/off")
    assert done.returncode == 0, done.stderr
    assert "has the statement EraseAccounts" in done.stderr
    assert f"make backend STAGE={STAGE}" in done.stderr
    clone.run("backend", STAGE)
    assert ERASING_STATEMENTS.isdisjoint(policy_of(clone))
    assert "EraseAccounts" not in clone.chalice("package", "out/off").stderr


def test_a_role_of_the_teams_own_needs_the_statements(clone: Clone) -> None:
    clone.set_stage(STAGE, manage_iam_role=False, iam_role_arn=ROLE)
    (note,) = notes_about("a role of its own", clone.run("backend", STAGE))
    assert f".chalice/policy-{STAGE}.json" in note
    assert set(policy_of(clone)) > ERASING_STATEMENTS


def test_a_deleted_pools_choice_is_not_for_the_next_pool(clone: Clone, pool: ExistingPool) -> None:
    clone.run("backend", STAGE)
    clone.run("destroy-backend", STAGE, f"--confirm={STAGE}")
    clone.run("backend", STAGE, *pool.options)
    assert clone.variables(STAGE)["ERASURE"] == "off"


def test_users_stay_safe_after_the_pool_is_made_again(clone: Clone) -> None:
    clone.set_stage(STAGE, environment_variables={"ERASURE": "off"})
    clone.run("backend", STAGE)
    clone.run("destroy-backend", STAGE, f"--confirm={STAGE}")
    clone.run("backend", STAGE)
    assert clone.variables(STAGE)["ERASURE"] == "off"
