"""The lock on the state folder: one `make local` at a time, after the processes of a killed one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import lock
from local.errors import LocalError
from local.lock import locked, pids_with_open
from local.process import wait_until


@pytest.fixture
def left_over(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child of a `make local` that was killed. It ends when its standard input does."""
    with locked(tmp_path) as descriptor:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            pass_fds=[descriptor],
        )
    with child:
        yield child
        child.kill()


def test_a_folder_is_locked_once_at_a_time(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "state"),
        pytest.raises(LocalError, match="already running"),
        locked(tmp_path / "state"),
    ):
        pytest.fail("it was locked twice")
    with locked(tmp_path / "state"):
        pass


def test_left_over_processes_are_waited_for(
    tmp_path: Path, left_over: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_while_the_child_ends(*arguments: Any, **options: Any) -> bool:
        assert left_over.stdin is not None
        left_over.stdin.close()
        return wait_until(*arguments, **options)

    monkeypatch.setattr(lock, "wait_until", wait_while_the_child_ends)
    with locked(tmp_path):
        assert left_over.wait(10) == 0


def test_a_process_that_does_not_stop_is_named(
    tmp_path: Path, left_over: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LEFT_OVER_SECONDS", 0)
    with pytest.raises(LocalError, match=f"`kill -9 {left_over.pid}`"), locked(tmp_path):
        pytest.fail("the child still holds the lock")


def test_a_folder_that_is_not_writable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "state"
    with pytest.raises(LocalError, match=str(folder)), locked(folder):
        pytest.fail("it was locked")


def test_only_processes_that_have_the_file_open_are_listed(
    tmp_path: Path, left_over: subprocess.Popen[bytes]
) -> None:
    assert pids_with_open(tmp_path / "processes.lock") == [left_over.pid]
    assert pids_with_open(tmp_path / "lock") == []
    with (tmp_path / "lock").open():
        assert pids_with_open(tmp_path / "lock") == [os.getpid()]
