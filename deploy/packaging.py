"""The API's package: built by Chalice, uploaded to the account's bucket for packages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from deploy import aws, bytecode, checks, vendor
from deploy.aws import report_aws_errors
from deploy.chalice_cli import run_chalice
from deploy.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEMPLATE = Path(__file__).parents[1] / "resources" / "api.json"
"""Chalice merges this file into the template that it generates."""


def prepare(stage: str, profile: str | None) -> None:
    """Prepare the folders that Chalice packages: the AWS SDK and the compiled files.

    It is called within `chalice deploy` and `chalice package`. `profile` is the AWS profile to use,
    None for the shell's. Raises DeploymentError if the stage cannot be deployed.
    """
    checks.check_stage(stage, profile)
    vendor.build()
    bytecode.compile_own_code(vendor.FOLDER)


def build(stage: str) -> Path:
    """Build deployment.zip and sam.json of a stage that passes check_stage; return their folder.

    Raises DeploymentError.
    """
    folder = Path("out") / stage
    run_chalice("package", "--stage", stage, "--merge-template", str(TEMPLATE), str(folder))
    return folder


def upload(file: Path) -> str:
    """Upload a file, with the hash of its content as its name; return its s3:// address.

    Creates the account's bucket for packages if there is none. Raises DeploymentError.
    """
    content = file.read_bytes()
    key = hashlib.sha256(content).hexdigest() + file.suffix
    with report_aws_errors("uploading the package"):
        client = boto3.client("s3")
        account = aws.account_id()
        bucket = f"user-profile-packages-{account}-{client.meta.region_name}"
        if not _bucket_exists(client, bucket, account):
            _create_bucket(client, bucket)
        # Bucket names are global: another account may have created this one.
        client.put_object(Bucket=bucket, ExpectedBucketOwner=account, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def _bucket_exists(client: S3Client, bucket: str, account: str) -> bool:
    """Return whether the account has the bucket. Raises DeploymentError if another one has it."""
    try:
        client.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise DeploymentError(f"the bucket {bucket} cannot be used: {error}") from error
    return True


def _create_bucket(client: S3Client, bucket: str) -> None:
    """Create a bucket in the client's region. S3 makes it private and encrypted."""
    region = client.meta.region_name
    if region == "us-east-1":
        client.create_bucket(Bucket=bucket)  # S3 does not accept this region's name here
    else:
        client.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
        )
