"""`make destroy-backend`: delete the table and the user pool that the stage's own stack made.

Anything else that the stage records (an attached user pool, a restored table) is listed and kept.

The stack is deleted first. It retains the table, the user pool, the app client and the domain, so
that the deletion of a stack alone signs nobody out. Protection is lifted on each of them, and on
the stack, just before it is deleted. If the stack is gone, because the command was interrupted, the
tags of the table and of the recorded user pool show whether the stack made them.

The caller has checked that this is the account and region of the recorded user pool, so a recorded
resource that is not found here does not exist.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import boto3

from deploy import api, aws, backend, chalice_config, erasure, lookup, ownership, polling, stacks
from deploy.aws import report_aws_errors
from deploy.chalice_config import BackendRecord, Part
from deploy.counting import counted
from deploy.errors import DeploymentError
from deploy.lookup import UserPool
from deploy.stacks import Progress, Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

STACK_ID_TAG = "aws:cloudformation:stack-id"
"""The tag with which CloudFormation marks what a stack has made."""
DOMAIN_SECONDS = 60
"""How long to wait for Cognito to remove a domain."""


@dataclass(frozen=True)
class _OwnResources:
    """What the stage's stack made, as far as it still exists."""

    table: TableDescriptionTypeDef | None
    user_pool: UserPool | None

    @property
    def names(self) -> dict[Part, str]:
        """The name of the table and the id of the user pool."""
        names = {}
        if self.table is not None:
            names[Part.TABLE] = self.table["TableName"]
        if self.user_pool is not None:
            names[Part.USER_POOL] = self.user_pool["Id"]
        return names


def run(stage: str, confirmation: str, progress: Progress, role_arn: str = "") -> None:
    """Delete what the stage's stack made, after the confirmation, and remove its record.

    `confirmation` is the stage's name, or empty to ask for it on a terminal. `role_arn` is as in
    stacks.delete; what the stack retains is deleted with the shell's permissions. Raises
    DeploymentError.
    """
    if confirmation not in ("", stage):
        raise _not_confirmed(stage)
    name = backend.stack_name(stage)
    stack = stacks.describe_at_rest(name, progress)
    ownership.require_own(stack, name, stage)
    if api.is_deployed(stage):
        raise DeploymentError(
            f"the API still uses the backend. Delete the API first: make destroy STAGE={stage}"
        )
    api.refuse_unrecorded_function(stage)
    ids: dict[str, str] = {}
    if stack is not None:
        ids = stacks.physical_ids(name)
        _refuse_other_resources(name, ids)
    own = _own_resources(stage, name, stack, ids)
    kept = _kept_resources(stage, own)
    unclaimed = _unclaimed_resources(ids, own)
    if stack is None and not own.names:
        _complete_an_earlier_deletion(stage, name, kept)
        return
    _refuse_shared(stage, own)
    print(f"In the account {aws.account_id()}, region {boto3.session.Session().region_name}:")
    for line in _description(name, stack, own, sorted({*kept.values(), *unclaimed})):
        print(line)
    if _confirmation(stage, confirmation) != stage:
        raise _not_confirmed(stage)
    if stack is not None:
        if stack.is_protected:
            stacks.set_termination_protection(stack.stack_id, is_protected=False)
        stacks.delete(stack.stack_id, progress, role_arn)
        progress(f"{name} deleted")
    with report_aws_errors("deleting the table and the user pool"):
        _delete_table(own.table, progress)
        _delete_user_pool(own.user_pool, progress)
    _remove_from_record(stage, kept)
    print(f"What {name} made is deleted.")
    for text in kept.values():
        print(f"Kept, and still recorded in {chalice_config.FILE}: {text}.")


# --- what is deleted, and what is kept ------------------------------------------------------------


def _own_resources(
    stage: str, name: str, stack: Stack | None, ids: Mapping[str, str]
) -> _OwnResources:
    """Return what the stack made, as far as it still exists. Raises DeploymentError.

    `ids` are the physical ids of the stack's resources; empty if it was deleted.
    """
    own = _retained(stage, name) if stack is None else _made_by(stage, stack, ids)
    attached = chalice_config.backend_record(stage).attached
    if Part.TABLE in attached:
        own = replace(own, table=None)
    if Part.USER_POOL in attached:
        own = replace(own, user_pool=None)
    return own


def _made_by(stage: str, stack: Stack, ids: Mapping[str, str]) -> _OwnResources:
    """Return the table and the user pool that an existing stack lists and has made."""
    table = lookup.find_table(ids.get("Table", ""))
    if table is not None:
        tags = lookup.table_tags(table)
        if not _is_made_by(stage, stack, table["TableName"], tags):
            table = None
    user_pool = lookup.find_user_pool(ids.get("UserPool", ""))
    if user_pool is not None:
        tags = user_pool["UserPoolTags"]
        if not _is_made_by(stage, stack, user_pool["Id"], tags):
            user_pool = None
    return _OwnResources(table, user_pool)


def _is_made_by(stage: str, stack: Stack, resource: str, tags: Mapping[str, str]) -> bool:
    """Return whether a stack has made the resource with this name or id, and these tags.

    A stack also lists a table that existed before, and that made its creation fail; it has no
    outputs then.
    """
    if STACK_ID_TAG in tags:
        return tags[STACK_ID_TAG] == stack.stack_id
    if resource in stack.outputs.values():
        return True
    return ownership.has_tags_of(backend.stack_name(stage), stage, tags)


def _retained(stage: str, name: str) -> _OwnResources:
    """Return the table and the user pool that the stage's deleted stack has left."""
    table = lookup.find_table(chalice_config.resource_name(stage))
    if table is not None and not _is_left_by(stage, name, lookup.table_tags(table)):
        table = None
    return _OwnResources(table, _retained_user_pool(stage, name))


def _retained_user_pool(stage: str, name: str) -> UserPool | None:
    """Return the pool that the stage records, or else the only one that the deleted stack left."""
    recorded_id = _recorded_pool_id(stage)
    if recorded_id:
        recorded = lookup.find_user_pool(recorded_id)
        candidates = [] if recorded is None else [recorded]
    else:
        pool_ids = lookup.user_pools_named(chalice_config.resource_name(stage))
        candidates = [lookup.user_pool(pool_id) for pool_id in pool_ids]
    left = [pool for pool in candidates if _is_left_by(stage, name, pool["UserPoolTags"])]
    if len(left) == 1:
        return left[0]
    return None


def _is_left_by(stage: str, name: str, tags: Mapping[str, str]) -> bool:
    """Return whether a resource with these tags was made by a stack `name` that is deleted.

    CloudFormation's tag has the id of a stack, of which only the name is known here.
    """
    made_by = tags.get(STACK_ID_TAG)
    if made_by is not None and f":stack/{name}/" not in made_by:
        return False
    return ownership.has_tags_of(name, stage, tags)


def _refuse_other_resources(name: str, ids: Mapping[str, str]) -> None:
    """Refuse to delete a stack with resources that resources/backend.yaml does not declare."""
    others = sorted(set(ids) - set(backend.template()["Resources"]))
    if others:
        raise DeploymentError(
            f"the stack {name} has resources that resources/backend.yaml does not declare: "
            f"{', '.join(others)}. Delete the stack in the CloudFormation console, if they are not "
            "needed."
        )


def _kept_resources(stage: str, own: _OwnResources) -> dict[Part, str]:
    """Describe what the stage records and its stack did not make, as far as it exists."""
    kept = {}
    table = chalice_config.environment(stage).get("DYNAMODB_TABLE", "")
    if table != own.names.get(Part.TABLE) and lookup.find_table(table) is not None:
        kept[Part.TABLE] = f"the table {table}"
    pool_id = _recorded_pool_id(stage)
    if pool_id != own.names.get(Part.USER_POOL) and lookup.find_user_pool(pool_id) is not None:
        kept[Part.USER_POOL] = f"the user pool {pool_id}"
    return kept


def _unclaimed_resources(ids: Mapping[str, str], own: _OwnResources) -> list[str]:
    """Describe the table and the user pool that the stack lists and probably did not make."""
    unclaimed = []
    table = ids.get("Table", "")
    if own.table is None and lookup.find_table(table) is not None:
        unclaimed.append(f"the table {table}")
    pool_id = ids.get("UserPool", "")
    if own.user_pool is None and lookup.find_user_pool(pool_id) is not None:
        unclaimed.append(f"the user pool {pool_id}")
    return unclaimed


def _recorded_pool_id(stage: str) -> str:
    return chalice_config.pool_id_of(chalice_config.environment(stage))


def _refuse_shared(stage: str, own: _OwnResources) -> None:
    """Refuse to delete what another stage also records, such as an attached user pool."""
    values = {}
    if own.table is not None:
        values["DYNAMODB_TABLE"] = own.table["TableName"]
    if own.user_pool is not None:
        values["USER_POOL_ARN"] = own.user_pool["Arn"]
    for variable, value in values.items():
        others = chalice_config.stages_with(variable, value, other_than=stage)
        if others:
            raise DeploymentError(
                f"{value} is also recorded by the stage {' and '.join(others)}. Remove it there "
                f"first (in {chalice_config.FILE}), if that stage does not need it."
            )


def _description(
    name: str, stack: Stack | None, own: _OwnResources, kept: Sequence[str]
) -> list[str]:
    """The lines that say what is deleted, what AWS keeps of it, and what is kept."""
    lines = ["This deletes:"]
    if own.table is not None:
        table = own.table["TableName"]
        lines.append(
            f"  the table {table} with {_profile_count(own.table)}. If point-in-time recovery is "
            "on, AWS keeps a backup of it for 35 days."
        )
    if own.user_pool is not None:
        users = own.user_pool["EstimatedNumberOfUsers"]
        domains = "".join(f" and the domain {name}" for name in _domains(own.user_pool))
        lines.append(
            f"  the user pool {own.user_pool['Id']} with about {counted(users, 'user')}{domains}. "
            "AWS keeps a deleted user pool for 14 days: ask AWS Support to restore it."
        )
    if stack is not None:
        lines.append(f"  the stack {name}, with the app client and the sign-in page if it has them")
    if kept:
        lines.append(f"This keeps {' and '.join(kept)}, which the stack did not make.")
    return lines


def _profile_count(table: TableDescriptionTypeDef) -> str:
    """The number of profiles. DynamoDB updates its own count about every six hours."""
    count = table["ItemCount"]
    if count:
        return f"about {counted(count, 'profile')}"
    name = table["TableName"]
    with report_aws_errors(f"counting the profiles in {name}"):
        page = boto3.client("dynamodb").scan(TableName=name, Select="COUNT")  # at most 1 MB
    if "LastEvaluatedKey" in page:
        return f"more than {counted(page['Count'], 'profile')}"
    return counted(page["Count"], "profile")


def _not_confirmed(stage: str) -> DeploymentError:
    return DeploymentError(
        f"nothing was deleted. Set CONFIRM={stage}, or type {stage} when asked on a terminal."
    )


def _confirmation(stage: str, confirmation: str) -> str:
    if confirmation or not sys.stdin.isatty():
        return confirmation
    try:
        return input(f"Type the stage's name, {stage}, to delete this: ")
    except (EOFError, KeyboardInterrupt):
        print()
        return ""


# --- deleting -------------------------------------------------------------------------------------


def _delete_table(table: TableDescriptionTypeDef | None, progress: Progress) -> None:
    if table is None:
        return
    name = table["TableName"]
    client = boto3.client("dynamodb")
    try:
        if table.get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.get_waiter("table_exists").wait(TableName=name)
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        return
    progress("Table deleted")


def _delete_user_pool(pool: UserPool | None, progress: Progress) -> None:
    if pool is None:
        return
    pool_id = pool["Id"]
    current = lookup.find_user_pool(pool_id)
    if current is None:
        return
    client = boto3.client("cognito-idp")
    # Cognito does not delete a pool that has a domain, such as a custom one added later.
    for domain in _domains(current):
        client.delete_user_pool_domain(UserPoolId=pool_id, Domain=domain)
    try:
        polling.wait_until(
            lambda: not _domains(lookup.user_pool(pool_id)), timeout=DOMAIN_SECONDS, longest_pause=5
        )
    except TimeoutError as error:
        raise DeploymentError(
            f"Cognito has not removed the domain of the user pool {pool_id} yet. Run this command "
            "again."
        ) from error
    if current.get("DeletionProtection") == "ACTIVE":
        # This call resets the pool's other settings, which are deleted next.
        client.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
    client.delete_user_pool(UserPoolId=pool_id)
    progress("UserPool deleted")


def _domains(pool: UserPool) -> list[str]:
    return [pool[name] for name in ("Domain", "CustomDomain") if pool.get(name)]


# --- the record -----------------------------------------------------------------------------------


def _remove_from_record(stage: str, kept: Mapping[Part, str]) -> None:
    """Remove from the stage's record what was deleted.

    The variables of what was kept, or attached, stay. So do `parameters`, which the team wrote.
    """
    record = chalice_config.backend_record(stage)
    name = backend.stack_name(stage)
    adopted = [stack_id for stack_id in record.adopted_stacks if f":stack/{name}/" not in stack_id]
    record = replace(record, adopted_stacks=tuple(adopted))
    if Part.USER_POOL not in record.attached:
        record = replace(record, sign_in_domain="")
    if not record.attached:
        record = BackendRecord(parameters=record.parameters)
    chalice_config.record(stage, dict.fromkeys(_variables_of_deleted(stage, kept)), record)


def _variables_of_deleted(stage: str, kept: Mapping[Part, str]) -> list[str]:
    """Return the environment variables that name what no longer exists and was not attached."""
    attached = chalice_config.backend_record(stage).attached
    recorded = chalice_config.environment(stage)
    deleted = [
        variable
        for part, variables in backend.VARIABLES_OF_PART.items()
        for variable in variables
        if part not in kept and part not in attached and recorded.get(variable)
    ]
    if "USER_POOL_ARN" in deleted and erasure.is_on(recorded):
        # It was for this user pool. It must not hold for another one that is attached later.
        deleted.append(erasure.SETTING)
    return deleted


def _complete_an_earlier_deletion(stage: str, name: str, kept: Mapping[Part, str]) -> None:
    """Remove the record of what was deleted before. Raises DeploymentError if there is none."""
    # Without the user pool's ARN, this may be another account, where nothing is found.
    has_known_account = bool(_recorded_pool_id(stage))
    if has_known_account and _variables_of_deleted(stage, kept):
        _remove_from_record(stage, kept)
        print(f"What {name} made was deleted before. Its record is removed.")
        for text in kept.values():
            print(f"Kept, and still recorded in {chalice_config.FILE}: {text}.")
        return
    reason = f"the stack {name} does not exist in this account and region"
    if kept:
        reason += (
            f". The stage records {' and '.join(kept.values())}, which that stack did not make, so "
            "they are kept"
        )
    raise DeploymentError(f"there is nothing to delete: {reason}.")
