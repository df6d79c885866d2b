"""Commands that a test runs to their end."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def output_of(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path = ROOT
) -> str:
    """Run a command with this environment, in the project's folder or another one.

    It must succeed. Returns what it printed.
    """
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
