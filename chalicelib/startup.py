"""What app.py does while it is imported, besides declaring the routes.

On Lambda, importing app.py is most of a cold start. This module keeps it short, and makes the
first call to DynamoDB then, instead of letting the first caller wait for it.

It imports nothing of this service: what it imported would be imported before garbage collection
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
"""Whether the function's logging configuration sets a level. The runtime has applied it then."""
IN_CHALICE_COMMAND = "AWS_CHALICE_CLI_MODE" in os.environ
"""Whether a `chalice` command imports app.py, on a developer's machine."""


def pause_garbage_collection() -> None:
    """Nothing that an import makes is garbage. Searching for some takes 5 % of a cold start."""
    gc.disable()


def resume_garbage_collection() -> None:
    """Resume it, and exempt everything that exists by now: it stays until the process ends."""
    gc.freeze()
    gc.enable()


def make_first_call(open_store: Callable[[], ProfileStore]) -> None:
    """Connect to DynamoDB while the function starts.

    A function that does not start reports nothing to its callers. Any error is left for the
    first request, which meets it again and reports it.
    """
    with contextlib.suppress(Exception):
        open_store().warm_up()
