"""What `make load` runs: many users at once against `chalice local` and the deployed function, and a hundred thousand
calls of the function in one process. Not among what `make test` collects: it takes ten minutes."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.measure import SHELL, stubbed
from bench.packages import SETTINGS
from local.api import serving
from local.process import free_port
from tests.conftest import ROOT, Cloud, User, users_of
from tests.deployed.conftest import Deployment

SECONDS, REQUESTS = os.environ.get("LOAD_SECONDS", "120"), os.environ.get("LOAD_REQUESTS", "20000")
CALLS = int(os.environ.get("LOAD_CALLS", "100000"))
USERS = 8


def under_load(url: str, new_user: Callable[[], User], folder: Path) -> None:
    """Have locust's users at `url`, and print what they met."""
    tokens = json.dumps([new_user().id_token for _ in range(USERS)])
    done = subprocess.run(
        [ROOT / ".tools/bin/locust", "-f", Path(__file__).with_name("locustfile.py"), "--headless", "--only-summary",
         "-u", str(USERS), "-r", str(USERS), "-t", f"{SECONDS}s", "-H", url, "--csv", folder / "load"],
        env={"PATH": os.environ["PATH"], "LOAD_TOKENS": tokens, "LOAD_REQUESTS": REQUESTS}, check=False,
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    with (folder / "load_stats.csv").open() as file:
        (total,) = (row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    sys.stdout.write(
        f"\n{total['Request Count']} requests of {USERS} users at once, {total['Failure Count']} failures, "
        f"{float(total['Requests/s']):.0f} a second, p50 {total['50%']} ms, p99 {total['99%']} ms\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(total["Request Count"]) > 100
    assert int(total["Failure Count"]) == 0


def test_chalice_local_under_load(cloud: Cloud, tmp_path: Path) -> None:
    port = free_port()
    with serving(port, tmp_path / "api.log"):
        under_load(f"http://127.0.0.1:{port}", users_of(cloud), tmp_path)


def test_the_deployed_function_under_load(
    deployed: Deployment, new_user: Callable[[], User], tmp_path: Path
) -> None:
    under_load(f"http://127.0.0.1:{deployed.api.port}{deployed.api.prefix}", new_user, tmp_path)


LEAK = """
import gc, json, os, sys
from tests.support.events import event
import app

def used():
    gc.collect()
    status = open("/proc/self/status").read()
    return int(status.partition("VmRSS:")[2].split()[0]), len(os.listdir("/proc/self/fd"))

put, patch = json.dumps({"a": [1, 2.5, "x"] * 20}), json.dumps({"b": {"c": 1}})
calls = [("GET", None, 200), ("PUT", put, 200), ("PATCH", patch, 200), ("DELETE", None, 204), ("PUT", "{", 400),
         ("PUT", '{"a": 1e999}', 422), ("GET", None, 200), ("GETS", None, 405)]
for number in range(int(sys.argv[1])):
    method, body, status = calls[number % len(calls)]
    answer = app.app(event(method, f"user-{number % 100}", "bench", body), None)
    assert answer["statusCode"] == status, answer
    if number % 10000 == 9999:
        print(number + 1, *used(), file=sys.stderr, flush=True)
"""


def test_a_hundred_thousand_calls_leak_nothing() -> None:
    with stubbed(1000) as endpoint:
        shell = {
            **SETTINGS,
            **SHELL,
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
            "AWS_LAMBDA_FUNCTION_NAME": "function",
        }
        done = subprocess.run(
            [sys.executable, "-c", LEAK, str(CALLS)],
            cwd=ROOT,
            env=shell,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [
        tuple(map(int, line))
        for line in re.findall(r"^(\d+) (\d+) (\d+)$", done.stderr, re.MULTILINE)
    ]
    sys.stdout.write(
        "\n"
        + "\n".join(f"{n:,} calls: {kb:,} KB, {files} files open" for n, kb, files in found)
        + "\n"
    )
    assert len(found) > 1, "LOAD_CALLS is too small to see a leak: 20,000 at least"
    (_, first, open_first), *_, (_, last, open_last) = found
    assert open_last == open_first
    assert last - first < 1024, "KB, after the first ten thousand"
