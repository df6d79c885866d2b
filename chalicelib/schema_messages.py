"""What the JSON Schema validator found, as violations that a user can act on.

The validator's own messages are for developers, and about the whole object that contains the
mistake. A violation here points to the member to change, and says what to enter. It never contains
profile data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from chalicelib.errors import Violation
from chalicelib.profile import JSON, violation_at

MAX_DETAIL_LENGTH = 500
"""The most characters of a violation's text."""
MAX_OPTIONS = 20
"""The most values of an `enum` that a text names."""

MAX_FOUND = 300
"""The most violations that are looked at: a large profile can have tens of thousands."""
UNKNOWN_MEMBER = "There is no such field. Remove it."

Schema: TypeAlias = Any
"""A JSON Schema, or a part of one."""

TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}
"""How the types of JSON Schema are called."""
FORMATS = {
    "date": "a date, such as 1815-12-10",
    "date-time": "a date and time, such as 1815-12-10T08:30:00Z",
    "email": "an e-mail address, such as ada@example.com",
    "time": "a time, such as 08:30:00Z",
    "uri": "a web address, such as https://example.com",
    "uuid": "a UUID",
}
"""How the formats of JSON Schema are called. Others keep their names."""


def violations_of(errors: Iterable[Any], schema: Schema, limit: int) -> list[Violation]:
    """Up to `limit` violations, for the errors that the validator of `schema` found."""
    every = (violation for error in errors for violation in _violations(error, schema))
    found = list(islice(every, MAX_FOUND))
    # If a known member has a wrong value, `unevaluatedProperties` also reports it as unknown.
    wrong = {violation.pointer for violation in found if violation.detail != UNKNOWN_MEMBER}
    return [violation for violation in found if not _is_known(violation, wrong)][:limit]


def _is_known(violation: Violation, wrong: set[str]) -> bool:
    """Whether a member that is reported as unknown has one of the `wrong` values, or is one."""
    if violation.detail != UNKNOWN_MEMBER:
        return False
    inside = f"{violation.pointer}/"
    return any(pointer == violation.pointer or pointer.startswith(inside) for pointer in wrong)


def _violations(error: Any, schema: Schema) -> Iterator[Violation]:
    """The violations that one error reports. `error` is a jsonschema_rs.ValidationError."""
    path: list[str | int] = error.instance_path
    kind = error.kind
    if kind.name == "required":
        members = _schema_at(schema, error.schema_path[:-1]).get("properties", {})
        member = members.get(kind.property, {})
        yield violation_at([*path, kind.property], _enter(member, kind.property))
    elif kind.name in ("additionalProperties", "unevaluatedProperties"):
        for name in kind.unexpected:
            yield violation_at([*path, name], UNKNOWN_MEMBER)
    else:
        yield violation_at(path, _text(kind, _schema_at(schema, error.schema_path[:-1]), path))


def _text(kind: Any, part: Schema, path: Sequence[str | int]) -> str:
    """What to change, for an error of `kind` at `path`. `part` is the schema that was violated."""
    if kind.name == "minLength" and kind.limit == 1:
        return _enter(part, str(path[-1]) if path else "")
    if kind.name == "format" and kind.format not in FORMATS:
        return f"This does not have the format {kind.format}."
    describe = TEXTS.get(kind.name)
    if describe is None:
        return "This is not allowed here."
    return describe(kind.value)[:MAX_DETAIL_LENGTH]


TEXTS: dict[str, Callable[[Any], str]] = {
    "const": lambda value: f"This must be {_shown(value)}.",
    "enum": lambda options: f"Choose one of these: {_listed(options)}.",
    "exclusiveMaximum": lambda limit: f"This must be less than {limit}.",
    "exclusiveMinimum": lambda limit: f"This must be more than {limit}.",
    "format": lambda name: f"Enter {FORMATS[name]}.",
    "maxItems": lambda limit: f"Keep at most {_counted(limit, 'entry', 'entries')}.",
    "maxLength": lambda limit: f"Use at most {_counted(limit, 'character', 'characters')}.",
    "maxProperties": lambda limit: f"Keep at most {_counted(limit, 'member', 'members')}.",
    "maximum": lambda limit: f"This must be {limit} or less.",
    "minItems": lambda limit: f"Add at least {_counted(limit, 'entry', 'entries')}.",
    "minLength": lambda limit: f"Use at least {_counted(limit, 'character', 'characters')}.",
    "minProperties": lambda limit: f"Add at least {_counted(limit, 'member', 'members')}.",
    "minimum": lambda limit: f"This must be {limit} or more.",
    "multipleOf": lambda factor: f"This must be a multiple of {factor}.",
    "pattern": lambda _: "This does not have the expected form.",
    "propertyNames": lambda _: "The name of a member is not allowed.",
    "type": lambda names: f"This must be {' or '.join(map(TYPES.__getitem__, names))}.",
    "uniqueItems": lambda _: "Remove the entries that are in the list twice.",
}
"""The text for a keyword, from its value in the schema. `kind.value` is the value."""


def _enter(part: Schema, name: str) -> str:
    """What to do about a missing value of the member `name`, whose schema is `part`."""
    title = part.get("title") if isinstance(part, dict) else None
    label = title if isinstance(title, str) and title else name
    kind = part.get("type") if isinstance(part, dict) else None
    if not label:
        return "Enter a text."
    if kind in ("string", "number", "integer", None):
        return f"Enter {_with_article(label)}."[:MAX_DETAIL_LENGTH]
    return f"{label} is missing."[:MAX_DETAIL_LENGTH]


def _with_article(label: str) -> str:
    """`label` as the end of an English sentence: "a name", "an e-mail address", "a URL"."""
    is_capitalized = label[0].isupper() and label[1:] == label[1:].lower()
    if is_capitalized and len(label) > 1:
        label = label[0].lower() + label[1:]
    article = "an" if label[0].lower() in "aeio" else "a"
    return f"{article} {label}"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _listed(options: list[JSON]) -> str:
    texts = [_shown(option) for option in options[:MAX_OPTIONS]]
    if len(options) > MAX_OPTIONS:
        texts.append("...")
    return ", ".join(texts)


def _shown(value: JSON) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, default=str)


def _schema_at(schema: Schema, path: Iterable[str | int]) -> Schema:
    """The part of a schema at a path of the validator; {} if the path leads elsewhere."""
    part = schema
    for step in path:
        try:
            part = part[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return part if isinstance(part, dict) else {}
