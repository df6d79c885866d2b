"""The minimum: botocore's client, one function, no framework."""

import json
import os

import botocore.session

client = botocore.session.get_session().create_client("dynamodb")
TABLE = os.environ["DYNAMODB_TABLE"]


def answer(status, body):
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def to_dynamodb(value):
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, dict):
        return {"M": {name: to_dynamodb(member) for name, member in value.items()}}
    if isinstance(value, list):
        return {"L": [to_dynamodb(element) for element in value]}
    return {"N": repr(value)}


def from_dynamodb(value):
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: from_dynamodb(member) for name, member in content.items()}
    if kind == "L":
        return [from_dynamodb(element) for element in content]
    if kind == "N":
        return float(content) if "." in content else int(content)
    return None if kind == "NULL" else content


def handler(event, _context):
    sub = event["requestContext"]["authorizer"]["claims"]["sub"]
    key = {"pk": {"S": "USERS#ALL"}, "sk": {"S": f"USER#{sub}"}}
    if event["httpMethod"] == "GET":
        item = client.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return answer(404, {"message": "Not found"})
        return answer(200, {name: from_dynamodb(value) for name, value in item.items()})
    try:
        data = json.loads(event["body"])
    except ValueError:
        return answer(400, {"message": "Not JSON"})
    client.put_item(TableName=TABLE, Item={**key, "profile_data": to_dynamodb(data)})
    return answer(200, {"pk": "USERS#ALL", "sk": f"USER#{sub}", "profile_data": data})
