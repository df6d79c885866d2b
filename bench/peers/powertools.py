"""Powertools for AWS Lambda: its REST resolver, with boto3's resource."""

import json
import os
from decimal import Decimal

import boto3
from aws_lambda_powertools.event_handler import (
    APIGatewayRestResolver,
    CORSConfig,
    Response,
    content_types,
)
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError

table = boto3.resource("dynamodb").Table(os.environ["DYNAMODB_TABLE"])
app = APIGatewayRestResolver(cors=CORSConfig())


def plain(value):
    if isinstance(value, Decimal):
        return int(value) if value % 1 == 0 else float(value)
    raise TypeError(type(value))


def key():
    sub = app.current_event.request_context.authorizer.claims["sub"]
    return {"pk": "USERS#ALL", "sk": f"USER#{sub}"}


def answer(item):
    return Response(200, content_types.APPLICATION_JSON, json.dumps(item, default=plain))


@app.get("/user/profile")
def read():
    item = table.get_item(Key=key(), ConsistentRead=True).get("Item")
    if item is None:
        raise NotFoundError("Not found")
    return answer(item)


@app.post("/user/profile")
def replace():
    try:
        data = json.loads(app.current_event.body or "", parse_float=Decimal)
    except ValueError as error:
        raise BadRequestError("Not JSON") from error
    item = {**key(), "profile_data": data}
    table.put_item(Item=item)
    return answer(item)


def handler(event, context):
    return app.resolve(event, context)
