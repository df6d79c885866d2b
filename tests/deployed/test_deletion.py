"""`make destroy-backend`: what it deletes, what it leaves, and what it says first."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib import items
from deploy import stacks
from deploy.errors import DeploymentError
from tests.deployed import existing
from tests.deployed.conftest import Clone

STAGE = "dev"
CONFIRMED = ("destroy-backend", STAGE, f"--confirm={STAGE}")


def own_table(clone: Clone) -> str:
    return f"{clone.app_name}-{STAGE}"


def pool_id(clone: Clone) -> str:
    return clone.pool_id(STAGE)


def restore_table(clone: Clone) -> str:
    """Record another table, as docs/operating.md describes after a restore; return its name."""
    restored = existing.create_table()
    variables = {**clone.variables(STAGE), "DYNAMODB_TABLE": restored}
    clone.set_stage(STAGE, environment_variables=variables)
    clone.run("backend", STAGE)
    return restored


def test_it_says_what_it_deletes_and_what_aws_keeps(clone: Clone) -> None:
    clone.run("backend", STAGE)
    cognito = boto3.client("cognito-idp")
    dynamodb = boto3.client("dynamodb")
    for number in range(3):
        cognito.admin_create_user(UserPoolId=pool_id(clone), Username=f"{number}@example.com")
        dynamodb.put_item(TableName=own_table(clone), Item=items.profile_key(str(number)))
    before = clone.snapshot()

    refused = clone.outcome("destroy-backend", STAGE, "--confirm=prod")

    assert "nothing was deleted" in refused
    assert clone.snapshot() == before
    output = clone.run(*CONFIRMED)
    description = output.partition(f"{clone.app_name}-{STAGE}-backend")[0]
    assert f"the table {own_table(clone)} with about 3 profiles" in description
    assert "with about 3 users" in description
    assert "AWS keeps a backup of it for 35 days" in description
    assert "AWS keeps a deleted user pool for 14 days" in description


def test_it_deletes_protected_things_and_forgets_them(clone: Clone) -> None:
    clone.run("backend", STAGE, "--callback-urls=https://app.example.com")
    pool = pool_id(clone)
    clone.run(*CONFIRMED)
    assert not existing.table_exists(own_table(clone))
    assert not existing.pool_exists(pool)
    assert clone.stage(STAGE) == {"environment_variables": {}}
    assert "nothing to delete" in clone.error(*CONFIRMED)
    clone.run("backend", STAGE)


def test_the_parameters_of_the_record_stay(clone: Clone) -> None:
    clone.set_stage(STAGE, backend={"parameters": {"IdTokenMinutes": "15"}})
    clone.run("backend", STAGE)
    clone.run(*CONFIRMED)
    assert clone.stage(STAGE)["backend"] == {"parameters": {"IdTokenMinutes": "15"}}


def test_a_restored_table_is_named_and_left(clone: Clone) -> None:
    clone.run("backend", STAGE)
    restored = restore_table(clone)

    output = clone.run(*CONFIRMED)

    assert f"the table {own_table(clone)} with" in output
    assert f"This keeps the table {restored}" in output
    assert not existing.table_exists(own_table(clone))
    assert existing.table_exists(restored)
    assert clone.variables(STAGE) == {"DYNAMODB_TABLE": restored}
    # The table is not forgotten and not replaced by a new one.
    assert f"the table {restored}" in clone.error("backend", STAGE)
    clone.run("backend", STAGE, f"--table={restored}")
    assert clone.variables(STAGE)["DYNAMODB_TABLE"] == restored


def test_a_table_of_another_stage_is_not_recorded_by_hand(clone: Clone) -> None:
    """Two stages would change the same profiles. A restored table has no tags."""
    clone.run("backend", STAGE)
    clone.run("backend", "prod", "--callback-urls=https://app.example.com")
    table = clone.variables("prod")["DYNAMODB_TABLE"]
    clone.set_stage("prod", environment_variables={})
    variables = {**clone.variables(STAGE), "DYNAMODB_TABLE": table}
    clone.set_stage(STAGE, environment_variables=variables)
    assert "user-profile:stage=prod" in clone.error("backend", STAGE)


def test_a_pool_and_table_recorded_by_hand_are_left(clone: Clone) -> None:
    pool = existing.create_pool()
    table = existing.create_table()
    recorded = {"USER_POOL_ARN": pool.arn, "DYNAMODB_TABLE": table}
    clone.set_stage(STAGE, environment_variables=recorded)
    error = clone.error(*CONFIRMED)
    assert "nothing to delete" in error
    assert f"the table {table} and the user pool {pool.pool_id}" in error
    assert pool.describe()["DeletionProtection"] == "ACTIVE"
    assert existing.table_exists(table)
    assert clone.variables(STAGE) == recorded


def test_a_copied_stage_does_not_delete_the_original(clone: Clone) -> None:
    clone.run("backend", STAGE)
    clone.set_stage("copy", **clone.stage(STAGE))
    error = clone.error("destroy-backend", "copy", "--confirm=copy")
    assert f"the table {own_table(clone)}" in error
    assert existing.table_exists(own_table(clone))
    assert existing.pool_exists(pool_id(clone))


def test_a_pool_that_another_stage_has_attached_is_not_deleted(clone: Clone) -> None:
    clone.run("backend", STAGE)
    pool = pool_id(clone)
    client_id = existing.create_client(pool)
    options = [f"--user-pool-id={pool}", f"--user-pool-client-id={client_id}"]
    clone.run("backend", "prod", *options, f"--table={existing.create_table()}")
    error = clone.error(*CONFIRMED)
    assert f"userpool/{pool} is also recorded by the stage prod" in error
    assert existing.pool_exists(pool)
    assert existing.table_exists(own_table(clone))


def test_a_failed_deletion_keeps_the_record(clone: Clone) -> None:
    clone.run("backend", STAGE)
    clone.set_stage("copy", **clone.stage(STAGE))
    before = clone.snapshot()
    assert "nothing to delete" in clone.error("destroy-backend", "copy", "--confirm=copy")
    assert clone.snapshot() == before


def test_a_restored_table_is_not_forgotten_in_another_account(clone: Clone) -> None:
    """Only the table is recorded, which does not show the account; here it does not exist."""
    recorded = {"DYNAMODB_TABLE": "restored"}
    clone.set_stage(STAGE, environment_variables=recorded)
    assert "nothing to delete" in clone.error(*CONFIRMED)
    assert clone.variables(STAGE) == recorded


def test_a_pool_with_a_custom_domain_is_deleted(clone: Clone) -> None:
    """Cognito refuses to delete a pool that has a domain."""
    clone.run("backend", STAGE)
    pool = pool_id(clone)
    domain = f"{existing.unique('auth')}.example.com"
    boto3.client("cognito-idp").create_user_pool_domain(
        Domain=domain,
        UserPoolId=pool,
        CustomDomainConfig={"CertificateArn": existing.CERTIFICATE},
    )
    clone.run(*CONFIRMED)
    assert not existing.pool_exists(pool)


def test_a_pool_that_was_never_recorded_is_found(clone: Clone) -> None:
    """The first command was interrupted before the record, and the stack was deleted."""
    clone.run("backend", STAGE)
    pool = pool_id(clone)
    clone.set_stage(STAGE, environment_variables={})
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    output = clone.run(*CONFIRMED)
    assert f"the user pool {pool} with" in output
    assert not existing.pool_exists(pool)


@pytest.mark.parametrize("left", ["table and pool", "pool", "nothing"])
def test_an_interrupted_deletion_is_completed(clone: Clone, left: str) -> None:
    clone.run("backend", STAGE)
    pool, table = pool_id(clone), own_table(clone)
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    if left != "table and pool":
        dynamodb = boto3.client("dynamodb")
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
    if left == "nothing":
        cognito = boto3.client("cognito-idp")
        cognito.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
        cognito.delete_user_pool(UserPoolId=pool)

    output = clone.run(*CONFIRMED)

    assert (f"the user pool {pool} with" in output) == (left != "nothing")
    assert not existing.table_exists(table)
    assert not existing.pool_exists(pool)
    assert clone.stage(STAGE) == {"environment_variables": {}}


def test_an_interrupted_deletion_leaves_a_restored_table(clone: Clone) -> None:
    clone.run("backend", STAGE)
    restored = restore_table(clone)
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    output = clone.run(*CONFIRMED)
    assert f"the table {own_table(clone)} with" in output
    assert existing.table_exists(restored)
    assert clone.variables(STAGE) == {"DYNAMODB_TABLE": restored}


def test_a_retained_backend_is_not_replaced_by_a_new_one(clone: Clone) -> None:
    """Somebody has deleted the stack, which retains the table and the user pool."""
    clone.run("backend", STAGE)
    pool, table = pool_id(clone), own_table(clone)
    client_id = clone.variables(STAGE)["USER_POOL_CLIENT_ID"]
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    before = clone.snapshot()
    error = clone.error("backend", STAGE)
    assert f"the user pool {pool} and the table {table}" in error
    assert clone.snapshot() == before
    # Both can be attached, and are then never deleted. Front ends keep their client and domain.
    cognito = boto3.client("cognito-idp")
    cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client_id)
    assert cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["Domain"]
    clone.run(
        "backend",
        STAGE,
        f"--user-pool-id={pool}",
        f"--user-pool-client-id={client_id}",
        f"--table={table}",
    )
    assert clone.variables(STAGE)["DYNAMODB_TABLE"] == table
    assert "nothing to delete" in clone.error(*CONFIRMED)
    assert existing.table_exists(table)
    assert existing.pool_exists(pool)


def test_a_stack_is_protected_until_its_deletion_is_confirmed(clone: Clone) -> None:
    clone.run("backend", STAGE)
    name = f"{clone.app_name}-{STAGE}-backend"
    cloudformation = boto3.client("cloudformation")
    with pytest.raises(ClientError, match="TerminationProtection"):
        cloudformation.delete_stack(StackName=name)
    clone.outcome("destroy-backend", STAGE)
    stack = clone.stack(f"{STAGE}-backend")
    assert stack is not None
    assert stack.is_protected
    clone.run(*CONFIRMED)
    assert clone.stack(f"{STAGE}-backend") is None


def test_a_stack_of_an_earlier_version_is_protected(clone: Clone) -> None:
    clone.run("backend", STAGE)
    name = f"{clone.app_name}-{STAGE}-backend"
    cloudformation = boto3.client("cloudformation")
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    clone.run("backend", STAGE)
    stack = clone.stack(f"{STAGE}-backend")
    assert stack is not None
    assert stack.is_protected


def test_a_stack_without_deletion_protection_is_not_protected(clone: Clone) -> None:
    clone.run("backend", STAGE, OPTION_PARAMETERS="DeletionProtection=false")
    stack = clone.stack(f"{STAGE}-backend")
    assert stack is not None
    assert not stack.is_protected


def test_a_protection_that_aws_refuses_is_reported_at_the_end(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, *, is_protected: bool) -> None:
        raise DeploymentError("AWS refused UpdateTerminationProtection: not you")

    monkeypatch.setattr(stacks, "set_termination_protection", refuse)
    assert "UpdateTerminationProtection: not you" in clone.error("backend", STAGE)
    assert clone.variables(STAGE)["DYNAMODB_TABLE"], "the backend is recorded all the same"


def test_a_refused_deletion_leaves_everything(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lifting the stack's protection is the first change."""
    clone.run("backend", STAGE)

    def refuse(name: str, *, is_protected: bool) -> None:
        raise DeploymentError("AWS refused UpdateTerminationProtection: not you")

    monkeypatch.setattr(stacks, "set_termination_protection", refuse)
    before = clone.snapshot()
    assert "UpdateTerminationProtection" in clone.error(*CONFIRMED)
    description = boto3.client("dynamodb").describe_table(TableName=own_table(clone))["Table"]
    assert description["DeletionProtectionEnabled"]
    assert clone.snapshot() == before
