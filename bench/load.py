"""The load test: many users at once against `chalice local` and against the deployed function, then
many calls of the function in one process.

It starts everything that it needs and takes about ten minutes. Environment variables set its size:
LOAD_SECONDS and LOAD_REQUESTS limit each run with users, and LOAD_CALLS is the number of calls in
one process.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import stub
from bench.measure import USUAL_PROFILE_SIZE, function_variables
from bench.repeat_calls import CALLS_BETWEEN_READINGS, Reading
from deploy import backend, cognito
from local import environment
from local.api import serving
from local.emulator import confirmation_code, emulator
from tests.support.clone import reset_stages
from tests.support.project import copy_project

PROJECT = Path(__file__).parents[1]
LOCUST = PROJECT / ".tools" / "bin" / "locust"
LOCUST_FILE = Path(__file__).with_name("locustfile.py")
SECONDS = int(os.environ.get("LOAD_SECONDS", "120"))
REQUESTS = int(os.environ.get("LOAD_REQUESTS", "20000"))
CALLS = int(os.environ.get("LOAD_CALLS", "100000"))
USERS = 8
FEWEST_REQUESTS = 100
"""A run with fewer requests is an error: it shows too little."""
LARGEST_GROWTH_KB = 1024
"""The growth of the function's memory that is allowed after the first reading."""
PASSWORD = "Correct-Horse-42"  # noqa: S105 - of users of the emulated AWS


class LoadError(Exception):
    """The service failed under load, or the load test could not run."""


def main() -> None:
    try:
        check_tools()
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary).resolve()
            with emulated_aws(folder / "cloud") as aws_port:
                load_chalice_local(aws_port, folder)
                load_deployed_function(aws_port, folder)
        call_in_one_process()
    except LoadError as error:
        sys.exit(f"error: {error}")


def check_tools() -> None:
    """Check the requirements before the long part. Raises LoadError."""
    if not LOCUST.exists():
        raise LoadError(f"{LOCUST.relative_to(PROJECT)} does not exist. Run: make install-tools")
    if CALLS < 2 * CALLS_BETWEEN_READINGS:
        fewest = 2 * CALLS_BETWEEN_READINGS
        raise LoadError(f"LOAD_CALLS is {CALLS}. Detecting a leak needs at least {fewest} calls.")


@contextmanager
def emulated_aws(folder: Path) -> Iterator[int]:
    """Start the AWS emulator and enter its environment variables. Yields its port."""
    os.environ["LOCAL_STATE"] = str(folder)
    with emulator(0, folder) as (_, port):
        environment.enter(environment.for_endpoint(port))
        yield port


def load_chalice_local(aws_port: int, folder: Path) -> None:
    """Put load on `chalice local --stage local`. Raises LoadError."""
    print("chalice local:", flush=True)
    parameters = {"DomainSuffix": "load", "DeletionProtection": "false"}
    outputs = backend.deploy(environment.STAGE, parameters, progress=_ignore)
    settings = backend.chalice_environment(outputs)
    environment.record(environment.for_endpoint(aws_port) | settings)
    tokens = create_users(settings, aws_port)
    with serving(0, folder / "api.log") as (_, api_port):
        run_locust(f"http://127.0.0.1:{api_port}", tokens, folder)


def load_deployed_function(aws_port: int, folder: Path) -> None:
    """Deploy the stage dev of a copy of the project, and put load on its API. Raises LoadError."""
    print("the deployed function:", flush=True)
    project = folder / "project"
    copy_project(PROJECT, project)
    reset_stages(project)
    run_deploy(project, "backend")
    output = run_deploy(project, "deploy")
    url = re.findall(r"http\S+(?=/user/profile)", output)[0]
    config = json.loads((project / ".chalice" / "config.json").read_text())
    settings = config["stages"]["dev"]["environment_variables"]
    run_locust(url, create_users(settings, aws_port), folder)


def run_deploy(project: Path, command: str) -> str:
    """Run `make COMMAND STAGE=dev` without make in `project`, and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", command, "dev"],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise LoadError(f"make {command} STAGE=dev failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def create_users(settings: dict[str, str], aws_port: int) -> list[str]:
    """Sign up USERS users in the stage's user pool; return an id token of each."""
    client_id = settings["USER_POOL_CLIENT_ID"]
    id_tokens = []
    for number in range(USERS):
        email = f"load-{number}@example.com"
        cognito.sign_up(client_id, email, PASSWORD)
        cognito.confirm(client_id, email, confirmation_code(aws_port, email))
        tokens = cognito.sign_in(settings["USER_POOL_ARN"], client_id, email, PASSWORD)
        id_tokens.append(tokens["IdToken"])
    return id_tokens


def run_locust(url: str, id_tokens: list[str], folder: Path) -> None:
    """Run locust on the API at `url`, with one user for each token, and print its statistics.

    Raises LoadError for an unexpected response.
    """
    statistics_file = folder / "load_stats.csv"
    statistics_file.unlink(missing_ok=True)
    done = subprocess.run(
        _locust_command(url, len(id_tokens)),
        env={
            "PATH": os.environ["PATH"],
            "LOAD_TOKENS": json.dumps(id_tokens),
            "LOAD_REQUESTS": str(REQUESTS),
        },
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    output = done.stdout + done.stderr
    if not statistics_file.exists():
        raise LoadError(f"locust did not run:\n{output}")
    total = _read_total(statistics_file)
    requests = int(total["Request Count"])
    failures = int(total["Failure Count"])
    print(
        f"  {len(id_tokens)} users, {requests:,} requests, {failures} failures, "
        f"{float(total['Requests/s']):.0f} requests a second, "
        f"median {total['50%']} ms, 99th percentile {total['99%']} ms",
        flush=True,
    )
    if failures or done.returncode != 0:
        raise LoadError(f"locust reported failures:\n{output}")
    if requests < FEWEST_REQUESTS:
        raise LoadError(f"only {requests} requests were sent, which is too few")


def _locust_command(url: str, users: int) -> list[str]:
    return [
        str(LOCUST),
        "--headless",
        "--only-summary",
        f"--locustfile={LOCUST_FILE}",
        f"--host={url}",
        f"--users={users}",
        f"--spawn-rate={users}",
        f"--run-time={SECONDS}s",
        "--csv=load",
    ]


def _read_total(statistics_file: Path) -> dict[str, str]:
    """The row of totals in locust's statistics."""
    with statistics_file.open() as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    return rows["Aggregated"]


def call_in_one_process() -> None:
    """Call the function many times, and check that its memory and open files do not grow.

    Raises LoadError if they grow.
    """
    print("calls in one process:", flush=True)
    with stub.database(USUAL_PROFILE_SIZE) as database_url:
        variables = function_variables(database_url) | {"AWS_LAMBDA_FUNCTION_NAME": "function"}
        done = subprocess.run(
            [sys.executable, "-m", "bench.repeat_calls", str(CALLS)],
            cwd=PROJECT,
            env=variables,
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise LoadError(f"the function failed:\n{done.stderr[-3000:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith(Reading.PREFIX)]
    readings = [Reading.parse(line) for line in lines]
    for reading in readings:
        memory = f"{reading.memory_kb:,} KB"
        print(f"  {reading.calls:,} calls: {memory}, {reading.open_files} open files", flush=True)
    check_growth(readings[0], readings[-1])


def check_growth(first: Reading, last: Reading) -> None:
    """Raise LoadError if the process has more in use at the last reading than at the first."""
    if last.open_files != first.open_files:
        raise LoadError(f"{last.open_files} files are open; at first it was {first.open_files}")
    growth_kb = last.memory_kb - first.memory_kb
    if growth_kb >= LARGEST_GROWTH_KB:
        raise LoadError(f"the memory grew by {growth_kb:,} KB after the first reading")


def _ignore(_: str) -> None:
    """Ignore the progress of a deployment."""


if __name__ == "__main__":
    main()
