"""The signals that ask a command to stop: of Ctrl-C, a cancelled CI job, a closed terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

STANDARD_ERROR = 2


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Raise KeyboardInterrupt for every stop signal in the block."""
    with _handled_by(signal.default_int_handler):
        yield


class StopRequest:
    """Whether a stop signal has arrived. Further ones have no effect."""

    def __init__(self, notice: str) -> None:
        self.received = False
        self._notice = notice

    def receive(self, *_: object) -> None:
        """Handle a stop signal."""
        if self.received:
            return
        self.received = True
        with suppress(OSError):  # the terminal is closed
            # print() must not be called here: the signal may have interrupted another print().
            os.write(STANDARD_ERROR, f"{self._notice}\n".encode())

    def raise_if_received(self) -> None:
        """Raise KeyboardInterrupt if a stop signal has arrived."""
        if self.received:
            raise KeyboardInterrupt


@contextmanager
def stop_signals_deferred(notice: str) -> Iterator[StopRequest]:
    """Let no stop signal interrupt the block. It stops where it calls `raise_if_received`.

    `notice` is printed at the first signal.
    """
    request = StopRequest(notice)
    with _handled_by(request.receive):
        yield request


@contextmanager
def _handled_by(handler: Callable[..., Any]) -> Iterator[None]:
    """Call `handler` for each stop signal in the block, and the earlier handlers after it."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` sets it
        numbers.append(signal.SIGHUP)
    earlier = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier_handler in earlier.items():
            signal.signal(number, earlier_handler)
