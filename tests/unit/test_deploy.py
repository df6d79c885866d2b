"""Small parts of deploy/: waiting, ARNs, the bucket for packages, deleting an API."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import (
    api,
    api_logs,
    aws,
    chalice_cli,
    chalice_config,
    destroy_backend,
    lookup,
    ownership,
    packaging,
    polling,
    stacks,
)
from deploy.arn import UserPoolArn
from deploy.counting import counted
from deploy.errors import DeploymentError
from deploy.stacks import Stack

ACCOUNT = "123456789012"
APP = chalice_config.app_name()
OWN_TAGS = {
    ownership.APP_TAG: APP,
    ownership.OWNER_TAG: chalice_config.owner_id(),
}


def test_waiting_ends_when_it_is_ready() -> None:
    answers = iter([False, False, True, False])
    polling.wait_until(lambda: next(answers))
    assert list(answers) == [False]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 users"), (1, "1 user"), (2, "2 users"), (1000, "1,000 users")]
)
def test_a_number_has_its_noun(count: int, text: str) -> None:
    assert counted(count, "user") == text


def test_pauses_grow_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    polling.wait_until(lambda: len(pauses) == 20)
    assert pauses[0] == polling.FIRST_PAUSE
    assert pauses[1] > pauses[0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == max(pauses) == polling.LONGEST_PAUSE


def test_waiting_ends_after_the_timeout() -> None:
    with pytest.raises(TimeoutError):
        polling.wait_until(lambda: False, timeout=0)


def test_a_user_pools_arn_has_its_parts() -> None:
    arn = UserPoolArn.parse("arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/pool")
    assert arn == UserPoolArn("aws-cn", "cn-north-1", "123456789012", "pool")


@pytest.mark.parametrize(
    ("partition", "region", "issuer", "sign_in_host"),
    [
        (
            "aws",
            "eu-central-1",
            "https://cognito-idp.eu-central-1.amazonaws.com/pool",
            "acme.auth.eu-central-1.amazoncognito.com",
        ),
        (
            "aws-us-gov",
            "us-gov-west-1",
            "https://cognito-idp.us-gov-west-1.amazonaws.com/pool",
            "acme.auth-fips.us-gov-west-1.amazoncognito.com",
        ),
        (
            "aws-cn",
            "cn-north-1",
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/pool",
            "acme.auth.cn-north-1.amazoncognito.com.cn",
        ),
    ],
)
def test_the_addresses_of_a_user_pool(
    partition: str, region: str, issuer: str, sign_in_host: str
) -> None:
    pool = UserPoolArn(partition, region, ACCOUNT, "pool")
    assert pool.issuer == issuer
    assert pool.sign_in_host("acme") == sign_in_host


@pytest.mark.parametrize("text", ["", "pool", "arn:aws:sns:us-east-1:1:topic", "arn:aws"])
def test_another_text_is_no_user_pools_arn(text: str) -> None:
    with pytest.raises(ValueError, match="is not the ARN of a user pool"):
        UserPoolArn.parse(text)


@pytest.mark.parametrize("by_cloudformation", [True, False])
@pytest.mark.parametrize("by_chalice", [True, False])
def test_an_api_is_deleted_however_it_was_deployed(
    monkeypatch: pytest.MonkeyPatch, by_cloudformation: bool, by_chalice: bool
) -> None:
    deleted: list[str] = []

    def delete_stack(name: str, _: object, _role_arn: str) -> bool:
        if by_cloudformation:
            deleted.append(name)
        return by_cloudformation

    def run_chalice(command: str, *_: str) -> None:
        deleted.append(f"chalice {command}")

    monkeypatch.setattr(stacks, "describe_at_rest", lambda *_: None)
    monkeypatch.setattr(stacks, "delete", delete_stack)
    monkeypatch.setattr(api_logs, "delete", lambda *_: None)
    monkeypatch.setattr(chalice_cli, "run_chalice", run_chalice)
    monkeypatch.setattr(chalice_cli, "has_record", lambda _: by_chalice)
    monkeypatch.setattr(lookup, "find_function", lambda _: None)
    assert api.destroy("dev", print) == (by_cloudformation or by_chalice)
    expected = [f"{APP}-dev"] * by_cloudformation + ["chalice delete"] * by_chalice
    assert deleted == expected


def test_a_stack_that_cannot_be_updated_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Packaging takes half a minute."""
    failed = Stack("id", {}, {}, {}, status="ROLLBACK_COMPLETE")
    monkeypatch.setattr(stacks, "describe_at_rest", lambda *_: failed)
    monkeypatch.setattr(ownership, "require_own", lambda *_: None)
    monkeypatch.setattr(packaging, "build", lambda _: pytest.fail("it was packaged"))
    with pytest.raises(DeploymentError, match="its first creation failed"):
        api.deploy("dev", {}, print)


def client_error(code: str, operation: str) -> ClientError:
    error: Any = {"Code": code, "Message": "no"}
    return ClientError({"Error": error}, operation)


class FakeS3:
    """Responds to HeadBucket with a status, and records the buckets that are created.

    `policy` and `lifecycle` are those of the bucket; empty if it has none. A bucket that exists has
    the tags of this project, or `tags`.
    """

    def __init__(
        self,
        region: str,
        bucket_status: int,
        *,
        policy: str = "",
        lifecycle: str = "",
        tags: dict[str, str] = OWN_TAGS,
    ) -> None:
        self.meta = SimpleNamespace(region_name=region, partition="aws")
        self.created: list[dict[str, Any]] = []
        self.tags = tags if bucket_status == 200 else {}
        self.policy = policy
        self.lifecycle: Any = lifecycle
        self._bucket_status = bucket_status

    def get_bucket_policy(self, **_: str) -> None:
        if not self.policy:
            raise client_error("NoSuchBucketPolicy", "GetBucketPolicy")

    def put_bucket_policy(self, **request: Any) -> None:
        self.policy = request["Policy"]

    def get_bucket_lifecycle_configuration(self, **_: str) -> None:
        if not self.lifecycle:
            raise client_error("NoSuchLifecycleConfiguration", "GetBucketLifecycleConfiguration")

    def put_bucket_lifecycle_configuration(self, **request: Any) -> None:
        self.lifecycle = request["LifecycleConfiguration"]

    def head_bucket(self, **_: str) -> None:
        if self._bucket_status != 200:
            response: Any = {
                "Error": {"Code": str(self._bucket_status), "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": self._bucket_status},
            }
            raise ClientError(response, "HeadBucket")

    def create_bucket(self, **request: Any) -> None:
        self.created.append(request)

    def get_bucket_tagging(self, **request: str) -> Any:
        assert request["ExpectedBucketOwner"] == ACCOUNT
        if not self.tags:
            raise client_error("NoSuchTagSet", "GetBucketTagging")
        return {"TagSet": [{"Key": key, "Value": value} for key, value in self.tags.items()]}

    def put_bucket_tagging(self, **request: Any) -> None:
        self.tags = {tag["Key"]: tag["Value"] for tag in request["Tagging"]["TagSet"]}

    def put_object(self, **request: Any) -> None:
        assert request["ExpectedBucketOwner"] == ACCOUNT


@pytest.fixture
def zip_file(tmp_path: Path) -> Path:
    file = tmp_path / "deployment.zip"
    file.write_bytes(b"content")
    return file


def upload(fake: FakeS3, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(boto3, "client", lambda _: fake)
    monkeypatch.setattr(aws, "account_id", lambda: ACCOUNT)
    return packaging.upload(file)


@pytest.mark.parametrize(
    ("region", "configuration"),
    [
        ("us-east-1", {}),
        (
            "eu-central-1",
            {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}},
        ),
    ],
)
def test_the_bucket_for_packages_is_created_in_the_region(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path, region: str, configuration: dict[str, Any]
) -> None:
    s3 = FakeS3(region, bucket_status=404)
    bucket = f"{APP}-packages-{ACCOUNT}-{region}"
    assert upload(s3, zip_file, monkeypatch).startswith(f"s3://{bucket}/")
    assert s3.created == [{"Bucket": bucket, **configuration}]
    assert s3.tags == OWN_TAGS


def test_an_existing_bucket_for_packages_is_used(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path
) -> None:
    s3 = FakeS3("us-east-1", bucket_status=200)
    assert upload(s3, zip_file, monkeypatch).endswith(".zip")
    assert s3.created == []


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("us-east-1", "aws", "s3.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "aws-us-gov", "s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", "s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_template_has_an_address_for_cloudformation(
    monkeypatch: pytest.MonkeyPatch, region: str, partition: str, host: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    s3 = FakeS3(region, bucket_status=200)
    s3.meta.partition = partition
    monkeypatch.setattr(boto3, "client", lambda _: s3)
    monkeypatch.setattr(aws, "account_id", lambda: ACCOUNT)
    url = packaging.upload_template("{}").url
    assert url.startswith(f"https://{host}/{APP}-packages-{ACCOUNT}-{region}/")
    assert url.endswith(".json")


@pytest.mark.parametrize("bucket_status", [200, 404])
def test_the_bucket_for_packages_requires_tls(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path, bucket_status: int
) -> None:
    s3 = FakeS3("eu-central-1", bucket_status)
    upload(s3, zip_file, monkeypatch)
    (statement,) = json.loads(s3.policy)["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    bucket = f"arn:aws:s3:::{APP}-packages-{ACCOUNT}-eu-central-1"
    assert statement["Resource"] == [bucket, f"{bucket}/*"]
    (rule,) = s3.lifecycle["Rules"]
    assert "Expiration" not in rule, "a rollback needs the package before it"


def test_a_buckets_own_policy_and_lifecycle_stay(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path
) -> None:
    s3 = FakeS3("eu-central-1", 200, policy="theirs", lifecycle="theirs")
    upload(s3, zip_file, monkeypatch)
    assert s3.policy == "theirs"
    assert s3.lifecycle == "theirs"


def test_a_package_is_uploaded_to_a_bucket_that_cannot_be_protected(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Forbidding(FakeS3):
        def get_bucket_policy(self, **_: str) -> None:
            raise client_error("AccessDenied", "GetBucketPolicy")

    assert upload(Forbidding("eu-central-1", 200), zip_file, monkeypatch).endswith(".zip")
    assert "Ask for the permission GetBucketPolicy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"team": "theirs"},
        {ownership.APP_TAG: APP},
        {**OWN_TAGS, ownership.OWNER_TAG: "theirs"},
        {**OWN_TAGS, ownership.APP_TAG: "theirs"},
    ],
)
def test_a_bucket_that_this_project_did_not_make_stays(
    monkeypatch: pytest.MonkeyPatch,
    zip_file: Path,
    capsys: pytest.CaptureFixture[str],
    tags: dict[str, str],
) -> None:
    """Also one whose creation was interrupted before its tags were set."""
    s3 = FakeS3("eu-central-1", 200, tags=tags)
    assert upload(s3, zip_file, monkeypatch).endswith(".zip")
    assert (s3.tags, s3.policy, s3.lifecycle) == (tags, "", "")
    note = capsys.readouterr().out
    assert f"Note: the bucket {APP}-packages-{ACCOUNT}-eu-central-1 existed before" in note
    assert f"lacks the tags {ownership.APP_TAG}={APP}" in note


def test_a_bucket_whose_tags_cannot_be_read_stays(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Forbidding(FakeS3):
        def get_bucket_tagging(self, **_: str) -> None:
            raise client_error("AccessDenied", "GetBucketTagging")

    s3 = Forbidding("eu-central-1", 200)
    assert upload(s3, zip_file, monkeypatch).endswith(".zip")
    assert (s3.policy, s3.lifecycle) == ("", "")
    assert "its tags cannot be read" in capsys.readouterr().out


def test_a_new_bucket_without_tags_is_protected(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Forbidding(FakeS3):
        def put_bucket_tagging(self, **_: Any) -> None:
            raise client_error("AccessDenied", "PutBucketTagging")

    s3 = Forbidding("eu-central-1", 404)
    upload(s3, zip_file, monkeypatch)
    assert s3.policy
    assert "AWS refused to tag the bucket" in capsys.readouterr().out


def test_a_bucket_of_another_account_is_not_used(
    monkeypatch: pytest.MonkeyPatch, zip_file: Path
) -> None:
    with pytest.raises(DeploymentError, match=f"{APP}-packages"):
        upload(FakeS3("us-east-1", bucket_status=403), zip_file, monkeypatch)


def test_a_wrong_confirmation_is_refused_before_aws_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_aws(*_: object) -> None:
        pytest.fail("AWS was asked")

    monkeypatch.setattr("boto3.client", no_aws)
    monkeypatch.setattr("boto3.session.Session", no_aws)
    with pytest.raises(DeploymentError, match="CONFIRM=dev"):
        destroy_backend.run("dev", "prod", lambda _: None)
