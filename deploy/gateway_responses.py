"""API Gateway's own errors, in the format of the API's errors: RFC 9457 problems.

API Gateway responds to some requests without calling the function: no token, an unknown path, too
many requests. RESPONSES defines these responses. To write them into resources/api.json, run:

    .venv/bin/python -m deploy.gateway_responses

Reference: "Gateway response types" in the API Gateway Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from chalicelib.errors import NotSignedIn
from chalicelib.identity import NOT_SIGNED_IN
from chalicelib.problems import UNEXPECTED, Problem, generic_problem, problem_for
from deploy.aws import report_aws_errors
from deploy.chalice_config import API_GATEWAY_STAGE
from deploy.packaging import TEMPLATE

MEMBER = "x-amazon-apigateway-gateway-responses"
REQUEST_ID = "$context.requestId"
"""API Gateway replaces it."""

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
    "REQUEST_TOO_LARGE": generic_problem(
        413, "The body exceeds the limits of API Gateway (10 MB) or Lambda (6 MB)."
    ),
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
    "INTEGRATION_FAILURE": generic_problem(
        504, "The service did not respond. Try again shortly.", RETRY_SHORTLY
    ),
    "INTEGRATION_TIMEOUT": generic_problem(
        504, "The service did not respond in time. Try again shortly.", RETRY_SHORTLY
    ),
}
"""The problem for each of API Gateway's response types that has one status."""


@dataclass(frozen=True)
class Fallback:
    """The problem for errors of several statuses. It does not name the status."""

    title: str
    detail: str


FALLBACKS: dict[str, Fallback] = {
    "DEFAULT_4XX": Fallback("Request refused", "The request was refused."),
    "DEFAULT_5XX": Fallback(UNEXPECTED.title, UNEXPECTED.detail),
}
"""The problem for all other errors. A status here would replace the status of each of them."""


def gateway_responses() -> dict[str, dict[str, Any]]:
    """Return all responses in the format of an OpenAPI definition for API Gateway."""
    responses = {
        response_type: {
            "statusCode": str(problem.status.value),
            **_response(problem.headers, problem.document(REQUEST_ID)),
        }
        for response_type, problem in RESPONSES.items()
    }
    for response_type, fallback in FALLBACKS.items():
        document = {
            "type": "about:blank",
            "title": fallback.title,
            "detail": fallback.detail,
            "request_id": REQUEST_ID,
        }
        responses[response_type] = _response({}, document)
    return responses


def _response(
    additional_headers: Mapping[str, str | list[str]], document: Mapping[str, Any]
) -> dict[str, Any]:
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag,Retry-After",
        "Cache-Control": "no-store",
        "Content-Type": "application/problem+json",
        **additional_headers,
    }
    return {
        # API Gateway uses text in quotes unchanged. Without quotes it would be an expression.
        "responseParameters": {
            f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()
        },
        "responseTemplates": {"application/json": json.dumps(document)},
    }


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
