"""The checks of a stage before a deployment. They run before anything is changed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import boto3

from deploy import aws, chalice_config
from deploy.arn import UserPoolArn
from deploy.aws import report_aws_errors
from deploy.chalice_config import RecordedBackend
from deploy.errors import DeploymentError

REQUIREMENTS = Path("requirements.txt")
VALIDATOR = re.compile("^jsonschema[-_]rs", re.MULTILINE | re.IGNORECASE)


def check_stage(stage: str, profile: str | None = None) -> None:
    """Check that the stage can be packaged and deployed from this shell.

    `profile` is the AWS profile to use, None for the shell's. Raises DeploymentError.
    """
    recorded = chalice_config.recorded_backend(stage)
    _check_table_is_its_own(stage)
    _check_policy_names_table(stage, recorded)
    use_region_of(stage, profile)
    _check_schema_validator_is_packaged(stage)


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


def use_account_of(stage: str) -> None:
    """Check that the shell is signed in to the account of the stage's backend; use its region.

    A stage without a backend may be in any account. Raises DeploymentError.
    """
    use_region_of(stage)
    account = aws.account_id()
    arn = _user_pool_arn(stage)
    if arn is not None and arn.account != account:
        raise DeploymentError(
            f"the backend of {stage} is in the account {arn.account}, but this shell is signed in "
            f"to {account}. Sign in to the other account, or, to create a new backend in this "
            f"one, empty the stage's environment_variables in {chalice_config.FILE}."
        )


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


def _check_table_is_its_own(stage: str) -> None:
    others = chalice_config.stages_with_table_of(stage)
    if others:
        raise DeploymentError(
            f"{stage} and {' and '.join(others)} record the same table. Empty the "
            "environment_variables of the copied stage and run make backend for it."
        )


def _check_policy_names_table(stage: str, recorded: RecordedBackend) -> None:
    if f':table/{recorded.table}"' not in chalice_config.policy(stage):
        raise DeploymentError(
            f"the policy of {stage} does not name the table {recorded.table}: every request would "
            f"fail. Name it in the stage's iam_policy_file (see {chalice_config.FILE})."
        )


def _check_schema_validator_is_packaged(stage: str) -> None:
    has_schema = bool(chalice_config.environment(stage).get("PROFILE_SCHEMA"))
    if has_schema and not VALIDATOR.search(REQUIREMENTS.read_text(encoding="utf-8")):
        raise DeploymentError(
            f"PROFILE_SCHEMA needs jsonschema-rs in {REQUIREMENTS}, from which the package is "
            "built. Add it and run make lock, or remove PROFILE_SCHEMA."
        )
