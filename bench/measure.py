"""Cold starts and warm calls, counted: what the runtime reports, and what the kernel says the process used."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import stub
from bench.packages import SETTINGS, Package
from local.process import free_port, running
from tests.support import lambda_runtime as runtime
from tests.support.events import event

WARM_UP, CALLS, FEW_CALLS = 20, 300, 40
SHELL = {
    "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_SESSION_TOKEN": "bench",
    "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip


@contextmanager
def stubbed(size: int) -> Iterator[str]:
    """The URL of a DynamoDB that answers at once, with profiles of `size` bytes."""
    port = free_port()
    with running([sys.executable, "-m", "bench.stub", str(port), str(size)], os.environ):
        yield f"http://127.0.0.1:{port}"


def measure(
    package: Package, installed: Path, endpoint: str, size: int, cgroup: Path | None = None
) -> dict[str, float]:
    """One cold start of `package`, and warm calls: milliseconds, and megabytes at the peak."""
    found: dict[str, float] = {}
    calls_measured = FEW_CALLS if cgroup or size > 1000 else CALLS
    body = json.dumps(stub.profile(size))
    calls = {"GET": event("GET", "5f0c", "bench"), "POST": event("POST", "5f0c", "bench", body)}
    variables = {**SETTINGS, **SHELL, "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
    with runtime.function(installed, package.task, package.handler, variables, cgroup) as function:
        first = function.invoke(calls["GET"])
        if first.get("statusCode") != 200 or json.loads(first["body"])[
            "profile_data"
        ] != stub.profile(size):
            raise RuntimeError(
                f"{package.name} answers {first}: {function.log.read_text()[-2000:]}"
            )
        found["init"], found["first request"] = function.init_ms(), function.invoke_ms()[0]
        process = _process_of(package.task)
        for method, call in calls.items():
            for _ in range(WARM_UP):
                function.invoke(call)
            before = _cpu_ms(process)
            calls_before = len(function.invoke_ms())
            for _ in range(calls_measured):
                answer = function.invoke(call)
            found[f"warm {method}"] = (_cpu_ms(process) - before) / calls_measured
            found[f"duration {method}"] = statistics.median(function.invoke_ms()[calls_before:])
            if json.loads(answer["body"])["profile_data"] != stub.profile(size):
                raise RuntimeError(f"{package.name} answers {answer}")
        status = (Path("/proc") / str(process) / "status").read_text()
        found["peak memory"] = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return found


def _process_of(task: Path) -> int:
    """The function's own process: the Python that runs in `task`."""
    for entry in Path("/proc").iterdir():
        try:
            runs_here = entry.name.isdigit() and (entry / "cwd").resolve() == task
            if runs_here and (entry / "exe").resolve().name.startswith("python"):
                return int(entry.name)
        except OSError:
            continue
    raise RuntimeError("the function has no process")


def _cpu_ms(process: int) -> float:
    """CPU time that the process has used, threads that have ended included: its own clock, which Linux lets others read
    (clock_getcpuclockid(3)); the ticks in /proc are of 10 ms, and a call takes three."""
    return time.clock_gettime((~process << 3) | 2) * 1000


SHARES = {128: 1 / 14, 256: 1 / 7, 512: 2 / 7, 1024: 4 / 7, 1769: 1.0}
"""Memory sizes in MB and the part of a core that AWS gives with them (AWS: "1,769 MB: one vCPU", in proportion)."""
CGROUPS = Path("/sys/fs/cgroup/cpu")
PRICE_GB_SECOND, PRICE_REQUEST = 0.0000166667, 0.20 / 1e6
"""Dollars, x86, us-east-1: aws.amazon.com/lambda/pricing."""
DATABASE_MS, COLD_SHARE = 4, 0.01
"""Assumed: how long DynamoDB takes (AWS: "single-digit milliseconds"), and how many requests start a function (AWS:
"typically under 1%")."""


@contextmanager
def limited(share: float) -> Iterator[Path]:
    """A control group whose processes get `share` of a core, in periods of 20 ms."""
    group = CGROUPS / f"bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text("20000")
        (group / "cpu.cfs_quota_us").write_text(str(max(1000, int(20000 * share))))
        yield group
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def cost_per_million(memory_mb: int, cold_ms: float, warm_ms: float) -> float:
    """Dollars for a million requests to Lambda: for each, and for the time that they take in whole milliseconds, with
    DynamoDB's and the init phase, which is billed since August 2025."""
    cold, warm = math.ceil(cold_ms + DATABASE_MS), math.ceil(warm_ms + DATABASE_MS)
    seconds = (COLD_SHARE * cold + (1 - COLD_SHARE) * warm) / 1000
    return 1e6 * (PRICE_REQUEST + memory_mb / 1024 * seconds * PRICE_GB_SECOND)


def by_memory(measured: list[Package], installed: Path) -> list[str]:
    """A start and a warm GET with each share of a core, and what a million requests cost: rows of a table."""
    cells: dict[str, list[str]] = {package.name: [] for package in measured}
    costs: dict[int, float] = {}  # of the first, by memory
    with stubbed(1000) as endpoint:
        for memory, share in SHARES.items():
            print(f"{memory} MB", file=sys.stderr, flush=True)
            turns: dict[str, list[dict[str, float]]] = {name: [] for name in cells}
            for _ in range(3):
                for package in measured:
                    with limited(share) as group:
                        turns[package.name].append(
                            measure(package, installed, endpoint, 1000, group)
                        )
            for name, found in turns.items():
                cold = statistics.median(turn["init"] + turn["first request"] for turn in found)
                warm = statistics.median(turn["duration GET"] for turn in found)
                cost = cost_per_million(memory, cold, warm)
                costs.setdefault(memory, cost)
                cells[name].append(f"{cold:,.0f}, {warm:.1f}, ${cost:.2f}")
    head = [
        f"| | {' | '.join(f'{memory:,} MB' for memory in SHARES)} |",
        "|---" * (1 + len(SHARES)) + "|",
    ]
    given = json.loads(Path(".chalice/config.json").read_text())["lambda_memory_size"]
    cheapest = f"{measured[0].name} is cheapest with {min(costs, key=costs.__getitem__):,} MB; `lambda_memory_size` is"
    rows = [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    return [*head, *rows, "", f"{cheapest[0].upper()}{cheapest[1:]} {given:,}."]


def dearest_imports(mine: Package, installed: Path) -> list[str]:
    """The ten modules whose own import takes longest, milliseconds and part of the whole: rows of a table."""
    shell = {
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "PYTHONPATH": str(installed / "client"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **SETTINGS,
        **SHELL,
    }
    command = [runtime.PYTHON, "-S", "-X", "importtime", "-c", "import app"]
    done = subprocess.run(
        command, cwd=mine.task, env=shell, check=True, capture_output=True, text=True
    )
    own = {}
    for line in done.stderr.splitlines()[1:]:
        microseconds, _, name = line.removeprefix("import time:").split("|")
        own[name.strip()] = int(microseconds)
    whole = sum(own.values())
    dearest = sorted(own, key=own.__getitem__, reverse=True)[:10]
    return [f"| `{name}` | {own[name] / 1000:.1f} | {own[name] / whole:.0%} |" for name in dearest]


def by_size(mine: Package, installed: Path) -> list[str]:
    """What a profile of each size takes of the CPU: rows of a table."""
    rows = []
    for size in (1_000, 10_000, 100_000, 390_000):
        with stubbed(size) as endpoint:
            found = measure(mine, installed, endpoint, size)
        cells = (found["warm GET"], found["warm POST"], found["peak memory"])
        rows.append(f"| {size // 1000} KB | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return rows
