"""The signals that ask a command to stop: of Ctrl-C, a cancelled CI job, a closed terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STANDARD_ERROR = 2


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Raise KeyboardInterrupt for every stop signal in the block."""
    with handled_by(signal.default_int_handler, _not_ignored()):
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
    with handled_by(request.receive, _not_ignored()):
        yield request


def _not_ignored() -> list[signal.Signals]:
    """Return the stop signals, without SIGHUP if the shell ignores it, as `nohup` does."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


@contextmanager
def handled_by(
    handler: Callable[..., Any], signals: Sequence[signal.Signals] = STOP_SIGNALS
) -> Iterator[None]:
    """Call `handler` for each of these signals in the block, and the earlier handlers after it."""
    earlier = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, earlier_handler in earlier.items():
            signal.signal(number, earlier_handler)
