"""Prepares a `chalice` command on a developer's machine. app.py calls `prepare`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click
from chalice.deploy.packager import LambdaDeploymentPackager

from deploy import function_settings, package_content, packaging
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
            # The command's option has the same name as the setting.
            function_settings.check_stage_of_api_gateway(context.params.get("api_gateway_stage"))
            packaging.prepare(stage, profile)
            if context.info_name == "deploy":
                packaging.refuse_conflict(stage, profile)
        except CommandError as error:
            sys.exit(f"error: {error}")
        _check_the_built_package(stage)
    environment.load_if_local()
    # `chalice local` sets the root logger to INFO. At that level, botocore logs where it found its
    # credentials.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    server.replace_chalice_server()


def _check_the_built_package(stage: str) -> None:
    """Let Chalice's packager, in this process, refuse a zip that lacks a package.

    This is between building and deploying. Chalice has no setting or event for it.
    """
    create = LambdaDeploymentPackager.create_deployment_package

    def create_and_check(
        self: LambdaDeploymentPackager, project_dir: str, python_version: str
    ) -> str:
        file: str = create(self, project_dir, python_version)
        try:
            package_content.check(stage, Path(file))
        except CommandError as error:
            sys.exit(f"error: {error}")
        return file

    LambdaDeploymentPackager.create_deployment_package = create_and_check  # type: ignore[method-assign]
