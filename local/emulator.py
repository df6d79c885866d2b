"""Runs ministack, which emulates AWS in one process on one port of 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from local.errors import LocalError
from local.process import running, wait_until

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
REQUEST_SECONDS = 5
HEALTH = "/_ministack/health"
"""The path of ministack's own status: a JSON object with the member `services`."""
SOCKET = "LOCAL_EMULATOR_SOCKET"
"""The environment variable with the file descriptor of the listening socket."""


class EmulatorError(LocalError):
    """The AWS emulator did not start, does not respond, or did not send the expected mail."""


class RunningEmulator(NamedTuple):
    """A running ministack, on a port of 127.0.0.1."""

    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def emulator(
    port: int, folder: Path, *, keep_open: Sequence[int] = ()
) -> Iterator[RunningEmulator]:
    """Run ministack on 127.0.0.1:`port`, with its state in `folder`. Raises EmulatorError.

    Port 0 selects a free port.

    ministack saves its state only when it stops. If its process is killed with SIGKILL, all changes
    since its last start are lost.

    keep_open: see process.running.
    """
    state = folder / "state"
    state.mkdir(parents=True, exist_ok=True)
    _check_saved_state(state)
    log = folder / "emulator.log"
    with ExitStack() as stack:
        with _listen(port) as server:
            port = server.getsockname()[1]
            process = stack.enter_context(_ministack(server, state, log, keep_open))
        if not wait_until(lambda: _is_healthy(port), timeout=START_SECONDS, process=process):
            raise EmulatorError(f"the AWS emulator did not start. See the end of {log}.")
        yield RunningEmulator(process, port)


def _check_saved_state(state: Path) -> None:
    """Raise EmulatorError if a file of the saved state is damaged, for example after a power cut.

    ministack would start without the data in it, and overwrite the file when it stops.
    """
    for file in state.glob("*.json"):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise EmulatorError(
                f"the saved state of the AWS emulator is damaged: {file} cannot be read. To start "
                f"without users and data, delete {state.parent}."
            ) from error


def _listen(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1:`port`, so that no other program can take the port."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise EmulatorError(f"another program uses port {port}.") from error


@contextmanager
def _ministack(
    server: socket.socket, state: Path, log: Path, keep_open: Sequence[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of ministack, which inherits the listening socket `server`."""
    settings = {
        SOCKET: str(server.fileno()),
        "GATEWAY_PORT": str(server.getsockname()[1]),  # for the URLs in its responses
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        # For its temporary files. The default is shared by all users of the machine.
        "TMPDIR": str(state),
    }
    # The emulator does not use the shell's AWS settings or the coverage settings of tests.
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))
    }
    command = [sys.executable, "-m", "local.start_ministack"]
    descriptors = [*keep_open, server.fileno()]
    with running(command, inherited | settings, log, cwd=ROOT, keep_open=descriptors) as process:
        yield process


def _is_healthy(port: int) -> bool:
    try:
        return bool(_get(port, HEALTH))
    except (OSError, http.client.HTTPException):
        return False


def require_emulator(port: int) -> None:
    """Raise EmulatorError if no AWS emulator responds on 127.0.0.1:`port`.

    Otherwise a user would see the error page of another program as Cognito's message.
    """
    try:
        health = json.loads(_get(port, HEALTH))
    except OSError as error:
        raise EmulatorError(
            f"the AWS emulator does not respond on 127.0.0.1:{port}. Start it with `make local`, "
            "or name its port: AWS_PORT=..."
        ) from error
    except (http.client.HTTPException, ValueError) as error:
        raise _not_the_emulator(port) from error
    if not isinstance(health, dict) or "services" not in health:
        raise _not_the_emulator(port)


def _not_the_emulator(port: int) -> EmulatorError:
    return EmulatorError(
        f"127.0.0.1:{port} is not the AWS emulator. Name the port of `make local`: AWS_PORT=..."
    )


def confirmation_code(port: int, email: str) -> str:
    """The code in the latest mail that the AWS emulator on `port` sent to `email`.

    Raises EmulatorError if there is no such mail.
    """
    for mail in reversed(_mails_to(port, email)):
        found = re.search(r"\b\d{6}\b", mail["BodyText"] or mail["BodyHtml"])
        if found is not None:
            return found.group()
    raise EmulatorError(f"no mail with a confirmation code was sent to {email}.")


def _mails_to(port: int, email: str) -> list[dict[str, Any]]:
    accounts = json.loads(_get(port, "/_ministack/ses/messages"))["messages"]
    return [mail for mails in accounts.values() for mail in mails if email in mail["To"]]


def _get(port: int, path: str) -> bytes:
    # http.client, because urllib would use a proxy if the environment names one.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()
