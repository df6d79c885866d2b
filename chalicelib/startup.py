"""The side effects of importing app.py, besides declaring the routes.

On Lambda, importing app.py is most of a cold start. This module shortens the import. It also makes
the first call to DynamoDB, so that the first caller does not wait for it.

It imports no other module of this service, because that import would run before garbage collection
is paused.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.store import ProfileStore

IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
"""Whether this process is the deployed function. Lambda's runtime sets this variable."""
LOG_LEVEL_IS_SET = "AWS_LAMBDA_LOG_LEVEL" in os.environ
"""Whether the function's logging configuration sets a level. If so, the runtime has applied it."""
IN_CHALICE_COMMAND = "AWS_CHALICE_CLI_MODE" in os.environ
"""Whether a `chalice` command imports app.py, on a developer's machine."""


def pause_garbage_collection() -> None:
    """Pause it: imports create no garbage, and searching for garbage takes 5 % of a cold start."""
    gc.disable()


def resume_garbage_collection() -> None:
    """Resume it, and exempt all objects that exist: they stay until the process ends."""
    gc.freeze()
    gc.enable()


def make_first_call(open_store: Callable[[], ProfileStore]) -> None:
    """Connect to DynamoDB while the function starts.

    Errors are ignored: a function that does not start cannot report them to its callers. The
    first request causes the same error and reports it.
    """
    with contextlib.suppress(Exception):
        open_store().warm_up()
