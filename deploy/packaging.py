"""The API's package: built by Chalice, uploaded to the account's bucket for packages."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from deploy import (
    api_checks,
    api_template,
    aws,
    bytecode,
    chalice_cli,
    chalice_config,
    checks,
    erasure,
    lookup,
    package_bucket,
    policy,
    stacks,
    vendor,
)
from deploy.aws import report_aws_errors
from deploy.chalice_cli import run_chalice
from deploy.errors import DeploymentError
from deploy.stacks import TemplateUrl

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEMPLATE = Path(__file__).parents[1] / "resources" / "api.json"
"""Chalice merges this into the template that it generates."""


def prepare(stage: str, profile: str | None) -> None:
    """Prepare the folders that Chalice packages: the AWS SDK and the compiled files.

    It is called within `chalice deploy` and `chalice package`. `profile` is the AWS profile to use,
    None for the shell's. Raises DeploymentError if the stage cannot be deployed.
    """
    checks.check_stage(stage, profile)
    checks.warn_of_misspelled_settings(stage)
    api_checks.warn_of_ignored_role(stage)
    erasure.warn_if_not_chosen(stage)
    policy.warn_of_unneeded_rights(stage, chalice_config.recorded_backend(stage))
    vendor.build()
    bytecode.compile_own_code(vendor.FOLDER)


def refuse_conflict(stage: str, profile: str | None) -> None:
    """Raise DeploymentError if `chalice deploy` would meet another deployment of the same name.

    Without a record of its own, `chalice deploy` updates any function that has the stage's name. A
    function that uses the stage's table and user pool is accepted: the record may be lost.
    """
    checks.use_account_of(stage, profile)
    name = chalice_config.resource_name(stage)
    if stacks.describe(name, profile) is not None:
        raise DeploymentError(
            f"make deploy has deployed the API of {stage} already, as the stack {name}. A second "
            f"API on the same table was refused. To use chalice deploy, run: make destroy "
            f"STAGE={stage}"
        )
    if chalice_cli.deployed_api(stage) is not None:
        return
    variables = lookup.find_function(name, profile)
    if variables is None:
        return
    recorded = chalice_config.recorded_backend(stage)
    uses_backend = (
        variables.get("USER_POOL_ARN") == recorded.user_pool_arn
        and variables.get("DYNAMODB_TABLE") == recorded.table
    )
    if not uses_backend:
        raise DeploymentError(
            f"the function {name} exists already and does not use this stage's table and user "
            f"pool. If it belongs to another project, choose another app_name in "
            f"{chalice_config.FILE}. If it is yours, restore .chalice/deployed/{stage}.json, or "
            "delete the function."
        )


def build(stage: str) -> Path:
    """Build deployment.zip and sam.json of a stage that passes check_stage; return their folder.

    Raises DeploymentError.
    """
    folder = Path("out") / stage
    folder.mkdir(parents=True, exist_ok=True)
    additions = folder / "additions.json"
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    additions.write_text(json.dumps(api_template.for_stage(template, stage)), encoding="utf-8")
    run_chalice("package", "--stage", stage, "--merge-template", str(additions), str(folder))
    packaged = folder / "sam.json"
    template = json.loads(packaged.read_text(encoding="utf-8"))
    api_template.add_throttling(template)
    packaged.write_text(json.dumps(template, indent=2), encoding="utf-8")
    return folder


def upload(file: Path) -> str:
    """Upload a file, with the hash of its content as its name; return its s3:// address.

    Creates the account's bucket for packages if there is none, and protects it if this project
    made it. Raises DeploymentError.
    """
    with report_aws_errors("uploading the package"):
        client = boto3.client("s3")
        account = aws.account_id()
        bucket = _bucket_name(client, account)
        if _bucket_exists(client, bucket, account):
            package_bucket.protect_own(client, bucket, account)
        else:
            package_bucket.create(client, bucket, account)
        key = _put(client, bucket, account, file.read_bytes(), file.suffix)
    return f"s3://{bucket}/{key}"


def upload_template(text: str) -> TemplateUrl:
    """Upload a CloudFormation template; return its address.

    The bucket is the one that `upload` has used. Raises DeploymentError.
    """
    with report_aws_errors("uploading the template"):
        client = boto3.client("s3")
        account = aws.account_id()
        bucket = _bucket_name(client, account)
        key = _put(client, bucket, account, text.encode(), ".json")
    return TemplateUrl(f"{_s3_address()}/{bucket}/{key}")


def _bucket_name(client: S3Client, account: str) -> str:
    """Return the name of the account's bucket for packages in the client's region."""
    return f"{chalice_config.app_name()}-packages-{account}-{client.meta.region_name}"


def _s3_address() -> str:
    """Return the address of S3 that CloudFormation accepts: not that of a FIPS endpoint."""
    emulator = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    if emulator:
        return emulator
    meta = boto3.client("s3").meta
    suffix = ""
    if meta.partition == "aws-cn":
        suffix = ".cn"
    return f"https://s3.{meta.region_name}.amazonaws.com{suffix}"


def _put(client: S3Client, bucket: str, account: str, content: bytes, suffix: str) -> str:
    """Store content in the bucket, with its hash as its name; return that name."""
    key = hashlib.sha256(content).hexdigest() + suffix
    # Bucket names are global: another account may have created this one.
    client.put_object(Bucket=bucket, ExpectedBucketOwner=account, Key=key, Body=content)
    return key


def _bucket_exists(client: S3Client, bucket: str, account: str) -> bool:
    """Return whether the account has the bucket. Raises DeploymentError if another one has it."""
    try:
        client.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise DeploymentError(
            f"the bucket {bucket} cannot be used: another account has it, or you lack the "
            "permission s3:ListBucket. Ask for the permission, or choose another app_name in "
            f"{chalice_config.FILE}. (AWS: {error})"
        ) from error
    return True
