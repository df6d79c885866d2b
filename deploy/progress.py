"""Progress of a long command, on standard error: a count and a rate, once a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

SECONDS_BETWEEN_LINES = 1.0
CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Shows how far a command has come.

    On a terminal the progress is one line, which is written again. Elsewhere each is a line.
    """

    def __init__(self, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._unit = unit
        self._clock = clock
        self._start = clock()
        self._shown_at = self._start
        self._line_is_open = False

    def show(self, count: int) -> None:
        """Show the count and its average rate, unless they were shown less than a second ago."""
        now = self._clock()
        if now - self._shown_at < SECONDS_BETWEEN_LINES:
            return
        self._shown_at = now
        rate = count / (now - self._start)
        text = f"  {count:,} {self._unit}, {rate:,.0f} a second"
        if sys.stderr.isatty():
            sys.stderr.write(CLEAR_LINE + text)
            self._line_is_open = True
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self.close()
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the progress from the terminal, before something else is printed."""
        if self._line_is_open:
            sys.stderr.write(CLEAR_LINE)
            sys.stderr.flush()
            self._line_is_open = False
