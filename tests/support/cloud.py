"""An AWS emulator for the tests, with its own port and folder, and a deployed backend."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy import backend
from local import environment
from local.emulator import emulator

PUBLIC_FIELDS = ("name", "picture", "dotted.name", "bracket[0]")
"""The public fields in the API of the tests. A dot or a bracket in a name has no meaning."""
DEFAULT_SETTINGS = {
    "PROFILE_SCHEMA": "",
    "CORS_ALLOW_ORIGIN": "",
    "REQUIRE_PRECONDITIONS": "",
    "ERASURE": "account",
    "PUBLIC_FIELDS": ",".join(PUBLIC_FIELDS),
}
"""The settings that change the API's responses: the default values, and those of optional routes.

The tests set them explicitly, so that neither the shell nor .chalice/config.json affects the tests.
A value in the recorded environment (local/environment.py) overrides both.
"""


@dataclass(frozen=True)
class Cloud:
    """A running emulator with the backend deployed, as after `make cloud`.

    `folder` contains its state and its recorded environment. `outputs` are those of the backend.
    """

    port: int
    folder: Path
    outputs: Mapping[str, str]


@contextmanager
def running_cloud(port: int, folder: Path) -> Iterator[tuple[Cloud, subprocess.Popen[bytes]]]:
    """Run an emulator on `port` with its state in `folder`, and deploy the backend to it.

    The port 0 means any free one.

    From then on, AWS clients of this process and of its children use that emulator.
    """
    os.environ["LOCAL_STATE"] = str(folder)
    with emulator(port, folder) as running:
        environment.enter(environment.for_endpoint(running.port))
        parameters = {"DomainSuffix": "test", "DeletionProtection": "false"}
        outputs = backend.deploy(environment.STAGE, parameters, progress=print)
        cloud = Cloud(running.port, folder, outputs)
        record_environment(cloud)
        yield cloud, running.process


def record_environment(cloud: Cloud, **variables: str) -> None:
    """Record the API's settings, and how it finds `cloud`, in the folder that LOCAL_STATE names.

    `variables` overrides the endpoint, the backend's values and the settings.
    """
    endpoint = environment.for_endpoint(cloud.port)
    recorded = endpoint | DEFAULT_SETTINGS | backend.chalice_environment(cloud.outputs)
    environment.record(recorded | variables)
