"""The account's bucket for packages, and its protection: TLS only, and no unfinished uploads.

Only a bucket that this project made is changed: it has the project's tags. S3 sets them in a second
call, so a bucket whose creation was interrupted has none, like a bucket of an earlier version. Such
a bucket is used as it is.

A policy or a lifecycle that somebody has set stays as it is, too. Packages do not expire: to roll a
deployment back, CloudFormation needs the package before it, however old that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deploy import chalice_config, ownership
from deploy.aws import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import BucketLifecycleConfigurationTypeDef, TagTypeDef

UPLOAD_DAYS = 7
"""Days after which S3 removes the parts of an upload that was not completed."""
OLD_VERSION_DAYS = 90
"""Days after which S3 removes replaced versions, if somebody has turned on versioning."""


def create(client: S3Client, bucket: str, account: str) -> None:
    """Create a bucket in the client's region, with the project's tags, and protect it.

    S3 makes it private and encrypted.
    """
    region = client.meta.region_name
    if region == "us-east-1":
        client.create_bucket(Bucket=bucket)  # S3 does not accept this region's name here
    else:
        client.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
        )
    tag_set: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in _tags().items()]
    try:
        client.put_bucket_tagging(
            Bucket=bucket, ExpectedBucketOwner=account, Tagging={"TagSet": tag_set}
        )
    except ClientError as error:
        print(
            f"Note: AWS refused to tag the bucket {bucket}: {error}. Later deployments use it as "
            "it is, because they cannot see that this project made it.",
            flush=True,
        )
    _protect(client, bucket, account)


def protect_own(client: S3Client, bucket: str, account: str) -> None:
    """Protect an existing bucket, if it has the project's tags. Prints a note if it has not."""
    try:
        tags = _tags_of(client, bucket, account)
    except ClientError as error:
        reason = f"its tags cannot be read ({error})"
    else:
        if _tags().items() <= tags.items():
            _protect(client, bucket, account)
            return
        listed = " and ".join(f"{name}={value}" for name, value in _tags().items())
        reason = f"it lacks the tags {listed}"
    print(
        f"Note: the bucket {bucket} existed before, and is used as it is: {reason}. If this "
        "project made it, and its tags are added, make deploy gives it a policy that requires "
        "TLS, and a lifecycle that removes unfinished uploads.",
        flush=True,
    )


def _tags() -> dict[str, str]:
    """Return the tags of a bucket that this project makes. All stages of the app share it."""
    return {
        ownership.APP_TAG: chalice_config.app_name(),
        ownership.OWNER_TAG: chalice_config.owner_id(),
    }


def _tags_of(client: S3Client, bucket: str, account: str) -> dict[str, str]:
    try:
        found = client.get_bucket_tagging(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if code_of(error) != "NoSuchTagSet":
            raise
        return {}
    return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}


def _protect(client: S3Client, bucket: str, account: str) -> None:
    """Give the bucket a policy that requires TLS, and a lifecycle, where it has none.

    Prints a note if AWS refuses that: the package can be uploaded nevertheless.
    """
    partition = client.meta.partition
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "RequireTLS",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:{partition}:s3:::{bucket}", f"arn:{partition}:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    lifecycle: BucketLifecycleConfigurationTypeDef = {
        "Rules": [
            {
                "ID": "RemoveUnfinishedUploadsAndOldVersions",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
                "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSION_DAYS},
            }
        ]
    }
    try:
        if _is_absent(
            lambda: client.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=account),
            "NoSuchBucketPolicy",
        ):
            client.put_bucket_policy(
                Bucket=bucket, ExpectedBucketOwner=account, Policy=json.dumps(policy)
            )
        if _is_absent(
            lambda: client.get_bucket_lifecycle_configuration(
                Bucket=bucket, ExpectedBucketOwner=account
            ),
            "NoSuchLifecycleConfiguration",
        ):
            client.put_bucket_lifecycle_configuration(
                Bucket=bucket, ExpectedBucketOwner=account, LifecycleConfiguration=lifecycle
            )
    except ClientError as error:
        print(
            f"Note: AWS refused to protect the bucket {bucket} (a policy that requires TLS, and a "
            f"lifecycle): {error}. Ask for the permission {error.operation_name}, or set both "
            "yourself.",
            flush=True,
        )


def _is_absent(read: Callable[[], object], code: str) -> bool:
    """Return whether AWS answers with the error `code`, which means that there is none."""
    try:
        read()
    except ClientError as error:
        if code_of(error) != code:
            raise
        return True
    return False
