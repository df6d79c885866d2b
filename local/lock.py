"""The lock on the state folder: one `make local` at a time, and one emulator at a time.

Two files, because a `make local` and its child processes can end at different times:

lock            is held only by `make local`.
processes.lock  is held by `make local` and by every process that it started.

When `make local` is killed, its children stop by themselves (process.stop_with_parent), and the
emulator saves its state. The next `make local` gets the first lock immediately and waits for the
second, because two emulators on one folder would overwrite each other's state.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from local.errors import LocalError
from local.process import wait_until

LEFT_OVER_SECONDS = 30.0
"""The time that the processes of a killed `make local` may take to stop."""


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Lock the state folder `folder`, which is created if necessary.

    Yields the file descriptor that every child process must keep open. Raises LocalError if
    another `make local` uses the folder, or if the folder is not writable.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            own = stack.enter_context((folder / "lock").open("a"))
            shared = stack.enter_context((folder / "processes.lock").open("a"))
        except OSError as error:
            raise LocalError(
                f"cannot write to {folder} ({error.strerror}). Make it writable, or use another "
                "copy of the project."
            ) from error
        if not _acquire(own):
            raise LocalError(
                "the AWS emulator of this folder is already running. Use it, or stop it with "
                f"Ctrl-C in its terminal or with `kill {_holders(own)}`."
            )
        if not _acquire(shared):
            print("Waiting for the processes of a killed `make local` to stop ...", flush=True)
            if not wait_until(lambda: _acquire(shared), timeout=LEFT_OVER_SECONDS):
                raise LocalError(
                    "the processes of a killed `make local` in this folder have not stopped. "
                    f"End them with `kill -9 {_holders(shared)}`."
                )
        yield shared.fileno()


def _acquire(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holders(lock: IO[str]) -> str:
    """The ids of the other processes that hold `lock`, as arguments for the command `kill`."""
    others = [pid for pid in pids_with_open(Path(lock.name)) if pid != os.getpid()]
    if not others:  # there is no /proc, as on macOS
        return f"$(lsof -t {lock.name})"
    return " ".join(map(str, others))


def pids_with_open(file: Path) -> list[int]:
    """The ids of this user's processes that have `file` open. Empty on systems without /proc."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's process, or one that has just ended
            if any(link.resolve() == file.resolve() for link in (process / "fd").iterdir()):
                pids.append(int(process.name))
    return pids
