"""Whether the user pool that a stage records is the one of its table.

A command that compares both would take every user of the table for gone, if the stage recorded the
user pool of another stage.
"""

from __future__ import annotations

from deploy import api, backend, chalice_config, checks, lookup, stacks
from deploy.chalice_config import FILE, Part
from deploy.errors import DeploymentError


def check(stage: str, table: str, pool_id: str) -> None:
    """Raise DeploymentError if this table has, or may have, the data of another pool's users.

    `table` and `pool_id` are those that the stage records. The deployed API may use another table:
    a restored table is compared before the API uses it. AWS is only read.
    """
    checks.check_table_is_its_own(stage, table)
    if Part.USER_POOL not in chalice_config.backend_record(stage).attached:
        _check_stack(stage, pool_id)
    _check_api(stage, pool_id)


def _check_stack(stage: str, pool_id: str) -> None:
    """Compare the user pool with the one that the stage's stack has made."""
    name = backend.stack_name(stage)
    made = (stacks.outputs(name) or {}).get("UserPoolId", pool_id)
    if made != pool_id:
        raise DeploymentError(
            f"the stage {stage} records the user pool {pool_id}, but its stack {name} has made "
            f"{made}. Correct USER_POOL_ARN in {FILE}."
        )


def _check_api(stage: str, pool_id: str) -> None:
    """Compare the user pool with the one of the deployed API, if there is an API."""
    deployed = _deployed_variables(stage)
    if deployed is None:
        return
    deployed_pool = chalice_config.pool_id_of(deployed)
    if deployed_pool != pool_id:
        raise DeploymentError(
            f"the deployed API of {stage} uses the user pool {deployed_pool}, but the stage "
            f"records {pool_id}. Correct {FILE}, or deploy the API: make deploy STAGE={stage}"
        )


def _deployed_variables(stage: str) -> dict[str, str] | None:
    """The environment variables of the API's function; None if there is none."""
    return lookup.find_function(api.function_name(stage))
