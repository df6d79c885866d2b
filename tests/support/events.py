"""Events as API Gateway's REST APIs send them to the function (AWS: "Input format of a Lambda
function for proxy integration").

    user_event("GET", ada.sub, client_id)
    api_gateway_event("GET", claims=id_token_claims(ada.sub, client_id, token_use="access"))
    Request(api_gateway_event("POST", body=b'{"a": 1}'))
    api_gateway_event("PUT", claims=..., headers={"If-Match": etag}, body="{}")

For an event that API Gateway would not send, change the result: `event | {"headers": None}`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

PROFILE_PATH = "/user/profile"
REQUEST_ID = "request-1"
JSON_HEADERS = {"Content-Type": "application/json"}


def id_token_claims(sub: str, client_id: str, **others: Any) -> dict[str, Any]:
    """The claims of an id token, as API Gateway's Cognito authorizer passes them on.

    `others` are added, and replace claims of the same name: `token_use="access"`.
    """
    return {"sub": sub, "token_use": "id", "aud": client_id, **others}


def api_gateway_event(
    method: str,
    path: str = PROFILE_PATH,
    *,
    claims: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] = JSON_HEADERS,
    body: str | bytes | None = None,
) -> dict[str, Any]:
    """The event of one request.

    `path` is the route's resource path. Without `claims`, no authorizer has run. `headers` has one
    line for each name. A body of bytes is encoded in base64, as API Gateway does with binary
    bodies.
    """
    is_binary = isinstance(body, bytes)
    if isinstance(body, bytes):
        body = base64.b64encode(body).decode()
    authorizer = None
    if claims is not None:
        authorizer = {"claims": dict(claims)}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": is_binary,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "requestId": REQUEST_ID,
            "stage": "api",
            "path": f"/api{path}",
            "identity": {"sourceIp": "192.0.2.1"},
            "authorizer": authorizer,
        },
    }


OPERATOR_ARN = "arn:aws:sts::123456789012:assumed-role/billing/session"


def operator_event(
    method: str,
    path: str,
    sub: str | None = None,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] = JSON_HEADERS,
    body: str | None = None,
) -> dict[str, Any]:
    """The event of a request that a back end or an operator has signed.

    `path` is the resource path, such as /users/{sub}/profile.
    """
    event = api_gateway_event(method, path, headers=headers, body=body)
    event["requestContext"]["identity"]["userArn"] = OPERATOR_ARN
    if sub is not None:
        event["pathParameters"] = {"sub": sub}
    if query is not None:
        event["queryStringParameters"] = dict(query)
        event["multiValueQueryStringParameters"] = {name: [query[name]] for name in query}
    return event


def user_event(method: str, sub: str, client_id: str, body: str | None = None) -> dict[str, Any]:
    """The event of a request for /user/profile with the id token of user `sub`."""
    return api_gateway_event(method, claims=id_token_claims(sub, client_id), body=body)
