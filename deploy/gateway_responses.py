"""API Gateway's own errors, in the format of the API's errors: RFC 9457 problems.

API Gateway responds to some requests without calling the function: no token, an unknown path, too
many requests. RESPONSES defines these responses. To write them into resources/api.json, run:

    .venv/bin/python -m deploy.gateway_responses

Reference: "Gateway response types" in the API Gateway Developer Guide.
"""

from __future__ import annotations

import json
from typing import Any

import boto3

from chalicelib.errors import NotSignedIn
from chalicelib.identity import NOT_SIGNED_IN
from chalicelib.problems import UNEXPECTED, Problem, generic_problem, problem_for
from deploy.aws import report_aws_errors
from deploy.chalice_config import API_GATEWAY_STAGE
from deploy.packaging import TEMPLATE

MEMBER = "x-amazon-apigateway-gateway-responses"

NOT_FOUND_OR_UNSIGNED = "There is nothing here, or it needs a signature."
NOT_AUTHORIZED = "The request is not authorized."
"""Neutral: API Gateway has one response of a type for all paths."""
RETRY_SHORTLY = {"Retry-After": "1"}
RETRY_IN_A_MINUTE = {"Retry-After": "60"}

RESPONSES: dict[str, Problem] = {
    "UNAUTHORIZED": problem_for(NotSignedIn(NOT_SIGNED_IN)),
    "EXPIRED_TOKEN": problem_for(
        NotSignedIn(
            "The token or the signature has expired. Get a new token, or sign the request again."
        )
    ),
    # Under /users, a wrong signature. Elsewhere, an unknown route with a token in Authorization,
    # which API Gateway reads as an AWS signature.
    "INVALID_SIGNATURE": generic_problem(403, NOT_AUTHORIZED),
    "ACCESS_DENIED": generic_problem(403, NOT_AUTHORIZED),
    "INVALID_API_KEY": generic_problem(403, "The API key is missing or unknown."),
    "WAF_FILTERED": generic_problem(403, "The request was refused by a firewall rule."),
    # API Gateway's response type for an unknown route, and for a request under /users without a
    # signature.
    "MISSING_AUTHENTICATION_TOKEN": generic_problem(404, NOT_FOUND_OR_UNSIGNED),
    "RESOURCE_NOT_FOUND": generic_problem(404, "The path does not exist."),
    "BAD_REQUEST_BODY": generic_problem(400, "The body is malformed."),
    "BAD_REQUEST_PARAMETERS": generic_problem(400, "A header or parameter is malformed."),
    "DEFAULT_4XX": generic_problem(400, "The request was refused."),
    "REQUEST_TOO_LARGE": generic_problem(413, "The body exceeds API Gateway's limit of 10 MB."),
    "UNSUPPORTED_MEDIA_TYPE": generic_problem(415, "Send the body as application/json."),
    "QUOTA_EXCEEDED": generic_problem(
        429, "The quota is exhausted. Try again later.", RETRY_IN_A_MINUTE
    ),
    "THROTTLED": generic_problem(
        429, "Too many requests at once. Try again shortly.", RETRY_SHORTLY
    ),
    "API_CONFIGURATION_ERROR": UNEXPECTED,
    "AUTHORIZER_CONFIGURATION_ERROR": UNEXPECTED,
    "AUTHORIZER_FAILURE": UNEXPECTED,
    "DEFAULT_5XX": UNEXPECTED,
    "INTEGRATION_FAILURE": generic_problem(
        504, "The service did not respond. Try again shortly.", RETRY_SHORTLY
    ),
    "INTEGRATION_TIMEOUT": generic_problem(
        504, "The service did not respond in time. Try again shortly.", RETRY_SHORTLY
    ),
}
"""The problem for each of API Gateway's response types."""


def gateway_responses() -> dict[str, dict[str, Any]]:
    """Return RESPONSES in the format of an OpenAPI definition for API Gateway."""
    return {
        response_type: {
            "statusCode": str(problem.status.value),
            "responseParameters": _headers(problem),
            "responseTemplates": {"application/json": _body(problem)},
        }
        for response_type, problem in RESPONSES.items()
    }


def _headers(problem: Problem) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag,Retry-After",
        "Cache-Control": "no-store",
        "Content-Type": "application/problem+json",
        **problem.headers,
    }
    # API Gateway uses text in quotes unchanged. Without quotes it would be an expression.
    return {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()}


def _body(problem: Problem) -> str:
    return json.dumps(problem.document("$context.requestId"))  # API Gateway replaces it


def put_gateway_responses(api_id: str) -> None:
    """Set these responses on a deployed API, and deploy it again. Raises DeploymentError."""
    with report_aws_errors(f"the gateway responses of the API {api_id}"):
        client = boto3.client("apigateway")
        for response_type, response in gateway_responses().items():
            client.put_gateway_response(
                restApiId=api_id,
                responseType=response_type,  # type: ignore[arg-type]
                **response,
            )
        client.create_deployment(
            restApiId=api_id, stageName=API_GATEWAY_STAGE, description="gateway responses"
        )


def main() -> None:
    """Write the gateway responses into resources/api.json."""
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][MEMBER] = gateway_responses()
    TEMPLATE.write_text(json.dumps(template, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
