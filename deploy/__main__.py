"""The commands behind `make backend`, `make deploy` and others: python -m deploy COMMAND STAGE."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    # Ctrl-C during the slow imports below ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from deploy import (
    api,
    api_logs,
    api_parameters,
    attachment,
    aws,
    chalice_cli,
    chalice_config,
    checks,
    destroy_backend,
    export_profiles,
    find_orphans,
    gateway_responses,
    import_profiles,
    make_backend,
    ownership,
    packaging,
    page_config,
    service_role,
    show_logs,
    stacks,
    write_description,
)
from deploy.arn import UserPoolArn
from deploy.backend_plan import Request
from deploy.errors import CommandError, DeploymentError
from deploy.options import check_options, is_yes, option
from deploy.stage_description import DESCRIBED_SETTINGS, DescribedStage
from deploy.stage_settings import report_invalid_settings
from deploy.stage_table import ALSO_LOCAL, StageTable, runs_on_emulator
from deploy.standard_streams import discard_output, ended_by_the_reader, open_closed_streams

BACKEND_OPTIONS = {
    "DOMAIN_SUFFIX": "the end of the sign-in page's domain",
    "CALLBACK_URLS": "URLs of pages after sign-in",
    "LOGOUT_URLS": "URLs of pages after sign-out",
    "PARAMETERS": "parameters of resources/backend.yaml: Name=value Name='a value'",
    "USER_POOL_ID": "a user pool that you already have",
    "USER_POOL_CLIENT_ID": "app clients of that user pool",
    "SIGN_IN_DOMAIN": "the sign-in domain of that user pool",
    "TABLE": "a table that you already have",
    "TTL": "yes: turn on TTL of that table",
    "ADOPT": "yes: accept stacks of another owner",
    "OVERWRITE": "yes: reset settings that were changed elsewhere",
    "ROLE_ARN": "the role with which CloudFormation changes the stack",
}
DEPLOY_OPTIONS = {
    "ALARM_TOPIC": "ARN of the SNS topic for alarms",
    "PERMISSIONS_BOUNDARY": "ARN of an IAM policy that limits the roles that make deploy makes",
    "ROLE_ARN": BACKEND_OPTIONS["ROLE_ARN"],
    "PARAMETERS": "parameters of resources/api.json: Name=value Name='a value'",
    "OVERWRITE": "yes: replace settings of API Gateway's stage that were changed elsewhere",
}
OPTIONS: dict[str, Collection[str]] = {
    "backend": BACKEND_OPTIONS,
    "package": (),
    "deploy": DEPLOY_OPTIONS,
    "gateway": (),
    "web-config": (),
    "url": (),
    "logs": show_logs.OPTIONS,
    "destroy": ("KEEP_LOGS", "ROLE_ARN"),
    "destroy-backend": ("CONFIRM", "ROLE_ARN"),
    "export": export_profiles.OPTIONS,
    "import": import_profiles.OPTIONS,
    "orphans": find_orphans.OPTIONS,
    "openapi": write_description.OPTIONS,
}
"""The variables that each command has besides STAGE."""
STAGE_NAME = chalice_config.APP_NAME
RESERVED_ENDINGS = ("-backend", "-api")
"""The stack of a stage x-backend would be the backend's of x, and the logs of x-api those of x."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; `arguments` are those of the command line. Raises SystemExit for errors."""
    open_closed_streams()
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGINT, _interrupt)
    aws.let_boto3_read_aws_region()
    try:
        check_options(options.command, OPTIONS[options.command])
        _check_stage_name(options)
        if options.command != "package":
            checks.use_account_of(options.stage)
            checks.check_app_name(options.stage)
        if getattr(options, "role_arn", ""):
            service_role.check(options.role_arn)
        options.run(options)
    except CommandError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(
            "Interrupted. AWS completes what it has started. To continue, run this command again."
        )
    except BrokenPipeError:
        discard_output()
        sys.exit("error: the output was closed. To continue, run this command again.")


def _parser() -> argparse.ArgumentParser:
    stage = argparse.ArgumentParser(add_help=False)
    stage.add_argument(
        "stage",
        nargs="?",
        default=option("STAGE"),
        help="a stage of .chalice/config.json other than local",
    )

    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser(
        "backend", parents=[stage], help="create or update a stage's table and user pool"
    )
    _add_options(command, BACKEND_OPTIONS)
    command.set_defaults(run=run_make_backend)

    command = commands.add_parser("package", parents=[stage], help="build a stage's package")
    command.set_defaults(run=make_package)

    command = commands.add_parser("deploy", parents=[stage], help="deploy a stage's API")
    _add_options(command, DEPLOY_OPTIONS)
    command.set_defaults(run=make_deploy)

    command = commands.add_parser(
        "gateway",
        parents=[stage],
        help="add the project's gateway responses to an API that `chalice deploy` created",
    )
    command.set_defaults(run=make_gateway)

    command = commands.add_parser(
        "web-config", parents=[stage], help="write web/config.json for a deployed stage"
    )
    command.set_defaults(run=make_web_config)

    command = commands.add_parser("url", parents=[stage], help="print the URL of a stage's API")
    command.set_defaults(run=make_url)

    command = commands.add_parser("logs", parents=[stage], help="print the log of the function")
    _add_options(command, show_logs.OPTIONS)
    command.set_defaults(run=make_logs)

    command = commands.add_parser(
        "destroy", parents=[stage], help="delete a stage's API; keep users and data"
    )
    _add_option(command, "KEEP_LOGS", "yes: keep the log groups")
    _add_option(command, "ROLE_ARN", DEPLOY_OPTIONS["ROLE_ARN"])
    command.set_defaults(run=make_destroy)

    command = commands.add_parser(
        "destroy-backend", parents=[stage], help="delete a stage's users and data"
    )
    _add_option(command, "CONFIRM", "the stage's name, to delete without asking")
    _add_option(command, "ROLE_ARN", DEPLOY_OPTIONS["ROLE_ARN"])
    command.set_defaults(run=run_destroy_backend)

    command = commands.add_parser(
        "export", parents=[stage], help="write a stage's profiles and metadata to a file"
    )
    _add_options(command, export_profiles.OPTIONS)
    command.set_defaults(run=make_export)

    command = commands.add_parser(
        "import", parents=[stage], help="write profiles and metadata of a file to a stage's table"
    )
    _add_options(command, import_profiles.OPTIONS)
    command.set_defaults(run=make_import)

    command = commands.add_parser(
        "orphans", parents=[stage], help="list or remove the data of users who are gone"
    )
    _add_options(command, find_orphans.OPTIONS)
    command.set_defaults(run=make_orphans)

    command = commands.add_parser(
        "openapi", parents=[stage], help="write the OpenAPI description of a stage's API"
    )
    _add_options(command, write_description.OPTIONS)
    command.set_defaults(run=make_openapi)
    return parser


def _add_options(command: argparse.ArgumentParser, options: Mapping[str, str]) -> None:
    for name, text in options.items():
        _add_option(command, name, text)


def _add_option(command: argparse.ArgumentParser, name: str, text: str) -> None:
    """Add an option: --alarm-topic for ALARM_TOPIC, whose default is make's variable."""
    flag = f"--{name.lower().replace('_', '-')}"
    command.add_argument(flag, default=option(name), help=text)


def _check_stage_name(options: argparse.Namespace) -> None:
    if not options.stage:
        raise DeploymentError(f"STAGE is required: make {options.command} STAGE=dev")
    if not _runs_locally(options.command):
        chalice_config.refuse_local_stage(options.stage)
    if not STAGE_NAME.fullmatch(options.stage) or options.stage.endswith(RESERVED_ENDINGS):
        raise DeploymentError(
            f"the stage's name {options.stage!r} cannot be used. It must have up to 20 lower-case "
            "letters, digits and hyphens, begin with a letter, not contain aws, amazon or cognito, "
            f"and not end with {' or '.join(RESERVED_ENDINGS)}."
        )
    chalice_config.environment(options.stage)  # raises if there is no such stage


def _runs_locally(command: str) -> bool:
    return command in ALSO_LOCAL and runs_on_emulator(os.environ)


# --- the backend ----------------------------------------------------------------------------------


def run_make_backend(options: argparse.Namespace) -> None:
    """Create or update the table and the user pool, or attach existing ones; record them."""
    request = Request(
        stage=options.stage,
        user_pool_id=options.user_pool_id,
        client_ids=options.user_pool_client_id,
        sign_in_domain=options.sign_in_domain,
        table=options.table,
        domain_suffix=options.domain_suffix,
        callback_urls=options.callback_urls,
        logout_urls=options.logout_urls,
        parameters=options.parameters,
        overwrite=is_yes("OVERWRITE", options.overwrite),
        ttl=is_yes("TTL", options.ttl),
        role_arn=options.role_arn,
    )
    if is_yes("ADOPT", options.adopt):
        make_backend.adopt(request)
    else:
        make_backend.run(request, _print_progress)


def run_destroy_backend(options: argparse.Namespace) -> None:
    """Delete what the stage's stack made, if the stage's name is typed or given by --confirm."""
    destroy_backend.run(options.stage, options.confirm, _print_progress, options.role_arn)


# --- the API --------------------------------------------------------------------------------------


def make_package(options: argparse.Namespace) -> None:
    """Build a stage's package and template."""
    stage = options.stage
    checks.check_stage(stage)
    folder = packaging.build(stage)
    print(
        f"Built {folder}/deployment.zip and {folder}/sam.json. `make deploy STAGE={stage}` deploys "
        "the same package."
    )


def make_deploy(options: argparse.Namespace) -> None:
    """Package the API, upload the package and deploy it."""
    stage = options.stage
    checks.check_stage(stage)
    recorded = chalice_config.recorded_backend(stage)
    pool = UserPoolArn.parse(recorded.user_pool_arn)
    given = {
        "AlarmTopic": options.alarm_topic,
        "PermissionsBoundary": options.permissions_boundary,
    }
    parameters = api_parameters.parameters(stage, given, options.parameters)
    api_parameters.check_region_of_topic(parameters, pool.region)
    attachment.check_recorded(stage, recorded.table, pool.pool_id, recorded.client_ids)
    overwrite = is_yes("OVERWRITE", options.overwrite)
    print(f"Deploying the API as {api.stack_name(stage)} ...", flush=True)
    outputs = api.deploy(stage, parameters, _print_progress, options.role_arn, overwrite=overwrite)
    for note in api.set_log_retention(stage):
        print(f"Note: {note}")
    print(f"The API is at {api.url(outputs)}/user/profile")
    if "CustomDomainTarget" in outputs:
        domain = urlsplit(outputs["CustomDomainURL"]).hostname
        print(f"The DNS record of {domain} must point to {outputs['CustomDomainTarget']}")
    print(f"Try it: make smoke STAGE={stage} EMAIL=... PASSWORD=...")


def make_gateway(options: argparse.Namespace) -> None:
    """Add resources/api.json's gateway responses to an API that `chalice deploy` created."""
    stage = options.stage
    deployed = chalice_cli.deployed_api(stage)
    if deployed is None:
        raise DeploymentError(
            f"`chalice deploy --stage {stage}` has not been run in this folder. `make deploy` "
            "already includes the gateway responses."
        )
    gateway_responses.put_gateway_responses(deployed.api_id)
    print(
        "API Gateway's own errors now have the format of the API's errors. The next `chalice "
        "deploy` removes them: run this command again after it."
    )


def make_url(options: argparse.Namespace) -> None:
    """Print the URL of a stage's API and nothing else, for scripts."""
    url = api.deployed_url(options.stage)
    _note_other_owner(options.stage)
    print(url)


def make_logs(options: argparse.Namespace) -> None:
    """Print the latest lines of the function's log. Ctrl-C, or `| head`, ends it quietly."""
    request = show_logs.LogsRequest.from_options(options.since, options.follow)
    _note_other_owner(options.stage)
    with suppress(KeyboardInterrupt), ended_by_the_reader():
        show_logs.run(options.stage, request)


def _note_other_owner(stage: str) -> None:
    """Print a note if the stage's API belongs to another owner, on standard error."""
    name = api.stack_name(stage)
    stack = stacks.describe(name)
    if stack is not None and not ownership.is_own(stack, stage):
        print(
            f"Note: the stack {name} was not made with this {chalice_config.FILE}: "
            f"{ownership.description(stack)}.",
            file=sys.stderr,
            flush=True,
        )


def make_destroy(options: argparse.Namespace) -> None:
    """Delete a stage's API; keep its users and data."""
    stage = options.stage
    keep_logs = is_yes("KEEP_LOGS", options.keep_logs)
    if api.destroy(stage, _print_progress, options.role_arn, keep_logs=keep_logs):
        print(f"The API of {stage} is deleted. Users and data are kept.")
        for name in api_logs.existing(api.stack_name(stage)):
            print(f"Kept: the log group {name}. The next make deploy uses it.")
        chalice_logs = api_logs.existing_of_chalice(api.stack_name(stage))
        if chalice_logs:
            print(
                f"Kept: the log group {chalice_logs} of chalice deploy. To delete it, run: "
                f"aws logs delete-log-group --log-group-name {chalice_logs}"
            )
    else:
        region = boto3.session.Session().region_name
        print(f"{stage} has no API in this account, region ({region}) and folder.")


def make_openapi(options: argparse.Namespace) -> None:
    """Write the OpenAPI description of a stage's API."""
    stage = options.stage
    request = write_description.DescriptionRequest.from_options(options.file, options.overwrite)
    variables = chalice_config.environment(stage)
    with report_invalid_settings(stage):
        described = DescribedStage.read(stage, variables)
    url = api.deployed_url(stage)
    _warn_of_other_settings(variables, api.deployed_variables(stage))
    write_description.run(described, url, request)


def _warn_of_other_settings(
    configured: Mapping[str, str], deployed: Mapping[str, str] | None
) -> None:
    """Print a warning for each setting that changes the description and is not deployed yet."""
    if deployed is None:
        return
    for name in DESCRIBED_SETTINGS:
        if configured.get(name, "") != deployed.get(name, ""):
            print(
                f"Warning: {name} is {configured.get(name) or 'not set'} in {chalice_config.FILE}, "
                f"and {deployed.get(name) or 'not set'} in the deployed API. The description is of "
                "the former. To deploy it, run make deploy.",
                file=sys.stderr,
                flush=True,
            )


# --- the page -------------------------------------------------------------------------------------


def make_web_config(options: argparse.Namespace) -> None:
    """Write web/config.json for a deployed stage."""
    stage = options.stage
    recorded = chalice_config.recorded_backend(stage)
    sign_in_domain = chalice_config.backend_record(stage).sign_in_domain
    if not sign_in_domain:
        raise DeploymentError(
            f"the stage {stage} records no sign-in domain, so the page cannot sign users in. Run: "
            f"make backend STAGE={stage}. It records the user pool's domain; if the pool has none, "
            "give it one first."
        )
    attachment.check_page_client(recorded)
    profile = f"{api.deployed_url(stage)}/user/profile"
    page_config.write_config(
        page_config.settings(
            profile,
            recorded.user_pool_arn,
            recorded.client_ids,
            f"https://{sign_in_domain}",
            _page_settings(stage),
        )
    )
    print(f"web/config.json now has the settings of the stage {stage}: {profile}")
    print("To see the page, run `make web`. On a server of your own, send this header:")
    print(page_config.content_security_policy())


def _page_settings(stage: str) -> page_config.StageSettings:
    """Raises DeploymentError if a setting of the stage is invalid."""
    with report_invalid_settings(stage):
        return page_config.StageSettings.from_environment(chalice_config.environment(stage))


# --- the data -------------------------------------------------------------------------------------


def make_export(options: argparse.Namespace) -> None:
    """Write a stage's profiles and metadata to a file."""
    _require_file(options)
    request = export_profiles.ExportRequest(
        file=Path(options.file), overwrite=is_yes("OVERWRITE", options.overwrite)
    )
    export_profiles.run(StageTable.of(options.stage), request)


def make_import(options: argparse.Namespace) -> None:
    """Write the profiles and metadata of a file to a stage's table."""
    _require_file(options)
    request = import_profiles.ImportRequest.from_options(options)
    import_profiles.run(StageTable.of(options.stage), request)


def make_orphans(options: argparse.Namespace) -> None:
    """List the data of users who are gone, and finish erasures; or remove that data."""
    confirmed = find_orphans.Confirmed.from_options(options.delete, options.delete_accounts)
    find_orphans.run(find_orphans.Target.of(options.stage), confirmed)


def _require_file(options: argparse.Namespace) -> None:
    if not options.file:
        raise DeploymentError(
            f"FILE is required: make {options.command} STAGE={options.stage} FILE=profiles.jsonl"
        )


_interrupted = False


def _interrupt(*_: object) -> None:
    global _interrupted  # noqa: PLW0603 - a signal handler has no other way to report
    _interrupted = True
    raise KeyboardInterrupt


def _print_progress(step: str) -> None:
    if _interrupted:  # Python ignores an exception that is raised in a destructor or a callback
        raise KeyboardInterrupt
    print(f"  {step}", flush=True)


if __name__ == "__main__":
    main()
