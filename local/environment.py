"""The variables with which AWS clients find the AWS emulator, in `.local/environment.json`.

`make local` writes that file. Stages on AWS keep the same values in `.chalice/config.json`, but
those of the emulator differ on every machine (its user pool has a random id), so they stay out of
version control.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from deploy import backend, chalice_config, checks, erasure
from deploy.errors import CommandError
from deploy.options import option
from local.errors import LocalError
from local.ports import parse_port

STAGE = chalice_config.LOCAL_STAGE
ENDPOINT = "AWS_ENDPOINT_URL"
URL = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
"""The value of ENDPOINT: see `for_endpoint`."""
REQUIRED = (ENDPOINT, *backend.OUTPUT_OF_VARIABLE)
"""The variables that the file must have: the emulator's address, the table, pool and app client."""


def folder() -> Path:
    """The folder for the AWS emulator's state. Tests name another one in LOCAL_STATE."""
    return Path(os.environ.get("LOCAL_STATE", ".local")).absolute()


def for_endpoint(port: int) -> dict[str, str]:
    """The variables with which every AWS client calls the AWS emulator on `port`."""
    return {
        ENDPOINT: f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def for_api(port: int) -> dict[str, str]:
    """The variable with which `make users` finds the API on `port`."""
    return {"API_PORT": str(port)}


def enter(variables: dict[str, str]) -> None:
    """Set `variables` in this process, and remove all other AWS settings.

    Any setting of the shell, such as AWS_PROFILE, could redirect calls from the emulator to AWS.
    """
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CHALICE_CLI_MODE":
            del os.environ[name]
    os.environ.update(variables)


def file() -> Path:
    """The file with the recorded environment."""
    return folder() / "environment.json"


def record(variables: dict[str, str]) -> None:
    """Save `variables` for later commands. Raises DeploymentError if that is impossible.

    An interruption leaves either the old or the new file.
    """
    chalice_config.replace_file(file(), json.dumps(variables, indent=2) + "\n")


def load() -> None:
    """Enter the recorded environment, and the settings that the stage local has by default.

    Raises LocalError if there is none, or it is damaged, and DeploymentError for an unreadable
    .chalice/config.json.
    """
    try:
        variables = json.loads(file().read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LocalError(
            "the AWS emulator has not run in this folder yet. Start it with `make local` or "
            "`make cloud`."
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable() from error
    if not _is_complete(variables):
        raise _unreadable()
    enter(default_settings() | variables)


def default_settings() -> dict[str, str]:
    """The settings that .chalice/config.json need not name for the stage local, with its values.

    Raises DeploymentError.
    """
    chosen = chalice_config.environment(STAGE)
    return {erasure.SETTING: chosen.get(erasure.SETTING, erasure.ACCOUNT)}


def _is_complete(variables: object) -> bool:
    """Whether `variables` are a dict of strings that names everything in REQUIRED."""
    if not isinstance(variables, dict):
        return False
    if not all(isinstance(value, str) for value in variables.values()):
        return False
    if not all(variables.get(name) for name in REQUIRED):
        return False
    return URL.fullmatch(variables[ENDPOINT]) is not None


def _unreadable() -> LocalError:
    path = file()
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return LocalError(f"{path} cannot be read. Run make local again.")


def use_port(port: int) -> None:
    """Use another emulator port than the recorded one. Call this after `load`."""
    os.environ[ENDPOINT] = f"http://127.0.0.1:{port}"


def emulator_port() -> int:
    """The emulator's port, from the environment that `load` entered."""
    return int(os.environ[ENDPOINT].rpartition(":")[2])


def api_port() -> int:
    """The API's port, from the environment that `load` entered. Raises LocalError.

    Without a recorded port, it is the port that a `make local` in this shell would use.
    """
    return parse_port(os.environ.get("API_PORT", "8000"))


def chosen_api_port() -> int:
    """The port in make's command line; otherwise the one that the latest `make local` used.

    Call this after `load`. Raises LocalError.
    """
    if option("API_PORT"):
        return parse_port(option("API_PORT"))
    return api_port()


def load_if_local() -> None:
    """Enter the recorded environment if this is a `chalice` command for the stage `local`.

    If none is recorded, or it is damaged, a warning is printed and the command continues.

    That stage has the variable USE_LOCAL_CLOUD in .chalice/config.json.
    """
    if checks.USE_LOCAL_CLOUD not in os.environ:
        return
    try:
        load()
    except CommandError as error:
        print(f"Warning: {error}", flush=True)
