"""Child processes: start them, wait for them, and stop them with this process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from types import FrameType

from deploy import polling
from deploy.stop_signals import STOP_SIGNALS, handled_by

STOP_SECONDS = 30.0
"""The time that a child may take to stop before it is killed."""
STANDARD_INPUT = 0
STOP_WITH_PARENT = "LOCAL_STOP_WITH_PARENT"
"""`chalice local` calls stop_with_parent if this environment variable is set."""


@contextmanager
def running(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    output: Path | None = None,
    *,
    cwd: Path | None = None,
    keep_open: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` as a child process, and stop it at the end.

    The child gets its own session: Ctrl-C in the terminal reaches only this process, which
    then stops its children one by one. The child's standard input is a pipe that closes when this
    process ends, even when it is killed; see `stop_with_parent`.

    output: the file for the child's output. Without it, the output goes to this process's output.
    keep_open: file descriptors that the child inherits, and with them the locks on their files.
    """
    process = None
    try:
        with _stop_signals_deferred():
            process = _start(command, env, output, cwd, keep_open)
        yield process
    finally:
        if process is not None:
            _stop(process)


def _start(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    output: Path | None,
    cwd: Path | None,
    keep_open: Sequence[int],
) -> subprocess.Popen[bytes]:
    with ExitStack() as stack:
        stdout = None
        if output is not None:
            stdout = stack.enter_context(output.open("wb"))
        return subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=None if stdout is None else subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep_open,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # the latter is a second Ctrl-C
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


@contextmanager
def _stop_signals_deferred() -> Iterator[None]:
    """Raise KeyboardInterrupt for a stop signal only at the end of the block.

    Otherwise a signal that arrives between a child's start and the assignment of its Popen object
    would leave the child running.
    """
    received: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        received.append(number)

    with handled_by(remember):
        yield
    if received:
        raise KeyboardInterrupt


def raise_on_stop_signals() -> None:
    """Make every stop signal raise KeyboardInterrupt in the main thread.

    This includes Ctrl-C: commands that a shell starts in the background ignore it by default.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)


def ignore_stop_signals() -> None:
    """Ignore all stop signals from now on."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stop_with_parent() -> None:
    """Send this process, a child that `running` started, SIGTERM when its parent ends.

    A parent that is killed with SIGKILL cannot stop its children. The pipe to their standard input
    closes in any case.
    """

    def wait_for_end_of_input() -> None:
        os.read(STANDARD_INPUT, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait_for_end_of_input, daemon=True).start()


def wait_until(
    is_ready: Callable[[], bool],
    *,
    timeout: float,
    process: subprocess.Popen[bytes] | None = None,
) -> bool:
    """Call `is_ready` until it returns True. Returns its last result.

    It is False if `timeout` seconds pass first, or if `process` ends first.
    """
    was_ready = False

    def is_over() -> bool:
        nonlocal was_ready
        was_ready = is_ready()
        has_ended = process is not None and process.poll() is not None
        return was_ready or has_ended

    with suppress(TimeoutError):
        polling.wait_until(is_over, timeout=timeout)
    return was_ready


def wait_for_any(processes: Collection[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Wait until one of `processes` ends, and return it."""
    ended: list[subprocess.Popen[bytes]] = []

    def has_one_ended() -> bool:
        ended.extend(process for process in processes if process.poll() is not None)
        return bool(ended)

    polling.wait_until(has_one_ended)
    return ended[0]
