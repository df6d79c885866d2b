"""The commands behind `make backend`, `make deploy` and their like: python -m deploy COMMAND STAGE."""

# ruff: noqa: E402

from __future__ import annotations

import signal

signal.signal(
    signal.SIGINT, signal.SIG_DFL
)  # while the imports below take their time, Ctrl-C simply ends us

import argparse
import os
import sys
from contextlib import suppress

import boto3

from deploy import api, backend, chalice_config, page_config, stacks
from deploy.stacks import DeploymentError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in COMMANDS.items():
        command = commands.add_parser(name, help=(does.__doc__ or "").partition(".")[0])
        command.add_argument("stage")
        for option in OPTIONS.get(name, ()):
            command.add_argument(f"--{option}", default="")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # boto3 reads the one name alone, the AWS command line and Lambda know both.
    if "AWS_REGION" in os.environ and not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = os.environ["AWS_REGION"]
    try:
        if not options.stage:
            raise DeploymentError(f"say which stage: make {options.command} STAGE=dev")
        if options.stage == "local":
            raise DeploymentError(
                "the stage local lives on this machine: make local. Choose dev or prod."
            )
        chalice_config.environment(options.stage)
        if options.command != "package":
            api.use_account_of(options.stage)
        COMMANDS[options.command](options)
    except DeploymentError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(
            "Interrupted. What AWS was told already goes on; run the same command again to see it through."
        )


def make_backend(options: argparse.Namespace) -> None:
    """Create or update the table, the user pool and its sign-in page, and record them for Chalice."""
    given = {
        "DomainSuffix": options.domain_suffix,
        "CallbackUrls": options.callback_urls,
        "LogoutUrls": options.logout_urls,
    }
    parameters = {name: value for name, value in given.items() if value}
    name = backend.stack_name(options.stage)
    chalice_config.change_environment(options.stage, {})  # whether it could be
    if "DomainSuffix" not in parameters and stacks.outputs(name) is None:
        parameters["DomainSuffix"] = stacks.account()
    print(f"Deploying resources/backend.yaml as {name} ...", flush=True)
    outputs = backend.deploy(options.stage, parameters, _progress)
    before, found = chalice_config.environment(options.stage), backend.chalice_environment(outputs)
    if before.get("USER_POOL_ARN") == found["USER_POOL_ARN"]:
        found |= {
            name: value for name, value in before.items() if name in found
        }  # a restored table, more client ids
    recorded = chalice_config.change_environment(options.stage, found)
    for output, value in sorted(outputs.items()):
        print(f"  {output:<17}{value}")
    print(
        f"Recorded in {chalice_config.FILE}; commit it."
        if recorded
        else "Nothing to record: Chalice knows it."
    )
    print(f"Next: make deploy STAGE={options.stage}")


def make_package(options: argparse.Namespace) -> None:
    """Build the stage's package and template."""
    api.check_stage(options.stage)
    folder = api.package(options.stage)
    print(
        f"{folder}/sam.json and {folder}/deployment.zip are what `make deploy STAGE={options.stage}` deploys."
    )


def make_deploy(options: argparse.Namespace) -> None:
    """Package the API, upload it and deploy it."""
    api.check_stage(options.stage)
    print(f"Deploying the API as {api.stack_name(options.stage)} ...", flush=True)
    topic = {"AlarmTopic": options.alarm_topic} if options.alarm_topic else {}
    outputs = api.deploy(options.stage, topic, _progress)
    print(f"The API is at {api.url(outputs)}/user/profile")
    print(f"Try it: make smoke STAGE={options.stage} EMAIL=... PASSWORD=...")


def make_gateway(options: argparse.Namespace) -> None:
    """Give an API of `chalice deploy` its gateway responses."""
    api_id = api.deployed_by_chalice(options.stage)
    if api_id is None:
        raise DeploymentError(
            f"`chalice deploy --stage {options.stage}` has not been run here. (An API of `make deploy` has no need.)"
        )
    api.put_gateway_responses(api_id)
    print(
        "API Gateway's own errors have the API's shape now. The next `chalice deploy` takes it away again."
    )


def web_config(options: argparse.Namespace) -> None:
    """Write the reference front end's settings."""
    recorded = chalice_config.environment(options.stage)
    found = stacks.outputs(backend.stack_name(options.stage))
    if found is None or "USER_POOL_ARN" not in recorded:
        raise DeploymentError(
            f"the stage {options.stage} has no backend yet. Run: make backend STAGE={options.stage}"
        )
    profile = f"{api.deployed_url(options.stage)}/user/profile"
    sign_in = f"https://{found['UserPoolDomain']}"
    page_config.write_config(
        page_config.settings(
            profile, recorded["USER_POOL_ARN"], recorded["USER_POOL_CLIENT_ID"], sign_in
        )
    )
    print(f"web/config.json is for the stage {options.stage} now: {profile}")
    print(
        f"Look at the page with `make web`, or serve web/ with this header:\n{page_config.content_security_policy()}"
    )


def destroy(options: argparse.Namespace) -> None:
    """Take the API down."""
    found = api.destroy(options.stage, _progress)
    left = f"Users and data are where they were, in {backend.stack_name(options.stage)}."
    here = f"this account, region ({boto3.session.Session().region_name}) and folder"
    print(
        f"The API of {options.stage} is gone. {left}"
        if found
        else f"{options.stage} has no API in {here}."
    )


def destroy_backend(options: argparse.Namespace) -> None:
    """Delete users and data, when the stage's name is typed."""
    name = backend.stack_name(options.stage)
    if stacks.outputs(api.stack_name(options.stage)) is not None or api.deployed_by_chalice(
        options.stage
    ):
        raise DeploymentError(
            f"the API still uses it. Take that down first: make destroy STAGE={options.stage}"
        )
    recorded = chalice_config.environment(options.stage)
    outputs = stacks.outputs(name) or {}
    table = outputs.get("TableName") or recorded.get("DYNAMODB_TABLE")
    pool_id = outputs.get("UserPoolId") or recorded.get("USER_POOL_ARN", "").rpartition("/")[2]
    if not table or not pool_id:
        raise DeploymentError(
            f"there is no stack {name} in this account and region, and no backend is recorded."
        )
    if outputs:
        print(
            f"This deletes {backend.holdings(table, pool_id)}. Users cannot be restored.",
            flush=True,
        )
    else:
        print(
            f"This deletes what is left of {name}: the table {table} and the user pool {pool_id}.",
            flush=True,
        )
    confirm = options.confirm
    if not confirm and sys.stdin.isatty():
        with suppress(EOFError):
            confirm = input(f"Type the stage's name, {options.stage}, to delete them: ")
    if confirm != options.stage:
        raise DeploymentError(
            f"nothing was deleted. Say CONFIRM={options.stage}, or type it when asked."
        )
    backend.destroy(options.stage, table, pool_id, _progress)
    chalice_config.change_environment(options.stage, dict.fromkeys(backend.RECORDED))
    print(f"The backend of {options.stage} is gone.")


def _progress(line: str) -> None:
    print(f"  {line}", flush=True)


COMMANDS = {
    "backend": make_backend,
    "package": make_package,
    "deploy": make_deploy,
    "gateway": make_gateway,
    "web-config": web_config,
    "destroy": destroy,
    "destroy-backend": destroy_backend,
}
OPTIONS = {
    "backend": ("domain-suffix", "callback-urls", "logout-urls"),
    "deploy": ("alarm-topic",),
    "destroy-backend": ("confirm",),
}

if __name__ == "__main__":
    main()
