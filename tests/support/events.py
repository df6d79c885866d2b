"""Events as API Gateway hands them to the function."""

from __future__ import annotations

from typing import Any


def event(method: str, sub: str, client_id: str, body: str | None = None) -> dict[str, Any]:
    """What API Gateway hands to the function."""
    return {
        "resource": "/user/profile", "path": "/user/profile", "httpMethod": method,
        "headers": {"Content-Type": "application/json"}, "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": None,
        "stageVariables": None, "body": body, "isBase64Encoded": False,
        "requestContext": {
            "resourcePath": "/user/profile", "httpMethod": method, "requestId": "request-1", "stage": "api",
            "path": "/api/user/profile", "identity": {"sourceIp": "192.0.2.1"},
            "authorizer": {"claims": {"sub": sub, "token_use": "id", "aud": client_id}},
        },
    }  # fmt: skip
