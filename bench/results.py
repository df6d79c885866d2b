"""The results of the benchmark. Durations are in milliseconds, memory in megabytes (2^20 bytes)."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal, TypeAlias

Metric: TypeAlias = Literal[
    "init_ms", "first_request_ms", "get_cpu_ms", "post_cpu_ms", "get_duration_ms", "peak_memory_mb"
]
"""A field of Run."""
REPORTED_METRICS: dict[Metric, str] = {
    "init_ms": "init",
    "first_request_ms": "first request",
    "get_cpu_ms": "CPU of a warm GET",
    "post_cpu_ms": "CPU of a warm POST",
    "peak_memory_mb": "peak memory",
}
"""The metrics that are compared between packages, and their names in the report."""


@dataclass(frozen=True)
class Run:
    """One cold start of a function, and the warm calls after it."""

    init_ms: float
    """The init phase, as the runtime interface emulator reports it."""
    first_request_ms: float
    get_cpu_ms: float
    """CPU time of one warm GET: the average of many."""
    post_cpu_ms: float
    get_duration_ms: float
    """The duration of a warm GET: the average of many, without a pause between them."""
    peak_memory_mb: float

    def value(self, metric: Metric) -> float:
        value: float = getattr(self, metric)
        return value


@dataclass(frozen=True)
class Summary:
    """One metric of one package over all rounds."""

    median: float
    lower_quartile: float
    upper_quartile: float
    ratio: float
    """To the reference package: the median of the rounds' own ratios.

    Packages take turns within a round, so a machine that is slow for a minute is slow for both of
    them.
    """


@dataclass(frozen=True)
class PackageResult:
    """All runs of one package, one for each round."""

    name: str
    zip_bytes: int
    runs: list[Run]

    def median(self, metric: Metric) -> float:
        return statistics.median(run.value(metric) for run in self.runs)

    def summary(self, metric: Metric, reference: PackageResult) -> Summary:
        values = [run.value(metric) for run in self.runs]
        reference_values = [run.value(metric) for run in reference.runs]
        ratios = [own / other for own, other in zip(values, reference_values, strict=True)]
        lower = upper = values[0]
        if len(values) > 1:
            lower, _, upper = statistics.quantiles(values, n=4)
        return Summary(statistics.median(values), lower, upper, statistics.median(ratios))


@dataclass(frozen=True)
class SizeResult:
    """This service and the reference package with a profile of `size` bytes."""

    size: int
    service: PackageResult
    reference: PackageResult

    def median(self, metric: Metric) -> float:
        """The median of this service's runs."""
        return self.service.median(metric)

    def ratio(self, metric: Metric) -> float:
        """The ratio to the reference package: the median of the rounds' own ratios."""
        return self.service.summary(metric, self.reference).ratio


@dataclass(frozen=True)
class ImportTimes:
    """The duration of each module's import in one cold start of this service, without the modules
    that it imports."""

    init_ms: float
    """The init phase of the same cold start. Measuring the imports makes it longer."""
    own_ms: dict[str, float]
    """Module -> milliseconds."""

    @property
    def total_ms(self) -> float:
        return sum(self.own_ms.values())

    def slowest(self, count: int) -> list[tuple[str, float]]:
        return sorted(self.own_ms.items(), key=lambda entry: entry[1], reverse=True)[:count]


@dataclass(frozen=True)
class MemoryResult:
    """One package with the share of a core that Lambda assigns to a memory size."""

    package: str
    memory_mb: int
    first_answer_ms: float
    """Init and first request."""
    warm_get_ms: float
    dollars_per_million: float
    """Lambda's price of a million requests (bench/memory_sizes.py)."""


@dataclass(frozen=True)
class Results:
    """Everything that one `make bench` measures. This service is the first of `packages`."""

    rounds: int
    packages: list[PackageResult]
    reference: PackageResult
    sizes: list[SizeResult]
    imports: ImportTimes
    by_memory: list[MemoryResult]
    """Empty if the benchmark cannot create control groups."""

    @property
    def service(self) -> PackageResult:
        return self.packages[0]

    def zip_ratio(self, package: PackageResult) -> float:
        return package.zip_bytes / self.reference.zip_bytes
