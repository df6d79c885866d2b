"""The one place that knows the table's keys and attribute names: a Profile and its DynamoDB item. Pure.

    pk            "USERS#ALL"               S  partition key: all users are one Query
    sk            "USER#<sub>"              S  sort key
    profile_data  the front end's object    M
    revision      the ETag's opaque token   S
    created_at    RFC 3339, UTC             S
    updated_at    RFC 3339, UTC             S

Items written by the example this service descends from have the first three alone, and are read all the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from chalicelib.profile import DIGITS, JSON, Profile

AttributeValue: TypeAlias = dict[str, Any]
"""DynamoDB's own form of a value: {"S": "text"}, {"N": "1"}, {"M": {...}}."""

DATA, REVISION, CREATED_AT, UPDATED_AT = "profile_data", "revision", "created_at", "updated_at"


def key(sub: str) -> dict[str, AttributeValue]:
    """The key of the item that holds the profile of user `sub`."""
    return {"pk": {"S": "USERS#ALL"}, "sk": {"S": f"USER#{sub}"}}


def profile_from(item: Mapping[str, Any]) -> Profile:
    """The profile in an item as DynamoDB returns it, whoever wrote it."""
    return Profile(
        pk=item["pk"]["S"],
        sk=item["sk"]["S"],
        data=from_attribute_value(item.get(DATA, {"M": {}})),
        revision=revision_of(item),
        created_at=item.get(CREATED_AT, {}).get("S"),
        updated_at=item.get(UPDATED_AT, {}).get("S"),
    )


def revision_of(item: Mapping[str, Any]) -> str:
    """An item's revision. Where an older writer left none: one that changes when the data does."""
    revision: str | None = item.get(REVISION, {}).get("S")
    if revision:
        return revision
    import hashlib  # noqa: PLC0415 - for items of older writers alone: a cold start need not pay for it

    data = from_attribute_value(item.get(DATA, {"M": {}}))
    text = json.dumps(data, sort_keys=True, default=repr)
    return "content-" + hashlib.sha256(text.encode()).hexdigest()[:32]


def to_attribute_value(value: JSON) -> AttributeValue:
    """A JSON value as DynamoDB stores it. `value` has passed check_profile_data."""
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, dict):
        return {"M": {name: to_attribute_value(member) for name, member in value.items()}}
    if isinstance(value, list):
        return {"L": [to_attribute_value(element) for element in value]}
    return {
        "N": str(value) if isinstance(value, int) else f"{DIGITS.plus(value).normalize(DIGITS):f}"
    }


def from_attribute_value(value: AttributeValue) -> JSON:
    """A stored value as JSON, exactly.

    Sets and binary values, which only another writer can have stored, have no JSON of their own: a set becomes an
    array, a binary value a string in base64.
    """
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: from_attribute_value(member) for name, member in content.items()}
    if kind == "L":
        return [from_attribute_value(element) for element in content]
    if kind == "N":
        return int(content) if content.lstrip("-").isdecimal() else Decimal(content)
    if kind == "NULL":
        return None
    if (
        kind == "B"
    ):  # text already where the model says that values go through as they are: resources/vendor.py
        return content if isinstance(content, str) else base64.b64encode(content).decode()
    if kind in ("SS", "NS", "BS"):
        return [from_attribute_value({kind[0]: element}) for element in content]
    plain: str | bool = content
    return plain
