"""The API in a separate process, `chalice local`, on a free port."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local.api import printed_port, serving
from local.process import running, wait_until
from tests.support.cloud import Cloud, record_environment
from tests.support.http_api import Api

START_SECONDS = 30


@contextmanager
def running_api(log: Path) -> Iterator[Api]:
    """Run the API with the environment recorded in the folder that LOCAL_STATE names.

    Its output goes to the file `log`. Raises ApiError.
    """
    with serving(0, log) as server:
        yield Api(server.port)


@contextmanager
def api_with(cloud: Cloud, logs: list[Path], folder: Path, **settings: str) -> Iterator[Api]:
    """Run the API with these settings. `folder` is for its recorded environment and its log.

    LOCAL_STATE names the folder only while the API starts: an API without these settings may be
    started later.
    """
    log = folder / "api.log"
    logs.append(log)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOCAL_STATE", str(folder))
            record_environment(cloud, **settings)
            api = stack.enter_context(running_api(log))
        yield api


@contextmanager
def running_command(
    command: str, folder: Path, variables: Mapping[str, str], log: Path
) -> Iterator[Api]:
    """Run the API by a `chalice local` command in a copy of the project, as a user does.

    Its output goes to the file `log`.
    """
    chalice, *options = shlex.split(command)
    arguments: list[str | Path] = [folder / chalice, *options, "--port", "0", "--no-autoreload"]
    unbuffered = {**variables, "PYTHONUNBUFFERED": "1"}  # the port is in the output
    with running(arguments, unbuffered, log, cwd=folder) as process:
        is_started = wait_until(
            lambda: printed_port(log) != 0, timeout=START_SECONDS, process=process
        )
        assert is_started, log.read_text()
        yield Api(printed_port(log))
