"""Prepares a `chalice` command on a developer's machine. app.py calls `prepare`."""

from __future__ import annotations

import logging
import sys

import click

from deploy import packaging
from deploy.errors import CommandError
from local import environment, server


def prepare() -> None:
    """Prepare the package for `chalice deploy` and `chalice package`; set up `chalice local`.

    Exits with a message if the stage cannot be deployed.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.info_name in ("deploy", "package"):
        stage = context.params["stage"]
        profile = context.params.get("profile")
        try:
            packaging.prepare(stage, profile)
            if context.info_name == "deploy":
                packaging.refuse_conflict(stage, profile)
        except CommandError as error:
            sys.exit(f"error: {error}")
    environment.load_if_local()
    # `chalice local` sets the root logger to INFO. At that level, botocore logs where it found its
    # credentials.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    server.replace_chalice_server()
