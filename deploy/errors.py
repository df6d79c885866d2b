"""The errors that the commands of this package report to the user, in one line."""

from __future__ import annotations


class DeploymentError(Exception):
    """A command cannot do what was asked. The text states what happened and what to do."""


class NoBackend(DeploymentError):
    """No table and no user pool are recorded for a stage."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"the stage {stage} has no backend yet. Run: make backend STAGE={stage}")
