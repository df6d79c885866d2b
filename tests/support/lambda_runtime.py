"""The Lambda runtime on this machine: AWS's runtime client (awslambdaric) behind AWS's runtime
interface emulator.

The function's process sees its package, the runtime client and the given environment variables, and
nothing of the virtual environment.
"""

from __future__ import annotations

import http.client
import json
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from local.process import running, wait_until
from tests.support.ports import free_ports

RUNTIME_CLIENT_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
EMULATOR_MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""platform.machine() -> how the emulator's file name ends."""
INVOCATIONS_PATH = "/2015-03-31/functions/function/invocations"
TIMEOUT_SECONDS = 60
START_ATTEMPTS = 3
PYTHON = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
"""The Python from which the virtual environment was made. It does not see the environment's
packages."""


class EmulatorError(Exception):
    """The runtime interface emulator did not start. The message contains the end of its log."""


def install(folder: Path, extra_packages: Sequence[str] = ()) -> None:
    """Copy the runtime client, `extra_packages` and the emulator from the virtual environment into
    `folder`."""
    client = folder / "client"
    for name in (*RUNTIME_CLIENT_PACKAGES, *extra_packages):
        _copy_package(name, client)
    compile_all(client)
    machine = EMULATOR_MACHINES[platform.machine()]
    binary = distribution("aws-sam-cli").locate_file(f"samcli/local/rapid/aws-lambda-rie-{machine}")
    emulator = folder / "aws-lambda-rie"
    shutil.copy(str(binary), emulator)
    emulator.chmod(0o755)


def _copy_package(name: str, folder: Path) -> None:
    package = distribution(name)
    for file in package.files or ():
        is_outside = ".." in file.parts  # a script in the environment's bin/
        if is_outside or file.suffix == ".pyc":
            continue
        copy = folder / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(package.locate_file(file)), copy)


def compile_all(folder: Path) -> None:
    """Compile the modules in `folder` to bytecode that stays valid in a zip, which changes the
    files' times."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            str(folder),
        ],
        check=True,
    )


@dataclass(frozen=True)
class Runtime:
    """A running function. It handles one call at a time."""

    port: int
    log: Path

    def invoke(self, event: Mapping[str, Any] | None) -> dict[str, Any]:
        """Call the function with `event` and return its result. The first call starts the
        function's process."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", INVOCATIONS_PATH, json.dumps(event))
            result: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return result

    def init_ms(self) -> float:
        """The duration of the init phase that the emulator reports: the process's start and the
        function's import."""
        reports = re.findall(r"INIT REPORT\(durationMs: ([\d.]+)\)", self.log.read_text())
        return float(reports[0])

    def invoke_ms(self) -> list[float]:
        """The duration of each call that the emulator reports."""
        reports = re.findall(r"INVOKE RTDONE\(.*duration: ([\d.]+)ms\)", self.log.read_text())
        return [float(milliseconds) for milliseconds in reports]


@contextmanager
def function(
    installed: Path,
    task: Path,
    handler: str,
    variables: Mapping[str, str],
    cgroup: Path | None = None,
) -> Iterator[Runtime]:
    """Run the function `handler` of the package that is unpacked in `task`, and stop it at the end.

    `installed` is the folder that `install` filled; the log goes there too. `cgroup` is the folder
    of a control group that the function's process joins; the emulator does not. Raises
    EmulatorError.
    """
    log = installed / "log"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(installed),
        "PYTHONPATH": str(installed / "client"),
        # On Lambda the package's folder is read-only.
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        **variables,
    }
    # The emulator takes both ports as arguments. It accepts 0 for them, but then passes port 0 to
    # the runtime client. The ports are therefore chosen here, and others are tried if another
    # program takes one of them first.
    for _ in range(START_ATTEMPTS):
        port, runtime_api_port = free_ports(2)
        command = _emulator_command(installed, port, runtime_api_port, handler, cgroup)
        in_task_folder = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(task), *command]
        with running(in_task_folder, environment, log) as process:
            if _has_started(process, port):
                yield Runtime(port, log)
                return
    raise EmulatorError(f"the Lambda emulator did not start:\n{log.read_text()[-2000:]}")


def _emulator_command(
    installed: Path, port: int, runtime_api_port: int, handler: str, cgroup: Path | None
) -> list[str]:
    runtime = [PYTHON, "-S", "-s", "-m", "awslambdaric", handler]
    if cgroup is not None:
        join_and_run = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        runtime = ["/bin/sh", "-c", join_and_run, str(cgroup), *runtime]
    return [
        str(installed / "aws-lambda-rie"),
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
        "--runtime-api-address",
        f"127.0.0.1:{runtime_api_port}",
        *runtime,
    ]


def _has_started(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the emulator accepts connections. It exits immediately if a port is taken."""

    def accepts_connections() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return wait_until(accepts_connections, seconds=TIMEOUT_SECONDS, process=process)
