"""Waiting for a condition, by polling."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

FIRST_PAUSE = 0.05
"""Seconds between the first two calls."""
GROWTH = 1.3
"""Each pause is longer than the one before by this factor, up to the longest pause."""
LONGEST_PAUSE = 0.5
"""Seconds between two calls after a few seconds of waiting."""


def wait_until(
    is_ready: Callable[[], bool], *, timeout: float = math.inf, longest_pause: float = LONGEST_PAUSE
) -> None:
    """Call `is_ready` until it returns True. An exception that it raises ends the wait.

    `timeout` and `longest_pause` are in seconds. Raises TimeoutError.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while not is_ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready after {timeout} seconds")
        time.sleep(pause)
        pause = min(pause * GROWTH, longest_pause)
