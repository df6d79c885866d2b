"""API Gateway's own errors, in the format of the API's errors: RFC 9457 problems.

API Gateway responds to some requests without calling the function: no token, an unknown path, too
many requests. RESPONSES defines these responses. To write them into resources/api.json, run:

    .venv/bin/python -m deploy.gateway_responses

Reference: "Gateway response types" in the API Gateway Developer Guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import boto3

from deploy.aws import report_aws_errors
from deploy.packaging import TEMPLATE

STAGE_NAME = "api"
"""The name of API Gateway's stage: api_gateway_stage in .chalice/config.json."""
MEMBER = "x-amazon-apigateway-gateway-responses"


@dataclass(frozen=True)
class Problem:
    """The members that all responses with one status share."""

    title: str
    type: str = "about:blank"


PROBLEMS = {
    HTTPStatus.BAD_REQUEST: Problem("Bad Request"),
    HTTPStatus.UNAUTHORIZED: Problem(
        "You are not signed in", "urn:problem-type:user-profile:not-signed-in"
    ),
    HTTPStatus.FORBIDDEN: Problem("Forbidden"),
    HTTPStatus.NOT_FOUND: Problem("Not Found"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Problem("Content Too Large"),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Problem("Unsupported Media Type"),
    HTTPStatus.TOO_MANY_REQUESTS: Problem("Too Many Requests"),
    HTTPStatus.INTERNAL_SERVER_ERROR: Problem("Internal Server Error"),
    HTTPStatus.GATEWAY_TIMEOUT: Problem("Gateway Timeout"),
}


@dataclass(frozen=True)
class GatewayResponse:
    """API Gateway's response for one of its response types."""

    response_type: str
    status: HTTPStatus
    detail: str
    retry_after: int | None = None
    """In seconds. None: no Retry-After header."""


METHODS = "The API supports GET, POST, PUT, PATCH and DELETE on /user/profile."
UNKNOWN_ROUTE = f"The path does not exist or does not support this method. {METHODS}"
UNEXPECTED = "An unexpected error occurred. Report the request_id to the operator of this service."

RESPONSES = (
    GatewayResponse(
        "UNAUTHORIZED",
        HTTPStatus.UNAUTHORIZED,
        "Sign in and send your id token in the Authorization header.",
    ),
    GatewayResponse(
        "EXPIRED_TOKEN",
        HTTPStatus.UNAUTHORIZED,
        "The token has expired. Refresh it or sign in again.",
    ),
    # API Gateway reads the Authorization header of an unknown route as an AWS signature.
    GatewayResponse("INVALID_SIGNATURE", HTTPStatus.NOT_FOUND, UNKNOWN_ROUTE),
    GatewayResponse("ACCESS_DENIED", HTTPStatus.FORBIDDEN, "Access is denied."),
    GatewayResponse("INVALID_API_KEY", HTTPStatus.FORBIDDEN, "The API key is missing or unknown."),
    GatewayResponse(
        "WAF_FILTERED", HTTPStatus.FORBIDDEN, "The request was refused by a firewall rule."
    ),
    # API Gateway's response type for a request to an unknown route without a signature.
    GatewayResponse("MISSING_AUTHENTICATION_TOKEN", HTTPStatus.NOT_FOUND, UNKNOWN_ROUTE),
    GatewayResponse(
        "RESOURCE_NOT_FOUND", HTTPStatus.NOT_FOUND, f"The path does not exist. {METHODS}"
    ),
    GatewayResponse("BAD_REQUEST_BODY", HTTPStatus.BAD_REQUEST, "The body is malformed."),
    GatewayResponse(
        "BAD_REQUEST_PARAMETERS",
        HTTPStatus.BAD_REQUEST,
        "A header or parameter is malformed.",
    ),
    GatewayResponse("DEFAULT_4XX", HTTPStatus.BAD_REQUEST, "The request was refused."),
    GatewayResponse(
        "REQUEST_TOO_LARGE",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body exceeds API Gateway's limit of 10 MB.",
    ),
    GatewayResponse(
        "UNSUPPORTED_MEDIA_TYPE",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Send the body as application/json.",
    ),
    GatewayResponse(
        "QUOTA_EXCEEDED",
        HTTPStatus.TOO_MANY_REQUESTS,
        "The quota is exhausted. Try again later.",
        retry_after=60,
    ),
    GatewayResponse(
        "THROTTLED",
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests at once. Try again shortly.",
        retry_after=1,
    ),
    GatewayResponse("API_CONFIGURATION_ERROR", HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED),
    GatewayResponse("AUTHORIZER_CONFIGURATION_ERROR", HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED),
    GatewayResponse("AUTHORIZER_FAILURE", HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED),
    GatewayResponse("DEFAULT_5XX", HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED),
    GatewayResponse(
        "INTEGRATION_FAILURE",
        HTTPStatus.GATEWAY_TIMEOUT,
        "The service did not respond. Try again shortly.",
        retry_after=1,
    ),
    GatewayResponse(
        "INTEGRATION_TIMEOUT",
        HTTPStatus.GATEWAY_TIMEOUT,
        "The service did not respond in time. Try again shortly.",
        retry_after=1,
    ),
)


def gateway_responses() -> dict[str, dict[str, Any]]:
    """Return RESPONSES in the format of an OpenAPI definition for API Gateway."""
    return {
        response.response_type: {
            "statusCode": str(response.status.value),
            "responseParameters": _headers(response),
            "responseTemplates": {"application/json": _body(response)},
        }
        for response in RESPONSES
    }


def _headers(response: GatewayResponse) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag,Retry-After",
        "Cache-Control": "no-store",
        "Content-Type": "application/problem+json",
    }
    if response.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="user-profile"'
    if response.retry_after is not None:
        headers["Retry-After"] = str(response.retry_after)
    # API Gateway uses text in quotes unchanged. Without quotes it would be an expression.
    return {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()}


def _body(response: GatewayResponse) -> str:
    problem = PROBLEMS[response.status]
    return json.dumps(
        {
            "type": problem.type,
            "title": problem.title,
            "status": response.status.value,
            "detail": response.detail,
            "request_id": "$context.requestId",  # replaced by API Gateway
        }
    )


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
            restApiId=api_id, stageName=STAGE_NAME, description="gateway responses"
        )


def main() -> None:
    """Write the gateway responses into resources/api.json."""
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][MEMBER] = gateway_responses()
    TEMPLATE.write_text(json.dumps(template, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
