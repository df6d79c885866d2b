"""The program that bench/load.py starts to find leaks. It calls the function repeatedly.

    python -m bench.repeat_calls CALLS

Prints the process's memory and open files after every CALLS_BETWEEN_READINGS calls.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.support.events import api_gateway_event, id_token_claims

CALLS_BETWEEN_READINGS = 10_000
USERS = 100
LARGE_BODY = json.dumps({"a": [1, 2.5, "x"] * 20})
CALLS = (
    ("GET", None, 200),
    ("PUT", LARGE_BODY, 200),
    ("PATCH", '{"b": {"c": 1}}', 200),
    ("DELETE", None, 204),
    ("PUT", "{", 400),
    ("PUT", '{"a": 1e999}', 422),
    ("GET", None, 200),
    ("GETS", None, 405),
)
"""Method, body and expected status. They take turns."""


@dataclass(frozen=True)
class Reading:
    """The memory and open files of the process."""

    PREFIX: ClassVar = "reading:"
    """Begins a line with a reading; the function's log has other lines."""

    calls: int
    memory_kb: int
    open_files: int

    def format(self) -> str:
        return f"{self.PREFIX} {self.calls} {self.memory_kb} {self.open_files}"

    @classmethod
    def parse(cls, line: str) -> Reading:
        calls, memory_kb, open_files = line.removeprefix(cls.PREFIX).split()
        return cls(int(calls), int(memory_kb), int(open_files))


def take_reading(calls: int) -> Reading:
    """Read the memory and open files of the process from /proc, after collecting garbage."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    memory_kb = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[0]
    open_files = len(os.listdir("/proc/self/fd"))
    return Reading(calls, int(memory_kb), open_files)


def main() -> None:
    import app  # noqa: PLC0415 - it reads the environment, which bench/load.py sets for this process

    total = int(sys.argv[1])
    for number in range(total):
        method, body, expected_status = CALLS[number % len(CALLS)]
        claims = id_token_claims(f"user-{number % USERS}", "bench")
        response = app.app(api_gateway_event(method, claims=claims, body=body), None)
        if response["statusCode"] != expected_status:
            sys.exit(f"{method} returned {response}, expected status {expected_status}")
        calls = number + 1
        if calls % CALLS_BETWEEN_READINGS == 0:
            print(take_reading(calls).format(), flush=True)


if __name__ == "__main__":
    main()
