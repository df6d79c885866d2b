"""DynamoDB's time to live (TTL) of a stage's table, which removes markers of erased accounts.

The stack turns TTL on for the table that it makes. A table that the stack did not make, because it
is attached or was restored, keeps the TTL that it has. If it is off, `make backend TTL=yes` turns
it on: this is the only change that this project makes to such a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import boto3
from botocore.exceptions import ClientError

from chalicelib.items import EXPIRES_AT
from chalicelib.settings import InvalidSetting, ProfileSettings
from deploy.aws import code_of, report_aws_errors
from deploy.errors import DeploymentError
from deploy.stage_settings import report_invalid_settings

SETTING = "TTL_ATTRIBUTE"
"""The setting with the name of the table's TTL attribute."""


@dataclass(frozen=True)
class TimeToLive:
    """The state of a table's TTL."""

    table: str
    status: str
    """ENABLED, ENABLING, DISABLED or DISABLING."""
    attribute: str
    """The attribute with the time at which an item expires. Only meaningful if TTL is on."""

    @property
    def is_on(self) -> bool:
        """Whether DynamoDB deletes expired items, now or soon."""
        return self.status in ("ENABLED", "ENABLING")


def describe(table: str) -> TimeToLive:
    """Return the state of a table's TTL.

    Raises DeploymentError, also if the service cannot use the TTL's attribute.
    """
    with report_aws_errors(f"the TTL of the table {table}"):
        try:
            response = boto3.client("dynamodb").describe_time_to_live(TableName=table)
        except ClientError as error:
            if code_of(error) != "AccessDeniedException":
                raise
            raise DeploymentError(
                f"you lack the permission dynamodb:DescribeTimeToLive on the table {table}. It "
                "shows by which attribute DynamoDB deletes items of the table, if by any. Ask for "
                f"the permission, and run this command again. (AWS: {error})"
            ) from error
    found = response["TimeToLiveDescription"]
    status = found.get("TimeToLiveStatus", "DISABLED")
    ttl = TimeToLive(table, status, found.get("AttributeName", ""))
    if ttl.is_on:
        _check_attribute(ttl)
    return ttl


def _check_attribute(ttl: TimeToLive) -> None:
    try:
        ProfileSettings.from_environment({SETTING: ttl.attribute})
    except InvalidSetting as error:
        raise DeploymentError(
            f"TTL of the table {ttl.table} uses the attribute {ttl.attribute}, which the service "
            "cannot use: markers of erased accounts need an attribute of their own for the time at "
            f"which they expire. Change the TTL to another attribute, such as {EXPIRES_AT} (turn "
            "it off and on again; DynamoDB takes up to an hour for each), or use another table."
        ) from error


def turn_on(table: str, attribute: str) -> TimeToLive:
    """Turn TTL on for a table whose TTL is off. Raises DeploymentError."""
    with report_aws_errors(f"turning on TTL of the table {table}"):
        boto3.client("dynamodb").update_time_to_live(
            TableName=table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
        )
    return TimeToLive(table, "ENABLING", attribute)


def attribute_of(variables: Mapping[str, str], stage: str) -> str:
    """Return the TTL attribute of a stage with these environment variables.

    Raises DeploymentError if it cannot be used.
    """
    with report_invalid_settings(stage):
        settings = ProfileSettings.from_environment({SETTING: variables.get(SETTING, "")})
    return settings.ttl_attribute


def check_can_be_turned_on(ttl: TimeToLive) -> None:
    """Raise DeploymentError if DynamoDB is still turning TTL off."""
    if ttl.status == "DISABLING":
        raise DeploymentError(
            f"TTL of the table {ttl.table} is being turned off, which takes up to an hour. Run "
            "this command again after that."
        )


def meaning(table: str, attribute: str) -> str:
    """Return what happens when TTL is on, as a sentence."""
    return (
        f"DynamoDB then deletes every item of the table {table} whose attribute {attribute} is a "
        "number of seconds since 1970 in the past, also items of other programs."
    )


def to_record(variables: Mapping[str, str], ttl: TimeToLive) -> dict[str, str]:
    """Return the environment variable to record, if it differs from the present `variables`."""
    recorded = variables.get(SETTING) or EXPIRES_AT
    if not ttl.is_on or ttl.attribute == recorded:
        return {}
    return {SETTING: ttl.attribute}
