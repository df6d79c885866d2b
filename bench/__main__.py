"""Compare this service with other ways to write it, in AWS's Lambda runtime: cold starts, CPU,
memory and package size.

Writes bench/results.md and bench/results.svg. If results contradict each other, writes neither.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import memory_sizes, packages
from bench.charts import write_chart
from bench.checks import ImplausibleResults, check
from bench.measure import BenchmarkError, measure_imports, measure_rounds, measure_sizes
from bench.report import write_report
from bench.results import REPORTED_METRICS, Results
from tests.support import lambda_runtime

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    options = parser.parse_args()
    try:
        results = measure_all(options.rounds)
        check(results)
    except ImplausibleResults as error:
        sys.exit(
            "error: some results contradict each other, so nothing was written. Run the benchmark "
            f"again on an idle machine.\n{error}"
        )
    except (BenchmarkError, lambda_runtime.EmulatorError) as error:
        sys.exit(f"error: {error}")
    write_chart(results, HERE / "results.svg")
    write_report(results, HERE / "results.md")
    print_ratios(results)


def measure_all(rounds: int) -> Results:
    """Build all packages in a temporary folder, and measure everything."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        lambda_runtime.install(folder)
        built = packages.build(folder)
        package_results = measure_rounds(built.all, folder, rounds)
        by_memory = []
        if memory_sizes.can_limit_cpu():
            by_memory = memory_sizes.measure_memory_sizes(built.all, folder)
        return Results(
            rounds=rounds,
            packages=package_results,
            reference=package_results[built.all.index(built.reference)],
            sizes=measure_sizes(built.service, built.reference, folder),
            imports=measure_imports(built.service, folder),
            by_memory=by_memory,
        )


def print_ratios(results: Results) -> None:
    """Print the ratios of this service to each peer."""
    for peer in results.packages[1:]:
        ratios = [
            f"{name} {results.service.summary(metric, peer).ratio:.2f}x"
            for metric, name in REPORTED_METRICS.items()
        ]
        zip_ratio = results.service.zip_bytes / peer.zip_bytes
        print(f"{peer.name}: {', '.join(ratios)}, zip {zip_ratio:.2f}x")


if __name__ == "__main__":
    main()
