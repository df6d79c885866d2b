"""The commands behind `make local`, `cloud`, `web`, `token` and `sign-up`: python -m local COMMAND."""

# ruff: noqa: E402

from __future__ import annotations

import signal

signal.signal(
    signal.SIGINT, signal.SIG_DFL
)  # while the imports below take their time, Ctrl-C simply ends us

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple
from urllib.parse import urlencode

from deploy import backend, chalice_config, cognito, page_config
from deploy.checks import use_region_of
from deploy.errors import DeploymentError
from local import environment, page
from local.api import ApiError, serving
from local.emulator import EmulatorError, confirmation_code, emulator, port_is_free
from local.process import STOPS


class Failure(Exception):
    """What the user should read, in a line that says what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (
        ("up", "start the local cloud, the API and the page"),
        ("cloud", "start all but the API, for a `chalice local --stage local` of your own"),
    ):
        command = commands.add_parser(name, help=summary)
        command.add_argument("--aws-port", default=os.environ.get("AWS_PORT", "4566"))
        command.add_argument("--api-port", default=os.environ.get("API_PORT", "8000"))
        command.add_argument("--web-port", default=os.environ.get("WEB_PORT", "3000"))
    command = commands.add_parser("web", help="serve the page with what web/config.json says")
    command.add_argument("--web-port", default=os.environ.get("WEB_PORT", "3000"))
    for name, summary in (
        ("token", "print an id token"),
        ("sign-up", "register a user and confirm the e-mail"),
    ):
        command = commands.add_parser(name, help=summary)
        command.add_argument("--email", default=os.environ.get("USER_EMAIL"))
        command.add_argument("--password", default=os.environ.get("USER_PASSWORD"))
        if name == "token":
            command.add_argument("--stage", default="")
    options = parser.parse_args()
    try:
        if options.command == "token":
            token(options.email, options.password, options.stage or environment.STAGE)
        elif options.command == "sign-up":
            sign_up(options.email, options.password)
        elif options.command == "web":
            serve_page(_port(options.web_port))
        else:
            ports = Ports(_port(options.aws_port), _port(options.api_port), _port(options.web_port))
            up(ports, with_api=options.command == "up")
    except (
        Failure,
        ApiError,
        EmulatorError,
        page.PageError,
        cognito.UserError,
        DeploymentError,
    ) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)


# --- make local, make cloud -------------------------------------------------------------------------------------------


class Ports(NamedTuple):
    """Where on 127.0.0.1 each thing listens. Each has a variable of `make local` that changes it."""

    aws: int
    api: int
    web: int

    @property
    def page(self) -> str:
        """The page's address, as the user pool knows it: Cognito takes http for the name localhost alone."""
        return f"http://localhost:{self.web}"

    def check(self, *, with_api: bool) -> None:
        """Raise Failure where two are one, or another program listens already. Whose API it is, is not asked."""
        for name, port in self._asdict().items():
            variable = f"{name.upper()}_PORT"
            for other, same in self._asdict().items():
                if other > name and same == port:
                    raise Failure(
                        f"{variable} and {other.upper()}_PORT are both {port}. Give each its own."
                    )
            if (name != "api" or with_api) and not port_is_free(port):
                raise Failure(
                    f"port {port} is taken by another program. Choose another: make local {variable}=..."
                )


def up(ports: Ports, *, with_api: bool) -> None:
    """Run the local cloud, the page, and the API unless the user runs it, until Ctrl-C."""
    _heed_stops()
    folder = environment.folder()
    with ExitStack() as stack:
        lock = stack.enter_context(_only_one_in(folder))
        ports.check(with_api=with_api)
        with _Step(f"Starting the local AWS on 127.0.0.1:{ports.aws}"):
            aws = stack.enter_context(_saving(emulator(ports.aws, folder, keeps=[lock])))
        variables = environment.for_endpoint(ports.aws)
        environment.enter(variables)
        with _Step("Deploying resources/backend.yaml to it") as detail:
            outputs = backend.deploy(
                environment.STAGE,
                {
                    "DomainSuffix": "local",
                    "DeletionProtection": "false",
                    "CallbackUrls": ports.page,
                    "LogoutUrls": ports.page,
                },
                progress=detail,
            )
        variables.update(backend.chalice_environment(outputs))
        environment.record(variables)
        with _Step("Making sure of the demo user"):
            cognito.ensure_demo_user(outputs["UserPoolArn"])
        api = None
        if with_api:
            with _Step(f"Starting the API on 127.0.0.1:{ports.api}"):
                api = stack.enter_context(serving(ports.api))
        page_is_at = ports.page
        try:
            with _Step(f"Starting the page on {ports.page}"):
                write_page_config(ports, outputs)
                page.install()
                stack.enter_context(page.serving(ports.web))
        except page.PageError as error:
            page_is_at = f"not served: {error}"
        print(_table(ports, with_api, page_is_at, outputs["UserPoolClientId"]), flush=True)
        while aws.poll() is None:
            if api and api.poll() is not None:
                raise Failure(
                    f"the API ended by itself with status {api.returncode}; what it said is above."
                )
            time.sleep(0.2)
        raise Failure(
            f"the local AWS ended by itself; its last words are in {folder / 'emulator.log'}."
        )


def write_page_config(ports: Ports, outputs: Mapping[str, str]) -> None:
    """Tell the page, in web/config.json, of the local cloud, whose backend has these outputs."""
    api, sign_in = f"http://localhost:{ports.api}/user/profile", f"http://localhost:{ports.aws}"
    page_config.write_config(
        page_config.settings(api, outputs["UserPoolArn"], outputs["UserPoolClientId"], sign_in)
    )


def _table(ports: Ports, with_api: bool, page_is_at: str, client_id: str) -> str:
    query = {
        "client_id": client_id,
        "response_type": "code",
        "scope": "openid email profile",
        "redirect_uri": ports.page,
    }
    api = f"http://127.0.0.1:{ports.api}"
    command = f".venv/bin/chalice local --stage local --port {ports.api}"
    rows = {
        "Page": page_is_at,
        "API": f"{api}/user/profile" if with_api else command,
        "Its description": f"{api}/docs",
        "Sign-in page": f"http://127.0.0.1:{ports.aws}/oauth2/authorize?{urlencode(query)}",
        "Demo user": f"{cognito.DEMO_EMAIL}  password {cognito.DEMO_PASSWORD}",
        "Another user": "make sign-up EMAIL=... PASSWORD=...",
        "Get a token": "make -s token",
        "Stop": "Ctrl-C",
    }
    return "\n" + "\n".join(f"  {name:<17}{value}" for name, value in rows.items()) + "\n"


def _heed_stops() -> None:
    """Have what asks us to stop end in KeyboardInterrupt: a shell starts what it puts in the background with Ctrl-C
    ignored."""
    for stop in STOPS:
        signal.signal(stop, signal.default_int_handler)


@contextmanager
def _only_one_in(folder: Path) -> Iterator[int]:
    """Hold the state folder, so that a second `make local` does not write into the same state; the lock's file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise Failure(
            f"cannot write to {folder} ({error.strerror}). Make it writable, or work in another copy."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(
                "the local cloud of this folder is running already. Use it, or stop it with Ctrl-C. If its terminal is "
                "gone, end its emulator: kill $(pgrep -f start_ministack)"
            ) from None
        yield lock.fileno()


@contextmanager
def _saving(started: AbstractContextManager[Popen[bytes]]) -> Iterator[Popen[bytes]]:
    """The emulator, stopped and saved at the end however often Ctrl-C is pressed meanwhile."""
    with started as process:
        try:
            yield process
        finally:
            for stop in STOPS:
                signal.signal(stop, signal.SIG_IGN)
            print(
                "\nStopping, and saving what the local AWS holds ...", file=sys.stderr, flush=True
            )


class _Step:
    """Tells of a step that takes a while: when it begins, its details if there are any, and how long it took."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __enter__(self) -> _Step:
        self._began = time.monotonic()
        print(f"{self._title} ...", flush=True)
        return self

    def __call__(self, detail: str) -> None:
        print(f"  {detail}", flush=True)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            print(f"  done in {time.monotonic() - self._began:.1f} s", flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Failure(
            f"{text!r} is not a port. API_PORT, AWS_PORT and WEB_PORT take a number from 1 to 65535."
        )
    return int(text)


def serve_page(port: int) -> None:
    """Serve the page alone, with what web/config.json says, until Ctrl-C."""
    if not page_config.CONFIG.exists():
        raise Failure("there is no web/config.json. Run `make local`, or make web-config STAGE=...")
    if not port_is_free(port):
        raise Failure(
            f"port {port} is taken by another program. Choose another: make web WEB_PORT=..."
        )
    page.install()
    _heed_stops()
    with page.serving(port):
        print(f"The page is at http://localhost:{port}. Stop it with Ctrl-C.", flush=True)
        signal.pause()


# --- make token, make sign-up -----------------------------------------------------------------------------------------


def token(email: str | None, password: str | None, stage: str) -> None:
    """Print the id token of a fresh sign-in, the demo user's if no other is named, and nothing else."""
    if email and not password:
        raise Failure(f"say the password of {email} too: make -s token EMAIL={email} PASSWORD=...")
    if stage == environment.STAGE:
        email, password = email or cognito.DEMO_EMAIL, password or cognito.DEMO_PASSWORD
        _enter_local_cloud()
        pool: Mapping[str, str] = os.environ
    else:
        if not email or not password:
            raise Failure(f"say who: make -s token STAGE={stage} EMAIL=... PASSWORD=...")
        pool = chalice_config.environment(stage)
        use_region_of(stage)
        if "USER_POOL_ARN" not in pool:
            raise Failure(f"the stage {stage} has no backend yet. Run: make backend STAGE={stage}")
    client_id = pool["USER_POOL_CLIENT_ID"].split(",")[0]
    print(cognito.sign_in(pool["USER_POOL_ARN"], client_id, email, password)["IdToken"])


def sign_up(email: str | None, password: str | None) -> None:
    """Register a user as a front end would, and confirm with the code from the mail that Cognito sends."""
    if not email or not password:
        raise Failure("say who: make sign-up EMAIL=grace@example.com PASSWORD=...")
    _enter_local_cloud()
    cognito.sign_up(os.environ["USER_POOL_CLIENT_ID"], email, password)
    port = int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
    cognito.confirm(os.environ["USER_POOL_CLIENT_ID"], email, confirmation_code(port, email))
    print(f"{email} is signed up and confirmed.")


def _enter_local_cloud() -> None:
    if not environment.load():
        raise Failure("there is no local cloud here yet. Start it with `make local`.")


if __name__ == "__main__":
    main()
