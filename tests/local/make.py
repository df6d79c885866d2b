"""Runs `make` targets in a copy of the project, as a user does in a terminal."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.process import wait_until
from tests.support.http_api import Api
from tests.support.ports import free_ports

PORT_VARIABLES = ("API_PORT", "AWS_PORT", "WEB_PORT")
START_SECONDS = 90
STOP_SECONDS = 60
SHELL = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("AWS_", "MAKE", "MFLAGS", "OPTION_"))
}
"""The environment of a user's shell, without settings that would change what `make` does."""


def chosen_ports() -> dict[str, str]:
    """A free port for each of the variables of `make local`."""
    numbers = free_ports(len(PORT_VARIABLES))
    return {name: str(number) for name, number in zip(PORT_VARIABLES, numbers, strict=True)}


class RunningTarget:
    """A running `make` target. Like a foreground job, it has its own process group."""

    def __init__(self, folder: Path, target: str, variables: dict[str, str]) -> None:
        self.ports = chosen_ports() | variables
        self._output = folder / f"output-{self.ports['AWS_PORT']}.txt"
        assignments = [f"{name}={value}" for name, value in self.ports.items()]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["make", target, *assignments],
                cwd=folder,
                env=SHELL,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def api(self) -> Api:
        return Api(int(self.ports["API_PORT"]))

    def aws(self) -> Api:
        return Api(int(self.ports["AWS_PORT"]))

    def page(self) -> Api:
        return Api(int(self.ports["WEB_PORT"]))

    def output(self) -> str:
        return self._output.read_text()

    def wait_for_output(self, text: str) -> None:
        assert wait_until(
            lambda: text in self.output(), timeout=START_SECONDS, process=self._process
        ), self.output()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to make and to the command that it runs, not to the command's children."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def kill_make(self) -> None:
        """Kill the process of make, but not the command that it runs."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait for the end, and return the status of `make`."""
        return self._process.wait(STOP_SECONDS)


@contextmanager
def running(
    folder: Path, target: str = "local", *, until: str = "Ctrl-C", **variables: str
) -> Iterator[RunningTarget]:
    """A target that runs in `folder`, entered when it has printed `until`, stopped by Ctrl-C."""
    command = RunningTarget(folder, target, variables)
    try:
        command.wait_for_output(until)
        yield command
    finally:
        command.signal(signal.SIGINT)
        command.wait()


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `make` with these arguments, and these variables in the environment, to its end."""
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=SHELL | variables,
        check=False,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )


def assert_refused(done: subprocess.CompletedProcess[str], text: str) -> None:
    """The command failed with an error message that contains `text`."""
    assert done.returncode != 0
    assert "error: " in done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def token(folder: Path, *arguments: str, **variables: str) -> str:
    """The id token that `make -s token` prints."""
    done = run(folder, "-s", "token", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout), "a token and nothing else"
    return done.stdout.strip()


def listens(port: str | int) -> bool:
    """Whether a server accepts connections on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0
