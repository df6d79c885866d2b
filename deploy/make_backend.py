"""`make backend`: create or update a stage's table and user pool, or attach existing ones.

The steps are in this order, so that a refusal changes nothing, and the same command completes an
interrupted run:

1. Decide what the stage's stack makes and what is attached (`_choose`). Check everything that can
   be checked: the stack's owner, what is attached, settings that would be lost.
2. Write owner_id, so that the new stack is recognized after an interruption.
3. Deploy the stack.
4. Record the result in .chalice/config.json, and write the function's policy.

With ADOPT=yes, the command only records the ARNs of the stage's stacks.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

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
from deploy.chalice_config import TABLE, USER_POOL
from deploy.errors import DeploymentError
from deploy.stacks import Progress, Stack

DERIVED_PARAMETERS = frozenset({"AppName", "Stage", "MakeTable", "MakeUserPool"})
"""Parameters of resources/backend.yaml that follow from the stage and from what is attached."""
TABLE_PARAMETERS = frozenset({"BillingMode", "Index"})
"""Parameters for the table only."""
SHARED_PARAMETERS = frozenset({"DeletionProtection"})
"""Parameters for both the table and the user pool. All others are for the user pool."""


@dataclass(frozen=True)
class Request:
    """The options of the command line. An option that was not given is an empty text, or False."""

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
    """Whether to accept the stage's existing stacks, which have another owner."""
    overwrite: bool = False
    """Whether to reset settings of the live user pool that were changed elsewhere."""


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
    files_before = _recorded_files(stage)
    chalice_config.create_owner_id()

    outputs: dict[str, str] = {}
    if choice.needs_stack:
        print(f"Deploying resources/backend.yaml as {name} ...", flush=True)
        outputs = backend.deploy(stage, parameters, progress, ownership.tags(stage, stack))
    _record(stage, choice, pool, outputs)
    _print_changed_files(files_before, _recorded_files(stage))
    print(f"Next: make deploy STAGE={stage}")


# --- what is made, and what is attached -----------------------------------------------------------


def _choose(request: Request, stack: Stack | None) -> _Choice:
    """Combine the options with the stage's record, and refuse what does not fit together.

    Raises DeploymentError.
    """
    stage = request.stage
    record = chalice_config.backend_record(stage)
    recorded = chalice_config.environment(stage)
    table = request.table
    if TABLE in record.attached:
        table = _attached_name("TABLE", table, recorded.get("DYNAMODB_TABLE", ""), stage)
    pool_id = request.user_pool_id
    client_ids = request.client_ids
    sign_in_domain = request.sign_in_domain
    if USER_POOL in record.attached:
        recorded_id = recorded.get("USER_POOL_ARN", "").rpartition("/")[2]
        pool_id = _attached_name("USER_POOL_ID", pool_id, recorded_id, stage)
        client_ids = client_ids or recorded.get("USER_POOL_CLIENT_ID", "")
        sign_in_domain = sign_in_domain or record.sign_in_domain
    choice = _Choice(pool_id, client_ids, sign_in_domain, table)
    _check_options(request, choice)
    _refuse_switch(stage, choice, stack)
    return choice


def _attached_name(option: str, given: str, recorded: str, stage: str) -> str:
    """Return the name of what is attached: the recorded one, or the option's if none is recorded.

    Raises DeploymentError if the option names another one, or if there is no name.
    """
    if recorded and given not in ("", recorded):
        raise DeploymentError(
            f"the stage {stage} uses {recorded} already, so {option}={given} was refused. A stage "
            "keeps the table and the user pool that it was made with. Add another stage."
        )
    name = recorded or given
    if not name:
        raise DeploymentError(
            f"the stage {stage} uses something that existed before (attached in "
            f"{chalice_config.FILE}), but its environment_variables do not name it. Give "
            f'{option}=..., or also remove "backend" from the stage to start anew.'
        )
    return name


def _check_options(request: Request, choice: _Choice) -> None:
    """Refuse options that do not fit together."""
    if not choice.pool_id:
        if choice.client_ids or choice.sign_in_domain:
            raise DeploymentError(
                "USER_POOL_CLIENT_ID and SIGN_IN_DOMAIN are for a user pool that you already have: "
                "give its USER_POOL_ID too. To accept more app clients of the stage's own user "
                f"pool, write them into USER_POOL_CLIENT_ID in {chalice_config.FILE}."
            )
        return
    if not choice.client_ids:
        raise DeploymentError(
            "USER_POOL_CLIENT_ID is required with USER_POOL_ID: the app client whose tokens the "
            "API accepts. Separate several clients by commas."
        )


def _refuse_switch(stage: str, choice: _Choice, stack: Stack | None) -> None:
    """Refuse to attach something in place of what the stage's stack has made, or the reverse."""
    if stack is None:
        return
    name = backend.stack_name(stage)
    for part, output, parameter, option in (
        (TABLE, "TableName", "MakeTable", "TABLE"),
        (USER_POOL, "UserPoolId", "MakeUserPool", "USER_POOL_ID"),
    ):
        text = part.replace("_", " ")
        made = stack.outputs.get(output)
        if part in choice.attached and made is not None:
            raise DeploymentError(
                f"the stage {stage} has its own {text}, {made}, made by {name}. It cannot be "
                f"replaced with {option}: add another stage for what you already have."
            )
        if part not in choice.attached and stack.parameters.get(parameter) == "false":
            raise DeploymentError(
                f"the stack {name} was deployed for a {text} that you already have, so it does not "
                f"make one. Give {option}=... again."
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
    if not lost:
        return
    message = (
        f"the stage {stage} records {' and '.join(lost)}, which the stack "
        f"{backend.stack_name(stage)} of this account and region did not make. "
    )
    if made:
        message += (
            f"Record what it made in {chalice_config.FILE} again, or add another stage for what "
            "you already have."
        )
    else:
        message += (
            "To use what is recorded, name it: USER_POOL_ID=... USER_POOL_CLIENT_ID=... or "
            'TABLE=... To make something new, remove "environment_variables" and "backend" from '
            f"the stage in {chalice_config.FILE}."
        )
    raise DeploymentError(message)


def _check_attached(stage: str, choice: _Choice) -> AttachedPool | None:
    """Check what is attached. Return the user pool, None if the stack makes it."""
    if choice.table:
        attachment.check_table(choice.table)
        others = chalice_config.stages_with_table(choice.table, other_than=stage)
        if others:
            raise DeploymentError(
                f"the table {choice.table} is already that of the stage {' and '.join(others)}. "
                "Two stages with one table would change each other's profiles."
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
    """Return the template's parameters: the recorded ones, overridden by the options.

    Parameters that follow from the stage are added. Raises DeploymentError.
    """
    recorded = chalice_config.backend_record(request.stage).parameters
    from_options = {
        "DomainSuffix": request.domain_suffix,
        "CallbackUrls": request.callback_urls,
        "LogoutUrls": request.logout_urls,
    }
    given = {name: value for name, value in from_options.items() if value}
    given.update(parse_parameters(request.parameters))
    for name in sorted(given.keys() & recorded.keys()):
        if given[name] != recorded[name]:
            print(
                f"Note: {chalice_config.FILE} sets {name} to {recorded[name]}. The next make "
                f"backend without {name}={given[name]} sets that again."
            )
    parameters = {**recorded, **given}
    _check_parameter_names(parameters, choice)
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


def _check_parameter_names(parameters: Mapping[str, str], choice: _Choice) -> None:
    """Refuse parameters that do not exist, or that are for something attached."""
    declared = set(template.load(backend.TEMPLATE.read_text())["Parameters"])
    allowed = declared - DERIVED_PARAMETERS
    for name in parameters:
        if name not in allowed:
            raise DeploymentError(
                f"resources/backend.yaml has no parameter {name} to set. It has: "
                f"{', '.join(sorted(allowed))}."
            )
        if not _applies(name, choice):
            raise DeploymentError(
                f"{name} is a setting of something that this command makes, but the stage's "
                f"{' and '.join(choice.attached).replace('_', ' ')} existed before. Change it "
                "there."
            )


def _applies(parameter: str, choice: _Choice) -> bool:
    """Return whether the stack makes what the parameter is for."""
    if parameter in SHARED_PARAMETERS:
        return choice.needs_stack
    if parameter in TABLE_PARAMETERS:
        return TABLE not in choice.attached
    return USER_POOL not in choice.attached


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _refuse_other_domain(stack: Stack, parameters: Mapping[str, str]) -> None:
    """Refuse another DomainSuffix. CloudFormation would replace the domain, whose address users
    and front ends know.
    """
    deployed = stack.parameters.get("DomainSuffix")
    wanted = parameters.get("DomainSuffix", deployed)
    if "UserPoolDomain" in stack.outputs and wanted != deployed:
        raise DeploymentError(
            f"the sign-in domain ends with {deployed} and cannot be changed to {wanted}: users and "
            "front ends use its address."
        )


def _refuse_lost_settings(request: Request, stack: Stack, parameters: Mapping[str, str]) -> None:
    """Refuse an update that could reset settings of the live user pool or app client."""
    deployed = template.load(stacks.deployed_template(stack.stack_id))
    wanted = template.load(backend.TEMPLATE.read_text())
    found = live_settings.differences(stack, deployed, wanted, parameters)
    if not found:
        return
    listed = "; ".join(map(str, found))
    has_update = (
        deployed != wanted
        or not parameters.items() <= dict(stack.parameters).items()
        or ownership.tags(request.stage, stack) != stack.tags
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
    """Record the backend and write the policy. Prints the recorded values."""
    before = chalice_config.environment(stage)
    variables = backend.chalice_environment(outputs)
    # An operator may have recorded a restored table, or more app clients of the same user pool.
    if before.get("DYNAMODB_TABLE"):
        variables["DYNAMODB_TABLE"] = before["DYNAMODB_TABLE"]
    has_same_pool = before.get("USER_POOL_ARN") == variables.get("USER_POOL_ARN")
    if has_same_pool and before.get("USER_POOL_CLIENT_ID"):
        variables["USER_POOL_CLIENT_ID"] = before["USER_POOL_CLIENT_ID"]
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

    chalice_config.record(stage, variables, record)
    policy.write(stage, chalice_config.recorded_backend(stage))


def _recorded_files(stage: str) -> dict[Path, bytes]:
    """Return the content of the files that this command writes; empty for a missing one."""
    contents = {}
    for file in (chalice_config.FILE, chalice_config.policy_file(stage)):
        contents[file] = file.read_bytes() if file.exists() else b""
    return contents


def _print_changed_files(before: Mapping[Path, bytes], after: Mapping[Path, bytes]) -> None:
    changed = [str(file) for file in after if after[file] != before[file]]
    if changed:
        print(f"Recorded in {' and '.join(changed)}. Commit what changed.")
    else:
        print(f"Nothing to record: {chalice_config.FILE} is current.")


def _change(before: str | None, after: str) -> str:
    if before and before != after:
        return f"{after} (was {before})"
    return after
