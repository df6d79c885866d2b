"""`make backend`: create or update a stage's table and user pool, or attach existing ones.

The steps are in this order, so that a refusal changes nothing, and the same command completes an
interrupted run:

1. Decide what the stage's stack makes and what is attached. Check everything that can be checked:
   the stack's owner, what is attached, settings that would be lost.
2. With TTL=yes, turn on TTL of a table that the stack did not make.
3. Write owner_id and app_name, so that the new stack is recognized after an interruption.
4. Deploy the stack.
5. Record the result in .chalice/config.json, and write the function's policy.
6. Protect the stack against deletion.

With ADOPT=yes, `adopt` only records the ARNs of the stage's stacks.

A job in CI loses the files that it writes, if it does not commit them. The record must not get
lost, so a job in CI can only update a stage that is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.items import EXPIRES_AT
from deploy import (
    api,
    backend,
    backend_parameters,
    backend_plan,
    chalice_config,
    erasure,
    live_settings,
    lookup,
    ownership,
    policy,
    stacks,
    template,
    time_to_live,
)
from deploy.attachment import AttachedPool, sign_in_host
from deploy.backend_plan import CheckedResources, Plan, Request
from deploy.errors import DeploymentError
from deploy.stacks import Progress, Stack
from deploy.template import Template
from deploy.time_to_live import TimeToLive

STAGE_FOR_TRIALS = "dev"
"""The stage in which Cognito's own sender of mail is enough."""
REPLACING_PROPERTIES = {
    "Table": ("TableName", "KeySchema"),
    "UserPool": ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration"),
    "UserPoolClient": ("GenerateSecret",),
    "UserPoolDomain": ("Domain",),
}
"""Properties whose change makes CloudFormation replace the resource, or fail.

Those whose value only CloudFormation knows, such as a reference, are left out.
"""
REPLACEABLE_RESOURCES = frozenset({"ManagedLoginStyle"})
"""Resources that a parameter turns off, and that hold nothing of the users."""


@dataclass(frozen=True)
class _Checked:
    """What was found and decided before anything is changed."""

    stack: Stack | None
    """The stage's stack; None if there is none yet."""
    plan: Plan
    resources: CheckedResources
    parameters: Mapping[str, str]
    """Those to deploy the stack with."""
    ttl: TimeToLive | None
    """That of a table that the stack does not make; None if it makes the table."""
    ttl_attribute: str
    """The attribute of a marker that DynamoDB's TTL reads."""
    variables: Mapping[str, str]
    """The environment variables that are recorded so far."""


def run(request: Request, progress: Progress) -> None:
    """Make or attach the stage's backend, record it, and print the record.

    Raises DeploymentError.
    """
    stage = request.stage
    name = backend.stack_name(stage)
    checked = _check(request, progress)
    files_before = _recorded_files(stage)
    ttl = checked.ttl
    if ttl is not None and request.ttl:
        ttl = _turned_on(ttl, checked.ttl_attribute)
    _record_names(stage)
    outputs: dict[str, str] = {}
    if checked.plan.needs_stack:
        print(f"Deploying resources/backend.yaml as {name} ...", flush=True)
        claim = ownership.claim(stage, checked.stack, request.role_arn)
        outputs = backend.deploy(stage, checked.parameters, progress, claim)
    if ttl is None:
        ttl = _ttl_of_own_table(outputs["TableName"])
    _record(stage, checked.plan, checked.resources, outputs, ttl)
    stack = stacks.describe(name)
    if stack is not None:
        _protect(name, stack)
    for note in _notes(stage, checked, stack, ttl):
        print(f"Note: {note}")
    _report_changed_files(stage, files_before)
    print(f"Next: make deploy STAGE={stage}")


def _check(request: Request, progress: Progress) -> _Checked:
    """Check everything that can be checked, and change nothing. Raises DeploymentError."""
    stage = request.stage
    name = backend.stack_name(stage)
    stack = stacks.describe_at_rest(name, progress)
    ownership.require_own(stack, name, stage)
    plan = backend_plan.make_plan(request, stack)
    variables = chalice_config.environment(stage)
    if _runs_in_ci() and not _is_recorded(variables):
        raise _must_be_run_by_a_person(stage)
    erasure.check(variables, stage)
    ttl_attribute = time_to_live.attribute_of(variables, stage)
    resources = backend_plan.check_resources(stage, plan, stack)
    ttl = _checked_ttl(request, plan, stack)
    parameters = backend_parameters.parameters(request, plan, stack)
    if stack is not None:
        deployed = template.load(stacks.deployed_template(name), f"the template of {name}")
        _refuse_lost_resources(name, stack, deployed, parameters)
        _refuse_lost_settings(request, stack, deployed, parameters)
    policy.require_readable(stage)
    for file in (chalice_config.FILE, chalice_config.policy_file(stage)):
        chalice_config.require_writable(file)
    return _Checked(stack, plan, resources, parameters, ttl, ttl_attribute, variables)


def _record_names(stage: str) -> None:
    """Record owner_id and app_name, by which a new stack is recognized after an interruption."""
    chalice_config.create_owner_id()
    record = chalice_config.backend_record(stage)
    chalice_config.record(stage, {}, replace(record, app_name=chalice_config.app_name()))


def _notes(stage: str, checked: _Checked, stack: Stack | None, ttl: TimeToLive) -> list[str]:
    """Return what the user should know about the result, in sentences.

    `stack` is the deployed one; `ttl` is that of the table.
    """
    notes = list(checked.resources.limitations)
    notes += erasure.notes(stage, checked.variables, checked.plan.pool_id)
    if stack is not None:
        notes += _notes_about_mail(stage, stack)
    if erasure.is_on(chalice_config.environment(stage)) and not ttl.is_on:
        makes_table = checked.ttl is None
        notes.append(
            _note_about_ttl(stage, ttl.table, checked.ttl_attribute, makes_table=makes_table)
        )
    return notes


def _protect(name: str, stack: Stack) -> None:
    """Turn on the termination protection of a stack, unless it has DeletionProtection=false."""
    if stack.is_protected or stack.parameters.get("DeletionProtection") == "false":
        return
    stacks.set_termination_protection(name, is_protected=True)


def _notes_about_mail(stage: str, stack: Stack) -> list[str]:
    """Return a note if the stack's user pool sends mail with Cognito's own sender."""
    makes_pool = "UserPoolId" in stack.outputs
    if stage == STAGE_FOR_TRIALS or not makes_pool or stack.parameters.get("EmailIdentityArn"):
        return []
    return [
        "the user pool sends mail with Cognito's own sender, at most 50 messages a day. Users who "
        "do not receive a code cannot sign up or reset their password. For real users, set an "
        f"identity of Amazon SES: make backend STAGE={stage} "
        'PARAMETERS="EmailIdentityArn=arn:aws:ses:..."'
    ]


# --- the stack's owner ----------------------------------------------------------------------------


def adopt(request: Request) -> None:
    """Record that this project may change the stage's existing stacks. Changes nothing in AWS.

    Raises DeploymentError, also for a stack that this project cannot have made.
    """
    stage = request.stage
    if request != Request(stage):
        raise DeploymentError(
            f"ADOPT=yes changes nothing but the record, so it has no other options. Run: make "
            f"backend STAGE={stage} ADOPT=yes, and then make backend with the other options."
        )
    if _runs_in_ci():
        raise _must_be_run_by_a_person(stage)
    own_resources = {
        backend.stack_name(stage): set(backend.template()["Resources"]),
        api.stack_name(stage): {"APIHandler", "RestAPI"},
    }
    foreign = {}
    for name, resources in own_resources.items():
        stack = stacks.describe(name)
        if stack is None or ownership.is_own(stack, stage):
            continue
        if not resources & set(stacks.physical_ids(name)):
            raise DeploymentError(
                f"the stack {name} has none of the resources of this project, so it was not "
                f"adopted. Choose another app_name in {chalice_config.FILE}."
            )
        foreign[name] = stack.stack_id
        print(f"{name}: {ownership.description(stack)}.")
    if not foreign:
        raise DeploymentError(
            f"there is nothing to adopt: {' and '.join(own_resources)} do not exist in this "
            "account and region, or are yours already."
        )
    record = chalice_config.backend_record(stage)
    adopted = sorted({*record.adopted_stacks, *foreign.values()})
    chalice_config.record(stage, {}, replace(record, adopted_stacks=tuple(adopted)))
    print(f"Adopted {' and '.join(foreign)} for the stage {stage}, and changed nothing else.")
    print(f"Commit {chalice_config.FILE}. Next: make backend STAGE={stage}")


# --- TTL ------------------------------------------------------------------------------------------


def _checked_ttl(request: Request, plan: Plan, stack: Stack | None) -> TimeToLive | None:
    """Return the TTL of a table that the stack did not make; None if the stack makes the table.

    Raises DeploymentError if the service cannot work with it, or TTL=yes cannot be carried out.
    """
    table = backend_plan.table_not_made_here(request.stage, plan, stack)
    if not table:
        if request.ttl:
            raise DeploymentError(
                "TTL=yes is for a table that existed before. The stack turns on TTL of the table "
                "that it makes. Leave TTL out."
            )
        return None
    ttl = time_to_live.describe(table)
    if request.ttl:
        time_to_live.check_can_be_turned_on(ttl)
    return ttl


def _turned_on(ttl: TimeToLive, attribute: str) -> TimeToLive:
    """Turn on TTL of a table, if it is off, after a description of what that means."""
    if ttl.is_on:
        print(f"TTL of the table {ttl.table} is on, with the attribute {ttl.attribute}.")
        return ttl
    print(
        f"Turning on TTL of the table {ttl.table}. {time_to_live.meaning(ttl.table, attribute)} "
        "They are not counted here, because that reads the whole table: see docs/deploying.md.",
        flush=True,
    )
    return time_to_live.turn_on(ttl.table, attribute)


def _ttl_of_own_table(table: str) -> TimeToLive:
    """Return the TTL of a table that the stack made. The stack turns it on."""
    try:
        return time_to_live.describe(table)
    except DeploymentError as error:  # the record of a deployed stack must not depend on it
        print(f"Note: {error}")
        return TimeToLive(table, "ENABLED", EXPIRES_AT)


def _note_about_ttl(stage: str, table: str, attribute: str, *, makes_table: bool) -> str:
    """Return sentences about a table whose TTL is off, and how to turn it on.

    `makes_table` is True if the stage's stack made the table.
    """
    state = (
        f"TTL of the table {table} is off, so markers of erased accounts stay after they have "
        f"expired, until make orphans STAGE={stage} removes them."
    )
    if makes_table:
        return (
            f"{state} The stack turned TTL on, and it was turned off elsewhere. To turn it on, "
            f"run: aws dynamodb update-time-to-live --table-name {table} "
            f"--time-to-live-specification Enabled=true,AttributeName={attribute}"
        )
    return (
        f"{state} To turn TTL on, run: make backend STAGE={stage} TTL=yes. "
        f"{time_to_live.meaning(table, attribute)}"
    )


# --- what an update would lose --------------------------------------------------------------------


def _refuse_lost_resources(
    name: str, stack: Stack, deployed: Template, parameters: Mapping[str, str]
) -> None:
    """Refuse an update that would delete or replace a resource of the stack.

    The stack may have been deployed with another template: it was adopted, or somebody has edited
    resources/backend.yaml.
    """
    wanted = backend.template()
    parameters_after = {**stack.parameters, **parameters}
    lost = []
    for resource in sorted(set(stacks.physical_ids(name)) - REPLACEABLE_RESOURCES):
        before = deployed["Resources"].get(resource, {})
        after = wanted["Resources"].get(resource, {})
        is_declared = template.is_declared(wanted, resource, parameters_after)
        if not is_declared or before.get("Type") != after.get("Type"):
            lost.append(resource)
            continue
        old = template.properties(deployed, resource, stack.parameters)
        new = template.properties(wanted, resource, parameters_after)
        lost += [
            f"{resource} ({member})"
            for member in REPLACING_PROPERTIES.get(resource, ())
            if old.get(member) != new.get(member)
        ]
    if lost:
        raise DeploymentError(
            f"resources/backend.yaml would delete or replace these resources of the stack {name}: "
            f"{', '.join(lost)}. Make the template declare them as they were deployed."
        )


def _refuse_lost_settings(
    request: Request, stack: Stack, deployed: Template, parameters: Mapping[str, str]
) -> None:
    """Refuse an update that could reset settings of the live user pool or app client."""
    wanted = backend.template()
    found = live_settings.differences(stack, deployed, wanted, parameters)
    if not found:
        return
    listed = "; ".join(map(str, found))
    if deployed == wanted and _is_current(request.stage, stack, parameters):
        print(f"Note: settings differ from the last deployment. Nothing is updated: {listed}")
    elif request.overwrite:
        print(f"Overwriting what was changed since the last deployment: {listed}")
    else:
        raise DeploymentError(
            f"settings were changed since the last deployment, and this one may reset them: "
            f"{listed}. Set them with PARAMETERS (see docs/settings.md) or, if there is no such "
            "parameter, in resources/backend.yaml. To lose them, give OVERWRITE=yes."
        )


def _is_current(stage: str, stack: Stack, parameters: Mapping[str, str]) -> bool:
    """Return whether the stack has these parameters and the tags of this project."""
    tags = ownership.tags(stage, stack)
    has_parameters = parameters.items() <= dict(stack.parameters).items()
    return has_parameters and tags.items() <= dict(stack.tags).items()


# --- the record -----------------------------------------------------------------------------------


def _record(
    stage: str,
    plan: Plan,
    resources: CheckedResources,
    outputs: Mapping[str, str],
    ttl: TimeToLive,
) -> None:
    """Record the backend and write the policy. Prints the recorded values.

    `outputs` are those of the stage's stack; empty if there is none. `ttl` is that of the table.
    """
    before = chalice_config.environment(stage)
    variables = _variables(before, plan, resources.pool, outputs)
    variables |= erasure.to_record(before, plan.pool_id)
    variables |= time_to_live.to_record(before, ttl)
    present = chalice_config.backend_record(stage)
    if resources.pool is not None:
        host = resources.pool.sign_in_domain
    else:
        host = sign_in_host(lookup.user_pool(outputs["UserPoolId"]), present.sign_in_domain)
    record = replace(
        present,
        app_name=chalice_config.app_name(),
        attached=plan.attached,
        sign_in_domain=host,
    )
    chalice_config.record(stage, variables, record)
    policy.write(stage, chalice_config.recorded_backend(stage))
    for name, value in variables.items():
        print(f"  {name:<21}{_change(before.get(name), value)}")
    sign_in_page = _change(present.sign_in_domain, host or "none")
    print(f"  {'sign-in page':<21}{sign_in_page}")


def _variables(
    before: Mapping[str, str], plan: Plan, pool: AttachedPool | None, outputs: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment variables that name the backend; `before` are the present ones."""
    variables = backend.chalice_environment(outputs)
    # An operator may have recorded a restored table, or more app clients of the same user pool.
    if before.get("DYNAMODB_TABLE"):
        variables["DYNAMODB_TABLE"] = before["DYNAMODB_TABLE"]
    has_same_pool = before.get("USER_POOL_ARN") == variables.get("USER_POOL_ARN")
    if has_same_pool and before.get("USER_POOL_CLIENT_ID"):
        variables["USER_POOL_CLIENT_ID"] = before["USER_POOL_CLIENT_ID"]
    if plan.table:
        variables["DYNAMODB_TABLE"] = plan.table
    if pool is not None:
        variables["USER_POOL_ARN"] = pool.arn
        variables["USER_POOL_CLIENT_ID"] = ",".join(plan.client_ids)
    return variables


def _change(before: str | None, after: str) -> str:
    if before and before != after:
        return f"{after} (was {before})"
    return after


def _runs_in_ci() -> bool:
    """Return whether this is a job in CI: GitHub, GitLab and most other systems set CI."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _is_recorded(variables: Mapping[str, str]) -> bool:
    """Return whether a stage with these environment variables has a record that was committed."""
    has_backend = bool(variables.get("DYNAMODB_TABLE") and variables.get("USER_POOL_ARN"))
    return has_backend and bool(chalice_config.owner_id())


def _must_be_run_by_a_person(stage: str) -> DeploymentError:
    return DeploymentError(
        f"this command would record the backend of {stage} in {chalice_config.FILE}, and this CI "
        "job would lose the record. Nothing was changed. Run the command on your machine, and "
        "commit the files that it writes. If this is no CI job, unset the variable CI."
    )


def _recorded_files(stage: str) -> dict[Path, bytes]:
    """Return the content of the files that this command writes; empty for a missing one."""
    contents = {}
    for file in (chalice_config.FILE, chalice_config.policy_file(stage)):
        contents[file] = file.read_bytes() if file.exists() else b""
    return contents


def _report_changed_files(stage: str, before: Mapping[Path, bytes]) -> None:
    """Print which files were changed. Raises DeploymentError if a job in CI loses them."""
    after = _recorded_files(stage)
    changed = [str(file) for file in after if after[file] != before[file]]
    if changed:
        print(f"Recorded in {' and '.join(changed)}. Commit what changed.")
    else:
        print(f"Nothing to record: {' and '.join(map(str, after))} are current.")
    if changed and _runs_in_ci():
        raise DeploymentError(
            f"the backend of {stage} is deployed, but this CI job loses what it recorded. Run the "
            f"same command on your machine, and commit {chalice_config.FILE} and "
            f"{chalice_config.policy_file(stage)}."
        )
