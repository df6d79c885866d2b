"""Chalice's settings of the function and of the API in .chalice/config.json, before a deployment.

Chalice passes most of them on unread, so a wrong one would fail on AWS, after a part of the
deployment, or at the first slow request. `lambda_python_version` is this project's own setting:
Chalice deploys the Python that runs it.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

from chalicelib.deadline import MAX_SECONDS
from deploy import chalice_config
from deploy.chalice_config import API_GATEWAY_STAGE, FILE
from deploy.errors import DeploymentError

PYTHON_VERSION = "lambda_python_version"
SUPPORTED_PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""The versions that the tests run on. Lambda has a runtime for each of them."""
ARCHITECTURES = ("arm64", "x86_64")
DEFAULT_ARCHITECTURE = "x86_64"
"""Chalice's, without the setting."""
MEMORY_MB = range(128, 10_240 + 1)
"""AWS, "Lambda quotas": function memory allocation."""
TIMEOUT_SECONDS = range(int(MAX_SECONDS) + 1, 28 + 1)
"""More than the longest request takes, and less than the 29 s that API Gateway waits."""


def check(stage: str) -> None:
    """Check the settings with which the stage would be deployed. Raises DeploymentError."""
    _check_python(stage)
    _check_choice(stage, "lambda_architecture", ARCHITECTURES)
    _check_number(stage, "lambda_memory_size", MEMORY_MB, "in MB: Lambda's limits")
    _check_number(
        stage,
        "lambda_timeout",
        TIMEOUT_SECONDS,
        f"in seconds: a request takes up to {MAX_SECONDS:.0f} s, and API Gateway waits 29 s",
    )
    check_stage_of_api_gateway(chalice_config.setting(stage, "api_gateway_stage"))


def check_stage_of_api_gateway(name: object) -> None:
    """Refuse another name for API Gateway's stage than the one that this project uses.

    `name` is None if it is not set, which is the same for Chalice. Raises DeploymentError.
    """
    if name not in (None, API_GATEWAY_STAGE):
        raise DeploymentError(
            f"api_gateway_stage is {name!r}. It must be {API_GATEWAY_STAGE}: the alarms, the "
            "commands and the operators' permissions use that name. To have another path in the "
            "API's URL, use a custom domain."
        )


def architecture(stage: str) -> str:
    """Return the function's architecture. Raises DeploymentError."""
    found: str = chalice_config.setting(stage, "lambda_architecture") or DEFAULT_ARCHITECTURE
    return found


def running_python() -> str:
    """Return the version of the Python that runs this, such as 3.13."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _check_python(stage: str) -> None:
    """Refuse another Python than the function's: Chalice would change the function's runtime."""
    version = chalice_config.setting(stage, PYTHON_VERSION)
    if isinstance(version, int | float):
        raise DeploymentError(
            f"{PYTHON_VERSION} in {FILE} is {_shown(version)}, a number. It must be a string, such "
            f'as "{SUPPORTED_PYTHONS[-1]}".'
        )
    if version not in SUPPORTED_PYTHONS:
        raise DeploymentError(
            f"{PYTHON_VERSION} in {FILE} is {_shown(version)}. Set the Python version of the "
            f'function: "3.13" (supported: {", ".join(SUPPORTED_PYTHONS)}).'
        )
    if version != running_python():
        raise DeploymentError(
            f"the function runs on Python {version} ({PYTHON_VERSION} in {FILE}), and this is "
            f"Python {platform.python_version()}. Install Python {version}, run make install "
            f"PYTHON=python{version} (or its path), and then this command again. To deploy with "
            f'this Python, set {PYTHON_VERSION} to "{running_python()}": the function gets that '
            "runtime."
        )


def _check_choice(stage: str, name: str, choices: Sequence[str]) -> None:
    value = chalice_config.setting(stage, name)
    if value is not None and value not in choices:
        raise DeploymentError(
            f"{name} in {FILE} is {_shown(value)}. It must be {' or '.join(choices)}."
        )


def _check_number(stage: str, name: str, allowed: range, reason: str) -> None:
    """Refuse what is not a whole number, such as NaN, and what is not in the range."""
    value = chalice_config.function_setting(stage, name)
    is_whole_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole_number or value not in allowed:
        raise DeploymentError(
            f"{name} of the stage {stage} in {FILE} is {_shown(value)}. It must be a whole number "
            f"from {allowed[0]} to {allowed[-1]} ({reason})."
        )


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)
