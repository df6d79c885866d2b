"""Profiles and metadata as DynamoDB items. Only this module knows the table's keys and attributes.

    profile:  pk            "USERS#ALL"              S  partition key: one partition for all users
              sk            "USER#<sub>"             S  sort key
              profile_data  the user's JSON object   M

    metadata: pk                "USER#<sub>"         S  a partition for each user
              sk                "METADATA#<sub>"     S  the index is partitioned by it
              app_metadata      a JSON object        M
              private_metadata  a JSON object        M

    both:     revision      the opaque text of the ETag    S
              created_at    RFC 3339, UTC                  S
              updated_at    RFC 3339, UTC                  S

The original example, a Serverless Framework application that this service replaces, writes only the
first three attributes of a profile. Its items are read like all others.

None of these names is a reserved word (AWS: "Reserved words in DynamoDB"), so expressions can use
them as they are.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from chalicelib import metadata
from chalicelib.profile import JSON, Document, normalized

AttributeValue: TypeAlias = dict[str, Any]
"""A value in DynamoDB's own form: {"S": "text"}, {"N": "1"}, {"M": {...}}."""
Item: TypeAlias = dict[str, Any]
"""The attributes of an item, by name. Empty if no item is stored under the key."""

PARTITION_KEY = "pk"
SORT_KEY = "sk"
DATA = "profile_data"
REVISION = "revision"
CREATED_AT = "created_at"
UPDATED_AT = "updated_at"
ERASED_AT = "erased_at"
"""The attribute of a marker, which replaces an item of an erased account: see markers.py."""
EXPIRES_AT = "expires_at"
"""The attribute after which DynamoDB removes a marker, unless the table has another one."""

USED_ATTRIBUTES = (
    PARTITION_KEY,
    SORT_KEY,
    DATA,
    *metadata.MEMBERS,
    REVISION,
    CREATED_AT,
    UPDATED_AT,
    ERASED_AT,
)
"""All other attributes that this service writes."""

NO_DATA: AttributeValue = {"M": {}}
USERS_PARTITION = "USERS#ALL"
USER_PREFIX = "USER#"


class Kind(NamedTuple):
    """A kind of item: where it is, and the attributes that hold a document's data."""

    key: Callable[[str], Item]
    """The key of the item of a user, by `sub`."""
    attributes: tuple[str, ...]
    """The names of the attributes with the data."""
    data_in: Callable[[Item], JSON]
    """The data in an item."""
    values_of: Callable[[JSON], Item]
    """The attributes that hold data. The data has passed the kind's check."""

    def document_in(self, item: Item) -> Document:
        """The document in an item as DynamoDB returns it. `item` is not empty."""
        return Document(
            pk=item[PARTITION_KEY]["S"],
            sk=item[SORT_KEY]["S"],
            data=self.data_in(item),
            revision=self._revision(item),
            created_at=item.get(CREATED_AT, {}).get("S"),
            updated_at=item.get(UPDATED_AT, {}).get("S"),
        )

    def revision_of(self, item: Item) -> str | None:
        """The revision of the document in an item; None if there is no item."""
        if not item:
            return None
        return self._revision(item)

    def _revision(self, item: Item) -> str:
        stored: str | None = item.get(REVISION, {}).get("S")
        return stored or content_revision(self.data_in(item))


def content_revision(data: JSON) -> str:
    """A revision for data without a stored one: a hash, which changes with the data."""
    import hashlib  # noqa: PLC0415 - slows a cold start, and most requests do not need it

    text = json.dumps(to_attribute_value(data), sort_keys=True)
    return "content-" + hashlib.sha256(text.encode()).hexdigest()[:32]


# --- profiles -------------------------------------------------------------------------------------


def profile_key(sub: str) -> Item:
    """The key of the item with the profile of user `sub`."""
    return {PARTITION_KEY: {"S": USERS_PARTITION}, SORT_KEY: {"S": f"{USER_PREFIX}{sub}"}}


def sub_of(item: Item) -> str:
    """The `sub` in the key of a profile's item."""
    sort_key: str = item[SORT_KEY]["S"]
    return sort_key.removeprefix(USER_PREFIX)


def _profile_data(item: Item) -> JSON:
    return from_attribute_value(item.get(DATA, NO_DATA))


def _profile_values(data: JSON) -> Item:
    return {DATA: to_attribute_value(data)}


PROFILE = Kind(profile_key, (DATA,), _profile_data, _profile_values)


# --- metadata -------------------------------------------------------------------------------------


def metadata_key(sub: str) -> Item:
    """The key of the item with the metadata of user `sub`."""
    return {PARTITION_KEY: {"S": f"{USER_PREFIX}{sub}"}, SORT_KEY: {"S": f"METADATA#{sub}"}}


def _metadata(item: Item) -> JSON:
    return {name: from_attribute_value(item.get(name, NO_DATA)) for name in metadata.MEMBERS}


def _metadata_values(data: JSON) -> Item:
    members = metadata.completed(data)
    return {name: to_attribute_value(members[name]) for name in metadata.MEMBERS}


METADATA = Kind(metadata_key, metadata.MEMBERS, _metadata, _metadata_values)


# --- values ---------------------------------------------------------------------------------------


def to_attribute_value(value: JSON) -> AttributeValue:
    """A JSON value in DynamoDB's form. The value has passed profile.check_profile_data."""
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
    if isinstance(value, int):
        return {"N": str(value)}
    return {"N": f"{normalized(value):f}"}


def from_attribute_value(value: Mapping[str, Any]) -> JSON:
    """A stored value as JSON, with exact numbers.

    This service never stores sets or binary values, but other writers may. JSON has neither: a
    set becomes an array, and a binary value a string in base64.
    """
    ((kind, content),) = value.items()
    if kind == "S":  # the most frequent kind
        text: str = content
        return text
    if kind == "M":
        return {name: from_attribute_value(member) for name, member in content.items()}
    if kind == "L":
        return [from_attribute_value(element) for element in content]
    if kind == "N":
        return _number(content)
    if kind == "NULL":
        return None
    if kind == "B":
        return _base64_text(content)
    if kind in ("SS", "NS", "BS"):
        return [from_attribute_value({kind[0]: element}) for element in content]
    is_true: bool = content
    return is_true


def _number(text: str) -> int | Decimal:
    if text.lstrip("-").isdecimal():
        return int(text)
    return Decimal(text)


def _base64_text(content: str | bytes) -> str:
    if isinstance(content, str):
        return content  # the packaged SDK does not decode attribute values: see deploy/vendor.py
    return base64.b64encode(content).decode()
