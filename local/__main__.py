"""The commands behind `make local`, `make token`, `make users` and others."""

# ruff: noqa: E402

from __future__ import annotations

import signal

# Without this, Ctrl-C during the imports below would print a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
from collections.abc import Collection

from deploy.errors import CommandError
from deploy.options import check_options, option
from deploy.stage_table import ALSO_LOCAL
from deploy.standard_streams import open_closed_streams
from local import documentation, environment, operators, page, redirects, users
from local.errors import LocalError
from local.ports import Ports, parse_port
from local.up import up

UP_OPTIONS = (redirects.CALLBACK_URLS, redirects.LOGOUT_URLS, "WEB", "NPM")
OPTIONS: dict[str, Collection[str]] = {
    "local": UP_OPTIONS,
    "cloud": UP_OPTIONS,
    "web": ("NPM",),
    "token": ("EMAIL", "PASSWORD"),
    "sign-up": ("EMAIL", "PASSWORD"),
}
"""The variables that each target of make has besides STAGE and ports.

The other targets check their own.
"""


def main() -> None:
    """Run the command that the arguments name."""
    open_closed_streams()
    options = _parser().parse_args()
    target = "local" if options.command == "up" else options.command
    try:
        if target in OPTIONS:
            check_options(target, OPTIONS[target])
        options.run(options)
    except CommandError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    """The parser of the command line. Environment variables are the defaults of options."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    local = commands.add_parser("up", help="start the AWS emulator, the API and the page")
    local.set_defaults(run=_run_local)
    cloud = commands.add_parser(
        "cloud", help="start all but the API, which you run as `chalice local --stage local`"
    )
    cloud.set_defaults(run=_run_cloud)
    for command in (local, cloud):
        command.add_argument("--aws-port", default=os.environ.get("AWS_PORT", "4566"))
        command.add_argument("--api-port", default=os.environ.get("API_PORT", "8000"))

    web = commands.add_parser("web", help="serve the page with the settings in web/config.json")
    web.set_defaults(run=_run_web)
    for command in (local, cloud, web):
        command.add_argument("--web-port", default=os.environ.get("WEB_PORT", "3000"))

    token = commands.add_parser("token", help="sign a user in and print the id token")
    token.set_defaults(run=_run_token)
    token.add_argument("--stage", default=option("STAGE"))
    sign_up = commands.add_parser("sign-up", help="register a user and confirm the e-mail address")
    sign_up.set_defaults(run=_run_sign_up)
    for command in (token, sign_up):
        command.add_argument("--email", default=option("EMAIL"))
        command.add_argument("--password", default=option("PASSWORD"))

    show_users = commands.add_parser("users", help="print the users who have a profile")
    show_users.set_defaults(run=_run_users)
    show_user = commands.add_parser("user", help="print a user's profile and metadata")
    show_user.set_defaults(run=_run_user)
    erase = commands.add_parser("erase", help="erase a user's account, profile and metadata")
    erase.set_defaults(run=_run_erase)
    erase.add_argument("--confirm", default=option("CONFIRM"), help="the account once more")
    for command in (show_user, erase):
        command.add_argument("--account", default=option("ACCOUNT"), help="e-mail address or sub")
    for command in (show_users, show_user, erase):
        command.add_argument("--stage", default=option("STAGE"))
    openapi = commands.add_parser("openapi", help="write the API's description for this stage")
    openapi.set_defaults(run=_run_openapi)
    openapi.add_argument("--file", default=option("FILE"))
    openapi.add_argument("--overwrite", default=option("OVERWRITE"))
    for name in ALSO_LOCAL:
        command = commands.add_parser(name, help=f"make {name} for the stage local")
        command.set_defaults(run=_run_deploy_command)
    return parser


def _run_local(options: argparse.Namespace) -> None:
    _run_up(options, "local", with_api=True)


def _run_cloud(options: argparse.Namespace) -> None:
    _run_up(options, "cloud", with_api=False)


def _run_up(options: argparse.Namespace, target: str, *, with_api: bool) -> None:
    _require_local_stage(target)
    up(
        _ports(options),
        redirects.requested(),
        with_api=with_api,
        with_page=_wants_page(option("WEB")),
    )


def _wants_page(text: str) -> bool:
    """Whether WEB=`text` asks for the demo page. Raises LocalError."""
    if text not in ("", "yes", "no"):
        raise LocalError(f"WEB={text} is not understood. Set WEB=no or leave it out.")
    return text != "no"


def _require_local_stage(target: str) -> None:
    """Raise LocalError if make's command line has another STAGE, which `target` would ignore."""
    stage = option("STAGE")
    if stage not in ("", environment.STAGE):
        raise LocalError(
            f"make {target} works with the stage {environment.STAGE} only, not with {stage}. "
            "Leave STAGE out."
        )


def _ports(options: argparse.Namespace) -> Ports:
    return Ports(
        aws=parse_port(options.aws_port),
        api=parse_port(options.api_port),
        web=parse_port(options.web_port),
    )


def _run_web(options: argparse.Namespace) -> None:
    page.run(parse_port(options.web_port))


def _run_token(options: argparse.Namespace) -> None:
    users.print_token(options.email, options.password, options.stage or environment.STAGE)


def _run_sign_up(options: argparse.Namespace) -> None:
    _require_local_stage("sign-up")
    users.sign_up(options.email, options.password)


def _run_users(options: argparse.Namespace) -> None:
    operators.show_users(options.stage or environment.STAGE)


def _run_user(options: argparse.Namespace) -> None:
    operators.show_user(options.stage or environment.STAGE, options.account)


def _run_erase(options: argparse.Namespace) -> None:
    operators.erase_user(options.stage or environment.STAGE, options.account, options.confirm)


def _run_openapi(options: argparse.Namespace) -> None:
    documentation.write_local_description(options.file, options.overwrite)


def _run_deploy_command(options: argparse.Namespace) -> None:
    users.use_local_backend()

    from deploy import __main__ as deploy_command  # noqa: PLC0415 - the other commands are faster

    deploy_command.main([options.command, environment.STAGE])


if __name__ == "__main__":
    main()
