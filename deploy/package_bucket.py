"""The protection of the account's bucket for packages: TLS only, and no unfinished uploads.

A policy or a lifecycle that somebody has set stays as it is. Packages do not expire: to roll a
deployment back, CloudFormation needs the package before it, however old that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deploy.aws import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import BucketLifecycleConfigurationTypeDef

UPLOAD_DAYS = 7
"""Days after which S3 removes the parts of an upload that was not completed."""
OLD_VERSION_DAYS = 90
"""Days after which S3 removes replaced versions, if somebody has turned on versioning."""


def protect(client: S3Client, bucket: str, account: str) -> None:
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
