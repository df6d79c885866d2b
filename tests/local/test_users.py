"""`make token` and `make sign-up`: what they require, and the demo user."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from chalicelib import items
from chalicelib.items import Item, Kind
from chalicelib.store import MetadataStore, ProfileStore
from deploy import cognito
from deploy.errors import DeploymentError
from deploy.user_pool import UserPool, find_sub
from local import environment, users
from local.errors import LocalError
from tests.support.cloud import Cloud
from tests.support.ports import free_ports
from tests.support.users import PASSWORD


@pytest.mark.parametrize(
    ("email", "password", "stage", "required"),
    [
        ("grace@example.com", "", "local", "make -s token EMAIL=grace@example.com"),
        ("grace@example.com", "", "dev", "make -s token EMAIL=grace@example.com"),
        ("", "", "dev", "make -s token STAGE=dev EMAIL="),
    ],
)
def test_a_token_needs_what_the_message_names(
    email: str, password: str, stage: str, required: str
) -> None:
    with pytest.raises(LocalError, match=required):
        users.print_token(email, password, stage)


@pytest.mark.parametrize(
    ("email", "password", "missing"),
    [
        ("", "", "EMAIL and PASSWORD are required: make sign-up EMAIL="),
        ("grace@example.com", "", r"PASSWORD are required: .* EMAIL=grace@example\.com"),
        ("", "x", "EMAIL and PASSWORD are required"),
    ],
)
def test_a_sign_up_names_what_is_missing(email: str, password: str, missing: str) -> None:
    with pytest.raises(LocalError, match=missing):
        users.sign_up(email, password)


def test_a_token_from_a_port_without_an_emulator_is_refused(
    cloud: Cloud, restored_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("OPTION_AWS_PORT", str(port))
    with pytest.raises(LocalError, match=f"does not respond on 127.0.0.1:{port}"):
        users.print_token("", "", "local")
    with pytest.raises(LocalError, match=f"does not respond on 127.0.0.1:{port}"):
        users.sign_up("grace@example.com", PASSWORD)


@contextmanager
def another_program(response: bytes) -> Iterator[int]:
    """A program that sends `response` on every connection. Yields its port."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(response)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=[0.01]).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n<html>Not found</html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n\xff",
    ],
    ids=["not HTTP", "HTML", "cut off", "an object", "a list", "not UTF-8"],
)
def test_another_program_is_not_taken_for_the_emulator(
    cloud: Cloud, restored_environment: None, monkeypatch: pytest.MonkeyPatch, response: bytes
) -> None:
    with another_program(response) as port:
        monkeypatch.setenv("OPTION_AWS_PORT", str(port))
        message = f"127.0.0.1:{port} is not the AWS emulator"
        with pytest.raises(LocalError, match=message):
            users.print_token("", "", "local")
        with pytest.raises(LocalError, match=message):
            users.sign_up("grace@example.com", PASSWORD)


def test_without_a_local_cloud_both_say_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    with pytest.raises(LocalError, match="make local"):
        users.print_token("", "", "local")
    with pytest.raises(LocalError, match="make local"):
        users.sign_up("grace@example.com", PASSWORD)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"AWS_ENDPOINT_URL": "http://127.0',
        b"\xff",
        b"[]",
        b"{}",
        b'{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}',
        b'{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "DYNAMODB_TABLE": "x", '
        b'"USER_POOL_ARN": "x", "USER_POOL_CLIENT_ID": ""}',
        b'{"AWS_ENDPOINT_URL": "http://127.0.0.1", "DYNAMODB_TABLE": "x", "USER_POOL_ARN": "x", '
        b'"USER_POOL_CLIENT_ID": "x"}',
        b'{"AWS_ENDPOINT_URL": 4566, "DYNAMODB_TABLE": "x", "USER_POOL_ARN": "x", '
        b'"USER_POOL_CLIENT_ID": "x"}',
    ],
)
def test_a_damaged_recorded_environment_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    environment.file().write_bytes(content)
    message = r"environment\.json cannot be read\. Run make local again\.$"
    with pytest.raises(LocalError, match=message):
        users.print_token("", "", "local")
    with pytest.raises(LocalError, match=message):
        users.sign_up("grace@example.com", PASSWORD)


def test_a_recorded_environment_that_is_a_folder_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    environment.file().mkdir()
    with pytest.raises(LocalError, match="cannot be read"):
        environment.load()


def test_an_interrupted_recording_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    environment.record({"AWS_ENDPOINT_URL": "before"})
    before = environment.file().read_bytes()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        environment.record({"AWS_ENDPOINT_URL": "after"})
    assert environment.file().read_bytes() == before


def test_a_token_of_a_stage_without_a_backend_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text('{"stages": {"dev": {}}}')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeploymentError, match="make backend STAGE=dev"):
        users.print_token("grace@example.com", PASSWORD, "dev")


def test_a_signed_up_user_gets_a_token(
    cloud: Cloud, restored_environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    users.sign_up("hopper@example.com", PASSWORD)
    capsys.readouterr()
    users.print_token("hopper@example.com", PASSWORD, "local")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", capsys.readouterr().out)


def test_the_demo_user_can_be_created_again_and_again(cloud: Cloud) -> None:
    for _ in range(2):
        users.ensure_demo_user(cloud.outputs["UserPoolArn"])
        tokens = cognito.sign_in(
            cloud.outputs["UserPoolArn"],
            cloud.outputs["UserPoolClientId"],
            users.DEMO_EMAIL,
            users.DEMO_PASSWORD,
        )
        assert tokens["IdToken"]


def test_the_demo_user_gets_metadata_that_a_developer_can_change(
    cloud: Cloud, store: ProfileStore
) -> None:
    pool_arn = cloud.outputs["UserPoolArn"]
    table = cloud.outputs["TableName"]
    users.ensure_demo_user(pool_arn)
    sub = find_sub(cloud.outputs["UserPoolId"], users.DEMO_EMAIL)
    metadata = MetadataStore.beside(store)
    metadata.delete(sub)

    users.ensure_demo_metadata(pool_arn, table)
    created = metadata.find(sub)
    assert created is not None
    assert created.data == users.DEMO_METADATA

    changed = metadata.replace(sub, {"app_metadata": {}})
    users.ensure_demo_metadata(pool_arn, table)
    assert metadata.find(sub) == changed


@pytest.mark.parametrize(
    ("erased", "expiry"),
    [
        ([items.PROFILE], {}),
        ([items.PROFILE, items.METADATA], {}),
        ([items.PROFILE, items.METADATA], {items.EXPIRES_AT: {"N": str(2**40)}}),
    ],
    ids=["profile-only", "both", "finished-without-the-account"],
)
def test_an_interrupted_erasure_of_the_demo_user_is_finished(
    cloud: Cloud, store: ProfileStore, erased: list[Kind], expiry: Item
) -> None:
    pool_arn = cloud.outputs["UserPoolArn"]
    pool_id = cloud.outputs["UserPoolId"]
    users.ensure_demo_user(pool_arn)
    sub = find_sub(pool_id, users.DEMO_EMAIL)
    for kind in erased:
        marker = {**kind.key(sub), items.ERASED_AT: {"S": "2026-11-22T10:00:00.000000Z"}, **expiry}
        store.client.put_item(TableName=store.table, Item=marker)

    users.ensure_demo_metadata(pool_arn, store.table)
    assert UserPool.connect(pool_id).find(sub) is None
    for kind in (items.PROFILE, items.METADATA):
        found = store.client.get_item(TableName=store.table, Key=kind.key(sub))
        assert items.EXPIRES_AT in found["Item"]
    created = MetadataStore.beside(store).find(find_sub(pool_id, users.DEMO_EMAIL))
    assert created is not None
    assert created.data == users.DEMO_METADATA
