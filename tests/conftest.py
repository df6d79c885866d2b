"""Fixtures for several folders of tests: an AWS emulator, signed-in users, the API over HTTP.

Each fixture starts at its first use. Every worker of pytest-xdist has its own. Nothing is shared
with a `make local` that runs at the same time.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import hypothesis
import pytest

from chalicelib import items
from chalicelib.store import ProfileStore
from tests.support import secret_texts
from tests.support.api_server import running_api
from tests.support.cloud import DEFAULT_SETTINGS, Cloud, running_cloud
from tests.support.http_api import Api
from tests.support.users import User, sign_up_user

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# There is no deadline, because test machines are shared. Derandomized runs give the same results in
# CI as on a developer's machine. `make fuzz` sets FUZZ_EXAMPLES.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
)
hypothesis.settings.load_profile("tests")

# The shell may have settings of the service, which app.py would read when a test imports it.
for setting in (*DEFAULT_SETTINGS, "PUBLIC_FIELDS"):
    os.environ.pop(setting, None)

# So may a surrounding `make test` have options, which are not for the commands that tests run.
for variable in [name for name in os.environ if name.startswith("OPTION_")]:
    del os.environ[variable]

# In CI, make backend does not record a new stage.
os.environ.pop("CI", None)

# Commands that a shell starts in the background ignore SIGINT, and so do their child processes.
# Some tests send SIGINT to child processes.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_aws_settings() -> Iterator[None]:
    """Remove the shell's AWS settings: each test sets what it needs."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The log files of this process and of those that tests start and add here.

    At the end of the session, none of them may contain a secret text.
    """
    own_log = tmp_path_factory.mktemp("logs") / "pytest.log"
    files = [own_log]
    handler = logging.FileHandler(own_log)
    # The service's logger does not pass its records on to the root logger.
    for logger in (logging.getLogger(), logging.getLogger("user-profile")):
        logger.addHandler(handler)
    yield files
    handler.close()
    for file in files:
        secret_texts.assert_none_in(file)


@pytest.fixture(scope="session")
def cloud(no_aws_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An AWS emulator with the backend deployed."""
    with running_cloud(0, tmp_path_factory.mktemp("cloud")) as (cloud, _):
        yield cloud


@pytest.fixture(scope="session")
def dynamodb(cloud: Cloud) -> DynamoDBClient:
    """A DynamoDB client of the emulator."""
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def table(cloud: Cloud) -> str:
    """The name of the table that the API uses."""
    return cloud.outputs["TableName"]


@pytest.fixture(scope="session")
def store(cloud: Cloud) -> ProfileStore:
    """The storage layer on the emulator's table."""
    return ProfileStore.connect(cloud.outputs["TableName"])


@pytest.fixture(scope="session")
def api(cloud: Cloud, logs: list[Path]) -> Iterator[Api]:
    """The API over HTTP, served by `chalice local`."""
    log = cloud.folder / "api.log"
    logs.append(log)
    with running_api(log) as api:
        yield api


@pytest.fixture(scope="session")
def new_user(cloud: Cloud) -> Callable[[], User]:
    """A function that signs up and signs in another user, which takes half a second."""
    return partial(sign_up_user, cloud)


@pytest.fixture(scope="session")
def ada(new_user: Callable[[], User]) -> User:
    """A signed-in user, who may have a profile from another test."""
    return new_user()


@pytest.fixture(scope="session")
def grace(new_user: Callable[[], User]) -> User:
    """A second signed-in user, who may have a profile from another test."""
    return new_user()


@pytest.fixture
def user(ada: User, dynamodb: DynamoDBClient, table: str) -> User:
    """A signed-in user without a profile."""
    dynamodb.delete_item(TableName=table, Key=items.profile_key(ada.sub))
    return ada


@pytest.fixture
def other_user(grace: User, dynamodb: DynamoDBClient, table: str) -> User:
    """Another signed-in user without a profile."""
    dynamodb.delete_item(TableName=table, Key=items.profile_key(grace.sub))
    return grace


@pytest.fixture
def etag(api: Api, user: User) -> str:
    """The ETag of the user's profile, which is {"old": true}."""
    stored = api.post(user, '{"old": true}')
    return str(stored.headers["ETag"])


@pytest.fixture
def unchanged_profile(api: Api, user: User, etag: str) -> Iterator[None]:
    """The user has a profile, which the test must not change."""
    yield
    after = api.get(user)
    assert after.headers["ETag"] == etag
    assert after.json()["profile_data"] == {"old": True}
