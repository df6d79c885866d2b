"""The API of a stage. It can be deployed and deleted without touching users or data.

Chalice packages it, together with resources/api.json; CloudFormation deploys it as the stack
`<app_name>-<stage>`. These functions also find an API that `chalice deploy` created.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3

from deploy import (
    api_logs,
    api_settings,
    backend,
    chalice_cli,
    chalice_config,
    gateway_logs_role,
    lookup,
    ownership,
    packaging,
    stacks,
)
from deploy.aws import report_aws_errors
from deploy.chalice_config import API_GATEWAY_STAGE
from deploy.errors import DeploymentError
from deploy.stacks import Progress, Stack
from deploy.template import Template, load


def stack_name(stage: str) -> str:
    """Return the name of the stage's API stack. Raises DeploymentError."""
    return chalice_config.resource_name(stage)


def deploy(
    stage: str,
    parameters: Mapping[str, str],
    progress: Progress,
    role_arn: str = "",
    *,
    overwrite: bool = False,
) -> dict[str, str]:
    """Package the stage, upload the package and deploy the stack; return the stack's outputs.

    `parameters` are those of resources/api.json. `role_arn` is the role with which CloudFormation
    acts, or empty. Raises DeploymentError, also if the stack belongs to another owner, or if
    settings of API Gateway's stage would be lost and not `overwrite`.
    """
    name = stack_name(stage)
    stack = stacks.describe_at_rest(name, progress)
    ownership.require_own(stack, name, stage)
    if stack is not None:
        stacks.check_can_be_updated(name, stack.status)
    if chalice_cli.has_record(stage):
        raise DeploymentError(
            f"chalice deploy has deployed the API of {stage} already. A second API on the same "
            f"table was refused. To use make deploy, run: make destroy STAGE={stage}"
        )
    if stack is None:
        refuse_unrecorded_function(stage)
    claim = ownership.claim(stage, stack, role_arn)
    live = None
    if stack is not None:
        live = lookup.find_function_configuration(stack.outputs.get("APIHandlerName", ""))
        if not overwrite:
            _refuse_lost_method_settings(stage, name, stack)
    if live is not None:
        _report_other_backend(stage, live, progress)
    folder = packaging.build(stage)
    progress("packaged")
    template = json.loads((folder / "sam.json").read_text(encoding="utf-8"))
    function = template["Resources"]["APIHandler"]["Properties"]
    if live is not None:
        _report_other_runtime(live, function, progress)
    function["CodeUri"] = packaging.upload(folder / "deployment.zip")
    progress("uploaded")
    every_parameter = _used_parameters(parameters, template, progress)
    if stack is None:
        gateway_logs_role.ensure(progress, parameters.get("PermissionsBoundary", ""))
        every_parameter |= api_logs.parameters_of_new_stack(name, progress)
    return stacks.deploy(
        name,
        packaging.upload_template(json.dumps(template)),
        every_parameter,
        progress,
        claim,
    )


def _used_parameters(
    parameters: Mapping[str, str], template: Template, progress: Progress
) -> dict[str, str]:
    """Return the parameters that the stage's template has; report those that it does not have.

    A stage without /profiles, for example, has no parameters for it.
    """
    declared = template["Parameters"]
    for name in sorted(set(parameters) - set(declared)):
        progress(f"the parameter {name} has no effect: the stage lacks the routes that it is for")
    return {name: value for name, value in parameters.items() if name in declared}


def set_log_retention(stage: str) -> list[str]:
    """Set the retention of the log groups that the deployed stack uses and did not make.

    Returns notes about groups that stay as they are. Raises DeploymentError.
    """
    name = stack_name(stage)
    stack = stacks.describe(name)
    if stack is None:
        return []
    return api_logs.set_retention(name, stage, stack.parameters)


def _report_other_backend(stage: str, live: Mapping[str, Any], progress: Progress) -> None:
    """Report each variable of the backend that this deployment changes, such as the table.

    `live` is the configuration of the deployed function.
    """
    recorded = chalice_config.environment(stage)
    variables = lookup.function_variables(live)
    for variable in backend.OUTPUT_OF_VARIABLE:
        before = variables.get(variable, "")
        after = recorded.get(variable, "")
        if before != after:
            progress(f"{variable} changes from {before or 'nothing'} to {after or 'nothing'}")


def _report_other_runtime(
    live: Mapping[str, Any], function: Mapping[str, Any], progress: Progress
) -> None:
    """Report another Python version or architecture than that of the deployed function.

    `live` is its configuration, and `function` the function's properties in the new template.
    """
    before = (live["Runtime"], *live["Architectures"])
    after = (function["Runtime"], *function["Architectures"])
    if before != after:
        progress(f"the function changes from {' on '.join(before)} to {' on '.join(after)}")


def _refuse_lost_method_settings(stage: str, name: str, stack: Stack) -> None:
    """Refuse to replace throttling and logging that somebody set for API Gateway's stage.

    Earlier versions of resources/api.json set none, so it was set in the console or elsewhere.
    """
    # It is YAML if somebody has deployed it with `aws cloudformation package`.
    deployed = load(stacks.deployed_template(name), f"the template of {name}")
    api = deployed["Resources"].get("RestAPI", {}).get("Properties", {})
    api_id = stack.outputs.get("RestAPIId")
    if api_id is None or "MethodSettings" in api:
        return
    with report_aws_errors("reading the settings of API Gateway's stage"):
        client = boto3.client("apigateway")
        try:
            live = client.get_stage(restApiId=api_id, stageName=API_GATEWAY_STAGE)
        except client.exceptions.NotFoundException:
            return
    methods = sorted(live.get("methodSettings", {}))
    if methods:
        raise DeploymentError(
            f"settings of API Gateway's stage were changed elsewhere, and this deployment replaces "
            f"them: those of {', '.join(methods)}, such as throttling and logging. Set the "
            f"throttling with PARAMETERS (see docs/settings.md), and give OVERWRITE=yes: make "
            f"deploy STAGE={stage} OVERWRITE=yes"
        )


def url(outputs: Mapping[str, str]) -> str:
    """Return the URL of the API whose stack has these outputs: at its custom domain if it has one.

    If AWS_ENDPOINT_URL names an emulator, it is the emulator's URL.
    """
    emulator = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    if emulator:
        return f"{emulator}/restapis/{outputs['RestAPIId']}/{API_GATEWAY_STAGE}/_user_request_"
    if "CustomDomainURL" in outputs:
        return outputs["CustomDomainURL"]
    return outputs["EndpointURL"].rstrip("/")


def deployed_url(stage: str) -> str:
    """Return the URL of the stage's API, however it was deployed. Raises DeploymentError."""
    outputs = stacks.outputs(stack_name(stage))
    if outputs is not None:
        return url(outputs)
    by_chalice = chalice_cli.deployed_api(stage)
    if by_chalice is not None:
        by_chalice_outputs = {"RestAPIId": by_chalice.api_id, "EndpointURL": by_chalice.url}
        domain = api_settings.custom_domain(stage)
        if domain is not None:
            by_chalice_outputs["CustomDomainURL"] = domain.url
        return url(by_chalice_outputs)
    raise not_deployed(stage)


def not_deployed(stage: str) -> DeploymentError:
    """Return the error for a stage without an API."""
    return DeploymentError(
        f"the API of {stage} is not deployed yet. Run: make deploy STAGE={stage}"
    )


def function_name(stage: str) -> str:
    """Return the name that the API's function has, however it was deployed.

    There may be no such function. It is empty if the creation of the stack failed. Raises
    DeploymentError.
    """
    outputs = stacks.outputs(stack_name(stage))
    if outputs is None:
        return chalice_config.resource_name(stage)  # as `chalice deploy` names it
    return outputs.get("APIHandlerName", "")


def deployed_variables(stage: str) -> dict[str, str] | None:
    """Return the environment variables of the stage's function, however it was deployed.

    None if it is not deployed. Raises DeploymentError, also if the shell may not read them.
    """
    outputs = stacks.outputs(stack_name(stage))
    if outputs is None:
        return lookup.find_function(chalice_config.resource_name(stage))
    return lookup.find_function(outputs.get("APIHandlerName", ""))


def is_deployed(stage: str) -> bool:
    """Return whether the stage has an API that `destroy` can delete. Raises DeploymentError."""
    return stacks.describe(stack_name(stage)) is not None or chalice_cli.has_record(stage)


def refuse_unrecorded_function(stage: str) -> None:
    """Raise DeploymentError if `chalice deploy` made a function that this folder does not record.

    Its deployment was interrupted, or the record is in another clone. The function uses the stage's
    table, and only `chalice deploy` can find what it made besides the function.
    """
    if chalice_cli.records_function(stage):
        return
    name = chalice_config.resource_name(stage)
    function = lookup.find_function(name)
    recorded_table = chalice_config.environment(stage).get("DYNAMODB_TABLE", "")
    if function is None or function.get("DYNAMODB_TABLE") != recorded_table:
        return
    raise DeploymentError(
        f"chalice deploy made the function {name}, which uses the table of {stage}, and "
        f"{chalice_cli.record_file(stage)} does not record it: chalice deploy was interrupted, or "
        f"was run in another clone. In the clone with the record, run: make destroy STAGE={stage}. "
        f"If there is none, run chalice deploy --stage {stage} here to complete it, and then make "
        f"destroy STAGE={stage}."
    )


def destroy(stage: str, progress: Progress, role_arn: str = "", *, keep_logs: bool = False) -> bool:
    """Delete the stage's API, however it was deployed. Return False if there was none.

    `role_arn` is as in stacks.delete. The log groups are deleted too, unless `keep_logs`. Raises
    DeploymentError, also if the stack belongs to another owner, or if a function of `chalice
    deploy` is left.
    """
    name = stack_name(stage)
    stack = stacks.describe_at_rest(name, progress)
    ownership.require_own(stack, name, stage)
    made_logs = []
    if stack is not None:
        made_logs = api_logs.made_by(name)
        if keep_logs:
            api_logs.refuse_to_keep_what_the_stack_deletes(name, stage)
    was_deployed = stacks.delete(name, progress, role_arn)
    if not keep_logs:
        api_logs.delete(name, stage, made_logs, progress)
    if chalice_cli.has_record(stage):
        chalice_cli.run_chalice("delete", "--stage", stage)
        was_deployed = True
    refuse_unrecorded_function(stage)
    return was_deployed
