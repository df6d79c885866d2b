"""The API of a stage, what may come and go without touching users or data: packaged by Chalice, merged with
resources/api.json, deployed as the stack `user-profile-<stage>`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy import chalice_config, stacks
from deploy.stacks import DeploymentError, aws_errors

TEMPLATE = Path(__file__).parents[1] / "resources" / "api.json"
STAGE_NAME = "api"  # of API Gateway: "api_gateway_stage" in .chalice/config.json


def stack_name(stage: str) -> str:
    return f"user-profile-{stage}"


def check_stage(stage: str, profile: str | None = None) -> None:
    """Raise DeploymentError where deploying `stage` could not end well: no backend, another region, a schema alone."""
    recorded = chalice_config.environment(stage)
    if not recorded.get("USER_POOL_ARN") or not recorded.get("DYNAMODB_TABLE"):
        raise DeploymentError(
            f"the stage {stage} has no backend yet. Run: make backend STAGE={stage}"
        )
    if others := chalice_config.sharing(stage):
        raise DeploymentError(
            f"{stage} and {' and '.join(others)} record the same table. Empty the environment_variables of the copy, "
            "and run make backend STAGE=... for it."
        )
    if f':table/{recorded["DYNAMODB_TABLE"]}"' not in chalice_config.policy(stage):
        raise DeploymentError(
            f"the policy of {stage} does not name the table {recorded['DYNAMODB_TABLE']}: every request would fail. "
            "See iam_policy_file in .chalice/config.json."
        )
    use_region_of(stage, profile)
    packaged = Path("requirements.txt").read_text().lower()
    if recorded.get("PROFILE_SCHEMA") and not re.search(
        "^jsonschema[-_]rs", packaged, re.MULTILINE
    ):
        raise DeploymentError(
            "PROFILE_SCHEMA needs jsonschema-rs in requirements.txt: the package is built from it."
        )


def use_region_of(stage: str, profile: str | None = None) -> str | None:
    """The account that the stage's backend is in, None if it has none yet.

    A shell (or AWS profile) without a region gets the backend's; one of another region raises DeploymentError.
    """
    arn = chalice_config.environment(stage).get("USER_POOL_ARN")
    if not arn:
        return None
    if len(arn.split(":")) != 6:
        raise DeploymentError(
            f"the USER_POOL_ARN of the stage {stage} is {arn!r}, which is no ARN. See make backend."
        )
    _, _, _, there, account, _ = arn.split(":")
    with aws_errors("a look at the shell's settings"):
        here = boto3.session.Session(profile_name=profile).region_name
    if here is None:
        os.environ["AWS_DEFAULT_REGION"] = there
    elif here != there:
        raise DeploymentError(
            f"the backend of {stage} is in {there}, and this shell is for {here}. Say AWS_DEFAULT_REGION={there}."
        )
    return account


def use_account_of(stage: str) -> None:
    """Raise DeploymentError if the shell is signed in to another account or region than the stage's backend is in."""
    there = use_region_of(stage)
    here = stacks.account()
    if there not in (None, here):
        raise DeploymentError(
            f"the backend of {stage} is in the account {there}, and this shell is signed in to {here}. Sign in to the "
            "other, or empty the stage's environment_variables in .chalice/config.json to begin anew here."
        )


def package(stage: str) -> Path:
    """Build deployment.zip and sam.json of a stage that check_stage lets pass; return their folder. Raises
    DeploymentError."""
    folder = Path("out") / stage
    _chalice("package", "--stage", stage, "--merge-template", str(TEMPLATE), str(folder))
    return folder


def deploy(
    stage: str, parameters: dict[str, str], progress: Callable[[str], None]
) -> dict[str, str]:
    """Package the stage, upload the package and deploy the stack; return its outputs. Raises DeploymentError."""
    folder = package(stage)
    progress("packaged")
    template = json.loads((folder / "sam.json").read_text())
    template["Resources"]["APIHandler"]["Properties"]["CodeUri"] = upload(folder / "deployment.zip")
    progress("uploaded")
    return stacks.deploy(
        stack_name(stage),
        json.dumps(template),
        {**parameters, **_logs_role(stage)},
        progress,
        ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
    )


def upload(file: Path) -> str:
    """Put `file` into the account's bucket for packages, under the name of its content; return its s3:// address."""
    content = file.read_bytes()
    key = hashlib.sha256(content).hexdigest() + file.suffix
    with aws_errors("to upload the package"):
        client = boto3.client("s3")
        account = stacks.account()
        bucket = f"user-profile-packages-{account}-{client.meta.region_name}"
        ours: Any = {
            "Bucket": bucket,
            "ExpectedBucketOwner": account,
        }  # anybody could have made it before us
        where: Any = {"LocationConstraint": client.meta.region_name}
        try:
            client.head_bucket(**ours)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise DeploymentError(f"the bucket {bucket} cannot be used: {error}") from error
            # us-east-1 is the one region that is not named. New buckets are private and encrypted.
            client.create_bucket(
                Bucket=bucket,
                **(
                    {}
                    if client.meta.region_name == "us-east-1"
                    else {"CreateBucketConfiguration": where}
                ),
            )
        client.put_object(**ours, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def url(outputs: Mapping[str, str]) -> str:
    """Where the deployed API answers, given the stack's outputs: on AWS, or on the emulator that the shell names."""
    emulator = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    at_emulator = f"{emulator}/restapis/{outputs['RestAPIId']}/{STAGE_NAME}/_user_request_"
    return at_emulator if emulator else outputs["EndpointURL"].rstrip("/")


def deployed_url(stage: str) -> str:
    """Where the stage's API answers, whichever way it was deployed. Raises DeploymentError where it was not."""
    if found := stacks.outputs(stack_name(stage)):
        return url(found)
    if made := _made_by_chalice(stage):
        return url({"RestAPIId": made["rest_api_id"], "EndpointURL": made["rest_api_url"]})
    raise DeploymentError(f"the API of {stage} is not deployed yet. Run: make deploy STAGE={stage}")


def put_gateway_responses(api_id: str) -> None:
    """Give the API the gateway responses of resources/api.json, and deploy it with them. Raises DeploymentError."""
    definition = json.loads(TEMPLATE.read_text())["Resources"]["RestAPI"]["Properties"][
        "DefinitionBody"
    ]
    with aws_errors(f"the gateway responses of the API {api_id}"):
        client = boto3.client("apigateway")
        for kind, response in definition["x-amazon-apigateway-gateway-responses"].items():
            client.put_gateway_response(restApiId=api_id, responseType=kind, **response)
        client.create_deployment(
            restApiId=api_id, stageName=STAGE_NAME, description="gateway responses"
        )


def destroy(stage: str, progress: Callable[[str], None]) -> bool:
    """Take the stage's API down, whichever way it was deployed; False if there was none. Raises DeploymentError."""
    by_chalice = deployed_by_chalice(stage)
    found = stacks.delete(stack_name(stage), progress)
    if by_chalice:
        _chalice("delete", "--stage", stage)
        found = True
    return found


def deployed_by_chalice(stage: str) -> str | None:
    """The id of the API that `chalice deploy` made for the stage from here, which Chalice recorded; or None."""
    made = _made_by_chalice(stage)
    return made["rest_api_id"] if made else None


def _made_by_chalice(stage: str) -> dict[str, str] | None:
    try:
        record = json.loads((Path(".chalice/deployed") / f"{stage}.json").read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DeploymentError(
            f"cannot read .chalice/deployed/{stage}.json, Chalice's own record: {error}"
        ) from error
    return next(
        (resource for resource in record["resources"] if resource["resource_type"] == "rest_api"),
        None,
    )


def _logs_role(stage: str) -> dict[str, str]:
    """The parameter that has the stack give API Gateway a role for writing logs, where account and region have none.

    Once given it stays as it is, with the stack's other parameters.
    """
    with aws_errors("a look at API Gateway's settings"):
        has_role = "cloudwatchRoleArn" in boto3.client("apigateway").get_account()
    return (
        {}
        if has_role or stacks.outputs(stack_name(stage)) is not None
        else {"AccountLogsRole": "true"}
    )


def _chalice(*arguments: str) -> None:
    """Run a `chalice` command, its output ours. Raises DeploymentError."""
    command = [str(Path(sys.executable).with_name("chalice")), *arguments]
    if subprocess.run(command, env=os.environ, check=False).returncode:
        raise DeploymentError(f"`chalice {arguments[0]}` failed; what it said is above.")
