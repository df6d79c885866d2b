"""`make backend` in a job of CI, which loses the files that the command writes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.deployed.conftest import Clone


def test_a_job_in_ci_does_not_make_the_first_backend(clone: Clone) -> None:
    before = clone.snapshot()
    assert "Run the command on your machine" in clone.error("backend", "dev", CI="true")
    assert clone.stack("dev-backend") is None
    assert clone.snapshot() == before


def test_a_job_in_ci_updates_a_recorded_backend(clone: Clone) -> None:
    clone.run("backend", "dev")
    output = clone.run("backend", "dev", "--parameters=IdTokenMinutes=15", CI="true")
    assert "Nothing to record" in output
    stack = clone.stack("dev-backend")
    assert stack is not None
    assert stack.parameters["IdTokenMinutes"] == "15"


def test_a_job_in_ci_fails_if_the_record_changes(clone: Clone) -> None:
    clone.run("backend", "dev")
    clone.set_stage("dev", environment_variables={**clone.variables("dev"), "PUBLIC_FIELDS": "a"})
    message = clone.error("backend", "dev", CI="true")
    assert "this CI job loses what it recorded" in message
    assert ".chalice/policy-dev.json" in message


def test_a_job_in_ci_adopts_no_stack(clone: Clone, new_clone: Callable[..., Clone]) -> None:
    clone.run("backend", "dev")
    second = new_clone(clone.app_name)
    assert "Nothing was changed" in second.error("backend", "dev", "--adopt=yes", CI="true")


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_outside_of_ci_the_first_backend_is_made(clone: Clone, value: str) -> None:
    assert "Recorded in" in clone.run("backend", "dev", CI=value)
