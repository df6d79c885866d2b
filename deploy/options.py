"""The variables of make's command line: `make deploy STAGE=dev` passes STAGE as OPTION_STAGE.

They come in the environment because their values do not pass through a shell there, and because
every user of a machine can read the arguments of a process, such as a password.
"""

from __future__ import annotations

import os

from deploy.errors import DeploymentError

PREFIX = "OPTION_"


def option(name: str) -> str:
    """Return the value of a variable of make's command line; empty if it was not given."""
    return os.environ.get(PREFIX + name, "")


def refuse_empty_options() -> None:
    """Raise DeploymentError if an option was given without a value, such as TABLE=$UNSET.

    STAGE is left out: the commands that need it say so.
    """
    for variable, value in os.environ.items():
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and not value.strip() and name != "STAGE":
            raise DeploymentError(f"{name} is empty. Give it a value, or leave it out.")
