"""Measure cold starts and warm calls of packages, and the imports of this service."""

from __future__ import annotations

import json
import re
import statistics
import time
from pathlib import Path
from typing import Any

from bench import stub
from bench.packages import SETTINGS, Package
from bench.results import ImportTimes, PackageResult, Run, SizeResult
from tests.support import lambda_runtime
from tests.support.events import api_gateway_event, id_token_claims
from tests.support.lambda_runtime import Runtime

USUAL_PROFILE_SIZE = 1_000  # bytes, as JSON
PROFILE_SIZES = (USUAL_PROFILE_SIZE, 10_000, 100_000, 390_000)
ROUNDS_OF_A_SIZE = 3
WARM_UP_CALLS = 20
CALLS = 300
CALLS_WHEN_SLOW = 100
"""The calls with a large profile, or with a share of a core."""
ATTEMPTS_FOR_IMPORTS = 5
IMPORTING_MODULE = "import_app"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_SESSION_TOKEN": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
IMPORT_TIME_LINE = re.compile(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", re.MULTILINE)
"""The line that Python prints for each module with PYTHONPROFILEIMPORTTIME: microseconds without
the module's own imports, microseconds with them, and its name."""


class BenchmarkError(Exception):
    """A measured function did not return the expected result."""


def function_variables(database_url: str) -> dict[str, str]:
    """The environment variables of a measured function.

    The database URL is required: without it, the function's start waits for AWS.
    """
    return {**SETTINGS, **CREDENTIALS, "AWS_ENDPOINT_URL_DYNAMODB": database_url}


def get_event() -> dict[str, Any]:
    return api_gateway_event("GET", claims=id_token_claims(stub.SUB, "bench"))


def post_event(body: str) -> dict[str, Any]:
    return api_gateway_event("POST", claims=id_token_claims(stub.SUB, "bench"), body=body)


def measure_run(
    package: Package,
    installed: Path,
    database_url: str,
    profile_size: int,
    cgroup: Path | None = None,
) -> Run:
    """Start `package` once and call it.

    `installed` and `cgroup` are those of lambda_runtime.function. Raises BenchmarkError for a
    result that does not have the profile of `profile_size` bytes.
    """
    expected = stub.profile(profile_size)
    get = get_event()
    post = post_event(json.dumps(expected))
    calls = CALLS
    if cgroup is not None or profile_size > USUAL_PROFILE_SIZE:
        calls = CALLS_WHEN_SLOW
    variables = function_variables(database_url)
    with lambda_runtime.function(
        installed, package.task, package.handler, variables, cgroup
    ) as function:
        _call(function, get, expected)
        init_ms = function.init_ms()
        first_request_ms = function.invoke_ms()[0]
        process = _find_process(package.task)
        get_cpu_ms, get_duration_ms = _measure_calls(function, process, get, expected, calls)
        post_cpu_ms, _ = _measure_calls(function, process, post, expected, calls)
        peak_memory_mb = _peak_memory_mb(process)
    return Run(
        init_ms=init_ms,
        first_request_ms=first_request_ms,
        get_cpu_ms=get_cpu_ms,
        post_cpu_ms=post_cpu_ms,
        get_duration_ms=get_duration_ms,
        peak_memory_mb=peak_memory_mb,
    )


def _measure_calls(
    function: Runtime, process: int, event: dict[str, Any], expected: dict[str, Any], calls: int
) -> tuple[float, float]:
    """The CPU time of a call and its duration: the averages, both in milliseconds."""
    for _ in range(WARM_UP_CALLS):
        function.invoke(event)
    calls_before = len(function.invoke_ms())
    cpu_before = _cpu_ms(process)
    for _ in range(calls):
        result = function.invoke(event)
    cpu_ms = (_cpu_ms(process) - cpu_before) / calls
    _check_result(function, result, expected)
    return cpu_ms, statistics.mean(function.invoke_ms()[calls_before:])


def _call(function: Runtime, event: dict[str, Any], expected: dict[str, Any]) -> None:
    _check_result(function, function.invoke(event), expected)


def _check_result(function: Runtime, result: dict[str, Any], expected: dict[str, Any]) -> None:
    if result.get("statusCode") == 200 and json.loads(result["body"])["profile_data"] == expected:
        return
    log = function.log.read_text()[-2000:]
    raise BenchmarkError(
        f"expected status 200 with the stored profile, got {result}. The log:\n{log}"
    )


def _find_process(task: Path) -> int:
    """The process id of the function: the Python process whose working directory is `task`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            working_directory = (entry / "cwd").resolve(strict=True)
            executable = (entry / "exe").resolve(strict=True)
        except OSError:
            continue  # it has ended, or belongs to another user
        if working_directory == task and executable.name.startswith("python"):
            return int(entry.name)
    raise BenchmarkError(f"no Python process runs in {task}")


def _cpu_ms(process: int) -> float:
    """The CPU time that a process has used, in milliseconds.

    Reads the process's CPU clock, whose id is made as in clock_getcpuclockid(3). /proc/<pid>/stat
    counts in steps of 10 ms, and a call takes about 2 ms.
    """
    clock = (~process << 3) | 2
    return time.clock_gettime(clock) * 1000


def _peak_memory_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    kilobytes = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes[0]) / 1024


def measure_sizes(service: Package, reference: Package, installed: Path) -> list[SizeResult]:
    """Measure this service and the reference package with profiles of growing size.

    They take turns: see measure_rounds.
    """
    results = []
    for size in PROFILE_SIZES:
        print(f"profile of {size:,} bytes", flush=True)
        result = SizeResult(
            size,
            PackageResult(service.name, service.zip_bytes, []),
            PackageResult(reference.name, reference.zip_bytes, []),
        )
        with stub.database(size) as database_url:
            for _ in range(ROUNDS_OF_A_SIZE):
                run = measure_run(service, installed, database_url, size)
                result.service.runs.append(run)
                run = measure_run(reference, installed, database_url, size)
                result.reference.runs.append(run)
        results.append(result)
    return results


def measure_imports(service: Package, installed: Path) -> ImportTimes:
    """Measure the imports of several cold starts; the result is the one with the median total."""
    # The runtime client imports the handler's module with importlib.import_module, which Python
    # does not time. It does time the import statement in this module.
    (installed / "client" / f"{IMPORTING_MODULE}.py").write_text("from app import app\n")
    with stub.database(USUAL_PROFILE_SIZE) as database_url:
        starts = [
            _imports_of_one_start(service, installed, database_url)
            for _ in range(ATTEMPTS_FOR_IMPORTS)
        ]
    starts.sort(key=lambda start: start.total_ms)
    return starts[len(starts) // 2]


def _imports_of_one_start(service: Package, installed: Path, database_url: str) -> ImportTimes:
    variables = function_variables(database_url) | {"PYTHONPROFILEIMPORTTIME": "1"}
    handler = f"{IMPORTING_MODULE}.app"
    with lambda_runtime.function(installed, service.task, handler, variables) as function:
        _call(function, get_event(), stub.profile(USUAL_PROFILE_SIZE))
        init_ms = function.init_ms()
        # Imports after the report of the init phase belong to the first request.
        init_log = function.log.read_text().partition("INIT REPORT")[0]
    own_ms: dict[str, float] = {}
    for microseconds, module in IMPORT_TIME_LINE.findall(init_log):
        own_ms[module] = own_ms.get(module, 0) + int(microseconds) / 1000
    return ImportTimes(init_ms, own_ms)


def measure_rounds(packages: list[Package], installed: Path, rounds: int) -> list[PackageResult]:
    """Measure every package once in each round.

    Packages take turns, so a machine that is slow for a while is slow for all of them.
    """
    results = [PackageResult(package.name, package.zip_bytes, []) for package in packages]
    with stub.database(USUAL_PROFILE_SIZE) as database_url:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for package, result in zip(packages, results, strict=True):
                run = measure_run(package, installed, database_url, USUAL_PROFILE_SIZE)
                result.runs.append(run)
    return results
