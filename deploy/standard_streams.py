"""The standard streams of a command, which a shell can close (`<&-`), or a pipe (`| head -1`)."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.errors import OutputError


def open_closed_streams() -> None:
    """Let the streams that are closed read nothing and write nowhere. Python has None for them.

    It must be called before other files are opened: they would get the free file descriptors.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - open until the process ends
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def discard_output() -> None:
    """Write nothing more to standard output, whose reader has ended.

    Otherwise Python would report the closed output once more when it exits.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def ended_by_the_reader() -> Iterator[None]:
    """End quietly when the output is closed (`| head -1`).

    Raises OutputError if the output has no space left.
    """
    try:
        yield
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        discard_output()
        raise OutputError(f"the output could not be written: {error.strerror}.") from error
