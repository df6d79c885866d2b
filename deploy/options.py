"""The variables of make's command line: `make deploy STAGE=dev` passes STAGE as OPTION_STAGE.

They come in the environment because their values do not pass through a shell there, and because
every user of a machine can read the arguments of a process, such as a password.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from deploy.errors import DeploymentError

PREFIX = "OPTION_"
NAMES = "OPTION_NAMES"
"""The environment variable with the names of all variables of make's command line."""
GENERAL = ("STAGE", "PYTHON", "API_PORT", "AWS_PORT", "WEB_PORT")
"""Variables that every target accepts. The commands that need STAGE say so if it is empty."""


def option(name: str) -> str:
    """Return the value of a variable of make's command line; empty if it was not given."""
    return os.environ.get(PREFIX + name, "")


def check_options(command: str, known: Collection[str]) -> None:
    """Raise DeploymentError if an option is unknown, or has no value, such as TABLE=$UNSET.

    `known` are those of the command, besides STAGE. A mistyped or an empty option would otherwise
    be taken for one that was left out: make backend would make a new table.
    """
    for name in os.environ.get(NAMES, "").split():
        if name in GENERAL:
            continue
        if name not in known:
            listed = ", ".join(("STAGE", *known))
            raise DeploymentError(f"make {command} has no option {name}. It has: {listed}.")
        if not option(name).strip():
            raise DeploymentError(f"{name} is empty. Give it a value, or leave it out.")


def is_yes(name: str, value: str) -> bool:
    """Return whether an option is `yes`. Raises DeploymentError if it is neither yes nor empty."""
    if value not in ("", "yes"):
        raise DeploymentError(f"{name}={value} is not understood. Set {name}=yes or leave it out.")
    return value == "yes"
