"""The checks of a stage before a deployment. They run before anything is changed."""

from __future__ import annotations

import os
import re
import sys
from difflib import get_close_matches
from pathlib import Path

import boto3

from deploy import (
    api_checks,
    aws,
    chalice_cli,
    chalice_config,
    function_settings,
    policy,
    stacks,
)
from deploy.arn import UserPoolArn
from deploy.aws import report_aws_errors
from deploy.chalice_config import Part
from deploy.errors import DeploymentError

REQUIREMENTS = Path("requirements.txt")
SUPPORTED_PARTITIONS = ("aws", "aws-us-gov", "aws-cn")
KNOWN_SETTINGS = (
    "USER_POOL_ARN",
    "USER_POOL_CLIENT_ID",
    "CORS_ALLOW_ORIGIN",
    "CORS_ALLOW_HEADERS",
    "PUBLIC_FIELDS",
    "DYNAMODB_TABLE",
    "REQUIRE_PRECONDITIONS",
    "PROFILE_SCHEMA",
    "MAX_PROFILE_BYTES",
    "ERASURE",
    "ERASURE_MAX_SIGN_IN_AGE",
    "TTL_ATTRIBUTE",
)
"""The settings that chalicelib/settings.py reads."""
USE_LOCAL_CLOUD = "USE_LOCAL_CLOUD"
"""The variable of the stage local that local/environment.py reads."""
SIMILARITY = 0.9
"""From 0 to 1: how similar a name must be to a known one to be reported as misspelled."""
VALIDATOR = re.compile("^jsonschema[-_]rs", re.MULTILINE | re.IGNORECASE)


def check_stage(stage: str, profile: str | None = None) -> None:
    """Check that the stage can be packaged and deployed from this shell.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    chalice_config.refuse_local_stage(stage)
    check_app_name(stage)
    recorded = chalice_config.recorded_backend(stage)
    check_table_is_its_own(stage, recorded.table)
    use_region_of(stage, profile)
    function_settings.check(stage)
    api_checks.check(stage, UserPoolArn.parse(recorded.user_pool_arn).region)
    _check_role(stage)
    _check_client_ids(stage, recorded.client_ids)
    policy.check(stage, recorded)
    _check_schema_validator_is_packaged(stage)


def warn_of_misspelled_settings(stage: str) -> None:
    """Print a warning for each variable of the stage whose name is nearly that of a setting.

    Other unknown names are a team's own variables. Raises DeploymentError.
    """
    known = (*KNOWN_SETTINGS, USE_LOCAL_CLOUD)
    for name in chalice_config.environment(stage):
        similar = get_close_matches(name.upper(), known, n=1, cutoff=SIMILARITY)
        if similar and name not in known:
            print(
                f"Warning: {name} in {chalice_config.FILE} is not a setting. "
                f"Is {similar[0]} meant?",
                file=sys.stderr,
                flush=True,
            )


def use_region_of(stage: str, profile: str | None = None) -> None:
    """Use the region of the stage's backend, if it has a backend and the shell names no region.

    Raises DeploymentError if the shell, or the AWS profile `profile`, names another region.
    """
    arn = _user_pool_arn(stage)
    if arn is None:
        return
    with report_aws_errors("reading the shell's AWS settings"):
        region = boto3.session.Session(profile_name=profile).region_name
    if region is None:
        os.environ["AWS_DEFAULT_REGION"] = arn.region
    elif region != arn.region:
        raise DeploymentError(
            f"the backend of {stage} is in the region {arn.region}, but this shell uses {region}. "
            f"Set AWS_DEFAULT_REGION={arn.region}."
        )


def use_account_of(stage: str, profile: str | None = None) -> None:
    """Check that the shell is signed in to the account of the stage's backend; use its region.

    `profile` is the AWS profile to use, None for the shell's. A stage without a backend may be in
    any account. Raises DeploymentError.
    """
    use_region_of(stage, profile)
    _check_partition()
    account = aws.account_id(profile)
    arn = _user_pool_arn(stage)
    if arn is not None and arn.account != account:
        raise DeploymentError(
            f"the backend of {stage} is in the account {arn.account}, but this shell is signed in "
            f"to {account}. Sign in to the other account, or add another stage in "
            f"{chalice_config.FILE} for a backend in this one."
        )


def _check_partition() -> None:
    with report_aws_errors("identifying the region's partition"):
        session = boto3.session.Session()
        if session.region_name is None:
            return  # the next call of AWS reports it
        partition = session.get_partition_for_region(session.region_name)
    if partition not in SUPPORTED_PARTITIONS:
        raise DeploymentError(
            f"the region {session.region_name} belongs to the partition {partition}, which this "
            f"project does not support: its addresses of Cognito and API Gateway are unknown here. "
            f"It supports the regions of {', '.join(SUPPORTED_PARTITIONS)}."
        )


def check_app_name(stage: str) -> None:
    """Check that app_name was not changed while something of the stage has the earlier name.

    All names of a stage follow from it. Under another name, the commands would not find what they
    deployed, and would deploy everything a second time. Raises DeploymentError.
    """
    name = chalice_config.app_name()
    deployed_as = chalice_config.backend_record(stage).app_name
    if not deployed_as and name != chalice_config.FIRST_APP_NAME:
        deployed_as = _name_without_a_record(stage)
    if deployed_as in ("", name):
        return
    existing = _existing_under(deployed_as, stage)
    if existing:
        raise DeploymentError(
            f"app_name in {chalice_config.FILE} is {name}, but the stage {stage} was deployed as "
            f"{deployed_as}, and these exist under that name: {', '.join(existing)}. Set app_name "
            f"to {deployed_as} again. To use another name, destroy the stage first."
        )


def _name_without_a_record(stage: str) -> str:
    """Return the name under which an earlier version deployed the stage; empty if none did."""
    first_name = chalice_config.FIRST_APP_NAME
    recorded_pool = chalice_config.environment(stage).get("USER_POOL_ARN")
    if recorded_pool:
        stack = stacks.describe(f"{first_name}-{stage}-backend")
        if stack is not None and stack.outputs.get("UserPoolArn") == recorded_pool:
            return first_name
    return ""


def _existing_under(name: str, stage: str) -> list[str]:
    """Describe what the stage has under the app's name `name`. Raises DeploymentError."""
    attached = chalice_config.backend_record(stage).attached
    recorded = chalice_config.environment(stage)
    existing = []
    for stack in (f"{name}-{stage}-backend", f"{name}-{stage}"):
        if stacks.describe(stack) is not None:
            existing.append(f"the stack {stack}")
    if chalice_cli.deployed_api(stage) is not None:
        existing.append(f"the API {name}-{stage} of chalice deploy")
    if Part.TABLE not in attached and recorded.get("DYNAMODB_TABLE"):
        existing.append(f"the table {recorded['DYNAMODB_TABLE']}")
    if Part.USER_POOL not in attached and recorded.get("USER_POOL_ARN"):
        existing.append(f"the user pool {chalice_config.pool_id_of(recorded)}")
    return existing


def _user_pool_arn(stage: str) -> UserPoolArn | None:
    recorded = chalice_config.environment(stage).get("USER_POOL_ARN")
    if not recorded:
        return None
    try:
        return UserPoolArn.parse(recorded)
    except ValueError as error:
        raise DeploymentError(
            f"the USER_POOL_ARN of the stage {stage} is invalid: {error}. Correct it in "
            f"{chalice_config.FILE}, or remove it and run: make backend STAGE={stage}"
        ) from error


def check_table_is_its_own(stage: str, table: str) -> None:
    """Raise DeploymentError if another stage records the same table."""
    others = chalice_config.stages_with("DYNAMODB_TABLE", table, other_than=stage)
    if others:
        raise DeploymentError(
            f"{stage} and {' and '.join(others)} record the same table. Remove DYNAMODB_TABLE, "
            "USER_POOL_ARN and USER_POOL_CLIENT_ID from the copied stage, and run make backend for "
            "it."
        )


def _check_role(stage: str) -> None:
    """Refuse settings with which the function would have no usable role."""
    manages_role = chalice_config.setting(stage, "manage_iam_role") is not False
    if not manages_role and not chalice_config.setting(stage, "iam_role_arn"):
        raise DeploymentError(
            f"the stage {stage} has manage_iam_role false and no iam_role_arn. Set the ARN of the "
            f"role in {chalice_config.FILE}."
        )
    if manages_role and chalice_config.setting(stage, "autogen_policy") is not False:
        raise DeploymentError(
            f"autogen_policy must be false in {chalice_config.FILE}: Chalice cannot find the "
            "service's permissions, which are in the stage's policy file."
        )


def _check_client_ids(stage: str, client_ids: str) -> None:
    """Refuse a list without an id: the API would accept the tokens of any client of the pool."""
    if client_ids and not client_ids.replace(",", "").strip():
        raise DeploymentError(
            f"USER_POOL_CLIENT_ID of the stage {stage} is {client_ids!r}, which has no id. Correct "
            f"it in {chalice_config.FILE}, or remove it to accept all clients of the user pool."
        )


def _check_schema_validator_is_packaged(stage: str) -> None:
    has_schema = bool(chalice_config.environment(stage).get("PROFILE_SCHEMA"))
    if has_schema and not VALIDATOR.search(REQUIREMENTS.read_text(encoding="utf-8")):
        raise DeploymentError(
            f"PROFILE_SCHEMA needs jsonschema-rs in {REQUIREMENTS}, from which the package is "
            "built. Add it and run make lock, or remove PROFILE_SCHEMA."
        )
