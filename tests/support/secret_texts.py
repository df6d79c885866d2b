"""Texts that no log may contain: tokens, addresses and profile data that the tests use."""

from __future__ import annotations

from pathlib import Path

PLANTED = "planted-3f1c"
"""Tests send this text in bodies, headers and tokens. No log may contain it."""

SECRETS = {PLANTED}


def add_user(email: str, *tokens: str) -> None:
    """Add a user's address and tokens to the texts that no log may contain."""
    SECRETS.add(email)
    for token in tokens:
        # The end is the signature. The start, the header, is the same in all tokens of a pool.
        SECRETS.add(token[-80:])


def assert_none_in(log: Path) -> None:
    """Fail if the log file contains one of the secret texts."""
    text = log.read_text(errors="replace")
    found = [secret for secret in SECRETS if secret in text]
    assert not found, f"{log} contains {found}, which must not be logged"
