"""The audit: found, not found and not asked are three answers, whatever pip-audit makes of them."""

import json
import sys
from typing import Any

import pytest

from local import audit

CLEAN: dict[str, Any] = {"name": "six", "version": "1.17.0", "vulns": []}
VULNERABLE = CLEAN | {"name": "old", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.0"]}]}
SKIPPED = {"name": "private", "skip_reason": "Dependency not found on PyPI"}


def audited(*packages: dict[str, Any]) -> int:
    """The exit status where pip-audit reports `packages` of one lock."""
    report = json.dumps({"dependencies": packages, "fixes": []})
    return audit.main([sys.executable, "-c", f"print({report!r})"], ["requirements.txt"])


def test_nothing_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(CLEAN) == 0
    assert capsys.readouterr().out == "requirements.txt: no known vulnerability in 1 packages\n"


def test_a_vulnerability_is_named_with_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(CLEAN, VULNERABLE) == 1
    assert "old 1.17.0 has PYSEC-1; mended in: 2.0" in capsys.readouterr().out


def test_packages_that_the_database_does_not_know_are_not_called_clean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audited(CLEAN, SKIPPED) == 2
    said = capsys.readouterr().out
    assert "1 of 2 packages not audited, private the first" in said
    assert "no known vulnerability" not in said


def test_a_database_that_is_not_reached_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = "raise ConnectionError('Name or service not known')"
    assert audit.main([sys.executable, "-c", script], ["a.txt", "b.txt"]) == 2
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "a.txt: not audited. This needs the network, to reach the advisory database; it ended with: "
        "ConnectionError: Name or service not known"
    )
    assert second.startswith("b.txt: not audited.")
