"""The `chalice` command, and the record that `chalice deploy` writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeploymentError


def run_chalice(*arguments: str) -> None:
    """Run a `chalice` command and show its output. Raises DeploymentError if it fails."""
    chalice = Path(sys.executable).with_name("chalice")
    # In a session of its own, it does not print a traceback after Ctrl-C: this process ends it.
    done = subprocess.run(
        [str(chalice), *arguments], env=os.environ, check=False, start_new_session=True
    )
    if done.returncode != 0:
        raise DeploymentError(f"`chalice {arguments[0]}` failed; its output is above.")


@dataclass(frozen=True)
class DeployedApi:
    """An API that `chalice deploy` created."""

    api_id: str
    url: str


def deployed_api(stage: str) -> DeployedApi | None:
    """Return the API that `chalice deploy` recorded for the stage in this folder, or None.

    Raises DeploymentError if the record is unreadable.
    """
    for resource in _recorded_resources(stage):
        if resource.get("resource_type") == "rest_api":
            return DeployedApi(resource["rest_api_id"], resource["rest_api_url"])
    return None


def has_record(stage: str) -> bool:
    """Return whether `chalice deploy` recorded anything for the stage in this folder.

    After a failure that may be a function without an API. Raises DeploymentError.
    """
    return bool(_recorded_resources(stage))


def records_function(stage: str) -> bool:
    """Return whether `chalice deploy` recorded the function of the stage in this folder.

    Raises DeploymentError.
    """
    return any(row["resource_type"] == "lambda_function" for row in _recorded_resources(stage))


def record_file(stage: str) -> Path:
    """Return the file in which `chalice deploy` records what it has made for the stage."""
    return Path(".chalice") / "deployed" / f"{stage}.json"


def _recorded_resources(stage: str) -> list[dict[str, str]]:
    file = record_file(stage)
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise DeploymentError(f"cannot read {file}, which chalice deploy wrote: {error}") from error
    resources = record.get("resources") if isinstance(record, dict) else None
    if not isinstance(resources, list) or not all("resource_type" in row for row in resources):
        raise DeploymentError(f"{file} is not a record that chalice deploy wrote.")
    return resources
