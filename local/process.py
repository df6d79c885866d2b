"""Processes that a command starts and is answerable for: none outlives it."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a command to stop: Ctrl-C, kill, a closed terminal."""
STOP_SECONDS = 30


@contextmanager
def running(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    output: Path | None = None,
    *,
    keeps: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """`command` as a child, its output in the file `output` or where ours goes. It is stopped at the end.

    `keeps`: files of ours that it holds open as well, and with them their locks, should we be killed.

    It gets a session of its own: Ctrl-C at the terminal is for us, and we stop it when it is its turn.
    """
    process = None
    try:
        with _stops_held_back(), (output or Path("/dev/null")).open("wb") as file:
            process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file if output else None,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
                pass_fds=keeps,
            )
        yield process
    finally:
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except (
                subprocess.TimeoutExpired,
                KeyboardInterrupt,
            ):  # the second Ctrl-C of somebody who will not wait
                process.kill()
                process.wait()


@contextmanager
def _stops_held_back() -> Iterator[None]:
    """A stop that comes in here is raised at the end: a child must not be started and then forgotten."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listened on a moment ago."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    return free_ports(1)[0]
