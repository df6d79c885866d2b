"""The examples of docs/deploying.md for existing things and shared accounts, and those of
docs/settings.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import boto3

from tests.deployed import existing
from tests.deployed.conftest import GUIDE, Clone
from tests.support.documents import DOCS, commands

SETTINGS = DOCS / "settings.md"


def run_documented(clone: Clone, heading: str, guide: Path = GUIDE, **values: str) -> list[str]:
    """Run the commands below a heading, with other values for some variables; return the outputs.

    The guide's values name things that do not exist here.
    """
    outputs = []
    for documented in commands(guide, heading):
        command = documented
        for name, value in values.items():
            command = re.sub(rf"\b{name}=\S+", f"{name}={value}", command)
        outputs.append(clone.account.run_documented(command))
    return outputs


def test_settings_of_the_user_pool(clone: Clone) -> None:
    clone.run("backend", "prod")
    run_documented(clone, "Settings of the user pool", SETTINGS)
    stack = clone.stack("prod-backend")
    assert stack is not None
    assert stack.parameters["MfaConfiguration"] == "OPTIONAL"
    assert stack.parameters["IdTokenMinutes"] == "15"


def test_settings_of_the_api(clone: Clone) -> None:
    clone.run("backend", "prod")
    run_documented(clone, "Settings of the API", SETTINGS)
    stack = clone.stack("prod")
    assert stack is not None
    assert stack.parameters["ThrottleRate"] == "200"
    assert stack.parameters["ThrottleBurst"] == "400"


def test_your_own_user_pool(clone: Clone) -> None:
    pool = existing.create_pool()
    run_documented(
        clone,
        "Use your own user pool",
        USER_POOL_ID=pool.pool_id,
        USER_POOL_CLIENT_ID=pool.client_id,
    )
    assert clone.variables("prod")["USER_POOL_ARN"] == pool.arn
    assert clone.stack("prod") is not None


def test_your_own_table(clone: Clone) -> None:
    table = existing.create_table()
    run_documented(clone, "Use your own table", TABLE=table)
    assert clone.variables("prod")["DYNAMODB_TABLE"] == table
    assert clone.stack("prod") is not None


def test_a_shared_account(clone: Clone, new_clone: Callable[..., Clone]) -> None:
    clone.run("backend", "dev")
    second = new_clone(clone.app_name)
    adopted, recorded = run_documented(second, "Share an account")
    assert "Adopted" in adopted
    assert "Recorded" in recorded
    assert second.variables("dev") == clone.variables("dev")


def test_a_failed_first_backend_can_be_tried_again(clone: Clone) -> None:
    """The sign-in domain belongs to another user pool."""
    other = existing.create_pool(with_domain=False)
    client = boto3.client("cognito-idp")
    client.create_user_pool_domain(Domain=f"{clone.app_name}-dev-taken", UserPoolId=other.pool_id)
    assert "UserPoolDomain" in clone.error("backend", "dev", "--domain-suffix=taken")
    clone.run("destroy-backend", "dev", "--confirm=dev")
    clone.run("backend", "dev", "--domain-suffix=free")
