"""ministack, the emulated AWS: DynamoDB, Cognito, CloudFormation and more in one process on one port of 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

START_SECONDS = 60
STOP_SECONDS = 30


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


class Emulator:
    """A running ministack, its state kept in `folder` from one run to the next.

    The state is written when it is stopped, not after each request: after a `kill -9` what was stored since the last
    start is gone.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._log = folder / "emulator.log"
        self._state = folder / "state"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Emulator:
        settings = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._state),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(self._state),  # for its process-id file, else one for all users of the machine
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))}
        self._state.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C at the terminal is for us, and we stop it when its state can be saved.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env={**inherited, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it and wait until its state is saved."""
        if self._process is None or not self.running():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running():
                break
            try:
                _get(self._port, "/_ministack/health")
                return
            except OSError:
                time.sleep(0.1)
        raise EmulatorError(f"The local AWS did not start. Its last words are in {self._log}.")


def confirmation_code(port: int, email: str) -> str:
    """The code in the latest mail that the emulator on `port` sent to `email`, as its reader would find it."""
    accounts = json.loads(_get(port, "/_ministack/ses/messages"))["messages"].values()
    mails = [mail for account in accounts for mail in account if email in mail["To"]]
    code = re.search(r"\b\d{6}\b", mails[-1]["BodyText"] or mails[-1]["BodyHtml"]) if mails else None
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
