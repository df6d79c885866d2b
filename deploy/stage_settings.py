"""Wrong settings of a stage, reported with the stage's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.settings import InvalidSetting
from deploy.errors import DeploymentError


@contextmanager
def report_invalid_settings(stage: str) -> Iterator[None]:
    """Raise InvalidSetting as DeploymentError."""
    try:
        yield
    except InvalidSetting as error:
        raise DeploymentError(f"a setting of the stage {stage} is invalid: {error}") from error
