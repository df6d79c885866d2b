"""The backend's stack: created, deployed again, changed, refused, deleted."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from deploy import backend, chalice_config, stacks
from deploy.errors import DeploymentError
from tests.support.cloud import Cloud

PARAMETERS = {"DomainSuffix": "again", "DeletionProtection": "false"}
APP = chalice_config.app_name()
RESOURCES = ("UserPool", "UserPoolClient", "UserPoolDomain", "Table")


@pytest.fixture
def steps() -> list[str]:
    """The steps that are reported."""
    return []


def test_a_deployment_without_a_change_does_nothing(cloud: Cloud, steps: list[str]) -> None:
    first = backend.deploy("twice", PARAMETERS, steps.append)
    assert steps == [f"{name} create complete" for name in RESOURCES]
    steps.clear()
    assert backend.deploy("twice", PARAMETERS, steps.append) == first
    assert backend.deploy("twice", {}, steps.append) == first, "parameters keep their values"
    assert steps == []
    assert first["TableName"] == f"{APP}-twice"
    assert first["UserPoolDomain"] == f"{APP}-twice-again.auth.us-east-1.amazoncognito.com"
    assert backend.chalice_environment(first) == {
        "DYNAMODB_TABLE": f"{APP}-twice",
        "USER_POOL_ARN": first["UserPoolArn"],
        "USER_POOL_CLIENT_ID": first["UserPoolClientId"],
    }


def test_a_change_keeps_the_users_and_their_data(cloud: Cloud, steps: list[str]) -> None:
    cognito = boto3.client("cognito-idp")
    dynamodb = boto3.client("dynamodb")
    before = backend.deploy("changed", PARAMETERS, steps.append)
    cognito.admin_create_user(UserPoolId=before["UserPoolId"], Username="kept@example.com")
    dynamodb.put_item(TableName=before["TableName"], Item={"pk": {"S": "a"}, "sk": {"S": "b"}})

    callback = "https://app.example.com/signed-in"
    after = backend.deploy("changed", {"CallbackUrls": callback}, steps.append)

    assert after == before
    assert cognito.list_users(UserPoolId=after["UserPoolId"])["Users"]
    assert dynamodb.scan(TableName=after["TableName"])["Count"] == 1
    assert app_client(after)["CallbackURLs"] == [callback]


def test_table_and_client_are_as_in_the_original_example(cloud: Cloud) -> None:
    table = boto3.client("dynamodb").describe_table(TableName=cloud.outputs["TableName"])["Table"]
    keys = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    assert keys == {"pk": "HASH", "sk": "RANGE"}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "sk-pk-index"
    assert index["Projection"]["ProjectionType"] == "ALL"
    client = app_client(cloud.outputs)
    assert client["CallbackURLs"] == ["https://localhost:3000", "http://localhost:3000"]
    assert set(client["AllowedOAuthFlows"]) == {"code", "implicit"}
    assert "ClientSecret" not in client


def test_parameters_turn_off_what_the_example_has(cloud: Cloud, steps: list[str]) -> None:
    lean = {"Index": "false", "ImplicitFlow": "false", "BillingMode": "PROVISIONED"}
    outputs = backend.deploy("lean", {**PARAMETERS, **lean}, steps.append)
    table = boto3.client("dynamodb").describe_table(TableName=outputs["TableName"])["Table"]
    assert not table.get("GlobalSecondaryIndexes")
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 1
    assert app_client(outputs)["AllowedOAuthFlows"] == ["code"]


def test_passkeys_are_deployed(cloud: Cloud, steps: list[str]) -> None:
    outputs = backend.deploy("keys", {**PARAMETERS, "Passkeys": "true"}, steps.append)
    pool = boto3.client("cognito-idp").describe_user_pool(UserPoolId=outputs["UserPoolId"])
    factors = pool["UserPool"]["Policies"]["SignInPolicy"]["AllowedFirstAuthFactors"]
    assert set(factors) == {"PASSWORD", "WEB_AUTHN"}
    assert "ALLOW_USER_AUTH" in app_client(outputs)["ExplicitAuthFlows"]


def test_a_refused_parameter_is_explained(cloud: Cloud, steps: list[str]) -> None:
    with pytest.raises(DeploymentError, match=f"{APP}-bad-backend"):
        backend.deploy("bad", {**PARAMETERS, "DomainSuffix": "has-aws-in-it"}, steps.append)


def test_a_failed_stack_is_explained_until_it_is_deleted(cloud: Cloud, steps: list[str]) -> None:
    cognito = boto3.client("cognito-idp")
    another_pool = cognito.create_user_pool(PoolName="another")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain=f"{APP}-late-again", UserPoolId=another_pool)
    with pytest.raises(DeploymentError, match=r"UserPoolDomain: .*already"):
        backend.deploy("late", PARAMETERS, steps.append)
    with pytest.raises(DeploymentError, match="ROLLBACK_COMPLETE"):
        backend.deploy("late", PARAMETERS, steps.append)
    stacks.delete(backend.stack_name("late"), steps.append)
    assert backend.deploy("late", {**PARAMETERS, "DomainSuffix": "other"}, steps.append)


def test_an_older_template_with_fewer_parameters_deploys(cloud: Cloud, steps: list[str]) -> None:
    def template(*names: str) -> str:
        parameters = {name: {"Type": "String", "Default": name} for name in names}
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": names[0]}}}
        return json.dumps({"Parameters": parameters, "Resources": {"Topic": topic}})

    stacks.deploy("fewer", template("One", "Two"), {"Two": "2"}, steps.append)
    stacks.deploy("fewer", template("One"), {}, steps.append)


def app_client(outputs: Mapping[str, str]) -> Mapping[str, Any]:
    described = boto3.client("cognito-idp").describe_user_pool_client(
        UserPoolId=outputs["UserPoolId"], ClientId=outputs["UserPoolClientId"]
    )
    return described["UserPoolClient"]
