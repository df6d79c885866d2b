"""bench/results.md and its chart."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from importlib.metadata import version
from pathlib import Path

from bench.measure import COLD_SHARE, DATABASE_MS
from bench.packages import Package

COLUMNS = ("init", "first request", "warm GET", "warm POST", "peak memory")


def table(measured: list[Package], reference: Package) -> list[str]:
    """Medians with quartiles, and the ratio to `reference`: rows of a table."""
    rows = []
    for package in measured:
        cells = []
        for column in COLUMNS:
            found = package.found[column]
            low, _, high = statistics.quantiles(found if len(found) > 1 else found * 2, n=4)
            times = package.ratio(reference, column)
            cells.append(f"**{times:.2f}x** {package.median(column):.4g} ({low:.4g} to {high:.4g})")
        cells.append(f"**{package.ratio(reference, 'zip'):.2f}x** {package.zip_bytes / 1e6:.2f} MB")
        rows.append(f"| {package.name} | {' | '.join(cells)} |")
    return rows


def chart(measured: list[Package], reference: Package, file: Path) -> None:
    """Bars of the ratios to `reference`, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415 - installed for `make bench` alone

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 9})
    from matplotlib import pyplot as plt  # noqa: PLC0415

    panels = {
        "init": "cold start: init",
        "warm GET": "warm GET, CPU",
        "warm POST": "warm POST, CPU",
        "zip": "zip",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 2.6), sharey=True)
    names = [package.name for package in measured][::-1]
    for axis, (column, title) in zip(axes, panels.items(), strict=True):
        values = [package.ratio(reference, column) for package in measured][::-1]
        colors = ["#1f6feb" if name == measured[0].name else "#b1bac4" for name in names]
        axis.bar_label(
            axis.barh(names, values, color=colors), [f"{value:.2f}x" for value in values], padding=3
        )
        axis.axvline(1, color="#57606a", linewidth=0.8, linestyle="--")
        axis.set_title(title)
        axis.set_xlim(0, max(values) * 1.35)
        axis.set_xticks([])
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def report(
    measured: list[Package], reference: Package, tables: dict[str, list[str]], rounds: int
) -> str:
    """The text of bench/results.md."""
    cpu = [
        line
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    machine = (
        f"{os.cpu_count()} cores of {cpu[0].partition(': ')[2] if cpu else platform.machine()}"
    )
    versions = ", ".join(
        [
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in ("botocore", "chalice")),
        ]
    )
    text = TEMPLATE.format(
        date=datetime.date.today(), rounds=rounds, machine=machine, versions=versions, reference=reference.name,
        rows="\n".join(table(measured, reference)), sizes="\n".join(tables["sizes"]),
        imports="\n".join(tables["imports"]),
    )  # fmt: skip
    limits = LIMITS.format(
        limits="\n".join(tables["limits"]),
        cold=COLD_SHARE,
        warm=1 - COLD_SHARE,
        database=DATABASE_MS,
    )
    return text + (limits if tables["limits"] else "")


TEMPLATE = """# What it costs

Measured {date} by `make bench` ({rounds} rounds, packages taking turns) on {machine}; {versions}.
In AWS's runtime client behind AWS's runtime interface emulator, against a DynamoDB that answers at once. Times are
milliseconds, memory is megabytes: the ratio to "{reference}" (the median of the rounds' own
ratios), the median, the quartiles. Ratios hold elsewhere, times do not.

![chart](results.svg)

| | init | first request | CPU a warm GET | CPU a warm POST | peak memory | zip |
|---|---|---|---|---|---|---|
{rows}

*Init* is what the runtime reports: starting Python, importing the function, and what it does once. The peers are in
[peers/](peers): the same answers to the same requests, without this service's limits, exact numbers, ETags and error
shape. "Compiled" packages have their bytecode with them; "as usual" is what Chalice and others make of wheels, without:
Lambda compiles it at every cold start. (Many a package has no SDK in it at all, and takes the one of Lambda's runtime.)
CPU times include those of AWS's runtime client, the same for all. The database here speaks plain HTTP: on AWS a TLS
connection comes on top (18 ms of CPU to load botocore's certificates alone), to this service while it starts, to the
others with their first request.

## By profile size

CPU a call in ms, and megabytes at the peak.

| profile | GET | POST | peak memory |
|---|---|---|---|
{sizes}

## What starting takes

The ten modules whose own import takes longest (`-X importtime`), in ms, and their part of all imports.

| module | ms | |
|---|---|---|
{imports}
"""
LIMITS = """
## By memory size

AWS gives CPU in proportion to memory, a whole core at 1,769 MB (published: "Configure Lambda function memory"); here a
control group does, to all that a function does, its start too. Three numbers each: milliseconds until the first answer
(init and first request), milliseconds of a warm GET that follows another at once, and what Lambda asks for a million
requests.

{limits}

A million requests are 1,000,000 x ($0.20 / 1,000,000 + GB x seconds x $0.0000166667), where seconds are
{cold} x (cold + {database} ms) + {warm} x (warm + {database} ms), both rounded up to milliseconds. The prices are AWS's
(aws.amazon.com/lambda/pricing, x86, us-east-1), and so is that the init phase is billed (since August 2025). Assumed:
DynamoDB takes {database} ms (AWS: "single-digit milliseconds"), and {cold:.0%} of the requests start a function (AWS:
"typically under 1%"). API Gateway ($3.50) and DynamoDB come on top, the same for all.

A part of a core is given in periods of 20 ms, as Linux does it: what needs less than its part of one is not slowed,
which is why 512 MB answer nearly as fast as 1,769 MB, and 256 MB do not.
"""
