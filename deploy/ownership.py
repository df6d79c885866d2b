"""Stack ownership: the tags of what this project deploys, and the check of a stack's owner.

Several teams, or several clones of this project, can use one AWS account. Stacks are named after
the app and the stage, so two clones with the same names would change each other's stacks. The first
`make backend` therefore writes a random owner_id into .chalice/config.json. Everybody who has that
file is the same owner.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy import chalice_config
from deploy.errors import DeploymentError
from deploy.stacks import Claim, Stack

APP_TAG = "user-profile:app"
STAGE_TAG = "user-profile:stage"
OWNER_TAG = "user-profile:owner"


def claim(stage: str, stack: Stack | None, role_arn: str = "") -> Claim:
    """Return the tags to deploy the stage's stack with, bound to the stack that was checked.

    `stack` is the result of that check (see require_own), None if there is no stack yet. `role_arn`
    is the role with which CloudFormation acts, or empty. Raises DeploymentError if there is no
    owner_id yet.
    """
    if stack is None:
        return Claim(None, tags(stage, None), role_arn)
    return Claim(stack.stack_id, tags(stage, stack), role_arn)


def tags(stage: str, stack: Stack | None) -> dict[str, str]:
    """Return the tags of the stage's stack after its deployment.

    Tags that a team has put on its stack stay. An adopted stack keeps its owner, so that the
    project that made it can still change it. Raises DeploymentError if there is no owner_id yet.
    """
    owner = chalice_config.owner_id()
    if not owner:
        raise DeploymentError(
            f"{chalice_config.FILE} has no owner_id yet. Run: make backend STAGE={stage}"
        )
    present = {} if stack is None else stack.tags
    kept = {name: value for name, value in present.items() if not name.startswith("aws:")}
    return {OWNER_TAG: owner, **kept, **name_tags(stage)}


def name_tags(stage: str) -> dict[str, str]:
    """Return the tags that name the app and the stage."""
    return {APP_TAG: chalice_config.app_name(), STAGE_TAG: stage}


def has_tags_of(stack_name: str, stage: str, tags: Mapping[str, str]) -> bool:
    """Return whether these are the tags that the stage's stack passes on to what it makes."""
    return _tags_passed_on(stack_name, stage).items() <= tags.items()


def tags_of_another_stage(stack_name: str, stage: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return those of the tags that name another app, stage or owner than the stage's stack."""
    expected = _tags_passed_on(stack_name, stage)
    return {name: value for name, value in tags.items() if expected.get(name, value) != value}


def _tags_passed_on(stack_name: str, stage: str) -> dict[str, str]:
    """Return the tags that the stage's stack passes on to what it makes."""
    tags = name_tags(stage)
    adopted = chalice_config.backend_record(stage).adopted_stacks
    if not any(f":stack/{stack_name}/" in stack_id for stack_id in adopted):
        tags[OWNER_TAG] = chalice_config.owner_id()  # an adopted stack keeps its owner's
    return tags


def is_own(stack: Stack, stage: str) -> bool:
    """Return whether this project may change the stage's stack: it is the owner, or adopted it.

    A stack without an owner is accepted if it made the recorded user pool: an earlier version of
    the project deployed it.
    """
    if stack.stack_id in chalice_config.backend_record(stage).adopted_stacks:
        return True
    if not stack.tags.get(OWNER_TAG):
        return _made_the_recorded_pool(stack, stage)
    has_names = name_tags(stage).items() <= dict(stack.tags).items()
    return has_names and stack.tags[OWNER_TAG] == chalice_config.owner_id()


def _made_the_recorded_pool(stack: Stack, stage: str) -> bool:
    """Return whether the stage records the user pool that the stack made."""
    recorded = chalice_config.environment(stage).get("USER_POOL_ARN", "")
    return recorded != "" and stack.outputs.get("UserPoolArn") == recorded


def require_own(stack: Stack | None, name: str, stage: str) -> None:
    """Raise DeploymentError if the stack `name` exists and belongs to another owner."""
    if stack is None or is_own(stack, stage):
        return
    raise DeploymentError(
        f"the stack {name} exists already and was not made with this {chalice_config.FILE}: "
        f"{description(stack)}. If it belongs to another team, choose another app_name in "
        f"{chalice_config.FILE}. If it is yours, adopt it: make backend STAGE={stage} ADOPT=yes"
    )


def description(stack: Stack) -> str:
    """Describe whose stack it is, by its tags."""
    app = stack.tags.get(APP_TAG, "unknown")
    stage = stack.tags.get(STAGE_TAG, "unknown")
    owner = stack.tags.get(OWNER_TAG, "unknown")
    return f"its app is {app}, its stage is {stage}, its owner_id is {owner}"
