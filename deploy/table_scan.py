"""Reads a whole table by Scan, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chalicelib.items import Item
from deploy.aws import report_aws_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def scan(client: DynamoDBClient, table: str, attributes: Sequence[str] = ()) -> Iterator[Item]:
    """All items of the table, with these attributes only; with all of them if there are none.

    It is eventually consistent. A page of at most 1 MB is in memory. Raises DeploymentError.
    """
    arguments: dict[str, Any] = {"TableName": table}
    if attributes:
        arguments |= projection(attributes)
    while True:
        with report_aws_errors(f"reading the table {table}"):
            page = client.scan(**arguments)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def projection(attributes: Sequence[str]) -> dict[str, Any]:
    """The arguments of a call that returns these attributes only.

    A table's attribute for the TTL may have any name, such as the reserved word ttl.
    """
    names = {f"#a{number}": attribute for number, attribute in enumerate(attributes)}
    return {
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
    }
