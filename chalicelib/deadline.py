"""The time that a request with several steps may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.errors import StoreUnavailable

MAX_SECONDS = 15.0
"""Less than the function's timeout (lambda_timeout: 20 s), with which a request ends without a
response of this service."""


@dataclass(frozen=True)
class Deadline:
    """A time by which the last step has ended. `clock` is in seconds."""

    end: float
    clock: Callable[[], float]

    @classmethod
    def after(
        cls, seconds: float = MAX_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> Deadline:
        """The deadline in this number of seconds."""
        return cls(clock() + seconds, clock)

    def require(self, seconds: float) -> None:
        """Raise StoreUnavailable if a step of this duration could end after the deadline."""
        if self.clock() + seconds > self.end:
            raise StoreUnavailable(
                "This takes longer than usual, and was not completed. Send the request again."
            )
