"""python -m tests.fuzz TARGET SECONDS: run a target under atheris, from the kept corpus on, to the end or a find."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

try:
    import atheris  # by tests/fuzz/requirements.txt
except ImportError:
    sys.exit(
        "error: atheris has wheels for Linux and Python 3.11 to 3.13 alone. `make test` runs what it has found."
    )

with atheris.instrument_imports(include=["chalicelib", "app", "chalice"]):
    import app  # noqa: F401 - so that it is instrumented
    from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
name, seconds = sys.argv[1:]
found = (
    HERE.parents[1] / ".fuzz" / name
)  # what it finds worth keeping; a crash's input lies beside it
found.mkdir(parents=True, exist_ok=True)
logging.disable()
atheris.Setup(
    [sys.argv[0], str(found), str(HERE / "corpus" / name), f"-max_total_time={seconds}", "-max_len=2048",
     "-timeout=10", f"-artifact_prefix={found}-", "-print_final_stats=1", "-verbosity=0"],
    TARGETS[name],
)  # fmt: skip
atheris.Fuzz()
