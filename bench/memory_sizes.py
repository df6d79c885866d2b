"""Measure packages with the CPU that Lambda gives for each memory size, and compute the price."""

from __future__ import annotations

import errno
import math
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import stub
from bench.measure import USUAL_PROFILE_SIZE, measure_run
from bench.packages import Package
from bench.results import MemoryResult, Run
from deploy import polling
from tests.support.lambda_runtime import TIMEOUT_SECONDS

MEMORY_OF_ONE_CORE_MB = 1769
"""AWS, "Configure Lambda function memory": "At 1,769 MB, a function has the equivalent of one
vCPU"."""
MEMORY_SIZES_MB = (128, 256, 512, 1024, MEMORY_OF_ONE_CORE_MB)
ROUNDS = 3
CONTROL_GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD_MICROSECONDS = 20_000
SMALLEST_QUOTA_MICROSECONDS = 1_000  # Linux refuses less
DOLLARS_PER_GB_SECOND = 0.0000133334
DOLLARS_PER_REQUEST = 0.20 / 1_000_000
"""Prices: aws.amazon.com/lambda/pricing, Arm, us-east-1."""
DATABASE_MS = 4
"""Assumed for a request to DynamoDB. AWS: "single-digit milliseconds"."""
COLD_SHARE = 0.01
"""Assumed: the share of requests that start a function. AWS: "typically ... under 1%"."""


def can_limit_cpu() -> bool:
    """Whether control groups can be created here: Linux with cgroup v1, as root."""
    return os.access(CONTROL_GROUPS, os.W_OK)


def measure_memory_sizes(packages: list[Package], installed: Path) -> list[MemoryResult]:
    """Measure a cold start and warm GETs of every package with every memory size."""
    results = []
    with stub.database(USUAL_PROFILE_SIZE) as database_url:
        for memory_mb in MEMORY_SIZES_MB:
            print(f"{memory_mb} MB", flush=True)
            runs: dict[str, list[Run]] = {package.name: [] for package in packages}
            for _ in range(ROUNDS):
                for package in packages:
                    with _limited_cpu(memory_mb / MEMORY_OF_ONE_CORE_MB) as cgroup:
                        run = measure_run(
                            package, installed, database_url, USUAL_PROFILE_SIZE, cgroup
                        )
                    runs[package.name].append(run)
            results += [_result(name, memory_mb, found) for name, found in runs.items()]
    return results


def _result(name: str, memory_mb: int, runs: list[Run]) -> MemoryResult:
    first_answer_ms = statistics.median(run.init_ms + run.first_request_ms for run in runs)
    warm_get_ms = statistics.median(run.get_duration_ms for run in runs)
    dollars = dollars_per_million(memory_mb, first_answer_ms, warm_get_ms)
    return MemoryResult(name, memory_mb, first_answer_ms, warm_get_ms, dollars)


def dollars_per_million(memory_mb: int, first_answer_ms: float, warm_get_ms: float) -> float:
    """The price of a million requests on Lambda: a price for each request, and one for memory and
    time.

    Lambda bills whole milliseconds. Since August 2025 it also bills the init phase.
    """
    cold_ms = math.ceil(first_answer_ms + DATABASE_MS)
    warm_ms = math.ceil(warm_get_ms + DATABASE_MS)
    seconds = (COLD_SHARE * cold_ms + (1 - COLD_SHARE) * warm_ms) / 1000
    gb_seconds = memory_mb / 1024 * seconds
    return 1_000_000 * (DOLLARS_PER_REQUEST + gb_seconds * DOLLARS_PER_GB_SECOND)


@contextmanager
def _limited_cpu(share: float) -> Iterator[Path]:
    """Create a control group whose processes get `share` of a core. Yields its folder."""
    quota = max(SMALLEST_QUOTA_MICROSECONDS, int(PERIOD_MICROSECONDS * share))
    group = CONTROL_GROUPS / f"bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a control group. Linux refuses while a process in it is still ending."""

    def is_removed() -> bool:
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        return True

    polling.wait_until(is_removed, timeout=TIMEOUT_SECONDS)
