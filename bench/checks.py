"""Refuses results that contradict each other, before anything is written.

Such results come from a function that waited for something, from a broken measurement, or from a
machine that was too busy. Each limit below allows for a busy machine. The measured values are
stated next to it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple

from bench.measure import PROFILE_SIZES, USUAL_PROFILE_SIZE
from bench.memory_sizes import MEMORY_OF_ONE_CORE_MB, MEMORY_SIZES_MB
from bench.results import (
    REPORTED_METRICS,
    ImportTimes,
    MemoryResult,
    Metric,
    PackageResult,
    Results,
    SizeResult,
)

SMALLEST_PART_OF_IMPORTS = 0.7
"""The least share of the imports in the init phase of a start. Measured in 20 starts: 0.93 to 0.99.
The rest is the start of Python and the work of the runtime client. More than 1 is impossible: no
module's time counts twice."""
ROUNDING_MS = 1.0
"""The difference allowed between the clocks of Python (microseconds) and of the emulator."""
ROUNDING = 1e-9
"""The relative error of quartiles: they are interpolated, also between equal values."""
LARGEST_SLOWDOWN = 2.5
"""The largest ratio of the init phase, while its imports are measured, to that in the rounds.
Measured in four groups of five starts, with four times as many busy processes as cores: 0.9 to 1.3.
The rest allows for a machine that is busy only during the rounds, or only afterwards."""
LARGEST_DECREASE = 0.2
"""The share by which a larger profile may cost less than a smaller one. One size is measured after
the other, and each is at least 3.9 times as large as the one before."""
LARGEST_INCREASE = 0.25
"""The share by which a start may take longer with more memory. From one memory size to the next, a
function gets at least 1.7 times as much CPU."""
LARGEST_DIFFERENCE = 2.5
"""The largest factor between two measurements of the same value, in two tables of the report."""


class ImplausibleResults(Exception):
    """Results contradict each other. The message has one line for each contradiction."""


def check(results: Results) -> None:
    """Raise ImplausibleResults if parts of `results` are missing or do not fit together."""
    # Values that are missing or not numbers cannot be compared.
    problems = [*_missing(results), *_not_positive(results)]
    if not problems:
        problems = [
            *_wrong_quartiles(results),
            *_wrong_imports(results.imports, results.service),
            *_wrong_sizes(results.sizes, results.service),
            *_wrong_memory_sizes(results.by_memory, results.service),
        ]
    if problems:
        raise ImplausibleResults("\n".join(problems))


def _missing(results: Results) -> Iterator[str]:
    """Rows and values of the report that are missing."""
    if results.rounds < 1:
        yield "there are no rounds"
    if results.reference not in results.packages:
        yield f"the reference {results.reference.name!r} is not among the packages"
    for package in results.packages:
        if len(package.runs) != results.rounds:
            yield f"{package.name} has {len(package.runs)} runs of {results.rounds} rounds"
    sizes = tuple(result.size for result in results.sizes)
    if sizes != PROFILE_SIZES:
        yield f"profiles of {sizes} bytes were measured instead of {PROFILE_SIZES}"
    if "app" not in results.imports.own_ms:
        yield "the import of app was not measured"
    yield from _missing_memory_sizes(results)


def _missing_memory_sizes(results: Results) -> Iterator[str]:
    if not results.by_memory:
        return  # control groups cannot be created on this machine
    measured = {(result.package, result.memory_mb) for result in results.by_memory}
    for package in results.packages:
        for memory_mb in MEMORY_SIZES_MB:
            if (package.name, memory_mb) not in measured:
                yield f"{package.name} was not measured with {memory_mb} MB"


def _not_positive(results: Results) -> Iterator[str]:
    """Values that are zero, negative, infinite or not a number: they have no ratio."""
    for package in results.packages:
        yield from _bad_values(f"{package.name}, zip", [package.zip_bytes])
        for number, run in enumerate(package.runs, start=1):
            yield from _bad_values(f"{package.name}, round {number}", astuple(run))
    for size in results.sizes:
        for run in (*size.service.runs, *size.reference.runs):
            yield from _bad_values(f"profile of {size.size} bytes", astuple(run))
    for memory in results.by_memory:
        values = (memory.first_answer_ms, memory.warm_get_ms, memory.dollars_per_million)
        yield from _bad_values(f"{memory.package} with {memory.memory_mb} MB", values)
    imports = results.imports
    yield from _bad_values("imports", [imports.init_ms, imports.total_ms])


def _bad_values(name: str, values: Sequence[float]) -> Iterator[str]:
    for value in values:
        if not (math.isfinite(value) and value > 0):
            yield f"{name}: {value} is not a positive number"


def _wrong_quartiles(results: Results) -> Iterator[str]:
    for package in results.packages:
        for metric in REPORTED_METRICS:
            summary = package.summary(metric, results.reference)
            tolerance = ROUNDING * summary.median
            is_above = summary.median > summary.upper_quartile + tolerance
            is_below = summary.median < summary.lower_quartile - tolerance
            if is_above or is_below:
                yield f"{package.name}, {metric}: the median is not between the quartiles"


def _wrong_imports(imports: ImportTimes, service: PackageResult) -> Iterator[str]:
    """Compare the imports with the init phase, and the init phase with that of the rounds."""
    total = f"the imports take {imports.total_ms:.0f} ms"
    whole = f"the init phase of the same start takes {imports.init_ms:.0f} ms"
    if imports.total_ms > imports.init_ms + ROUNDING_MS:
        yield f"{total}, but {whole}"
    if imports.total_ms < SMALLEST_PART_OF_IMPORTS * imports.init_ms:
        yield f"{total} only, but {whole}"
    usual_ms = service.median("init_ms")
    if imports.init_ms > LARGEST_SLOWDOWN * usual_ms:
        yield f"{whole} with its imports measured, but {usual_ms:.0f} ms in the rounds"


def _wrong_sizes(sizes: list[SizeResult], service: PackageResult) -> Iterator[str]:
    """A larger profile must not cost less, and the usual one must cost as much as in the rounds."""
    metrics: tuple[Metric, ...] = ("get_cpu_ms", "post_cpu_ms", "peak_memory_mb")
    for metric in metrics:
        for smaller, larger in itertools.pairwise(sizes):
            if larger.median(metric) < (1 - LARGEST_DECREASE) * smaller.median(metric):
                yield (
                    f"{metric} is {larger.median(metric):.1f} for {larger.size} bytes, "
                    f"but {smaller.median(metric):.1f} for {smaller.size} bytes"
                )
        for result in sizes:
            if result.size == USUAL_PROFILE_SIZE:
                value = result.median(metric)
                name = f"{metric} for {result.size} bytes"
                yield from _disagreement(name, value, service.median(metric))


def _wrong_memory_sizes(by_memory: list[MemoryResult], service: PackageResult) -> Iterator[str]:
    """More CPU must not slow a start down, and one core must take as long as in the rounds."""
    starts = {(result.package, result.memory_mb): result.first_answer_ms for result in by_memory}
    packages = {result.package for result in by_memory}
    for package in sorted(packages):
        for less_mb, more_mb in itertools.pairwise(MEMORY_SIZES_MB):
            slower = starts[package, less_mb]
            faster = starts[package, more_mb]
            if faster > (1 + LARGEST_INCREASE) * slower:
                yield (
                    f"{package} starts in {faster:.0f} ms with {more_mb} MB, "
                    f"but in {slower:.0f} ms with {less_mb} MB"
                )
    if by_memory:
        with_one_core = starts[service.name, MEMORY_OF_ONE_CORE_MB]
        usual = service.median("init_ms") + service.median("first_request_ms")
        yield from _disagreement("the start with one core", with_one_core, usual)


def _disagreement(name: str, value: float, value_in_rounds: float) -> Iterator[str]:
    ratio = value / value_in_rounds
    if not 1 / LARGEST_DIFFERENCE <= ratio <= LARGEST_DIFFERENCE:
        yield f"{name} is {value:.1f}, but {value_in_rounds:.1f} in the rounds"
