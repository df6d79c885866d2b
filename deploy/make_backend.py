"""`make backend`: create or update a stage's table and user pool, or attach existing ones.

The steps are in this order, so that a refusal changes nothing, and the same command completes an
interrupted run:

1. Decide what the stage's stack makes and what is attached. Check everything that can be checked:
   the stack's owner, what is attached, settings that would be lost.
2. Write owner_id, so that the new stack is recognized after an interruption.
3. Deploy the stack.
4. Record the result in .chalice/config.json, and write the function's policy.

With ADOPT=yes, the command only records the ARNs of the stage's stacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from deploy import (
    api,
    backend,
    backend_parameters,
    backend_plan,
    chalice_config,
    live_settings,
    ownership,
    policy,
    stacks,
    template,
)
from deploy.backend_plan import Attachment, Plan, Request
from deploy.errors import DeploymentError
from deploy.stacks import Progress, Stack


def run(request: Request, progress: Progress) -> None:
    """Do what the options ask for, and print what was recorded. Raises DeploymentError."""
    if request.adopt:
        _adopt(request)
        return
    stage = request.stage
    name = backend.stack_name(stage)
    stack = stacks.describe_at_rest(name, progress)
    ownership.require_own(stack, name, stage)
    plan = backend_plan.make_plan(request, stack)
    attachment = backend_plan.check_attached(stage, plan)
    backend_plan.check_kept(stage, plan, stack)
    parameters = backend_parameters.parameters(request, plan, stack)
    if stack is not None:
        _refuse_lost_settings(request, stack, parameters)
    policy.require_readable(stage)
    for file in (chalice_config.FILE, chalice_config.policy_file(stage)):
        chalice_config.require_writable(file)
    files_before = _recorded_files(stage)
    chalice_config.create_owner_id()

    outputs: dict[str, str] = {}
    if plan.needs_stack:
        print(f"Deploying resources/backend.yaml as {name} ...", flush=True)
        outputs = backend.deploy(stage, parameters, progress, ownership.claim(stage, stack))
    _record(stage, plan, attachment, outputs)
    for limitation in attachment.limitations:
        print(f"Note: {limitation}")
    _print_changed_files(files_before, _recorded_files(stage))
    print(f"Next: make deploy STAGE={stage}")


# --- the stack's owner ----------------------------------------------------------------------------


def _adopt(request: Request) -> None:
    """Record that this project may change the stage's existing stacks. Changes nothing in AWS."""
    stage = request.stage
    if request != Request(stage, adopt=True):
        raise DeploymentError(
            f"ADOPT=yes changes nothing but the record, so it has no other options. Run: make "
            f"backend STAGE={stage} ADOPT=yes, and then make backend with the other options."
        )
    foreign = {}
    for name in (backend.stack_name(stage), api.stack_name(stage)):
        stack = stacks.describe(name)
        if stack is not None and not ownership.is_own(stack, stage):
            foreign[name] = stack.stack_id
    if not foreign:
        raise DeploymentError(
            f"there is nothing to adopt: neither {backend.stack_name(stage)} nor "
            f"{api.stack_name(stage)} exists in this account and region with another owner."
        )
    record = chalice_config.backend_record(stage)
    adopted = sorted({*record.adopted_stacks, *foreign.values()})
    chalice_config.record(stage, {}, replace(record, adopted_stacks=tuple(adopted)))
    print(f"Adopted {' and '.join(foreign)} for the stage {stage}, and changed nothing else.")
    print(f"Commit {chalice_config.FILE}. Next: make backend STAGE={stage}")


# --- settings of the live user pool ---------------------------------------------------------------


def _refuse_lost_settings(request: Request, stack: Stack, parameters: Mapping[str, str]) -> None:
    """Refuse an update that could reset settings of the live user pool or app client."""
    deployed = template.load(stacks.deployed_template(stack.stack_id))
    wanted = template.load(backend.TEMPLATE.read_text())
    found = live_settings.differences(stack, deployed, wanted, parameters)
    if not found:
        return
    listed = "; ".join(map(str, found))
    is_current = (
        deployed == wanted
        and parameters.items() <= dict(stack.parameters).items()
        and dict(ownership.claim(request.stage, stack).tags).items() <= dict(stack.tags).items()
    )
    if is_current:
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


def _record(stage: str, plan: Plan, attachment: Attachment, outputs: Mapping[str, str]) -> None:
    """Record the backend and write the policy. Prints the recorded values.

    `outputs` are those of the stage's stack; empty if there is none.
    """
    before = chalice_config.environment(stage)
    variables = _variables(before, plan, attachment, outputs)
    sign_in_domain = outputs.get("UserPoolDomain", "")
    if attachment.pool is not None:
        sign_in_domain = attachment.pool.sign_in_domain
    record = replace(
        chalice_config.backend_record(stage),
        app_name=chalice_config.app_name(),
        attached=plan.attached,
        sign_in_domain=sign_in_domain,
    )
    chalice_config.record(stage, variables, record)
    policy.write(stage, chalice_config.recorded_backend(stage))
    for name, value in variables.items():
        print(f"  {name:<21}{_change(before.get(name), value)}")
    print(f"  {'sign-in page':<21}{sign_in_domain or 'none'}")


def _variables(
    before: Mapping[str, str], plan: Plan, attachment: Attachment, outputs: Mapping[str, str]
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
    if attachment.pool is not None:
        variables["USER_POOL_ARN"] = attachment.pool.arn
        variables["USER_POOL_CLIENT_ID"] = ",".join(plan.client_ids)
    return variables


def _change(before: str | None, after: str) -> str:
    if before and before != after:
        return f"{after} (was {before})"
    return after


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
