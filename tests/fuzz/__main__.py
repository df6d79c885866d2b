"""Run one target under atheris, starting with its corpus, until the time is over or it fails.

    python -m tests.fuzz TARGET SECONDS

New inputs that reach new code are stored in .fuzz/TARGET, and the input of a failure next to that
folder.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit(
        "error: atheris is not installed. It needs Linux on x86_64 with Python 3.11 to 3.13; "
        "`make test` runs the inputs that it has found."
    )

# atheris must import these modules, so that it sees which of their lines an input reaches.
with atheris.instrument_imports(include=["chalicelib", "app", "chalice"]):
    import app  # noqa: F401
    from tests.fuzz.targets import TARGETS

PROJECT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
LONGEST_INPUT_BYTES = 2048
SECONDS_FOR_ONE_INPUT = 10


def main() -> None:
    name, seconds = sys.argv[1:]
    found = PROJECT / ".fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    logging.disable()
    arguments = [
        str(found),
        str(CORPUS / name),
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT_BYTES}",
        f"-timeout={SECONDS_FOR_ONE_INPUT}",
        f"-artifact_prefix={found}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
