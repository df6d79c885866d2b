"""`make backend`: create or update a stage's table and user pool, or attach existing ones.

The steps, in this order, so that an interruption or a refusal leaves nothing half-done:

1. Decide what the stage's stack makes and what is attached (`_choose`). Check everything that can
   be checked: the stack's owner, what is attached, settings that would be lost.
2. Write owner_id, so that the new stack is recognized after an interruption.
3. Deploy the stack.
4. Record the result in .chalice/config.json, and write the function's policy.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploy import (
    api,
    attachment,
    aws,
    backend,
    chalice_config,
    live_settings,
    ownership,
    policy,
    stacks,
    template,
)
from deploy.arn import UserPoolArn
from deploy.attachment import AttachedPool
from deploy.chalice_config import TABLE, USER_POOL, RecordedBackend
from deploy.errors import DeploymentError
from deploy.stacks import Progress, Stack

FIXED_PARAMETERS = frozenset({"AppName", "Stage", "MakeTable", "MakeUserPool"})
"""Parameters of resources/backend.yaml that follow from the stage and from what is attached."""
PARAMETER_OF_OPTION = {
    "DOMAIN_SUFFIX": "DomainSuffix",
    "CALLBACK_URLS": "CallbackUrls",
    "LOGOUT_URLS": "LogoutUrls",
}


@dataclass(frozen=True)
class Request:
    """The options of the command line. An option that was not given is an empty text."""

    stage: str
    user_pool_id: str = ""
    client_ids: str = ""
    sign_in_domain: str = ""
    table: str = ""
    domain_suffix: str = ""
    callback_urls: str = ""
    logout_urls: str = ""
    parameters: str = ""
    """Parameters of resources/backend.yaml: "MfaConfiguration=OPTIONAL IdTokenMinutes=15"."""
    adopt: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class _Choice:
    """What of the stage's backend is attached. What is not attached is made by the stack."""

    pool_id: str = ""
    """The attached user pool's id. Empty: the stack makes a user pool."""
    client_ids: str = ""
    sign_in_domain: str = ""
    table: str = ""
    """The attached table's name. Empty: the stack makes a table."""

    @property
    def attached(self) -> tuple[str, ...]:
        parts = {TABLE: self.table, USER_POOL: self.pool_id}
        return tuple(part for part, name in parts.items() if name)

    @property
    def needs_stack(self) -> bool:
        return len(self.attached) < len((TABLE, USER_POOL))


def run(request: Request, progress: Progress) -> None:
    """Run the command. Raises DeploymentError."""
    stage = request.stage
    name = backend.stack_name(stage)
    stack = stacks.describe(name)
    if request.adopt:
        _adopt(stage, stack)
        return
    ownership.require_own(stack, name, stage)
    choice = _choose(request, stack)
    _refuse_lost_record(stage, choice, stack)
    pool = _check_attached(stage, choice)
    policy.require_readable(stage)
    parameters = _parameters(request, choice, stack)
    if stack is not None:
        _refuse_lost_settings(request, stack, parameters)
    for file in (chalice_config.FILE, chalice_config.policy_file(stage)):
        chalice_config.require_writable(file)
    chalice_config.create_owner_id()

    outputs: dict[str, str] = {}
    if choice.needs_stack:
        print(f"Deploying resources/backend.yaml as {name} ...", flush=True)
        outputs = backend.deploy(stage, parameters, progress, ownership.tags(stage, stack))
    _record(stage, choice, pool, outputs)


# --- what is made, and what is attached -----------------------------------------------------------


def _choose(request: Request, stack: Stack | None) -> _Choice:
    """Combine the options with the stage's record. Raises DeploymentError."""
    stage = request.stage
    record = chalice_config.backend_record(stage)
    recorded = chalice_config.environment(stage)
    table = request.table
    if TABLE in record.attached:
        table = _unless_changed("TABLE", table, recorded.get("DYNAMODB_TABLE", ""), stage)
    pool_id = request.user_pool_id
    client_ids = request.client_ids
    sign_in_domain = request.sign_in_domain
    if USER_POOL in record.attached:
        recorded_id = UserPoolArn.parse(recorded["USER_POOL_ARN"]).pool_id
        pool_id = _unless_changed("USER_POOL_ID", pool_id, recorded_id, stage)
        client_ids = client_ids or recorded.get("USER_POOL_CLIENT_ID", "")
        sign_in_domain = sign_in_domain or record.sign_in_domain
    choice = _Choice(pool_id, client_ids, sign_in_domain, table)
    _check_options(request, choice)
    _refuse_switch(stage, choice, stack)
    return choice


def _unless_changed(option: str, given: str, recorded: str, stage: str) -> str:
    """Return the attached thing's name. Raises DeploymentError if the option names another."""
    if given not in ("", recorded):
        raise DeploymentError(
            f"the stage {stage} uses {recorded} already, so {option}={given} was refused. A stage "
            "keeps the table and the user pool that it was made with. Add another stage."
        )
    return recorded


def _check_options(request: Request, choice: _Choice) -> None:
    """Refuse options that do not fit together."""
    if not choice.pool_id:
        if choice.client_ids or choice.sign_in_domain:
            raise DeploymentError(
                "USER_POOL_CLIENT_ID and SIGN_IN_DOMAIN belong to a user pool that you already "
                "have. Give its USER_POOL_ID too."
            )
        return
    if not choice.client_ids:
        raise DeploymentError(
            "USER_POOL_CLIENT_ID is required with USER_POOL_ID: the app client whose tokens the "
            "API accepts. Separate several clients by commas."
        )
    if request.domain_suffix or request.callback_urls or request.logout_urls:
        raise DeploymentError(
            "DOMAIN_SUFFIX, CALLBACK_URLS and LOGOUT_URLS are for a user pool that this command "
            f"makes. Change those of the user pool {choice.pool_id} in Cognito."
        )


def _refuse_switch(stage: str, choice: _Choice, stack: Stack | None) -> None:
    """Refuse to attach something in place of what the stage's stack has made."""
    if stack is None:
        return
    made = {TABLE: stack.outputs.get("TableName"), USER_POOL: stack.outputs.get("UserPoolId")}
    options = {TABLE: "TABLE", USER_POOL: "USER_POOL_ID"}
    for part in choice.attached:
        if made[part] is not None:
            raise DeploymentError(
                f"the stage {stage} has its own {part.replace('_', ' ')}, {made[part]}, made by "
                f"{backend.stack_name(stage)}. It cannot be replaced with {options[part]}: add "
                "another stage for what you already have."
            )


def _refuse_lost_record(stage: str, choice: _Choice, stack: Stack | None) -> None:
    """Refuse to make something new where the stage records something that the stack did not make.

    A recorded table that differs from the stack's own is kept: it was restored from a backup.
    """
    recorded = chalice_config.environment(stage)
    made = backend.chalice_environment(stack.outputs) if stack is not None else {}
    lost = []
    pool = recorded.get("USER_POOL_ARN", "")
    if not choice.pool_id and pool and pool != made.get("USER_POOL_ARN"):
        lost.append(f"the user pool {pool.rpartition('/')[2]}")
    table = recorded.get("DYNAMODB_TABLE", "")
    if not choice.table and table and "DYNAMODB_TABLE" not in made:
        lost.append(f"the table {table}")
    if lost:
        raise DeploymentError(
            f"the stage {stage} records {' and '.join(lost)}, which the stack "
            f"{backend.stack_name(stage)} of this account and region did not make. To use what is "
            "recorded, name it: USER_POOL_ID=... USER_POOL_CLIENT_ID=... or TABLE=... To make "
            f"something new, empty the stage's environment_variables in {chalice_config.FILE}."
        )


def _check_attached(stage: str, choice: _Choice) -> AttachedPool | None:
    """Check what is attached. Return the user pool, None if the stack makes it."""
    if choice.table:
        attachment.check_table(choice.table)
        others = chalice_config.stages_with_table(choice.table, other_than=stage)
        if others:
            raise DeploymentError(
                f"the stage {' and '.join(others)} uses the table {choice.table} already. Two "
                "stages with one table would change each other's profiles."
            )
    if not choice.pool_id:
        return None
    client_ids = attachment.split_ids(choice.client_ids)
    return attachment.check_user_pool(choice.pool_id, client_ids, choice.sign_in_domain)


# --- the stack's owner ----------------------------------------------------------------------------


def _adopt(stage: str, stack: Stack | None) -> None:
    """Record that this project may change the stage's existing stacks. Changes nothing in AWS."""
    found = {
        name: existing
        for name, existing in (
            (backend.stack_name(stage), stack),
            (api.stack_name(stage), stacks.describe(api.stack_name(stage))),
        )
        if existing is not None and not ownership.is_own(existing, stage)
    }
    if not found:
        raise DeploymentError(
            f"there is nothing to adopt: neither {backend.stack_name(stage)} nor "
            f"{api.stack_name(stage)} exists in this account and region with another owner."
        )
    record = chalice_config.backend_record(stage)
    adopted = {*record.adopted_stacks, *(existing.stack_id for existing in found.values())}
    record = replace(record, adopted_stacks=tuple(sorted(adopted)))
    chalice_config.record(stage, {}, record)
    print(f"Adopted {' and '.join(found)} for the stage {stage}, and changed nothing else.")
    print(f"Commit {chalice_config.FILE}. Next: make backend STAGE={stage}")


# --- parameters and settings ----------------------------------------------------------------------


def _parameters(request: Request, choice: _Choice, stack: Stack | None) -> dict[str, str]:
    """Return the parameters of the template: of the record, the options, and a new stack."""
    parameters = {
        **chalice_config.backend_record(request.stage).parameters,
        **parse_parameters(request.parameters),
    }
    options = {
        "DOMAIN_SUFFIX": request.domain_suffix,
        "CALLBACK_URLS": request.callback_urls,
        "LOGOUT_URLS": request.logout_urls,
    }
    for option, value in options.items():
        if value:
            parameters[PARAMETER_OF_OPTION[option]] = value
    _check_parameter_names(parameters)
    parameters["MakeTable"] = _boolean(not choice.table)
    parameters["MakeUserPool"] = _boolean(not choice.pool_id)
    if stack is None and "DomainSuffix" not in parameters:
        parameters["DomainSuffix"] = aws.account_id()
    if stack is not None:
        _refuse_other_domain(stack, parameters)
    return parameters


def parse_parameters(text: str) -> dict[str, str]:
    """Split "Name=value Name='a value'" as a shell does. Raises DeploymentError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DeploymentError(f"PARAMETERS cannot be read: {error}.") from error
    parameters = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise DeploymentError(
                f"PARAMETERS has {word!r}, which is not Name=value. Example: "
                'PARAMETERS="MfaConfiguration=OPTIONAL IdTokenMinutes=15"'
            )
        parameters[name] = value
    return parameters


def _check_parameter_names(parameters: Mapping[str, str]) -> None:
    declared = template.load(backend.TEMPLATE.read_text())["Parameters"]
    allowed = sorted(set(declared) - FIXED_PARAMETERS)
    for name in parameters:
        if name not in allowed:
            raise DeploymentError(
                f"resources/backend.yaml has no parameter {name} to set. It has: "
                f"{', '.join(allowed)}."
            )


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _refuse_other_domain(stack: Stack, parameters: Mapping[str, str]) -> None:
    """CloudFormation would replace the domain: nobody could sign in at the address they know."""
    deployed = stack.parameters.get("DomainSuffix")
    wanted = parameters.get("DomainSuffix", deployed)
    if "UserPoolDomain" in stack.outputs and wanted != deployed:
        raise DeploymentError(
            f"the sign-in domain ends with {deployed} and cannot be changed to {wanted}: users and "
            "front ends use its address."
        )


def _refuse_lost_settings(request: Request, stack: Stack, parameters: Mapping[str, str]) -> None:
    """Refuse an update that would reset settings of the live user pool or app client."""
    deployed = template.load(stacks.deployed_template(stack.stack_id))
    wanted = template.load(backend.TEMPLATE.read_text())
    found = live_settings.differences(stack, deployed, wanted, parameters)
    if not found:
        return
    listed = "; ".join(map(str, found))
    has_update = deployed != wanted or any(
        stack.parameters.get(name) != value for name, value in parameters.items()
    )
    if not has_update:
        print(f"Note: changed since the last deployment, and kept, as nothing is updated: {listed}")
    elif request.overwrite:
        print(f"Overwriting what was changed since the last deployment: {listed}")
    else:
        raise DeploymentError(
            f"settings were changed since the last deployment, and this one may reset them: "
            f"{listed}. Set them with PARAMETERS (see docs/deploying.md), or give OVERWRITE=yes to "
            "lose them."
        )


# --- the record -----------------------------------------------------------------------------------


def _record(
    stage: str, choice: _Choice, pool: AttachedPool | None, outputs: Mapping[str, str]
) -> None:
    """Record the backend and write the policy. Prints what changed."""
    before = chalice_config.environment(stage)
    variables = backend.chalice_environment(outputs)
    # An operator may have recorded a restored table, or more app clients of the same user pool.
    for name in ("DYNAMODB_TABLE", "USER_POOL_CLIENT_ID"):
        if before.get(name):
            variables[name] = before[name]
    if choice.table:
        variables["DYNAMODB_TABLE"] = choice.table
    if pool is not None:
        variables["USER_POOL_ARN"] = pool.arn
        variables["USER_POOL_CLIENT_ID"] = choice.client_ids
        sign_in_domain = pool.sign_in_domain
    else:
        arn = UserPoolArn.parse(variables["USER_POOL_ARN"])
        sign_in_domain = arn.sign_in_host(outputs["UserPoolDomain"])

    record = replace(
        chalice_config.backend_record(stage),
        app_name=chalice_config.app_name(),
        attached=choice.attached,
        sign_in_domain=sign_in_domain,
    )
    for name, value in variables.items():
        print(f"  {name:<21}{_change(before.get(name), value)}")
    print(f"  {'sign-in page':<21}{sign_in_domain or 'none'}")
    for limitation in pool.limitations if pool is not None else ():
        print(f"Note: {limitation}")

    config_changed = chalice_config.record(stage, variables, record)
    recorded = RecordedBackend.from_environment(chalice_config.environment(stage), stage)
    policy_changed = policy.write(stage, recorded)
    changed = [
        str(file)
        for file, is_changed in (
            (chalice_config.FILE, config_changed),
            (chalice_config.policy_file(stage), policy_changed),
        )
        if is_changed
    ]
    if changed:
        print(f"Recorded in {' and '.join(changed)}. Commit what changed.")
    else:
        print(f"Nothing to record: {chalice_config.FILE} is current.")
    print(f"Next: make deploy STAGE={stage}")


def _change(before: str | None, after: str) -> str:
    if before and before != after:
        return f"{after} (was {before})"
    return after
