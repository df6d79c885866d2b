"""The API as a process of its own: `chalice local --stage local`."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import environment
from local.process import running

START_SECONDS = 30


class ApiError(Exception):
    """The API did not start. Its own output says why."""


@contextmanager
def serving(port: int, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run the API on 127.0.0.1:`port`; entered when it answers, stopped at the end. Raises ApiError.

    What it says goes into the file `log`, or where ours goes.
    """
    chalice = Path(sys.executable).with_name("chalice")
    # Without autoreload: Chalice watches the whole folder, .venv and .local included, every second.
    command = [
        str(chalice),
        "local",
        "--stage",
        environment.STAGE,
        "--port",
        str(port),
        "--no-autoreload",
    ]
    with running(command, os.environ | {"PYTHONUNBUFFERED": "1"}, log) as process:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ApiError("the API did not start; what it said is above.")
            time.sleep(0.1)
        yield process


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("OPTIONS", "/user/profile")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
