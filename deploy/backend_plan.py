"""What of a stage's backend the stack makes, and what existed before: decided and checked.

Nothing here changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy import attachment, backend, chalice_config, lookup, ownership
from deploy.attachment import AttachedPool
from deploy.chalice_config import Part
from deploy.errors import DeploymentError
from deploy.stacks import Stack


@dataclass(frozen=True)
class Request:
    """The options of `make backend`. An option that was not given is an empty text, or False."""

    stage: str
    user_pool_id: str = ""
    client_ids: str = ""
    """Separated by commas."""
    sign_in_domain: str = ""
    table: str = ""
    domain_suffix: str = ""
    callback_urls: str = ""
    logout_urls: str = ""
    parameters: str = ""
    """Parameters of resources/backend.yaml: "MfaConfiguration=OPTIONAL IdTokenMinutes=15"."""
    overwrite: bool = False
    """Whether to reset settings of the live user pool that were changed elsewhere."""
    ttl: bool = False
    """Whether to turn on TTL of a table that the stage's stack did not make."""
    role_arn: str = ""
    """The role with which CloudFormation changes the stage's stack."""


@dataclass(frozen=True)
class Plan:
    """What is attached. The stage's stack makes the rest."""

    pool_id: str = ""
    """The attached user pool's id. Empty: the stack makes a user pool."""
    client_ids: tuple[str, ...] = ()
    sign_in_domain: str = ""
    """The host or prefix that was given. Empty: the recorded one, or else the pool's own."""
    table: str = ""
    """The attached table's name. Empty: the stack makes a table."""

    @property
    def attached(self) -> tuple[Part, ...]:
        """The parts that existed before."""
        names = {Part.TABLE: self.table, Part.USER_POOL: self.pool_id}
        return tuple(part for part, name in names.items() if name)

    def makes(self, part: Part) -> bool:
        """Return whether the stack makes this part."""
        return part not in self.attached

    @property
    def needs_stack(self) -> bool:
        """Whether the stack makes anything."""
        return any(self.makes(part) for part in Part)


@dataclass(frozen=True)
class _PartNames:
    """How a part is called in the stack and among the options."""

    output: str
    parameter: str
    option: str


NAMES = {
    Part.TABLE: _PartNames("TableName", "MakeTable", "TABLE"),
    Part.USER_POOL: _PartNames("UserPoolId", "MakeUserPool", "USER_POOL_ID"),
}


def make_plan(request: Request, stack: Stack | None) -> Plan:
    """Combine the options with the stage's record, and refuse what does not fit together.

    `stack` is the stage's backend stack. Raises DeploymentError.
    """
    stage = request.stage
    record = chalice_config.backend_record(stage)
    recorded = chalice_config.environment(stage)
    table = request.table
    if table or Part.TABLE in record.attached:
        table = _attached_name(stage, Part.TABLE, table, recorded.get("DYNAMODB_TABLE", ""))
    pool_id = request.user_pool_id
    client_ids = request.client_ids
    if pool_id or Part.USER_POOL in record.attached:
        recorded_id = chalice_config.pool_id_of(recorded)
        pool_id = _attached_name(stage, Part.USER_POOL, pool_id, recorded_id)
        client_ids = client_ids or recorded.get("USER_POOL_CLIENT_ID", "")
    plan = Plan(
        pool_id=pool_id,
        client_ids=tuple(attachment.split_ids(client_ids)),
        sign_in_domain=request.sign_in_domain,
        table=table,
    )
    _check_options(request, plan)
    _refuse_switch(stage, plan, stack)
    _refuse_lost_record(stage, plan, stack)
    return plan


def _attached_name(stage: str, part: Part, given: str, recorded: str) -> str:
    """Return the name of an attached part: the recorded one, or the given if none is recorded.

    Raises DeploymentError if another one is given, or if there is no name.
    """
    option = NAMES[part].option
    if recorded and given not in ("", recorded):
        raise DeploymentError(
            f"the stage {stage} uses {recorded} already, so {option}={given} was refused. A stage "
            "keeps the table and the user pool that it was made with. Add another stage."
        )
    name = recorded or given
    if not name:
        raise DeploymentError(
            f"the stage {stage} uses a {part.text} that existed before, but its "
            f"environment_variables in {chalice_config.FILE} do not name it. Give {option}=... "
            "again."
        )
    return name


def _check_options(request: Request, plan: Plan) -> None:
    """Refuse a user pool without its app client, and the reverse."""
    if plan.pool_id and not plan.client_ids:
        raise DeploymentError(
            "USER_POOL_CLIENT_ID is required with USER_POOL_ID: the app client whose tokens the "
            "API accepts. Separate several clients by commas."
        )
    if not plan.pool_id and (request.client_ids or request.sign_in_domain):
        raise DeploymentError(
            "USER_POOL_CLIENT_ID and SIGN_IN_DOMAIN are for a user pool that you already have: "
            "give its USER_POOL_ID too. To accept more app clients of the stage's own user pool, "
            f"write them into USER_POOL_CLIENT_ID in {chalice_config.FILE}."
        )


def _refuse_switch(stage: str, plan: Plan, stack: Stack | None) -> None:
    """Refuse to attach a part in place of what the stage's stack has made, and the reverse."""
    if stack is None:
        return
    name = backend.stack_name(stage)
    for part, names in NAMES.items():
        made = stack.outputs.get(names.output)
        if not plan.makes(part) and made is not None:
            raise DeploymentError(
                f"the stage {stage} has its own {part.text}, {made}, made by {name}. It cannot be "
                f"replaced with {names.option}: add another stage for what you already have."
            )
        if plan.makes(part) and stack.parameters.get(names.parameter) == "false":
            raise DeploymentError(
                f"the stack {name} was deployed for a {part.text} that you already have, so it "
                f"does not make one. Give {names.option}=... again."
            )


def _refuse_lost_record(stage: str, plan: Plan, stack: Stack | None) -> None:
    """Refuse to make something new where the stage records something that the stack did not make.

    A recorded table that differs from the stack's own is kept: it was restored from a backup.
    """
    recorded = chalice_config.environment(stage)
    made = {} if stack is None else backend.chalice_environment(stack.outputs)
    lost = []
    options = []
    variables: list[str] = []
    pool = recorded.get("USER_POOL_ARN", "")
    if plan.makes(Part.USER_POOL) and pool not in ("", made.get("USER_POOL_ARN")):
        pool_id = chalice_config.pool_id_of(recorded)
        client_ids = recorded.get("USER_POOL_CLIENT_ID", "...")
        lost.append(f"the user pool {pool_id}")
        options.append(f"USER_POOL_ID={pool_id} USER_POOL_CLIENT_ID={client_ids}")
        variables += backend.VARIABLES_OF_PART[Part.USER_POOL]
    table = recorded.get("DYNAMODB_TABLE", "")
    if plan.makes(Part.TABLE) and table and "DYNAMODB_TABLE" not in made:
        lost.append(f"the table {table}")
        options.append(f"TABLE={table}")
        variables += backend.VARIABLES_OF_PART[Part.TABLE]
    if not lost:
        return
    message = (
        f"the stage {stage} records {' and '.join(lost)}, which the stack "
        f"{backend.stack_name(stage)} of this account and region did not make. "
    )
    if made:
        values = ", ".join(f"{name} {made[name]}" for name in variables if name in made)
        message += (
            f"Record what it made in {chalice_config.FILE} again ({values}), or add another stage "
            "for what you already have."
        )
    else:
        message += (
            f"To use what is recorded, run: make backend STAGE={stage} {' '.join(options)} (if the "
            "app client was deleted with its stack, create one in Cognito first). To make "
            f"something new, remove {' and '.join(variables)} from the stage in "
            f"{chalice_config.FILE}."
        )
    raise DeploymentError(message)


def table_not_made_here(stage: str, plan: Plan, stack: Stack | None) -> str:
    """Return the name of the stage's table if the stack did not make it; empty otherwise.

    It is attached, or it was restored from a backup and recorded by an operator.
    """
    if plan.table:
        return plan.table
    made = {} if stack is None else stack.outputs
    recorded = chalice_config.environment(stage).get("DYNAMODB_TABLE", "")
    if recorded == made.get("TableName", ""):
        return ""
    return recorded


@dataclass(frozen=True)
class CheckedResources:
    """What exists already and passed the checks."""

    pool: AttachedPool | None
    """The attached user pool. None if the stack makes it."""
    limitations: tuple[str, ...]
    """Sentences: what the commands and the page cannot do with what exists."""


def check_resources(stage: str, plan: Plan, stack: Stack | None) -> CheckedResources:
    """Check that what is attached or recorded exists and fits, and that a new name is free.

    Raises DeploymentError.
    """
    limitations: list[str] = []
    if stack is not None:
        limitations = _check_recorded(stage, plan, stack)
    _refuse_taken_name(stage, plan, stack)
    attached = _check_attached(stage, plan)
    return CheckedResources(attached.pool, (*limitations, *attached.limitations))


def _check_recorded(stage: str, plan: Plan, stack: Stack) -> list[str]:
    """Check what the stack made, and what an operator has recorded in its place.

    Returns limitations. Raises DeploymentError.
    """
    recorded = chalice_config.environment(stage)
    table = ""
    if plan.makes(Part.TABLE):
        table = recorded.get("DYNAMODB_TABLE", "")
        _refuse_shared_table(stage, table)
    pool_id = ""
    if plan.makes(Part.USER_POOL):
        pool_id = stack.outputs.get("UserPoolId", "")
    client_ids = recorded.get("USER_POOL_CLIENT_ID") or stack.outputs.get("UserPoolClientId", "")
    limitations = attachment.check_recorded(stage, table, pool_id, client_ids)
    if table not in ("", stack.outputs.get("TableName")):
        _refuse_table_of_another_stage(stage, table)
    return limitations


def _refuse_shared_table(stage: str, table: str) -> None:
    """Refuse a table that another stage records: both would change the same profiles."""
    others = chalice_config.stages_with("DYNAMODB_TABLE", table, other_than=stage)
    if table and others:
        raise DeploymentError(
            f"the table {table} is already that of the stage {' and '.join(others)}. Two stages "
            "with one table would change each other's profiles."
        )


def _refuse_table_of_another_stage(stage: str, name: str) -> None:
    """Refuse a table that the stack of another stage or another owner has made, by its tags."""
    table = lookup.table(name)
    found = ownership.tags_of_another_stage(
        backend.stack_name(stage), stage, lookup.table_tags(table)
    )
    if found:
        listed = ", ".join(f"{tag}={value}" for tag, value in sorted(found.items()))
        raise DeploymentError(
            f"the table {name} was made for another stage, by its tags: {listed}. Two stages with "
            "one table would change each other's profiles. If that stage is removed for good, "
            "remove the tags, and run this command again: aws dynamodb untag-resource "
            f"--resource-arn {table['TableArn']} --tag-keys {' '.join(sorted(found))}"
        )


def _refuse_taken_name(stage: str, plan: Plan, stack: Stack | None) -> None:
    """Refuse to make a table whose name another table has: the deployment would fail halfway."""
    makes_table = plan.makes(Part.TABLE) and (stack is None or "TableName" not in stack.outputs)
    name = chalice_config.resource_name(stage)
    if makes_table and lookup.find_table(name) is not None:
        raise DeploymentError(
            f"there is a table {name} already, which {backend.stack_name(stage)} does not contain. "
            f"To use it, give TABLE={name}. Otherwise choose another app_name in "
            f"{chalice_config.FILE}."
        )


def _check_attached(stage: str, plan: Plan) -> CheckedResources:
    """Check that what is attached exists and fits. Raises DeploymentError."""
    limitations: list[str] = []
    if plan.table:
        limitations += attachment.check_table(plan.table)
        _refuse_shared_table(stage, plan.table)
        _refuse_table_of_another_stage(stage, plan.table)
    if not plan.pool_id:
        return CheckedResources(None, tuple(limitations))
    pool = attachment.check_user_pool(
        plan.pool_id,
        plan.client_ids,
        plan.sign_in_domain,
        recorded_domain=chalice_config.backend_record(stage).sign_in_domain,
    )
    return CheckedResources(pool, (*limitations, *pool.limitations))
