"""A common handler: boto3's resource, one function, no framework."""

import json
import os
from decimal import Decimal

import boto3

table = boto3.resource("dynamodb").Table(os.environ["DYNAMODB_TABLE"])


def plain(value):
    if isinstance(value, Decimal):
        return int(value) if value % 1 == 0 else float(value)
    raise TypeError(type(value))


def answer(status, body):
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body, default=plain)}


def handler(event, _context):
    sub = event["requestContext"]["authorizer"]["claims"]["sub"]
    key = {"pk": "USERS#ALL", "sk": f"USER#{sub}"}
    if event["httpMethod"] == "GET":
        item = table.get_item(Key=key, ConsistentRead=True).get("Item")
        return answer(200, item) if item else answer(404, {"message": "Not found"})
    try:
        data = json.loads(event["body"], parse_float=Decimal)
    except ValueError:
        return answer(400, {"message": "Not JSON"})
    item = {**key, "profile_data": data}
    table.put_item(Item=item)
    return answer(200, item)
