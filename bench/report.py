"""The text of bench/results.md."""

from __future__ import annotations

import datetime
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from bench import memory_sizes
from bench.measure import CALLS, PROFILE_SIZES, ROUNDS_OF_A_SIZE
from bench.memory_sizes import MEMORY_SIZES_MB
from bench.results import REPORTED_METRICS, Metric, Results

CHALICE_CONFIG = Path(__file__).parents[1] / ".chalice" / "config.json"
SLOWEST_IMPORTS = 10


def write_report(results: Results, file: Path) -> None:
    """Write the report as Markdown."""
    sections = [_comparison(results), _sizes(results), _imports(results)]
    if results.by_memory:
        sections.append(_memory_sizes(results))
    file.write_text("\n".join(sections))


COMPARISON = """\
# Benchmark

Measured on {date} with `make bench` (rounds: {rounds}) on {machine}.
Software: {software}.

Each function runs in AWS's Lambda runtime client (awslambdaric), behind AWS's Lambda runtime
interface emulator. The database is a stand-in for DynamoDB that responds immediately
([stub.py](stub.py)). In each round, every package is started once, then called {calls} times with
GET and {calls} times with POST. The profile has 1 KB.

![Ratios to the reference package](results.svg)

Each cell has the ratio to the package "{reference}", the median, and the
lower and upper quartile. The ratio is the median of the rounds' own ratios. Durations and CPU times
are in milliseconds, memory is in megabytes. Ratios hold on other machines, durations do not.

{table}

- *init* is the duration of the init phase, as the emulator reports it: Python starts, the runtime
  client imports the function's module, and the module runs its set-up code.
- *first request* is the duration of the first call after the init phase.
- *CPU* times are averages of {calls} calls. They include the CPU time of the runtime client, which
  is the same for all packages.
- The *peers* are in [peers/](peers). They return the same results for valid requests, but do not
  have this service's limits, exact numbers, ETags and error format.
- *Compiled* packages contain Python's bytecode. The package that is *not compiled* contains source
  code only, as `chalice package` leaves it: Python compiles every module at every cold start.
- The packages contain the AWS SDK. Lambda's Python runtime also contains it, so many functions are
  packaged without it and have a smaller zip.
- The function calls the database over HTTP here, and over HTTPS on AWS. The time for TLS is not
  included. This service connects during the init phase, and the peers connect during the first
  request.
"""


def _comparison(results: Results) -> str:
    header = ["package", *REPORTED_METRICS.values(), "zip"]
    rows = []
    for package in results.packages:
        cells = [package.name]
        for metric in REPORTED_METRICS:
            figure = package.summary(metric, results.reference)
            quartiles = f"{figure.lower_quartile:.4g} to {figure.upper_quartile:.4g}"
            cells.append(f"**{figure.ratio:.2f}x** {figure.median:.4g} ({quartiles})")
        megabytes = package.zip_bytes / 1_000_000
        cells.append(f"**{results.zip_ratio(package):.2f}x** {megabytes:.2f} MB")
        rows.append(cells)
    return COMPARISON.format(
        date=datetime.date.today(),
        rounds=results.rounds,
        machine=_machine(),
        software=_software(),
        calls=CALLS,
        reference=results.reference.name,
        table=_table(header, rows),
    )


SIZES = """\
## By profile size

The CPU time of a warm call of this service in milliseconds, its peak memory in megabytes, and the
ratio of each to the package "{reference}" in the same {rounds} rounds. The largest profile
({largest} KB) is close to DynamoDB's limit for an item, 400 KB.

{table}
"""


def _sizes(results: Results) -> str:
    metrics: tuple[Metric, ...] = ("get_cpu_ms", "post_cpu_ms", "peak_memory_mb")
    rows = []
    for result in results.sizes:
        figures = [
            f"**{result.ratio(metric):.2f}x** {result.median(metric):.1f}" for metric in metrics
        ]
        rows.append([f"{result.size // 1000} KB", *figures])
    return SIZES.format(
        largest=PROFILE_SIZES[-1] // 1000,
        reference=results.reference.name,
        rounds=ROUNDS_OF_A_SIZE,
        table=_table(["profile", "CPU of a GET", "CPU of a POST", "peak memory"], rows),
    )


IMPORTS = """\
## The parts of a cold start

This is one cold start of this service, measured with `PYTHONPROFILEIMPORTTIME`, which slows it
down. Its init phase takes {init_ms:.0f} ms; the median of the rounds above is {usual_ms:.0f} ms.
The time of a module does not include the modules that it imports.

{table}

The time of `app` includes its set-up code, which creates the DynamoDB client and sends a first
request. "Everything but imports" is the start of Python and the work of the runtime client.
"""


def _imports(results: Results) -> str:
    imports = results.imports
    slowest = imports.slowest(SLOWEST_IMPORTS)
    others = len(imports.own_ms) - len(slowest)
    others_ms = imports.total_ms - sum(own_ms for _, own_ms in slowest)
    parts = {
        **{f"`{module}`": own_ms for module, own_ms in slowest},
        f"{others} other modules": others_ms,
        "everything but imports": imports.init_ms - imports.total_ms,
        "**init phase**": imports.init_ms,
    }
    rows = [[part, f"{ms:.1f}", f"{ms / imports.init_ms:.0%}"] for part, ms in parts.items()]
    return IMPORTS.format(
        init_ms=imports.init_ms,
        usual_ms=results.service.median("init_ms"),
        table=_table(["part", "milliseconds", "share"], rows),
    )


MEMORY = """\
## By memory size

Lambda gives a function CPU in proportion to its memory, and one core with {one_core_mb:,} MB (AWS,
"Configure Lambda function memory"). Here a Linux control group limits the function's process to
that share of a core, from its start.

Each cell has the time from the start of the function to its first response (init and first
request) in milliseconds, the average duration of a warm GET in milliseconds, and Lambda's price of
a million requests. The durations are medians of {rounds} starts.

{table}

This service is cheapest with {cheapest_mb:,} MB.
The setting `lambda_memory_size` is {configured_mb:,}.

The price of a million requests is computed as follows. Both times in parentheses are rounded up to
whole milliseconds.

    seconds = {cold_share} x (first response + {database_ms} ms)
              + {warm_share} x (warm GET + {database_ms} ms)
    price   = 1,000,000 x ($0.20 / 1,000,000 + GB x seconds x ${dollars_per_gb_second:.10f})

- Published by AWS: the prices (aws.amazon.com/lambda/pricing, Arm, us-east-1). Since August 2025
  Lambda also bills the init phase.
- Assumed: a core of Lambda's Arm processors is as fast as one of this machine.
- Assumed: a request to DynamoDB takes {database_ms} ms (AWS: "single-digit milliseconds").
- Assumed: {cold_share:.0%} of the requests start a function (AWS: "typically under 1%").
- Not included: API Gateway ($3.50 per million requests) and DynamoDB, which cost the same with
  every package.

The control group grants CPU time in periods of {period_ms} ms. When the time of a period is used
up, the function waits for the next one. The calls here follow each other without a pause, so their
average duration is about their CPU time divided by the share of a core. A single call after a pause
has a whole period's CPU time and is faster. With little memory, starts and calls take longer than
the share of a core suggests: a process that is stopped in every period loses the processor's caches
and needs more CPU time itself. In a trial with 128 MB, a warm GET of this service needed 2 ms of
CPU time instead of 1 ms.
"""


def _memory_sizes(results: Results) -> str:
    found = {(result.package, result.memory_mb): result for result in results.by_memory}
    rows = []
    for package in results.packages:
        cells = [package.name]
        for memory_mb in MEMORY_SIZES_MB:
            result = found[package.name, memory_mb]
            durations = f"{result.first_answer_ms:,.0f}, {result.warm_get_ms:.1f}"
            cells.append(f"{durations}, ${result.dollars_per_million:.2f}")
        rows.append(cells)
    header = ["package", *(f"{memory_mb:,} MB" for memory_mb in MEMORY_SIZES_MB)]
    own_prices = {
        result.memory_mb: result.dollars_per_million
        for result in results.by_memory
        if result.package == results.service.name
    }
    return MEMORY.format(
        one_core_mb=memory_sizes.MEMORY_OF_ONE_CORE_MB,
        rounds=memory_sizes.ROUNDS,
        table=_table(header, rows),
        cheapest_mb=min(own_prices, key=own_prices.__getitem__),
        configured_mb=json.loads(CHALICE_CONFIG.read_text())["lambda_memory_size"],
        dollars_per_gb_second=memory_sizes.DOLLARS_PER_GB_SECOND,
        cold_share=memory_sizes.COLD_SHARE,
        warm_share=1 - memory_sizes.COLD_SHARE,
        database_ms=memory_sizes.DATABASE_MS,
        period_ms=memory_sizes.PERIOD_MICROSECONDS // 1000,
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(": ")[2]
    return f"{os.cpu_count()} cores of {model}"


def _software() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("botocore", "chalice"))
    return f"Python {platform.python_version()}, {packages}"
