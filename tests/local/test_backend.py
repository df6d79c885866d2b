"""Deploying the backend through CloudFormation: from nothing, again, changed, and when it goes wrong."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import backend, stacks
from deploy.stacks import DeploymentError
from tests.conftest import Cloud

PARAMETERS = {"DomainSuffix": "again", "DeletionProtection": "false"}


@pytest.fixture
def told() -> list[str]:
    return []


def test_a_stage_is_deployed_and_deployed_again_without_a_change(
    cloud: Cloud, told: list[str]
) -> None:
    first = backend.deploy("twice", PARAMETERS, told.append)
    assert told == [
        f"{name} create complete"
        for name in ("UserPool", "UserPoolClient", "UserPoolDomain", "Table")
    ]
    told.clear()
    assert backend.deploy("twice", PARAMETERS, told.append) == first
    assert backend.deploy("twice", {}, told.append) == first, "what is not said keeps its value"
    assert told == []
    assert first["TableName"] == "user-profile-twice"
    assert first["UserPoolDomain"] == "user-profile-twice-again.auth.us-east-1.amazoncognito.com"
    assert backend.chalice_environment(first) == {
        "DYNAMODB_TABLE": "user-profile-twice",
        "USER_POOL_ARN": first["UserPoolArn"],
        "USER_POOL_CLIENT_ID": first["UserPoolClientId"],
    }


def test_a_change_keeps_the_users_and_their_data(cloud: Cloud, told: list[str]) -> None:
    before = backend.deploy("changed", PARAMETERS, told.append)
    boto3.client("cognito-idp").admin_create_user(
        UserPoolId=before["UserPoolId"], Username="kept@example.com"
    )
    boto3.client("dynamodb").put_item(
        TableName=before["TableName"], Item={"pk": {"S": "a"}, "sk": {"S": "b"}}
    )
    after = backend.deploy(
        "changed", {"CallbackUrls": "https://app.example.com/signed-in"}, told.append
    )
    assert after == before
    assert boto3.client("cognito-idp").list_users(UserPoolId=after["UserPoolId"])["Users"]
    assert boto3.client("dynamodb").scan(TableName=after["TableName"])["Count"] == 1
    client = boto3.client("cognito-idp").describe_user_pool_client(
        UserPoolId=after["UserPoolId"], ClientId=after["UserPoolClientId"]
    )["UserPoolClient"]
    assert client["CallbackURLs"] == ["https://app.example.com/signed-in"]


def test_the_table_and_the_client_are_as_the_example_has_them(cloud: Cloud) -> None:
    table = boto3.client("dynamodb").describe_table(TableName=cloud.outputs["TableName"])["Table"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]
    (index,) = table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["Projection"]["ProjectionType"]) == ("sk-pk-index", "ALL")
    client = boto3.client("cognito-idp").describe_user_pool_client(
        UserPoolId=cloud.outputs["UserPoolId"], ClientId=cloud.outputs["UserPoolClientId"]
    )["UserPoolClient"]
    assert client["CallbackURLs"] == ["https://localhost:3000", "http://localhost:3000"]
    assert set(client["AllowedOAuthFlows"]) == {"code", "implicit"}
    assert "ClientSecret" not in client


def test_parameters_may_turn_off_what_the_example_has(cloud: Cloud, told: list[str]) -> None:
    outputs = backend.deploy(
        "lean",
        PARAMETERS | {"Index": "false", "ImplicitFlow": "false", "BillingMode": "PROVISIONED"},
        told.append,
    )
    table = boto3.client("dynamodb").describe_table(TableName=outputs["TableName"])["Table"]
    assert not table.get("GlobalSecondaryIndexes")
    client = boto3.client("cognito-idp").describe_user_pool_client(
        UserPoolId=outputs["UserPoolId"], ClientId=outputs["UserPoolClientId"]
    )["UserPoolClient"]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 1


def test_a_refused_parameter_is_told_in_cloudformations_words(
    cloud: Cloud, told: list[str]
) -> None:
    with pytest.raises(DeploymentError, match="user-profile-bad-backend"):
        backend.deploy("bad", {**PARAMETERS, "DomainSuffix": "has-aws-in-it"}, told.append)


def test_a_taken_domain_is_told_and_the_failed_stack_is_not_built_upon(
    cloud: Cloud, told: list[str]
) -> None:
    taken = boto3.client("cognito-idp").create_user_pool(PoolName="another")["UserPool"]["Id"]
    boto3.client("cognito-idp").create_user_pool_domain(
        Domain="user-profile-late-again", UserPoolId=taken
    )
    with pytest.raises(DeploymentError, match=r"UserPoolDomain: .*already"):
        backend.deploy("late", PARAMETERS, told.append)
    with pytest.raises(DeploymentError, match="ROLLBACK_COMPLETE"):
        backend.deploy("late", PARAMETERS, told.append)
    boto3.client("cloudformation").delete_stack(StackName="user-profile-late-backend")
    assert backend.deploy("late", {**PARAMETERS, "DomainSuffix": "other"}, told.append), (
        "nothing stands in the way"
    )


def test_aws_that_cannot_be_reached_is_told(
    monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(DeploymentError, match="Could not connect"):
        backend.deploy("dev", PARAMETERS, told.append)


def test_no_region_is_told(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DeploymentError, match="region"):
        backend.deploy("dev", PARAMETERS, told.append)


def test_an_error_of_another_kind_is_not_taken_for_an_absent_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing:
        def describe_stacks(self, **_: str) -> None:
            raise ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "not you"}}, "DescribeStacks"
            )

    monkeypatch.setattr(boto3, "client", lambda _: Refusing())
    with pytest.raises(DeploymentError, match="not you"):
        backend.deploy("dev", PARAMETERS, print)


def test_a_template_with_fewer_parameters_can_be_gone_back_to(
    cloud: Cloud, told: list[str]
) -> None:
    def template(*names: str) -> str:
        parameters = {name: {"Type": "String", "Default": name} for name in names}
        resources = {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": names[0]}}}
        }
        return json.dumps({"Parameters": parameters, "Resources": resources})

    stacks.deploy("fewer", template("One", "Two"), {"Two": "2"}, told.append)
    stacks.deploy("fewer", template("One"), {}, told.append)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("ROLLBACK_COMPLETE", "delete-stack --stack-name some-stack"),
        ("REVIEW_IN_PROGRESS", "delete-stack --stack-name some-stack"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name some-stack"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, status: str, told: str
) -> None:
    class Stuck:
        def describe_stacks(self, **_: str) -> object:
            return {"Stacks": [{"StackName": "some-stack", "StackStatus": status}]}

        def describe_stack_events(self, **_: str) -> object:
            return {"StackEvents": []}

    monkeypatch.setattr(boto3, "client", lambda _: Stuck())
    with pytest.raises(DeploymentError, match=told):
        stacks.deploy("some-stack", "{}", {}, print)


def test_a_stack_that_is_being_changed_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    class Busy:
        states = ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]  # noqa: RUF012

        def describe_stacks(self, **_: str) -> object:
            status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return {"Stacks": [{"StackName": "some-stack", "StackStatus": status, "Outputs": []}]}

        def describe_stack_events(self, **_: str) -> object:
            return {"StackEvents": []}

        def get_template_summary(self, **_: str) -> object:
            return {"Parameters": []}

        def update_stack(self, **_: str) -> None:
            raise ClientError(
                {"Error": {"Message": "No updates are to be performed."}}, "UpdateStack"
            )

    busy = Busy()
    monkeypatch.setattr(boto3, "client", lambda _: busy)
    stacks.deploy("some-stack", "{}", {}, told.append)
    assert told == ["it is being changed already: waiting for that to end"]


def test_an_interrupted_destruction_is_finished_the_next_time(
    cloud: Cloud, told: list[str]
) -> None:
    outputs = backend.deploy("gone", {"DomainSuffix": "again"}, told.append)
    stacks.delete(backend.stack_name("gone"), told.append)
    for _ in range(2):
        backend.destroy("gone", outputs["TableName"], outputs["UserPoolId"], told.append)
    assert outputs["TableName"] not in boto3.client("dynamodb").list_tables()["TableNames"]
