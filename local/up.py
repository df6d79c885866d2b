"""`make local` and `make cloud`: start the AWS emulator, the API and the page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

from chalicelib.schema import profile_check
from chalicelib.settings import InvalidSetting, ProfileSettings, RouteSettings
from deploy import backend, chalice_config, checks, page_config, time_to_live
from local import environment, page, redirects, users
from local.api import serving
from local.emulator import emulator
from local.errors import LocalError
from local.lock import locked
from local.ports import Ports, require_usable
from local.process import ignore_stop_signals, raise_on_stop_signals, wait_for_any
from local.redirects import Redirects, RequestedRedirects


def up(ports: Ports, request: RequestedRedirects, *, with_api: bool, with_page: bool) -> None:
    """Run the AWS emulator until Ctrl-C; with `with_api` and `with_page` also the API and the page.

    request: the URLs of other front ends, which the user pool may redirect to.

    Raises CommandError.
    """
    raise_on_stop_signals()
    settings = _check_settings()
    checks.warn_of_misspelled_settings(environment.STAGE)
    folder = environment.folder()
    with ExitStack() as stack:
        lock = stack.enter_context(locked(folder))
        require_usable(ports, with_api=with_api, with_page=with_page)
        chosen = redirects.choose(folder, request)
        redirects.warn_of_refused_origins(chosen.callback_urls, settings.cors_allow_origins)
        aws = stack.enter_context(_running_emulator(ports.aws, folder, lock))
        outputs = _prepare_backend(ports, chosen)
        config = _configuration(ports, outputs)
        api = None
        if with_api:
            with _step(f"Starting the API on 127.0.0.1:{ports.api}"):
                api, _ = stack.enter_context(serving(ports.api, keep_open=[lock]))
        try:
            _write_configuration(config)
            page_row = "not served: WEB=no"
            if with_page:
                stack.enter_context(_page(ports))
                page_row = ports.page_url
        except page.PageError as error:
            page_row = f"not served: {error}"
        print(_summary(ports, config, chosen, page_row, with_api=with_api), flush=True)
        _wait(aws, api, folder)


def _check_settings() -> RouteSettings:
    """The settings of the stage. Raises CommandError if `chalice local` would refuse them.

    It starts after the AWS emulator, and its message names the setting, but not the file.
    """
    variables = chalice_config.environment(environment.STAGE)
    try:
        settings = RouteSettings.from_environment(variables)
        profile_check(ProfileSettings.from_environment(variables).profile_schema)
    except InvalidSetting as error:
        raise LocalError(
            f"a setting of the stage {environment.STAGE} in {chalice_config.FILE} is invalid. "
            f"{error}"
        ) from error
    return settings


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


def _prepare_backend(ports: Ports, chosen: Redirects) -> dict[str, str]:
    """Deploy the backend, record it, and create the demo user. Returns the stack's outputs."""
    variables = environment.for_endpoint(ports.aws)
    environment.enter(variables)
    parameters = {
        "DomainSuffix": "local",
        "DeletionProtection": "false",
        "CallbackUrls": ",".join(redirects.to_register(ports.page_url, chosen.callback_urls)),
        "LogoutUrls": ",".join(redirects.to_register(ports.page_url, chosen.logout_urls)),
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


def _configuration(ports: Ports, outputs: Mapping[str, str]) -> dict[str, object]:
    """What a front end must know of the AWS emulator: the content of web/config.json."""
    variables = chalice_config.environment(environment.STAGE) | environment.default_settings()
    stage = page_config.StageSettings.from_environment(
        variables | backend.chalice_environment(outputs)
    )
    config = page_config.settings(
        # Not localhost: Node 18 resolves that to ::1, where nothing listens.
        f"{ports.api_url}/user/profile",
        outputs["UserPoolArn"],
        outputs["UserPoolClientId"],
        ports.aws_url,
        stage,
    )
    config["cognito_api"] = ports.aws_url
    return config


def _write_configuration(config: Mapping[str, object]) -> None:
    """Write web/config.json, for the page and other clients. Raises page.PageError."""
    try:
        page_config.write_config(config)
    except OSError as error:
        raise page.PageError(
            f"cannot write web/config.json ({error.strerror}). Make it writable."
        ) from error


@contextmanager
def _page(ports: Ports) -> Iterator[None]:
    """Serve the page. Raises page.PageError."""
    with ExitStack() as stack:
        with _step(f"Starting the page on {ports.page_url}"):
            page.install()
            stack.enter_context(page.serving(ports.web))
        yield


def _summary(
    ports: Ports, config: Mapping[str, object], chosen: Redirects, page_row: str, *, with_api: bool
) -> str:
    """The table of addresses and commands."""
    if with_api:
        api_row = f"{ports.api_url}/user/profile"
    else:
        api_row = f".venv/bin/chalice local --stage local --port {ports.api}"
    rows = {
        "Page": page_row,
        "API": api_row,
        "API reference": f"{ports.api_url}/docs",
        "Issuer": config["issuer"],
        "Client id": config["client_id"],
        "Sign-in domain": config["sign_in"],
        "Callback URLs": ", ".join([ports.page_url, *chosen.callback_urls]),
        "Logout URLs": ", ".join([ports.page_url, *chosen.logout_urls]),
        "Demo user": f"{users.DEMO_EMAIL}  password {users.DEMO_PASSWORD}",
        "Another user": 'make sign-up EMAIL=... PASSWORD=..., or "Sign up" on the sign-in page',
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
