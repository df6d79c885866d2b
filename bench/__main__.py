"""make bench: what this service costs beside what one would write instead, in AWS's own runtime.

Packages take turns in one run, so that a noisy machine is noisy for all. Writes bench/results.md and its chart.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench import measure, packages
from bench.report import COLUMNS, chart, report
from tests.support import lambda_runtime as runtime

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        runtime.install(folder)
        measured = packages.build(folder)
        mine, _, reference, *_ = measured
        with measure.stubbed(1000) as endpoint:
            for number in range(rounds):
                print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                for package in measured:
                    for what, value in measure.measure(package, folder, endpoint, 1000).items():
                        package.note(what, value)
        tables = {
            "sizes": measure.by_size(mine, folder),
            "imports": measure.dearest_imports(mine, folder),
        }
        tables["limits"] = (
            measure.by_memory(measured, folder) if os.access(measure.CGROUPS, os.W_OK) else []
        )
        chart(measured, reference, HERE / "results.svg")
    (HERE / "results.md").write_text(report(measured, reference, tables, rounds))
    for column in (*COLUMNS, "zip"):
        print(
            f"{column:>14}: "
            + ", ".join(f"{mine.ratio(peer, column):.2f}x {peer.name}" for peer in measured[1:])
        )


if __name__ == "__main__":
    main()
