"""Stopping and being killed while requests are under way: what was acknowledged is there, and nothing is torn."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy import backend
from local import environment
from local.api import serving
from local.process import free_port, free_ports
from tests.conftest import Answer, Api, Cloud, User, a_cloud, copy_of_the_project, users_of
from tests.local.test_commands import run, running
from tests.support import faulty_wire as wires

CLIENTS = 4


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test sets in the environment is undone at its end."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


class Load:
    """Clients who count, each under a name of their own in one user's profile, and note what was acknowledged."""

    def __init__(self, api: Api, user: User) -> None:
        self._api, self._user, self._stop = api, user, threading.Event()
        self.asked, self.acknowledged = [0] * CLIENTS, [0] * CLIENTS
        self.other: list[
            int | str
        ] = []  # statuses that are not 200, and what broke instead of an answer

    def _count(self, client: int) -> None:
        while not self._stop.is_set():
            self.asked[client] += 1
            body = json.dumps({f"client{client}": [self.asked[client]] * 500})
            try:
                answer = self._api("PATCH", token=self._user.id_token, body=body)
            except (OSError, http.client.HTTPException) as error:
                self.other.append(type(error).__name__)
                time.sleep(0.01)
                continue
            if answer.status == 200:
                self.acknowledged[client] = self.asked[client]
            else:
                self.other.append(answer.status)
                assert "Retry-After" in answer.headers

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            done = [pool.submit(self._count, client) for client in range(CLIENTS)]
            try:
                yield
            finally:
                self._stop.set()
            for each in done:
                each.result()

    def wait(self) -> None:
        """Until each client was acknowledged some more."""
        seen, deadline = list(self.acknowledged), time.monotonic() + 60
        while any(now < before + 3 for now, before in zip(self.acknowledged, seen, strict=True)):
            assert time.monotonic() < deadline, self.other
            time.sleep(0.01)

    def assert_all_there(self, answer: Answer) -> None:
        """Each client's last acknowledged number, or a later one that they asked for; and whole."""
        data = answer.json()["profile_data"]
        for client in range(CLIENTS):
            numbers = data[f"client{client}"]
            assert len(numbers) == 500
            assert len(set(numbers)) == 1
            assert self.acknowledged[client] <= numbers[0] <= self.asked[client]


def test_what_is_in_flight_is_answered_before_the_api_stops(
    cloud: Cloud, new_user: Callable[[], User], tmp_path: Path, elsewhere: None
) -> None:
    user = new_user()
    with wires.wire_to(cloud.port) as wire:
        wire.always = wires.slow
        os.environ["LOCAL_STATE"] = str(tmp_path)
        variables = environment.for_endpoint(cloud.port) | backend.chalice_environment(
            cloud.outputs
        )
        environment.record(variables | {"AWS_ENDPOINT_URL_DYNAMODB": wire.url})
        api = Api(free_port())
        with serving(api.port) as process, ThreadPoolExecutor() as pool:
            answers = [
                pool.submit(api, "PUT", token=user.id_token, body=json.dumps({"n": n}))
                for n in range(3)
            ]
            while len(wire.seen) < 3:
                time.sleep(0.01)
            process.terminate()
            assert [answer.result().status for answer in answers] == [200] * 3
            assert process.wait(10) == 0
            with pytest.raises(ConnectionRefusedError):
                api("GET", token=user.id_token)


def test_make_local_under_load_stops_in_order_and_keeps_what_was_acknowledged(
    tmp_path: Path,
) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    with running(clone) as local:
        ports = local.ports
        token = run(clone, "-s", "token", f"AWS_PORT={ports['AWS_PORT']}").stdout.strip()
        user = User("", "", token, "", "")
        load = Load(local.api, user)
        with load.running():
            load.wait()
            local.signal(signal.SIGINT)
            local.ended()
        assert {status for status in load.other if isinstance(status, int)} <= {503}, (
            "who was overtaken too often"
        )
        assert local.said().endswith("Stopped.\n")
    with running(clone, **ports) as local:
        load.assert_all_there(local.api.get(user))


def test_what_a_killed_make_local_leaves_running_keeps_its_state_to_itself(tmp_path: Path) -> None:
    """Two emulators would each save their own over the other's."""
    clone = copy_of_the_project(tmp_path / "user-profile")
    with running(clone, "cloud") as killed:
        (emulator,) = pids(clone, "local/start_ministack.py")
        for pid in pids(clone, "-m local cloud"):
            os.kill(pid, signal.SIGKILL)
        killed.ended()
        names = ("API_PORT", "AWS_PORT", "WEB_PORT")
        second = run(
            clone,
            "cloud",
            *(f"{name}={port}" for name, port in zip(names, free_ports(3), strict=True)),
        )
        assert second.returncode != 0
        assert "kill $(pgrep -f start_ministack)" in second.stderr
        os.kill(emulator, signal.SIGTERM)
        while pids(clone, "local/start_ministack.py"):
            time.sleep(0.05)
    with running(clone, "cloud"):
        pass


def pids(folder: Path, command: str) -> list[int]:
    """The processes of `command` that run in `folder`."""
    found = subprocess.run(
        ["pgrep", "-f", "--", command], check=False, capture_output=True, text=True
    ).stdout.split()
    return [int(pid) for pid in found if Path(f"/proc/{pid}/cwd").resolve() == folder]


def test_after_kill_9_of_the_api_every_acknowledged_write_is_there(
    cloud: Cloud, new_user: Callable[[], User], elsewhere: None
) -> None:
    user, api = new_user(), Api(free_port())
    load = Load(api, user)
    with load.running():
        for _ in range(3):
            with serving(api.port) as process:
                load.wait()
                process.send_signal(signal.SIGKILL)
                process.wait()
        with serving(api.port):
            load.wait()
            load.assert_all_there(api.get(user))
    assert {error for error in load.other if isinstance(error, int)} <= {503}


def test_after_kill_9_of_the_emulator_its_last_clean_state_is_there_and_whole(
    tmp_path: Path, elsewhere: None, no_aws_settings: None
) -> None:
    """Which is what it promises: it writes its state when it is stopped. The API goes on by itself."""
    aws, api_port = free_ports(2)
    api = Api(api_port)
    with a_cloud(aws, tmp_path) as (cloud, _):
        user = users_of(cloud)()
        with serving(api.port):
            kept = api.post(
                user, json.dumps({f"client{client}": [0] * 500 for client in range(CLIENTS)})
            )
    with a_cloud(aws, tmp_path) as (_, emulator), serving(api.port):
        load = Load(api, user)
        with load.running():
            load.wait()
            emulator.send_signal(signal.SIGKILL)
            emulator.wait()
            while 503 not in load.other:
                time.sleep(0.01)
        assert set(load.other) == {503}, "no client was left without an answer"
        with a_cloud(aws, tmp_path):
            after: Any = api.get(user)
            assert (after.status, after.headers["ETag"], after.json()) == (
                200,
                kept.headers["ETag"],
                kept.json(),
            )
