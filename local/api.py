"""Runs the API in a separate process: `chalice local --stage local`."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from local import environment
from local.errors import LocalError
from local.process import STOP_WITH_PARENT, running, wait_until

START_SECONDS = 30
REQUEST_SECONDS = 5


class ApiError(LocalError):
    """The API did not start. Its output contains the reason."""


class RunningApi(NamedTuple):
    """A running API, on a port of 127.0.0.1."""

    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def serving(
    port: int, log: Path | None = None, *, keep_open: Sequence[int] = ()
) -> Iterator[RunningApi]:
    """Run the API on 127.0.0.1:`port`. Raises ApiError.

    port: 0 means any free one, which is read from `log`.
    log: the file for its output. Without it, the output goes to this process's output.
    keep_open: see process.running.
    """
    chalice = Path(sys.executable).with_name("chalice")
    # With autoreload, Chalice checks every file in the folder once a second, including .venv.
    options = ["--stage", environment.STAGE, "--port", str(port), "--no-autoreload"]
    env = os.environ | {"PYTHONUNBUFFERED": "1", STOP_WITH_PARENT: "1"}
    with running([chalice, "local", *options], env, log, keep_open=keep_open) as process:

        def has_started() -> bool:
            nonlocal port
            if port == 0 and log is not None:
                port = printed_port(log)
            return port != 0 and _is_ready(port)

        if not wait_until(has_started, timeout=START_SECONDS, process=process):
            where = "above" if log is None else f"in {log}"
            raise ApiError(f"the API did not start. Its output is {where}.")
        yield RunningApi(process, port)


def printed_port(log: Path) -> int:
    """The port in the API's output; 0 if the API has not printed it yet."""
    printed = re.search(r"^Serving on http://127\.0\.0\.1:(\d+)\n", log.read_text(), re.MULTILINE)
    if printed is None:
        return 0
    return int(printed.group(1))


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request("OPTIONS", "/user/profile")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
