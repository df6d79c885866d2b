"""What the tests stand on: an AWS of their own on free ports, users who really sign in, and the API over real HTTP.

Everything is started when a test first asks for it and stopped at the end; nothing is shared with a running
`make local`.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import settings

from chalicelib.store import ProfileStore
from deploy import backend, cognito
from local import environment, page
from local.api import serving
from local.emulator import confirmation_code, emulator
from local.process import free_port
from tests.support.project import copy_project

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The machines that run these are shared: a slow example is no failure, and CI must see what a developer saw.
settings.register_profile("here", deadline=None, derandomize=True)
settings.load_profile("here")

# A shell that puts pytest into the background has Ctrl-C ignored, by all that pytest starts too; some is sent one here.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
PASSWORD = "Correct-Horse-42"


def copy_of_the_project(folder: Path) -> Path:
    """What a fresh clone has, in `folder`, with the requirements installed already, and the page's modules."""
    copy_project(ROOT, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    page.install()
    (folder / "web" / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_aws_settings() -> Iterator[None]:
    """The shell's AWS settings are not for the tests; each sets what it needs."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


PLANTED = "planted-3f1c"
"""Tests put it where a log must not have it from: tokens, headers, claims, profile data."""
SECRETS = {PLANTED}


@pytest.fixture(scope="session", autouse=True)
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The log files of what the tests ran, and this process's own: none has a token, another claim than `sub`, or what
    was planted."""
    files = [tmp_path_factory.mktemp("logs") / "here.log"]
    handler = logging.FileHandler(files[0])  # traces and all
    for logger in (
        logging.getLogger(),
        logging.getLogger("user-profile"),
    ):  # the latter does not propagate
        logger.addHandler(handler)
    yield files
    handler.close()
    for file in files:
        text = file.read_text(errors="replace")
        assert not [secret for secret in SECRETS if secret in text], f"{file} tells secrets"


@dataclass(frozen=True)
class Cloud:
    """A running local cloud with the backend deployed, as `make cloud` leaves it."""

    port: int
    folder: Path
    outputs: Mapping[str, str]


@contextmanager
def a_cloud(port: int, folder: Path) -> Iterator[tuple[Cloud, subprocess.Popen[bytes]]]:
    """A cloud on `port`, its state in `folder`; this process's environment is its user's from then on."""
    os.environ["LOCAL_STATE"] = str(folder)
    with emulator(port, folder) as process:
        variables = environment.for_endpoint(port)
        environment.enter(variables)
        parameters = {"DomainSuffix": "test", "DeletionProtection": "false"}
        outputs = backend.deploy(environment.STAGE, parameters, progress=print)
        environment.record(variables | backend.chalice_environment(outputs))
        yield Cloud(port, folder, outputs), process


@pytest.fixture(scope="session")
def cloud(no_aws_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with a_cloud(free_port(), tmp_path_factory.mktemp("cloud")) as (cloud, _):
        yield cloud


@pytest.fixture(scope="session")
def dynamodb(cloud: Cloud) -> DynamoDBClient:
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def store(cloud: Cloud) -> ProfileStore:
    return ProfileStore.connect(cloud.outputs["TableName"])


@pytest.fixture(scope="session")
def table(cloud: Cloud) -> str:
    return cloud.outputs["TableName"]


@dataclass(frozen=True)
class User:
    email: str
    sub: str
    id_token: str
    access_token: str
    refresh_token: str


@pytest.fixture(scope="session")
def new_user(cloud: Cloud) -> Callable[[], User]:
    """Sign up, confirm with the mailed code and sign in: another user at each call."""
    return users_of(cloud)


def users_of(cloud: Cloud) -> Callable[[], User]:
    """What signs up, confirms and signs in another user of the cloud's pool at each call."""
    count = iter(range(1, 1000))
    arn, client_id = cloud.outputs["UserPoolArn"], cloud.outputs["UserPoolClientId"]

    def sign_up_and_in() -> User:
        email = f"user-{next(count)}@example.com"
        cognito.sign_up(client_id, email, PASSWORD)
        cognito.confirm(client_id, email, confirmation_code(cloud.port, email))
        tokens = cognito.sign_in(arn, client_id, email, PASSWORD)
        found = boto3.client("cognito-idp").admin_get_user(
            UserPoolId=cognito.pool_id(arn), Username=email
        )
        sub = next(
            attribute["Value"]
            for attribute in found["UserAttributes"]
            if attribute["Name"] == "sub"
        )
        user = User(email, sub, tokens["IdToken"], tokens["AccessToken"], tokens["RefreshToken"])
        # A token's signature is its own; its first part is the same for all.
        SECRETS.update(
            {email, user.id_token[-80:], user.access_token[-80:], user.refresh_token[-80:]}
        )
        return user

    return sign_up_and_in


@pytest.fixture(scope="session")
def ada(new_user: Callable[[], User]) -> User:
    """A user for tests that store nothing, or leave what they stored."""
    return new_user()


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


@dataclass(frozen=True)
class Api:
    """The API on a port, over HTTP as a client sends it: no library that corrects what a test gets wrong."""

    port: int
    prefix: str = ""  # of every path, where the deployed API has one

    def __call__(
        self,
        method: str,
        path: str = "/user/profile",
        *,
        token: str | None = None,
        body: bytes | str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        raw = body.encode() if isinstance(body, str) else body
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, self.prefix + path, skip_accept_encoding=True)
            if token is not None:
                connection.putheader("Authorization", f"Bearer {token}")
            for name, value in headers:
                connection.putheader(name, value)
            if raw is not None:
                connection.putheader("Content-Length", str(len(raw)))
            connection.endheaders(raw)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, user: User) -> Answer:
        return self("GET", token=user.id_token)

    def post(
        self, user: User, body: bytes | str, content_type: str | None = "application/json"
    ) -> Answer:
        headers = [("Content-Type", content_type)] if content_type is not None else []
        return self("POST", token=user.id_token, body=body, headers=headers)


@pytest.fixture(scope="session")
def api(cloud: Cloud, logs: list[Path]) -> Iterator[Api]:
    port = free_port()
    logs.append(cloud.folder / "api.log")
    with serving(port, logs[-1]):
        yield Api(port)


def assert_problem(answer: Answer, status: int, name: str | None = None) -> dict[str, Any]:
    """The answer is this problem, whole, and a script in a browser can read it. `name` None: about:blank."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag,Retry-After"
    assert answer.headers["Cache-Control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == (f"urn:problem-type:user-profile:{name}" if name else "about:blank")
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]
    assert set(problem) <= {"type", "title", "status", "detail", "request_id", "errors"}
    return problem
