"""The command `make smoke` in this process, with the variables of make's command line."""

from __future__ import annotations

import pytest

from deploy import smoke

NOWHERE = "http://127.0.0.1:9/api"
"""A URL at which nothing responds."""


def error_of(monkeypatch: pytest.MonkeyPatch, *arguments: str, **options: str) -> str:
    """The error of the command with these arguments and variables of make's command line."""
    with monkeypatch.context() as patch:
        patch.setenv("OPTION_NAMES", " ".join(options))
        for name, value in options.items():
            patch.setenv(f"OPTION_{name}", value)
        with pytest.raises(SystemExit) as ended:
            smoke.main(arguments)
    message = str(ended.value.code)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message
