"""The setting ERASURE of a stage: whether the API can delete the accounts of users.

`make backend` records a value if the team has not chosen one: `account` for the stage's own user
pool, and `off` for an attached one, because other apps may share its users.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from chalicelib.settings import RouteSettings
from deploy import chalice_config
from deploy.stage_settings import report_invalid_settings

SETTING = "ERASURE"
ACCOUNT = "account"
OFF = "off"


def is_on(variables: Mapping[str, str]) -> bool:
    """Return whether a stage with these environment variables erases accounts."""
    return variables.get(SETTING) == ACCOUNT


def check(variables: Mapping[str, str], stage: str) -> None:
    """Raise DeploymentError if the environment variables of a stage have an unknown ERASURE."""
    with report_invalid_settings(stage):
        RouteSettings.from_environment({SETTING: variables.get(SETTING, "")})


def warn_if_not_chosen(stage: str) -> None:
    """Print a warning if the stage has no ERASURE: it was deployed with an earlier version."""
    if not chalice_config.environment(stage).get(SETTING):
        print(
            f"Warning: the stage {stage} has no {SETTING}, so the API cannot erase accounts. "
            f"Set it to {ACCOUNT} or {OFF} in {chalice_config.FILE}, or run: make backend "
            f"STAGE={stage}. It records {ACCOUNT} for the stage's own user pool, and {OFF} for an "
            "attached one.",
            file=sys.stderr,
            flush=True,
        )


def to_record(variables: Mapping[str, str], attached_pool_id: str) -> dict[str, str]:
    """Return the environment variable to record, if none of the present `variables` sets ERASURE.

    `attached_pool_id` is empty if the user pool is the stage's own.
    """
    if variables.get(SETTING):
        return {}
    return {SETTING: OFF if attached_pool_id else ACCOUNT}


def notes(stage: str, variables_before: Mapping[str, str], attached_pool_id: str) -> list[str]:
    """Return what to know about the stage's recorded ERASURE, in sentences.

    `variables_before` are the environment variables before `make backend` recorded any.
    """
    if not is_on(chalice_config.environment(stage)):
        if variables_before.get(SETTING):
            return []  # the team has chosen it, or has seen the note before
        return [_note_about_off(attached_pool_id)]
    found = []
    if attached_pool_id:
        found.append(
            f"{SETTING} is {ACCOUNT}, so DELETE /user and DELETE /users/{{sub}} delete the user "
            f"from the user pool {attached_pool_id}, for all apps that share it."
        )
    if chalice_config.setting(stage, "manage_iam_role") is False:
        found.append(
            f"{SETTING} is {ACCOUNT}, and the stage has a role of its own. Give the role all "
            f"statements of {chalice_config.policy_file(stage)}; otherwise accounts are erased "
            "only partly."
        )
    return found


def _note_about_off(pool_id: str) -> str:
    return (
        f"{SETTING} is {OFF}, because other apps may share the user pool {pool_id}. If it were "
        f"{ACCOUNT}, DELETE /user and DELETE /users/{{sub}} would delete the user from this pool, "
        f"for all these apps. To choose that, set {SETTING} to {ACCOUNT} in {chalice_config.FILE}, "
        "run make backend again, which writes the function's permissions, and deploy."
    )
