"""`make destroy-backend`: delete the table and the user pool that the stage's own stack made.

Anything else that the stage records (an attached user pool, a restored table) is named and left.

The stack is deleted first. It retains the table and the user pool, and protection is lifted on each
just before it is deleted. If the stack is gone, because the command was interrupted, the tags of the
table and of the recorded user pool show whether the stack made them.

The caller has checked that this is the account and region of the recorded backend: what is not
found here does not exist.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import boto3
from botocore.exceptions import ClientError

from deploy import api, backend, chalice_config, ownership, stacks
from deploy.aws import report_aws_errors
from deploy.chalice_config import TABLE, USER_POOL, BackendRecord
from deploy.errors import DeploymentError
from deploy.stacks import Progress, Stack

VARIABLES = {
    TABLE: ("DYNAMODB_TABLE",),
    USER_POOL: ("USER_POOL_ARN", "USER_POOL_CLIENT_ID"),
}
"""The environment variables that record each part of the backend."""
MAX_PAGES_TO_COUNT = 5
"""Pages of 1 MB to count profiles, if DynamoDB's own count is 0, which may be hours old."""


@dataclass(frozen=True)
class _Made:
    """What the stage's stack made, as far as it still exists. An empty text stands for nothing."""

    table: str
    pool_id: str


def run(stage: str, confirmation: str, progress: Progress) -> None:
    """Run the command. `confirmation` is the stage's name, or empty to ask for it on a terminal.

    Raises DeploymentError.
    """
    name = backend.stack_name(stage)
    if api.is_deployed(stage):
        raise DeploymentError(
            f"the API still uses the backend. Delete the API first: make destroy STAGE={stage}"
        )
    stack = stacks.describe(name)
    ownership.require_own(stack, name, stage)
    made = _made_by_stack(stage, name, stack)
    left = _left(stage, made)
    if stack is None and made == _Made("", ""):
        _complete_an_earlier_deletion(stage, name, left)
        return
    for line in _description(name, stack, made, left):
        print(line)
    if _confirmation(stage, confirmation) != stage:
        raise DeploymentError(
            f"nothing was deleted. Set CONFIRM={stage}, or type {stage} at the prompt."
        )
    stacks.delete(name, progress)
    with report_aws_errors("deleting the table and the user pool"):
        _delete_table(made.table, progress)
        _delete_user_pool(made.pool_id, progress)
    _forget(stage, left)
    print(f"What {name} made is deleted.")
    for thing in left.values():
        print(f"Left, and still recorded in {chalice_config.FILE}: {thing}.")


# --- what is deleted, and what is left ------------------------------------------------------------


def _made_by_stack(stage: str, name: str, stack: Stack | None) -> _Made:
    """Return what the stack made and that still exists. Raises DeploymentError."""
    if stack is not None:
        ids = stacks.physical_ids(name)
        return _Made(
            table=_if_exists(_describe_table, ids.get("Table", "")),
            pool_id=_if_exists(_describe_user_pool, ids.get("UserPool", "")),
        )
    # The stack was deleted and has left both. Its tags are on them.
    attached = chalice_config.backend_record(stage).attached
    own_tags = {
        **ownership.names(stage),
        ownership.OWNER_TAG: chalice_config.owner_id(),
    }
    table = f"{chalice_config.app_name()}-{stage}"
    if TABLE in attached or not own_tags.items() <= _table_tags(table).items():
        table = ""
    pool_id = _recorded_pool_id(stage)
    if USER_POOL in attached or not own_tags.items() <= _pool_tags(pool_id).items():
        pool_id = ""
    return _Made(table, pool_id)


def _left(stage: str, made: _Made) -> dict[str, str]:
    """Return what the stage records and its stack did not make, and that exists, by its part."""
    recorded = chalice_config.environment(stage)
    left = {}
    table = recorded.get("DYNAMODB_TABLE", "")
    if table != made.table and _if_exists(_describe_table, table):
        left[TABLE] = f"the table {table}"
    pool_id = _recorded_pool_id(stage)
    if pool_id != made.pool_id and _if_exists(_describe_user_pool, pool_id):
        left[USER_POOL] = f"the user pool {pool_id}"
    return left


def _recorded_pool_id(stage: str) -> str:
    recorded = chalice_config.environment(stage).get("USER_POOL_ARN", "")
    return recorded.rpartition("/")[2]


def _description(name: str, stack: Stack | None, made: _Made, left: dict[str, str]) -> list[str]:
    """The lines that say what is deleted, what AWS keeps, and what is left."""
    lines = ["This deletes:"]
    if made.table:
        lines.append(
            f"  the table {made.table} with {_profile_count(made.table)}. AWS keeps a backup of it "
            "for 35 days."
        )
    if made.pool_id:
        lines.append(
            f"  the user pool {made.pool_id} with {_user_count(made.pool_id)}. AWS keeps a deleted "
            "user pool for 14 days; ask AWS Support to restore it."
        )
    if stack is not None:
        lines.append(f"  the stack {name}, with the app client and the sign-in page if it has them")
    if left:
        lines.append(f"This leaves: {' and '.join(left.values())}, which the stack did not make.")
    return lines


def _profile_count(table: str) -> str:
    """The number of profiles. DynamoDB updates its own count about every six hours."""
    client = boto3.client("dynamodb")
    with report_aws_errors(f"counting the profiles in {table}"):
        count = client.describe_table(TableName=table)["Table"]["ItemCount"]
        if count:
            return f"about {count:,} profiles"
        pages = client.get_paginator("scan").paginate(TableName=table, Select="COUNT")
        for number, page in enumerate(pages, start=1):
            count += page["Count"]
            if number == MAX_PAGES_TO_COUNT and "LastEvaluatedKey" in page:
                return f"more than {count:,} profiles"
    return f"{count:,} profiles"


def _user_count(pool_id: str) -> str:
    with report_aws_errors(f"counting the users of {pool_id}"):
        pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return f"about {pool['EstimatedNumberOfUsers']:,} users"


def _if_exists(describe: Callable[[str], object], name: str) -> str:
    """Return the name if AWS describes it, else an empty text. Raises DeploymentError."""
    if not name:
        return ""
    with report_aws_errors(f"looking for {name}"):
        try:
            describe(name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return ""
            raise
    return name


def _describe_table(name: str) -> object:
    return boto3.client("dynamodb").describe_table(TableName=name)


def _describe_user_pool(pool_id: str) -> object:
    return boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)


def _table_tags(name: str) -> dict[str, str]:
    """The table's tags; none if it does not exist."""
    if not _if_exists(_describe_table, name):
        return {}
    client = boto3.client("dynamodb")
    with report_aws_errors(f"reading the tags of {name}"):
        arn = client.describe_table(TableName=name)["Table"]["TableArn"]
        tags = client.list_tags_of_resource(ResourceArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def _pool_tags(pool_id: str) -> dict[str, str]:
    """The user pool's tags; none if it does not exist."""
    if not _if_exists(_describe_user_pool, pool_id):
        return {}
    with report_aws_errors(f"reading the tags of {pool_id}"):
        pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return dict(pool.get("UserPoolTags", {}))


def _confirmation(stage: str, confirmation: str) -> str:
    if confirmation or not sys.stdin.isatty():
        return confirmation
    try:
        return input(f"Type the stage's name, {stage}, to delete this: ")
    except EOFError:
        return ""


# --- deleting -------------------------------------------------------------------------------------


def _delete_table(name: str, progress: Progress) -> None:
    if not name:
        return
    client = boto3.client("dynamodb")
    try:
        table = client.describe_table(TableName=name)["Table"]
        if table.get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.get_waiter("table_exists").wait(TableName=name)
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        return
    progress("Table deleted")


def _delete_user_pool(pool_id: str, progress: Progress) -> None:
    if not pool_id:
        return
    client = boto3.client("cognito-idp")
    try:
        pool = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
        # Cognito does not delete a pool that has a domain, such as a custom one added later.
        for domain in (pool.get("Domain"), pool.get("CustomDomain")):
            if domain:
                client.delete_user_pool_domain(UserPoolId=pool_id, Domain=domain)
        # This call resets the pool's other settings, which are deleted next.
        client.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
        client.delete_user_pool(UserPoolId=pool_id)
    except client.exceptions.ResourceNotFoundException:
        return
    progress("UserPool deleted")


def _forget(stage: str, left: dict[str, str]) -> None:
    """Remove from the stage's record what was deleted. What was left, or attached, stays.

    `parameters` stay: the team wrote them.
    """
    record = chalice_config.backend_record(stage)
    if USER_POOL not in record.attached:
        record = replace(record, sign_in_domain="")
    if not record.attached:
        record = BackendRecord(parameters=record.parameters)
    gone = dict.fromkeys(_recorded_and_gone(stage, left))
    chalice_config.record(stage, gone, record)


def _recorded_and_gone(stage: str, left: dict[str, str]) -> list[str]:
    """Return the environment variables that name what no longer exists and was not attached."""
    attached = chalice_config.backend_record(stage).attached
    recorded = chalice_config.environment(stage)
    return [
        variable
        for part, variables in VARIABLES.items()
        for variable in variables
        if part not in left and part not in attached and recorded.get(variable)
    ]


def _complete_an_earlier_deletion(stage: str, name: str, left: dict[str, str]) -> None:
    """Remove the record of what was deleted before. Raises DeploymentError if there is none."""
    if _recorded_and_gone(stage, left):
        _forget(stage, left)
        print(f"What {name} made was deleted before. Its record is removed.")
        return
    reason = f"the stack {name} does not exist in this account and region"
    if left:
        reason += (
            f". The stage records {' and '.join(left.values())}, without the tags of that stack; "
            "if you do not need them, delete them yourself"
        )
    raise DeploymentError(f"there is nothing to delete: {reason}.")
