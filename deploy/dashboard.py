"""The CloudWatch dashboard of a stage's API: requests, latency, throttles, database, costs.

The names in ${...} are replaced by CloudFormation.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from deploy.chalice_config import API_GATEWAY_STAGE

Metric: TypeAlias = list[Any]

WIDTH = 8
"""Units of a widget's width. A dashboard is 24 units wide."""
HEIGHT = 6
COLUMNS = 3
PERIOD_SECONDS = 300
SUM = "Sum"

API = ("ApiName", "${AWS::StackName}", "Stage", API_GATEWAY_STAGE)
FUNCTION = ("FunctionName", "${APIHandler}")
TABLE = ("TableName", "${Table}")
INDEX = (*TABLE, "GlobalSecondaryIndexName", "sk-pk-index")
USERS = ("UserPool", "${UserPool}", "UserPoolClient", "${UserPoolClient}")
OPERATIONS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchGetItem")
"""The calls of DynamoDB that the function makes."""


def body() -> str:
    """Return the dashboard's body, with the names in ${...}."""
    widgets = [
        _widget("Requests", _requests()),
        _widget("Latency in milliseconds", _latency()),
        _widget("Throttled requests", _throttles()),
        _widget("Function", _function()),
        _widget("Database calls", _database_calls()),
        _widget("Database units, which cost", _database_units()),
        _widget("Sign-ins", _sign_ins()),
        _widget("Function time in milliseconds, which costs", _function_time()),
        _widget("Bytes of logs, which cost", _logs()),
    ]
    for number, widget in enumerate(widgets):
        widget["x"] = number % COLUMNS * WIDTH
        widget["y"] = number // COLUMNS * HEIGHT
    return json.dumps({"widgets": widgets})


def _widget(title: str, metrics: list[Metric]) -> dict[str, Any]:
    return {
        "type": "metric",
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": title,
            "metrics": metrics,
            "region": "${AWS::Region}",
            "period": PERIOD_SECONDS,
            "view": "timeSeries",
        },
    }


def _metric(
    namespace: str, name: str, dimensions: tuple[str, ...], statistic: str, label: str
) -> Metric:
    return [namespace, name, *dimensions, {"stat": statistic, "label": label}]


def _requests() -> list[Metric]:
    return [
        _metric("AWS/ApiGateway", "Count", API, "SampleCount", "all"),
        _metric("AWS/ApiGateway", "4XXError", API, SUM, "4xx"),
        _metric("AWS/ApiGateway", "5XXError", API, SUM, "5xx"),
    ]


def _latency() -> list[Metric]:
    return [
        _metric("AWS/ApiGateway", "Latency", API, "p50", "p50"),
        _metric("AWS/ApiGateway", "Latency", API, "p99", "p99"),
        _metric("AWS/ApiGateway", "IntegrationLatency", API, "p99", "p99 of the function"),
    ]


def _throttles() -> list[Metric]:
    return [
        _metric("AWS/Lambda", "Throttles", FUNCTION, SUM, "function"),
        _metric("AWS/DynamoDB", "ReadThrottleEvents", TABLE, SUM, "database reads"),
        _metric("AWS/DynamoDB", "WriteThrottleEvents", TABLE, SUM, "database writes"),
        _metric("AWS/DynamoDB", "WriteThrottleEvents", INDEX, SUM, "index writes"),
        _metric("AWS/Cognito", "SignInThrottles", USERS, SUM, "sign-ins"),
        _metric("AWS/Cognito", "TokenRefreshThrottles", USERS, SUM, "token refreshes"),
        _metric("AWS/Cognito", "SignUpThrottles", USERS, SUM, "sign-ups"),
    ]


def _function() -> list[Metric]:
    return [
        _metric("AWS/Lambda", "Invocations", FUNCTION, SUM, "calls"),
        _metric("AWS/Lambda", "Errors", FUNCTION, SUM, "errors"),
        _metric("AWS/Lambda", "ConcurrentExecutions", FUNCTION, "Maximum", "at the same time"),
    ]


def _database_calls() -> list[Metric]:
    # Each call adds one sample to the metric of its latency.
    return [
        _metric(
            "AWS/DynamoDB",
            "SuccessfulRequestLatency",
            (*TABLE, "Operation", operation),
            "SampleCount",
            operation,
        )
        for operation in OPERATIONS
    ]


def _database_units() -> list[Metric]:
    return [
        _metric("AWS/DynamoDB", "ConsumedReadCapacityUnits", TABLE, SUM, "reads"),
        _metric("AWS/DynamoDB", "ConsumedWriteCapacityUnits", TABLE, SUM, "writes"),
        _metric("AWS/DynamoDB", "ConsumedWriteCapacityUnits", INDEX, SUM, "index writes"),
    ]


def _sign_ins() -> list[Metric]:
    return [
        _metric("AWS/Cognito", "SignInSuccesses", USERS, SUM, "sign-ins"),
        _metric("AWS/Cognito", "TokenRefreshSuccesses", USERS, SUM, "token refreshes"),
        _metric("AWS/Cognito", "SignUpSuccesses", USERS, SUM, "sign-ups"),
    ]


def _function_time() -> list[Metric]:
    return [_metric("AWS/Lambda", "Duration", FUNCTION, SUM, "all calls")]


def _logs() -> list[Metric]:
    groups = {
        "access log": "/aws/apigateway/${AWS::StackName}",
        "function's log": "/aws/lambda/${AWS::StackName}-api",
    }
    return [
        _metric("AWS/Logs", "IncomingBytes", ("LogGroupName", group), SUM, label)
        for label, group in groups.items()
    ]
