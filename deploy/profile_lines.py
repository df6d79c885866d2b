"""The lines of an export, one JSON object each, for `make export` and `make import`.

    {"kind":"profile","sub":"<sub>","profile_data":{...},"created_at":"...","updated_at":"..."}
    {"kind":"metadata","sub":"<sub>","app_metadata":{...},"private_metadata":{...},
     "created_at":"...","updated_at":"..."}

Each is one line in UTF-8. Numbers are exact. A time that the item does not have is left out. The
revision is left out too: an import always creates a new one.

Two other forms are read: items as plain JSON, such as those of the original example, and the lines
of a table export to S3 in the format DynamoDB JSON.

    {"pk":"USERS#ALL","sk":"USER#<sub>","profile_data":{...}}
    {"Item":{"pk":{"S":"USERS#ALL"},"sk":{"S":"USER#<sub>"},"profile_data":{"M":{...}}}}
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from datetime import datetime

from chalicelib import items
from chalicelib.errors import MalformedJSON
from chalicelib.identity import is_sub
from chalicelib.items import Item, Kind
from chalicelib.json_text import read_json, write_json
from chalicelib.profile import JSON

KINDS: dict[str, Kind] = {"profile": items.PROFILE, "metadata": items.METADATA}
"""The kinds of items, by the name that a line gives them."""
KIND = "kind"
SUB = "sub"
KNOWN_ATTRIBUTES = (
    items.PARTITION_KEY,
    items.SORT_KEY,
    items.REVISION,
    items.CREATED_AT,
    items.UPDATED_AT,
)
"""The attributes of both kinds of items. A line may have them."""
ITEM = "Item"
"""The only member of a line in DynamoDB JSON."""

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""A number in JSON (RFC 8259, section 6)."""
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
"""RFC 3339 in UTC, as the service writes it."""


class LineRefused(Exception):
    """A line cannot be imported. The text is the reason. It contains nothing of the line."""


@dataclass(frozen=True)
class Record:
    """The content of a line: a user's profile or metadata."""

    kind: Kind
    sub: str
    data: JSON
    created_at: str | None = None
    """RFC 3339, UTC. Lines that were not written by an export may contain any text."""
    updated_at: str | None = None

    @property
    def key(self) -> Item:
        """The key of the item."""
        return self.kind.key(self.sub)

    def check_times(self) -> None:
        """Raise LineRefused unless each time is one as the service writes it, or is missing."""
        for name, text in (
            (items.CREATED_AT, self.created_at),
            (items.UPDATED_AT, self.updated_at),
        ):
            if text is not None and not _is_time(text):
                raise LineRefused(
                    f"{name} is not a time in UTC such as 2026-11-22T10:00:00.123456Z. TIMES=now "
                    "ignores it."
                )


def _is_time(text: str) -> bool:
    if not TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:  # such as the 30th of February
        return False
    return True


# --- writing --------------------------------------------------------------------------------------


def record_of(item: Item) -> Record | None:
    """The record of a stored item; None if it is neither a profile nor metadata of a user."""
    owner = owner_of(item)
    if owner is None:
        return None
    kind, sub = owner
    document = kind.document_in(item)
    return Record(kind, sub, document.data, document.created_at, document.updated_at)


def owner_of(key: Item) -> tuple[Kind, str] | None:
    """The kind and the user of the item with this key; None if no user has such an item."""
    partition_key = key.get(items.PARTITION_KEY)
    sort_key = key.get(items.SORT_KEY)
    if not isinstance(sort_key, dict) or not isinstance(sort_key.get("S"), str):
        return None
    sub = sort_key["S"].rpartition("#")[2]
    if not is_sub(sub):
        return None
    for kind in KINDS.values():
        if kind.key(sub) == {items.PARTITION_KEY: partition_key, items.SORT_KEY: sort_key}:
            return kind, sub
    return None


def write_line(record: Record) -> str:
    """The line of a record, with a line break at its end."""
    members: dict[str, JSON] = {KIND: _name_of(record.kind), SUB: record.sub}
    if record.kind is items.METADATA and isinstance(record.data, dict):
        members.update(record.data)
    else:
        members[items.DATA] = record.data
    if record.created_at is not None:
        members[items.CREATED_AT] = record.created_at
    if record.updated_at is not None:
        members[items.UPDATED_AT] = record.updated_at
    return write_json(members) + "\n"


def _name_of(kind: Kind) -> str:
    for name, known in KINDS.items():
        if known is kind:
            return name
    raise ValueError("an unknown kind of item")


# --- reading --------------------------------------------------------------------------------------


def read_line(line: bytes) -> Record:
    """The record in a line, in any of the three forms. Raises LineRefused.

    The data and the times are not checked.
    """
    members = _object_in(line)
    if ITEM in members:
        members = _plain_item(members[ITEM])
    kind, sub = _identify(members)
    _refuse_unknown_members(kind, members)
    return Record(
        kind=kind,
        sub=sub,
        data=_data(kind, members),
        created_at=_text(members, items.CREATED_AT),
        updated_at=_text(members, items.UPDATED_AT),
    )


def _object_in(line: bytes) -> dict[str, JSON]:
    if line.startswith(codecs.BOM_UTF8):
        raise LineRefused("the file starts with a byte order mark. Save it as UTF-8 without one.")
    try:
        value = read_json(line)
    except MalformedJSON:  # its text may contain the name of a member
        raise LineRefused(
            "the line is not a JSON text in UTF-8 in which each object has unique names."
        ) from None
    if not isinstance(value, dict):
        raise LineRefused("the line is not a JSON object.")
    return value


def _plain_item(item: JSON) -> dict[str, JSON]:
    """An item in DynamoDB JSON as plain JSON."""
    if not isinstance(item, dict):
        raise LineRefused(f'"{ITEM}" is not an item in DynamoDB JSON.')
    return {name: _plain_value(value) for name, value in item.items()}


def _plain_value(value: JSON) -> JSON:
    """A value in DynamoDB JSON as plain JSON. A set or a binary value has no equal in JSON."""
    match value:
        case {"M": dict() as members, **others} if not others:
            return {name: _plain_value(member) for name, member in members.items()}
        case {"L": list() as elements, **others} if not others:
            return [_plain_value(element) for element in elements]
        case {"S": str() as text, **others} if not others:
            return text
        case {"N": str() as number, **others} if not others and NUMBER.fullmatch(number):
            return read_json(number.encode())
        case {"BOOL": bool() as boolean, **others} if not others:
            return boolean
        case {"NULL": True, **others} if not others:
            return None
    raise LineRefused(
        f'"{ITEM}" has a value that is not an object, array, string, number, boolean or null in '
        "DynamoDB JSON."
    )


def _identify(members: dict[str, JSON]) -> tuple[Kind, str]:
    """The kind and the user that a line names."""
    if items.ERASED_AT in members:
        raise LineRefused("the line is the marker of an erased account.")
    if items.PARTITION_KEY in members or items.SORT_KEY in members:
        return _identify_item(members)
    name = members.get(KIND)
    if not isinstance(name, str) or name not in KINDS:
        raise LineRefused(f'"{KIND}" is neither {" nor ".join(KINDS)}.')
    sub = members.get(SUB)
    if not isinstance(sub, str) or not is_sub(sub):
        raise LineRefused(f'"{SUB}" is not a UUID in lower case.')
    return KINDS[name], sub


def _refuse_unknown_members(kind: Kind, members: dict[str, JSON]) -> None:
    """Raise LineRefused for a member that would be lost, such as one with a misspelled name."""
    known = {KIND, SUB, *KNOWN_ATTRIBUTES, *kind.attributes}
    if not members.keys() <= known:
        raise LineRefused(
            f"the line has a member that a {_name_of(kind)} does not have. Its data is in "
            f"{' and '.join(kind.attributes)}."
        )


def _identify_item(members: dict[str, JSON]) -> tuple[Kind, str]:
    key: Item = {name: {"S": members.get(name)} for name in (items.PARTITION_KEY, items.SORT_KEY)}
    owner = owner_of(key)
    if owner is None:
        raise LineRefused(
            f"{items.PARTITION_KEY} and {items.SORT_KEY} are not those of the profile or metadata "
            "of a user whose sub is a UUID in lower case."
        )
    return owner


def _data(kind: Kind, members: dict[str, JSON]) -> JSON:
    found = {name: members[name] for name in kind.attributes if name in members}
    if not found:
        raise LineRefused(f"the line has no {' or '.join(kind.attributes)}.")
    if kind is items.METADATA:
        return found
    return found[items.DATA]


def _text(members: dict[str, JSON], name: str) -> str | None:
    value = members.get(name)
    if value is None or isinstance(value, str):
        return value
    raise LineRefused(f"{name} is not a string.")
