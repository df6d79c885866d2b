"""Stops and kills processes during requests: every acknowledged write is kept."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from deploy import backend
from local import environment
from local.api import serving
from local.process import wait_until
from tests.local.make import listens, running
from tests.support import faulty_wire as wires
from tests.support.clone import copy_of_the_project
from tests.support.cloud import Cloud, record_environment, running_cloud
from tests.support.http_api import Answer, Api
from tests.support.users import User, sign_up_user

CLIENTS = 2
NUMBERS = 500
"""The copies of a client's number in its profile, which reveal a partial write."""
PAUSE_SECONDS = 0.01


class Client:
    """Counts in its own profile, and records the acknowledged number."""

    def __init__(self, api: Api, user: User) -> None:
        self._api = api
        self._user = user
        self.requested = 0
        self.acknowledged = 0
        self.failures: list[int | str] = []
        """Statuses other than 200, and names of exceptions."""

    def count_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.requested += 1
            body = json.dumps({"numbers": [self.requested] * NUMBERS})
            try:
                answer = self._api("PATCH", token=self._user.id_token, body=body)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(type(error).__name__)
                stop.wait(PAUSE_SECONDS)
                continue
            if answer.status == 200:
                self.acknowledged = self.requested
            else:
                self.failures.append(answer.status)
                assert "Retry-After" in answer.headers

    def read(self) -> Answer:
        return self._api.get(self._user)

    def assert_nothing_lost(self) -> None:
        """The profile is complete, and has the last acknowledged number or a later one.

        The client may still be counting.
        """
        acknowledged = self.acknowledged
        numbers = self.read().json()["profile_data"]["numbers"]
        assert len(numbers) == NUMBERS
        assert len(set(numbers)) == 1
        assert acknowledged <= numbers[0] <= self.requested


class Load:
    """Clients that count at the same time."""

    def __init__(self, api: Api, new_user: Callable[[], User]) -> None:
        self.clients = [Client(api, new_user()) for _ in range(CLIENTS)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clients. The context is entered when each of them has written."""
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            counting = [pool.submit(client.count_until, stop) for client in self.clients]
            try:
                self.wait_for_more_writes()
                yield
            finally:
                stop.set()
            for future in counting:
                future.result()

    def wait_for_more_writes(self) -> None:
        """Wait until two more writes of each client are acknowledged.

        The second of them was requested after this call.
        """
        goals = [client.acknowledged + 2 for client in self.clients]
        assert wait_until(
            lambda: all(
                client.acknowledged >= goal
                for client, goal in zip(self.clients, goals, strict=True)
            ),
            timeout=60,
        ), self.failures()

    def failures(self) -> set[int | str]:
        return {failure for client in self.clients for failure in client.failures}

    def error_statuses(self) -> set[int | str]:
        return {failure for failure in self.failures() if isinstance(failure, int)}

    def assert_nothing_lost(self) -> None:
        for client in self.clients:
            client.assert_nothing_lost()


def test_requests_in_flight_are_answered_before_the_api_stops(
    cloud: Cloud, new_user: Callable[[], User], tmp_path: Path, restored_environment: None
) -> None:
    user = new_user()
    with wires.wire_to(cloud.port) as wire:
        wire.fault = wires.slow
        os.environ["LOCAL_STATE"] = str(tmp_path)
        record_environment(cloud, AWS_ENDPOINT_URL_DYNAMODB=wire.url)
        with serving(0, tmp_path / "api.log") as (process, port), ThreadPoolExecutor() as pool:
            api = Api(port)
            answers = [pool.submit(api, "PUT", token=user.id_token, body="{}") for _ in range(3)]
            assert wait_until(lambda: len(wire.operations) == 3, timeout=10)
            process.terminate()
            assert [answer.result().status for answer in answers] == [200] * 3
            assert process.wait(10) == 0
            with pytest.raises(ConnectionRefusedError):
                api("GET", token=user.id_token)


def test_ctrl_c_under_load_keeps_every_acknowledged_write(
    tmp_path: Path, restored_environment: None
) -> None:
    clone = copy_of_the_project(tmp_path / "user-profile")
    with running(clone) as local:
        load = Load(local.api(), partial(sign_up_user, cloud_of(clone)))
        with load.running():
            local.signal(signal.SIGINT)
            local.wait()
        assert load.error_statuses() == set()
        assert local.output().endswith("Stopped.\n")
        assert not any(map(listens, local.ports.values()))
    with running(clone, **local.ports):
        load.assert_nothing_lost()


def cloud_of(clone: Path) -> Cloud:
    """The cloud of the `make local` that runs in `clone`. From then on, this process uses it."""
    folder = clone / ".local"
    variables = json.loads((folder / "environment.json").read_text())
    environment.enter(variables)
    outputs = {output: variables[name] for name, output in backend.OUTPUT_OF_VARIABLE.items()}
    port = int(variables["AWS_ENDPOINT_URL"].rpartition(":")[2])
    return Cloud(port, folder, outputs)


def test_kill_9_of_the_api_loses_no_acknowledged_write(
    cloud: Cloud, new_user: Callable[[], User], tmp_path: Path
) -> None:
    with serving(0, tmp_path / "api.log") as (first, port):
        load = Load(Api(port), new_user)
        with load.running():
            first.kill()
            first.wait()
            with serving(port) as (second, _):
                load.wait_for_more_writes()
                second.kill()
                second.wait()
                with serving(port):
                    load.wait_for_more_writes()
                    load.assert_nothing_lost()
    assert load.error_statuses() == set()


def test_kill_9_of_the_emulator_leaves_its_last_saved_state(
    tmp_path: Path, restored_environment: None, no_aws_settings: None
) -> None:
    """ministack saves its state only when it stops. The API recovers by itself."""
    log = tmp_path / "api.log"
    with running_cloud(0, tmp_path) as (cloud, _), serving(0, log) as (_, api_port):
        load = Load(Api(api_port), partial(sign_up_user, cloud))
        with load.running():
            pass
        saved = [client.read() for client in load.clients]
    with running_cloud(cloud.port, tmp_path) as (_, emulator), serving(api_port):
        with load.running():
            emulator.kill()
            emulator.wait()
            assert wait_until(lambda: bool(load.failures()), timeout=60)
        assert load.failures() == {503}, "every request was answered"
        with running_cloud(cloud.port, tmp_path):
            for client, before in zip(load.clients, saved, strict=True):
                after = client.read()
                assert after.status == 200
                assert after.headers["ETag"] == before.headers["ETag"]
                assert after.json() == before.json()
