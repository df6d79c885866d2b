"""The commands as a user gives them: `make local` and what goes with it, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from local import environment
from local.process import free_port, free_ports
from tests.conftest import ROOT, Api, Cloud, assert_problem, copy_of_the_project

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("AWS_", "MAKE", "MFLAGS"))
}

NAMES = ("API_PORT", "AWS_PORT", "WEB_PORT")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_project(tmp_path_factory.mktemp("clone") / "user-profile")


class Running:
    """A `make` target in a copy of the project, as a terminal runs it: a process group that Ctrl-C reaches whole."""

    def __init__(self, folder: Path, target: str, **variables: str) -> None:
        self.ports = dict(zip(NAMES, map(str, free_ports(3)), strict=True)) | variables
        self.folder = folder
        self._output = folder / f"output-{self.ports['AWS_PORT']}.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["make", target, *(f"{name}={value}" for name, value in self.ports.items())],
                cwd=folder, env=BARE | {"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def api(self) -> Api:
        return Api(int(self.ports["API_PORT"]))

    def said(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 90
        while text not in self.said():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def ended(self) -> int:
        return self._process.wait(60)


@contextmanager
def running(
    folder: Path, target: str = "local", *, ready: str = "Ctrl-C", **variables: str
) -> Iterator[Running]:
    command = Running(folder, target, **variables)
    try:
        if ready:
            command.wait_for(ready)
        yield command
    finally:
        command.signal(signal.SIGINT)
        command.ended()


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=BARE | variables, check=False, capture_output=True, text=True, timeout=120
    )  # fmt: skip


def listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def token(folder: Path, *arguments: str, **shell: str) -> str:
    done = run(folder, "-s", "token", *arguments, **shell)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout), "a token and nothing else"
    return done.stdout.strip()


def test_the_whole_story_and_the_profile_is_still_there_after_a_restart(clone: Path) -> None:
    assert run(clone, "-s", "token").returncode != 0
    with running(clone) as local:
        table = local.said()
        assert f"http://127.0.0.1:{local.ports['API_PORT']}/user/profile" in table
        assert "ada@example.com  password Ada-Lovelace-1815" in table
        assert "make -s token" in table
        assert f"http://127.0.0.1:{local.ports['API_PORT']}/docs" in table
        page = f"http://localhost:{local.ports['WEB_PORT']}"
        assert f"Page             {page}\n" in table
        assert b"Your profile" in Api(int(local.ports["WEB_PORT"]))("GET", "/").body
        settings = Api(int(local.ports["WEB_PORT"]))("GET", "/config.json").json()
        assert settings["api"] == f"http://localhost:{local.ports['API_PORT']}/user/profile"
        assert settings["sign_in"] == f"http://localhost:{local.ports['AWS_PORT']}"
        (sign_in_page,) = re.findall(r"http://127\.0\.0\.1:\d+(/oauth2/authorize\S+)", table)
        assert sign_in_page.endswith(urlencode({"redirect_uri": page}))
        sign_in = Api(int(local.ports["AWS_PORT"]))("GET", sign_in_page)
        assert (sign_in.status, b'type="password"' in sign_in.body) == (200, True)
        post = local.api("POST", token=token(clone), body='{"name": "Ada"}')
        assert post.status == 200
        signed_up = run(clone, "sign-up", "EMAIL=grace@example.com", "PASSWORD=Grace-Hopper-1906")
        assert "signed up" in signed_up.stdout, signed_up.stderr
        grace = token(clone, "EMAIL=grace@example.com", "PASSWORD=Grace-Hopper-1906")
        assert_problem(local.api("GET", token=grace), 404, "profile-not-found")
    assert "Stopped." in local.said()
    assert "Traceback" not in local.said()
    assert not any(map(listens, local.ports.values()))

    with running(clone, **local.ports) as again:
        assert "create complete" not in again.said(), "what is deployed already is left alone"
        read = again.api("GET", token=token(clone))
        assert (read.json()["profile_data"], read.headers["ETag"]) == (
            {"name": "Ada"},
            post.headers["ETag"],
        )
        assert token(clone, "EMAIL=grace@example.com", "PASSWORD=Grace-Hopper-1906")


def test_a_second_one_in_the_same_folder_is_told_and_the_first_goes_on(clone: Path) -> None:
    with running(clone) as first:
        second = run(
            clone,
            "local",
            *(f"{name}={port}" for name, port in zip(first.ports, free_ports(3), strict=True)),
        )
        assert second.returncode != 0
        assert "running already" in second.stderr
        assert "Traceback" not in second.stderr
        assert first.api("GET").status == 401


@pytest.mark.parametrize("variable", ["API_PORT", "AWS_PORT", "WEB_PORT"])
def test_a_busy_port_is_told_by_its_variable(clone: Path, variable: str) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        ports = dict(zip(NAMES, free_ports(3), strict=True)) | {variable: busy.getsockname()[1]}
        done = run(clone, "local", *(f"{name}={port}" for name, port in ports.items()))
        assert done.returncode != 0
        assert f"{variable}=" in done.stderr
        assert "Traceback" not in done.stderr


def test_one_port_for_two_is_told(clone: Path) -> None:
    port, other = free_ports(2)
    done = run(clone, "local", f"API_PORT={port}", f"AWS_PORT={other}", f"WEB_PORT={port}")
    assert done.returncode != 0
    assert f"API_PORT and WEB_PORT are both {port}" in done.stderr


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1"])
def test_a_port_that_is_none_is_told(clone: Path, port: str) -> None:
    done = run(clone, "local", f"API_PORT={port}")
    assert done.returncode != 0
    assert f"{port!r} is not a port" in done.stderr


def test_a_folder_that_cannot_be_written_is_told(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run(clone, "local", LOCAL_STATE=str(tmp_path / "file" / "state"))
    assert done.returncode != 0
    assert "cannot write to" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_python_that_is_told(clone: Path) -> None:
    done = run(clone, "local", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "there is no no-such-python" in done.stderr


@pytest.mark.parametrize("ready", ["Starting the local AWS", "Deploying", "Starting the API"])
def test_ctrl_c_before_it_is_ready_stops_all_that_was_started_and_nothing_else(
    clone: Path, cloud: Cloud, ready: str
) -> None:
    with running(clone, ready=ready) as local:
        local.signal(signal.SIGINT)
        assert local.ended() != 0
    assert listens(str(cloud.port)), "an emulator that it did not start"
    assert "Traceback" not in local.said()
    assert not listens(local.ports["AWS_PORT"])
    assert not listens(local.ports["API_PORT"])


def test_without_node_there_is_no_page_and_all_else_works(clone: Path) -> None:
    node_modules = clone / "web" / "node_modules"
    installed = node_modules.readlink()
    node_modules.unlink()
    try:
        with running(clone, NPM="no-such-npm") as local:
            assert "Page             not served: Node's npm is not installed." in local.said()
            assert not listens(local.ports["WEB_PORT"])
            assert local.api("POST", token=token(clone), body='{"a": 1}').status == 200
    finally:
        node_modules.symlink_to(installed)


def test_the_page_alone_is_served_with_the_settings_that_were_written(clone: Path) -> None:
    config = clone / "web" / "config.json"
    config.unlink(missing_ok=True)
    refused = run(clone, "web")
    assert refused.returncode != 0
    assert "make web-config STAGE=" in refused.stderr
    config.write_text('{"api": "https://api.example.com/api/user/profile"}')
    with running(clone, "web") as web:
        answer = Api(int(web.ports["WEB_PORT"]))("GET", "/config.json")
        assert answer.json() == {"api": "https://api.example.com/api/user/profile"}
        taken = run(clone, "web", f"WEB_PORT={web.ports['WEB_PORT']}")
        assert (taken.returncode != 0, "WEB_PORT=" in taken.stderr) == (True, True)
    assert "Stopped." in web.said()
    config.unlink()


def test_being_terminated_saves_as_ctrl_c_does(clone: Path) -> None:
    with running(clone) as local:
        local.api("POST", token=token(clone), body='{"saved": "at the end"}')
        local.signal(signal.SIGTERM)
        local.ended()
    with running(clone) as again:
        assert again.api("GET", token=token(clone)).json()["profile_data"] == {
            "saved": "at the end"
        }


def test_when_a_part_dies_the_rest_is_stopped_and_it_is_told(clone: Path) -> None:
    with running(clone) as local:
        found = subprocess.run(
            ["pgrep", "-f", f"chalice local .*--port {local.ports['API_PORT']}"],
            capture_output=True,
            check=True,
        )
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
        assert local.ended() != 0
    assert "the API ended by itself" in local.said()
    assert not listens(local.ports["AWS_PORT"])


def test_with_the_cloud_alone_a_bare_chalice_local_works_from_any_shell(clone: Path) -> None:
    """The shell's own AWS settings, right or wrong for AWS, do not matter to the local cloud."""
    nowhere = "http://127.0.0.1:9"
    misleading = {
        "AWS_PROFILE": "none-of-that-name", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": nowhere,
        "http_proxy": nowhere, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "x",
        "AWS_ENDPOINT_URL_DYNAMODB": nowhere, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": nowhere,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "STAGE": "dev", "USER_POOL_ARN": "nonsense", "EMAIL": "me@here",
    }  # fmt: skip
    with running(clone, "cloud"):
        for shell in ({}, misleading):
            port = free_port()
            process = subprocess.Popen(
                [clone / ".venv/bin/chalice", "local", "--stage", "local", "--port", str(port), "--no-autoreload"],
                cwd=clone, env=BARE | shell, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                deadline = time.monotonic() + 30
                while not listens(str(port)):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                api = Api(port)
                assert api("POST", token=token(clone, **shell), body='{"a": 1}').status == 200
                assert_problem(api("GET"), 401, "not-signed-in")
            finally:
                process.terminate()
                process.wait()


def test_a_bare_chalice_local_without_a_cloud_lets_nobody_in_and_says_what_to_do(
    clone: Path, tmp_path: Path
) -> None:
    port = free_port()
    process = subprocess.Popen(
        [clone / ".venv/bin/chalice", "local", "--stage", "local", "--port", str(port), "--no-autoreload"],
        cwd=clone, env=BARE | {"LOCAL_STATE": str(tmp_path)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert "make local" in process.stdout.readline()
        while not listens(str(port)):
            time.sleep(0.05)
        assert "user pool" in assert_problem(Api(port)("GET", token="any"), 503)["detail"]
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sign-up"], "EMAIL="),
        (["token", "EMAIL=grace@example.com"], "PASSWORD="),
        (["token"], "make local"),
    ],
)
def test_a_command_that_lacks_something_says_what(
    clone: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    done = run(clone, *arguments, LOCAL_STATE=str(tmp_path))
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_make_alone_lists_the_commands(clone: Path) -> None:
    assert {"make local", "make token", "make test"} <= set(
        re.findall(r"make [\w-]+", run(clone).stdout)
    )


def test_the_environment_of_the_local_cloud_removes_what_would_lead_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    with pytest.MonkeyPatch.context() as patch:
        for name in environment.for_endpoint(1):
            patch.setenv(name, "before")
        environment.enter(environment.for_endpoint(1234))
        assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1234"
        assert "AWS_PROFILE" not in os.environ
        assert "AWS_SESSION_TOKEN" not in os.environ


# --- the README -------------------------------------------------------------------------------------------------------


def commands_in_the_readme() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [
        line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()
    ]


def test_the_readmes_commands_do_what_it_says(clone: Path) -> None:
    elsewhere = (
        "git clone",
        "cd ",
        "make test",
        "make backend",
        "make deploy",
        "make smoke",
    )  # tests/deployed
    first, *others = (
        command for command in commands_in_the_readme() if not command.startswith(elsewhere)
    )
    assert first == "make local", "the first thing a reader is told"
    assert any(command.startswith("curl") for command in others)
    shutil.rmtree(clone / ".local", ignore_errors=True)
    with running(clone) as local:
        for command in others:
            shell = command.replace("localhost:8000", f"localhost:{local.ports['API_PORT']}")
            done = subprocess.run(
                ["bash", "-c", shell], cwd=clone, env=BARE, check=False, capture_output=True, text=True
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stderr)
            assert '"status"' not in done.stdout, (command, done.stdout)
            if command.startswith("curl -i"):
                assert '"profile_data":{"name":"Ada","born":1815}' in done.stdout
        assert set(re.findall(r"`make (?:-s )?([a-z-]+)", README)) <= set(
            re.findall(r"^([a-z-]+):", MAKEFILE, re.M)
        )
