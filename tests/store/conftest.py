"""Fixtures for the tests of the store on a DynamoDB API.

The tests run against the AWS emulator, or against the endpoint in STORE_TEST_ENDPOINT, with the
shell's credentials and region: DynamoDB Local, or AWS itself
(https://dynamodb.eu-west-1.amazonaws.com). At that endpoint, they create their own table and delete
it at the end.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest

from chalicelib.dynamodb import CLIENT_CONFIG
from chalicelib.store import ProfileStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENDPOINT = os.environ.get("STORE_TEST_ENDPOINT")
SHELL = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
"""The shell's AWS settings, before the fixtures of tests/conftest.py remove them."""


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    if ENDPOINT is None:
        emulator: DynamoDBClient = request.getfixturevalue("dynamodb")
        yield emulator
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in SHELL.items():
            patch.setenv(name, value)
        if "AWS_REGION" in SHELL and "AWS_DEFAULT_REGION" not in SHELL:
            # boto3 does not read AWS_REGION.
            patch.setenv("AWS_DEFAULT_REGION", SHELL["AWS_REGION"])
        # Processes that tests start call the same endpoint.
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", ENDPOINT)
        yield boto3.client("dynamodb", config=CLIENT_CONFIG)


@pytest.fixture(scope="session")
def table(client: DynamoDBClient, request: pytest.FixtureRequest) -> Iterator[str]:
    if ENDPOINT is None:
        yield request.getfixturevalue("cloud").outputs["TableName"]
        return
    name = f"user-profile-test-{uuid.uuid4().hex[:12]}"
    client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name)
    yield name
    client.delete_table(TableName=name)


@pytest.fixture
def store(client: DynamoDBClient, table: str) -> ProfileStore:
    """A store whose times are t1, t2... and whose revisions are r1, r2..."""
    return ProfileStore(client, table, clock=numbered("t"), revisions=numbered("r"))


@pytest.fixture
def other(client: DynamoDBClient, table: str) -> ProfileStore:
    """Another writer of the same table."""
    return ProfileStore(client, table)


@pytest.fixture
def sub() -> str:
    """A user without a profile."""
    return str(uuid.uuid4())


def numbered(prefix: str) -> Callable[[], str]:
    """A function that returns prefix1, prefix2..."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"
