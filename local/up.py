"""`make local` and `make cloud`: start the AWS emulator, the API and the page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlencode

from chalicelib.schema import profile_check
from chalicelib.settings import InvalidSetting, ProfileSettings, RouteSettings
from deploy import backend, chalice_config, checks, page_config, time_to_live
from local import environment, page, users
from local.api import serving
from local.emulator import emulator
from local.errors import LocalError
from local.lock import locked
from local.ports import Ports, require_usable
from local.process import ignore_stop_signals, raise_on_stop_signals, wait_for_any


def up(ports: Ports, *, with_api: bool) -> None:
    """Run the AWS emulator and the page until Ctrl-C; with `with_api` also the API.

    Raises CommandError.
    """
    raise_on_stop_signals()
    _check_settings()
    checks.warn_of_misspelled_settings(environment.STAGE)
    folder = environment.folder()
    with ExitStack() as stack:
        lock = stack.enter_context(locked(folder))
        require_usable(ports, with_api=with_api)
        aws = stack.enter_context(_running_emulator(ports.aws, folder, lock))
        outputs = _prepare_backend(ports)
        api = None
        if with_api:
            with _step(f"Starting the API on 127.0.0.1:{ports.api}"):
                api, _ = stack.enter_context(serving(ports.api, keep_open=[lock]))
        try:
            stack.enter_context(_page(ports, outputs))
            page_row = ports.page_url
        except page.PageError as error:
            page_row = f"not served: {error}"
        print(_summary(ports, outputs["UserPoolClientId"], page_row, with_api=with_api), flush=True)
        _wait(aws, api, folder)


def _check_settings() -> None:
    """Raise CommandError if `chalice local` would refuse .chalice/config.json.

    It starts after the AWS emulator, and its message names the setting, but not the file.
    """
    variables = chalice_config.environment(environment.STAGE)
    try:
        RouteSettings.from_environment(variables)
        profile_check(ProfileSettings.from_environment(variables).profile_schema)
    except InvalidSetting as error:
        raise LocalError(
            f"a setting of the stage {environment.STAGE} in {chalice_config.FILE} is invalid. "
            f"{error}"
        ) from error


@contextmanager
def _running_emulator(port: int, folder: Path, lock: int) -> Iterator[Popen[bytes]]:
    """Run the AWS emulator. Ctrl-C is ignored while it saves its state, when it stops."""
    with ExitStack() as stack:
        with _step(f"Starting the AWS emulator on 127.0.0.1:{port}"):
            process, _ = stack.enter_context(emulator(port, folder, keep_open=[lock]))
        try:
            yield process
        finally:
            ignore_stop_signals()
            if process.poll() is None:
                print("\nStopping. The AWS emulator saves its state ...", file=sys.stderr)


def _prepare_backend(ports: Ports) -> dict[str, str]:
    """Deploy the backend, record it, and create the demo user. Returns the stack's outputs."""
    variables = environment.for_endpoint(ports.aws)
    environment.enter(variables)
    parameters = {
        "DomainSuffix": "local",
        "DeletionProtection": "false",
        "CallbackUrls": ports.page_url,
        "LogoutUrls": ports.page_url,
    }
    with _step("Deploying resources/backend.yaml to the AWS emulator") as print_detail:
        outputs = backend.deploy(environment.STAGE, parameters, progress=print_detail)
    _turn_on_ttl(outputs["TableName"])
    environment.record(
        variables | backend.chalice_environment(outputs) | environment.for_api(ports.api)
    )
    with _step("Creating the demo user"):
        users.ensure_demo_user(outputs["UserPoolArn"])
        users.ensure_demo_metadata(outputs["UserPoolArn"], outputs["TableName"])
    return outputs


def _turn_on_ttl(table: str) -> None:
    """Turn on TTL of the local table. The emulator ignores TTL in resources/backend.yaml."""
    settings = chalice_config.environment(environment.STAGE)
    attribute = time_to_live.attribute_of(settings, environment.STAGE)
    ttl = time_to_live.describe(table)
    if not ttl.is_on or ttl.attribute != attribute:
        time_to_live.turn_on(table, attribute)


@contextmanager
def _page(ports: Ports, outputs: Mapping[str, str]) -> Iterator[None]:
    """Serve the page, configured for the AWS emulator. Raises page.PageError."""
    stage = chalice_config.environment(environment.STAGE) | environment.default_settings()
    routes = RouteSettings.from_environment(stage | backend.chalice_environment(outputs))
    with ExitStack() as stack:
        with _step(f"Starting the page on {ports.page_url}"):
            config = page_config.settings(
                # Not localhost: Node 18 resolves that to ::1, where nothing listens.
                f"{ports.api_url}/user/profile",
                outputs["UserPoolArn"],
                outputs["UserPoolClientId"],
                ports.aws_url,
                routes,
            )
            try:
                page_config.write_config(config)
            except OSError as error:
                raise page.PageError(
                    f"cannot write web/config.json ({error.strerror}). Make it writable."
                ) from error
            page.install()
            stack.enter_context(page.serving(ports.web))
        yield


def _summary(ports: Ports, client_id: str, page_row: str, *, with_api: bool) -> str:
    """The table of addresses and commands."""
    if with_api:
        api_row = f"{ports.api_url}/user/profile"
    else:
        api_row = f".venv/bin/chalice local --stage local --port {ports.api}"
    query = {
        "client_id": client_id,
        "response_type": "code",
        "scope": "openid email profile",
        "redirect_uri": ports.page_url,
    }
    rows = {
        "Page": page_row,
        "API": api_row,
        "API reference": f"{ports.api_url}/docs",
        "Sign-in page": f"{ports.aws_url}/oauth2/authorize?{urlencode(query)}",
        "Demo user": f"{users.DEMO_EMAIL}  password {users.DEMO_PASSWORD}",
        "Another user": "make sign-up EMAIL=... PASSWORD=...",
        "Get a token": "make -s token",
        "Users": f"make users, make user ACCOUNT={users.DEMO_EMAIL}",
        "Stop": "Ctrl-C",
    }
    lines = [f"  {name:<17}{value}" for name, value in rows.items()]
    return "\n".join(["", *lines, ""])


def _wait(aws: Popen[bytes], api: Popen[bytes] | None, folder: Path) -> None:
    """Wait for Ctrl-C. Raises LocalError if the AWS emulator or the API ends first."""
    processes = [aws]
    if api is not None:
        processes.append(api)
    ended = wait_for_any(processes)
    if ended is api:
        raise LocalError(
            f"the API ended unexpectedly, with status {api.returncode}. Its output is above."
        )
    # It saves its state when it is asked to stop, and then exits with 0.
    consequence = "" if aws.returncode == 0 else " The changes since its start are lost."
    raise LocalError(
        f"the AWS emulator ended unexpectedly, with status {aws.returncode}.{consequence} "
        f"See the end of {folder / 'emulator.log'}."
    )


@contextmanager
def _step(title: str) -> Iterator[Callable[[str], None]]:
    """Print `title` when a step starts, and its duration when it ends.

    Yields a function that prints a detail of the step.
    """

    def print_detail(detail: str) -> None:
        print(f"  {detail}", flush=True)

    started = time.monotonic()
    print(f"{title} ...", flush=True)
    yield print_detail
    print_detail(f"done in {time.monotonic() - started:.1f} s")
