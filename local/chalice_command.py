"""What a `chalice` command is told before it does anything, when it imports app.py on a developer's machine."""

from __future__ import annotations

import sys

import click

from deploy import bytecode, checks, vendor
from deploy.errors import DeploymentError
from local import gateway


def prepare() -> None:
    """Refuse, in a line, to deploy or package a stage that could not work, and compile what is packaged; have `chalice
    local` check tokens."""
    context = click.get_current_context(silent=True)
    if context is not None and context.info_name in ("deploy", "package"):
        try:
            checks.check_stage(context.params["stage"], context.params.get("profile"))
        except DeploymentError as error:
            sys.exit(f"error: {error}")
        vendor.build()
        bytecode.compile_own_code(vendor.FOLDER)
    gateway.stand_in_for_api_gateway()
