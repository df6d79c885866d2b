"""ministack, the emulated AWS: DynamoDB, Cognito, CloudFormation and more in one process on one port of 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.process import running

START_SECONDS = 60


class EmulatorError(Exception):
    """The emulator did not do what it should. Its text says what to look at."""


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def emulator(
    port: int, folder: Path, keeps: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A running ministack, its state kept in `folder` from one run to the next. `keeps`: see process.running. Raises
    EmulatorError.

    The state is written when it is stopped, not after each request: after a `kill -9` what was stored since the last
    start is gone.
    """
    log, state = folder / "emulator.log", folder / "state"
    state.mkdir(parents=True, exist_ok=True)
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(
            state
        ),  # for its process-id file, else in a folder for all users of the machine
    }
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))
    }
    # -P: a file that is run by its path would otherwise find its neighbours before the packages of their names.
    command = [sys.executable, "-P", str(Path(__file__).with_name("start_ministack.py"))]
    with running(command, inherited | settings, log, keeps=keeps) as process:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise EmulatorError(f"the local AWS did not start. Its last words are in {log}.")
            time.sleep(0.1)
        yield process


def _answers(port: int) -> bool:
    try:
        return bool(_get(port, "/_ministack/health"))
    except OSError:
        return False


def confirmation_code(port: int, email: str) -> str:
    """The code in the latest mail that the emulator on `port` sent to `email`, as its reader would find it."""
    accounts = json.loads(_get(port, "/_ministack/ses/messages"))["messages"].values()
    mails = [mail for account in accounts for mail in account if email in mail["To"]]
    code = (
        re.search(r"\b\d{6}\b", mails[-1]["BodyText"] or mails[-1]["BodyHtml"]) if mails else None
    )
    if code is None:
        raise EmulatorError(f"No mail with a confirmation code was sent to {email}.")
    return code.group()


def _get(port: int, path: str) -> bytes:
    # http.client asks no proxy, whatever the environment says.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()
