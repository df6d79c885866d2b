"""Numbers of things, in messages."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 user", "2 users", "1,000 users"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun}s"
