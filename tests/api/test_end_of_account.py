"""One account from its sign-up to its end, over HTTP, and what is left of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import jwt
import pytest

from deploy import cognito
from local.emulator import confirmation_code
from tests.support.cloud import Cloud
from tests.support.http_api import Api, assert_problem
from tests.support.operators import operator_of
from tests.support.secret_texts import PLANTED
from tests.support.users import PASSWORD, User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def sign_up_again(cloud: Cloud, user: User) -> User:
    """Sign up and sign in with the same e-mail address."""
    pool_arn = cloud.outputs["UserPoolArn"]
    client_id = cloud.outputs["UserPoolClientId"]
    cognito.sign_up(client_id, user.email, PASSWORD)
    cognito.confirm(client_id, user.email, confirmation_code(cloud.port, user.email))
    token = cognito.sign_in(pool_arn, client_id, user.email, PASSWORD)["IdToken"]
    claims = jwt.decode(token, options={"verify_signature": False})
    return replace(user, sub=claims["sub"], id_token=token)


def items_about(dynamodb: DynamoDBClient, table: str, *texts: str) -> list[dict[str, Any]]:
    """The items of the whole table that contain one of the texts."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    return [item for item in items if any(text in json.dumps(item) for text in texts)]


def test_an_erased_account_leaves_two_markers_and_its_sub_in_the_log(
    api: Api,
    cloud: Cloud,
    new_user: Callable[[], User],
    dynamodb: DynamoDBClient,
    table: str,
    logs: list[Path],
) -> None:
    user = new_user()
    value = f"{PLANTED}-{user.sub}"
    back_end = operator_of(api)
    assert api.send(user, "PUT", {"name": value, "email": user.email}).status == 200
    metadata = json.dumps({"app_metadata": {"plan": value}, "private_metadata": {"id": value}})
    path = f"/users/{user.sub}/metadata"
    assert back_end.send("PUT", path, body=metadata).status_code == 200

    answer = api("DELETE", "/user", token=user.id_token)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    again = sign_up_again(cloud, user)

    left = items_about(dynamodb, table, user.sub, user.email, value)
    assert [set(item) for item in left] == [{"pk", "sk", "erased_at", "expires_at"}] * 2
    for item in left:
        assert time.time() < int(item["expires_at"]["N"]) <= time.time() + 7 * 24 * 60 * 60
    pool = cloud.outputs["UserPoolId"]
    pages = boto3.client("cognito-idp").get_paginator("list_users").paginate(UserPoolId=pool)
    accounts = [json.dumps(found, default=str) for page in pages for found in page["Users"]]
    assert not [found for found in accounts if user.sub in found]
    assert len([found for found in accounts if user.email in found]) == 1, "the new account"
    lines = [line for log in logs for line in log.read_text().splitlines()]
    assert not [line for line in lines if value in line or user.email in line]

    assert_problem(api.get(user), 410, "account-erased")
    assert again.sub != user.sub
    assert_problem(api.get(again), 404, "profile-not-found")
    assert api.send(again, "PUT", {"name": "Ada"}).status == 200


def test_a_refresh_token_of_an_erased_account_is_useless(
    api: Api, cloud: Cloud, new_user: Callable[[], User]
) -> None:
    user = new_user()
    assert api("DELETE", "/user", token=user.id_token).status == 204
    client = boto3.client("cognito-idp")
    with pytest.raises(client.exceptions.ClientError):
        client.initiate_auth(
            ClientId=cloud.outputs["UserPoolClientId"],
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": user.refresh_token},
        )


@pytest.mark.parametrize("token", ["access_token", "refresh_token"])
def test_another_token_erases_nothing(api: Api, user: User, token: str) -> None:
    answer = api("DELETE", "/user", token=getattr(user, token))
    assert_problem(answer, 401, "not-signed-in")
    assert api.get(user).status == 404


def test_a_users_token_erases_nobody_under_users(api: Api, user: User, other_user: User) -> None:
    answer = api("DELETE", f"/users/{other_user.sub}", token=user.id_token)
    assert answer.status == 403
    assert api.get(other_user).status == 404
