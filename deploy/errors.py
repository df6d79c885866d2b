"""The errors that commands report to the user, in one line.

    CommandError
    ├── DeploymentError
    │   ├── NoBackend
    │   └── NotFound            see deploy/lookup.py
    ├── CognitoError
    ├── SmokeError
    ├── OutputError
    ├── AccountError        see deploy/user_pool.py
    ├── ErasureError        see deploy/erase_account.py
    ├── UsersApiError       see deploy/users_api.py
    └── LocalError              see local/errors.py

The `main` of each command catches CommandError and exits with its text. Any other exception is a
bug.
"""

from __future__ import annotations


class CommandError(Exception):
    """Base class. A command failed: the text states what happened and what to do."""


class DeploymentError(CommandError):
    """A stage cannot be deployed, read or deleted."""


class NoBackend(DeploymentError):
    """No table and no user pool are recorded for a stage."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"the stage {stage} has no backend yet. Run: make backend STAGE={stage}")


class CognitoError(CommandError):
    """Cognito refused a call or did not respond. The text is Cognito's message or advice."""


class OutputError(CommandError):
    """Standard output cannot be written."""


class SmokeError(CommandError):
    """`make smoke` cannot check the deployment, or cannot restore the user's profile."""
