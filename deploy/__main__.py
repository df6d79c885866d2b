"""The commands behind `make backend`, `make deploy` and others: python -m deploy COMMAND STAGE."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    # Ctrl-C during the slow imports below ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
from collections.abc import Sequence

import boto3

from deploy import (
    api,
    aws,
    backend,
    chalice_cli,
    chalice_config,
    checks,
    gateway_responses,
    packaging,
    page_config,
    stacks,
)
from deploy.arn import UserPoolArn
from deploy.errors import CommandError, DeploymentError, NoBackend


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; `arguments` are those of the command line. Raises SystemExit for errors."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _let_boto3_read_aws_region()
    try:
        _check_stage_name(options)
        if options.command != "package":
            checks.use_account_of(options.stage)
        options.run(options)
    except CommandError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(
            "Interrupted. AWS completes what it has started. To continue, run this command again."
        )


def _parser() -> argparse.ArgumentParser:
    stage = argparse.ArgumentParser(add_help=False)
    stage.add_argument("stage", help="a stage of .chalice/config.json other than local")

    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser(
        "backend", parents=[stage], help="create or update a stage's table and user pool"
    )
    command.add_argument("--domain-suffix", default="", help="the end of the sign-in page's domain")
    command.add_argument("--callback-urls", default="", help="URLs of pages after sign-in")
    command.add_argument("--logout-urls", default="", help="URLs of pages after sign-out")
    command.set_defaults(run=make_backend)

    command = commands.add_parser("package", parents=[stage], help="build a stage's package")
    command.set_defaults(run=make_package)

    command = commands.add_parser("deploy", parents=[stage], help="deploy a stage's API")
    command.add_argument("--alarm-topic", default="", help="ARN of the SNS topic for alarms")
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

    command = commands.add_parser(
        "destroy", parents=[stage], help="delete a stage's API; keep users and data"
    )
    command.set_defaults(run=make_destroy)

    command = commands.add_parser(
        "destroy-backend", parents=[stage], help="delete a stage's users and data"
    )
    command.add_argument("--confirm", default="", help="the stage's name, to delete without asking")
    command.set_defaults(run=make_destroy_backend)
    return parser


def _let_boto3_read_aws_region() -> None:
    """Copy AWS_REGION, which the AWS CLI and Lambda read, to the variable that boto3 reads."""
    region = os.environ.get("AWS_REGION")
    if region is not None and not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


def _check_stage_name(options: argparse.Namespace) -> None:
    if not options.stage:
        raise DeploymentError(f"STAGE is required: make {options.command} STAGE=dev")
    if options.stage == "local":
        raise DeploymentError(
            "make local runs the stage local on this machine. Choose another stage, such as dev."
        )
    chalice_config.environment(options.stage)  # raises if there is no such stage


# --- the backend ----------------------------------------------------------------------------------


def make_backend(options: argparse.Namespace) -> None:
    """Create or update the table, the user pool and its sign-in page; record them for Chalice."""
    stage = options.stage
    stack = backend.stack_name(stage)
    print(f"Deploying resources/backend.yaml as {stack} ...", flush=True)
    outputs = backend.deploy(stage, _backend_parameters(options), _print_progress)
    for name, value in sorted(outputs.items()):
        print(f"  {name:<17}{value}")
    if _record_backend(stage, outputs):
        print(f"Recorded in {chalice_config.FILE}; commit it.")
    else:
        print(f"Nothing to record: {chalice_config.FILE} is current.")
    print(f"Next: make deploy STAGE={stage}")


def _backend_parameters(options: argparse.Namespace) -> dict[str, str]:
    """Return the parameters of the command line, and those that a new stack needs."""
    parameters = {}
    if options.domain_suffix:
        parameters["DomainSuffix"] = options.domain_suffix
    elif stacks.outputs(backend.stack_name(options.stage)) is None:
        parameters["DomainSuffix"] = aws.account_id()
    if options.callback_urls:
        parameters["CallbackUrls"] = options.callback_urls
    if options.logout_urls:
        parameters["LogoutUrls"] = options.logout_urls
    return parameters


def _record_backend(stage: str, outputs: dict[str, str]) -> bool:
    """Record the backend with these outputs. Return False if .chalice/config.json is current.

    If the same user pool is recorded already, recorded values are kept: an operator may have
    recorded a restored table or more app clients.
    """
    recorded = chalice_config.environment(stage)
    variables = backend.chalice_environment(outputs)
    if recorded.get("USER_POOL_ARN") == variables["USER_POOL_ARN"]:
        variables = {name: recorded.get(name, value) for name, value in variables.items()}
    return chalice_config.change_environment(stage, variables)


def make_destroy_backend(options: argparse.Namespace) -> None:
    """Delete a stage's users and data, if the stage's name is typed or given by --confirm."""
    stage = options.stage
    if api.is_deployed(stage):
        raise DeploymentError(
            f"the API still uses the backend. Delete the API first: make destroy STAGE={stage}"
        )
    outputs = stacks.outputs(backend.stack_name(stage))
    if outputs:
        table = outputs["TableName"]
        pool_id = outputs["UserPoolId"]
        print(f"This deletes {backend.contents(table, pool_id)}. Users cannot be restored.")
    else:
        table, pool_id = _recorded_names(stage)
        print(f"This deletes what is left: the table {table} and the user pool {pool_id}.")
    if _confirmation(options) != stage:
        raise DeploymentError(
            f"nothing was deleted. Set CONFIRM={stage}, or type {stage} at the prompt."
        )
    backend.destroy(stage, table, pool_id, _print_progress)
    chalice_config.change_environment(stage, dict.fromkeys(backend.OUTPUT_OF_VARIABLE))
    print(f"The backend of {stage} is deleted.")


def _recorded_names(stage: str) -> tuple[str, str]:
    """Return the recorded table's name and user pool's id. Raises DeploymentError without them."""
    try:
        recorded = chalice_config.recorded_backend(stage)
    except NoBackend as error:
        raise DeploymentError(
            f"there is nothing to delete: the stack {backend.stack_name(stage)} has no table and "
            "no user pool in this account and region, and the stage records none."
        ) from error
    return recorded.table, UserPoolArn.parse(recorded.user_pool_arn).pool_id


def _confirmation(options: argparse.Namespace) -> str:
    confirmation: str = options.confirm
    if confirmation or not sys.stdin.isatty():
        return confirmation
    try:
        return input(f"Type the stage's name, {options.stage}, to delete them: ")
    except EOFError:
        return ""


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
    print(f"Deploying the API as {api.stack_name(stage)} ...", flush=True)
    parameters = {}
    if options.alarm_topic:
        parameters["AlarmTopic"] = options.alarm_topic
    outputs = api.deploy(stage, parameters, _print_progress)
    print(f"The API is at {api.url(outputs)}/user/profile")
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


def make_destroy(options: argparse.Namespace) -> None:
    """Delete a stage's API; keep its users and data."""
    stage = options.stage
    if api.destroy(stage, _print_progress):
        print(
            f"The API of {stage} is deleted. Users and data are kept in "
            f"{backend.stack_name(stage)}."
        )
    else:
        region = boto3.session.Session().region_name
        print(f"{stage} has no API in this account, region ({region}) and folder.")


# --- the page -------------------------------------------------------------------------------------


def make_web_config(options: argparse.Namespace) -> None:
    """Write web/config.json for a deployed stage."""
    stage = options.stage
    recorded = chalice_config.recorded_backend(stage)
    outputs = stacks.outputs(backend.stack_name(stage))
    if outputs is None:
        raise NoBackend(stage)
    profile = f"{api.deployed_url(stage)}/user/profile"
    sign_in = f"https://{outputs['UserPoolDomain']}"
    page_config.write_config(
        page_config.settings(profile, recorded.user_pool_arn, recorded.client_ids, sign_in)
    )
    print(f"web/config.json now has the settings of the stage {stage}: {profile}")
    print("To see the page, run `make web`. On a server of your own, send this header:")
    print(page_config.content_security_policy())


def _print_progress(step: str) -> None:
    print(f"  {step}", flush=True)


if __name__ == "__main__":
    main()
