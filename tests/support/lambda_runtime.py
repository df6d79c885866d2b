"""AWS's own Lambda runtime on this machine: its runtime client (awslambdaric) behind its runtime interface emulator.

The function's process has nothing but the package, the runtime client and the variables that it is given.
"""

from __future__ import annotations

import http.client
import json
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from local.process import free_ports, running

CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
START_SECONDS = 60
PYTHON = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
"""The machine's own Python, which knows nothing of the virtual environment's packages."""


def install(folder: Path, also: tuple[str, ...] = ()) -> None:
    """Put the runtime client, `also` other packages, and the emulator into `folder`, as they are installed here."""
    for name in CLIENT + also:
        found = distribution(name)
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (folder / "client" / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(str(found.locate_file(file))), folder / "client" / file)
    compile_all(folder / "client")
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    binary = distribution("aws-sam-cli").locate_file(f"samcli/local/rapid/aws-lambda-rie-{machine}")
    shutil.copy(str(binary), folder / "aws-lambda-rie")
    (folder / "aws-lambda-rie").chmod(0o755)


def compile_all(folder: Path) -> None:
    """Compile what is in `folder` so that it counts in a zip: by content, not by date."""
    command = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        str(folder),
    ]
    subprocess.run(command, check=True)


@dataclass(frozen=True)
class Runtime:
    """A function that can be invoked, one call at a time."""

    port: int
    log: Path

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The function's answer to `event`; the first call starts it."""
        body = json.dumps(event)
        deadline = time.monotonic() + START_SECONDS
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
            try:
                connection.request("POST", "/2015-03-31/functions/function/invocations", body)
                answer: dict[str, Any] = json.loads(connection.getresponse().read())
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return answer
            finally:
                connection.close()

    def init_ms(self) -> float:
        """How long the init phase took, as the emulator reports it: the process's start, and importing the function."""
        return float(re.findall(r"INIT REPORT\(durationMs: ([\d.]+)\)", self.log.read_text())[0])

    def invoke_ms(self) -> list[float]:
        """How long each call took, as the emulator reports it."""
        return [
            float(found)
            for found in re.findall(
                r"INVOKE RTDONE\(.*duration: ([\d.]+)ms\)", self.log.read_text()
            )
        ]


@contextmanager
def function(
    installed: Path,
    task: Path,
    handler: str,
    variables: Mapping[str, str],
    cgroup: Path | None = None,
) -> Iterator[Runtime]:
    """`handler` of the package unpacked in `task`. `installed`: see install; `cgroup`: whose limits it has."""
    (port, runtime_port), log = free_ports(2), installed / "log"
    join = (
        f"echo $$ > {cgroup}/cgroup.procs && " if cgroup else ""
    )  # the function alone, not the emulator
    command = [
        str(installed / "aws-lambda-rie"), "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{runtime_port}",
        "/bin/sh", "-c", f"{join}exec \"$@\"", "sh", PYTHON, "-S", "-s", "-m", "awslambdaric", handler,
    ]  # fmt: skip
    bare = {
        "PATH": "/usr/bin:/bin", "HOME": str(installed), "PYTHONPATH": str(installed / "client"),
        "LAMBDA_TASK_ROOT": str(task), "AWS_LAMBDA_FUNCTION_NAME": "function", "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, where the package's folder is read-only
        **variables,
    }  # fmt: skip
    with running(["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(task), *command], bare, log):
        yield Runtime(port, log)
