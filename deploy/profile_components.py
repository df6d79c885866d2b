"""A JSON Schema for profiles as schemas of an OpenAPI document.

Both use the same dialect, draft 2020-12, but the place of a schema in the document changes what a
`$ref` means. Tools that generate types support a `$ref` to `#/components/schemas/<name>` best. So
every subschema that a `$ref` names becomes a schema of its own there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, urldefrag, urljoin

Schema: TypeAlias = dict[str, Any]
Pointer: TypeAlias = tuple[str, ...]
"""The place of a subschema in its file: the names and indexes on the way to it."""

ROOT = "ProfileData"
"""The name of the whole schema in the document."""
PATCH_SUFFIX = "Patch"
PATCH = ROOT + PATCH_SUFFIX
"""The name of the schema of a merge patch for the profile data."""
PREFIX = "#/components/schemas/"

VALUES = frozenset({"const", "default", "enum", "example", "examples"})
"""Keywords that contain data, in which `$ref` has no meaning."""
NAMED_SUBSCHEMAS = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
"""Keywords with an object of subschemas. Its names have no meaning as keywords."""
LEFT_OUT = frozenset(
    {
        "$anchor",  # every reference is rewritten
        "$defs",  # those that a reference names are schemas of their own
        "$dynamicAnchor",
        "$id",
        "$schema",  # the document's own dialect is the same
        "default",  # the service adds no value, but generated types would promise it
        "definitions",
        "title",  # a generator of Python classes names them by their titles
    }
)
ONLY_FOR_WHOLE_DATA = frozenset(
    {
        "dependentRequired",
        "dependentSchemas",
        "discriminator",
        "else",
        "if",
        "maxProperties",
        "minProperties",
        "not",
        "propertyNames",
        "required",
        "then",
        "unevaluatedProperties",
    }
)
"""Keywords that say nothing about a patch, which has a part of the data, and nulls."""


def profile_components(schema: Schema, taken: frozenset[str]) -> dict[str, Schema]:
    """The schemas by their names: ROOT and its patch, and those that they refer to.

    schema: a valid JSON Schema of draft 2020-12.
    taken: names that the document has already.
    """
    components = _Bundle(schema, taken).components()
    root = components[ROOT]
    if "$ref" not in root:
        root.setdefault("type", "object")  # profile data is always an object
    patches = _Patches(components)
    patches.name_of(ROOT)
    return components | patches.schemas


def profile_fields(components: Mapping[str, Schema]) -> dict[str, Any]:
    """The schemas of the fields of profile data, by the names of the fields."""
    fields: dict[str, Any] = {}
    _collect_fields(components, components[ROOT], fields, set())
    return fields


def _collect_fields(
    components: Mapping[str, Schema], schema: object, fields: dict[str, Any], seen: set[str]
) -> None:
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        target = components.get(reference.removeprefix(PREFIX), {})
        _collect_fields(components, target, fields, seen)
    for part in schema.get("allOf", []):
        _collect_fields(components, part, fields, seen)
    fields.update(schema.get("properties", {}))


# --- references -----------------------------------------------------------------------------------


class _Place(NamedTuple):
    """A subschema, where it is, and the URI against which its references are resolved."""

    schema: Schema | bool
    pointer: Pointer
    base: str

    def text(self, keyword: str) -> str | None:
        """The value of a keyword; None if it is missing or not a string."""
        if isinstance(self.schema, bool):
            return None
        value = self.schema.get(keyword)
        return value if isinstance(value, str) else None


def _places(node: object, pointer: Pointer, base: str) -> Iterator[_Place]:
    """Each part of a schema that may be a subschema, from the outside in."""
    if isinstance(node, bool):
        yield _Place(node, pointer, base)
    if isinstance(node, list):
        for index, member in enumerate(node):
            yield from _places(member, (*pointer, str(index)), base)
    if not isinstance(node, dict):
        return
    base = _base(node, base)
    yield _Place(node, pointer, base)
    for keyword, value in node.items():
        if keyword in VALUES:
            continue
        if keyword in NAMED_SUBSCHEMAS and isinstance(value, dict):
            for name, subschema in value.items():
                yield from _places(subschema, (*pointer, keyword, name), base)
        else:
            yield from _places(value, (*pointer, keyword), base)


def _base(schema: Schema, outer: str) -> str:
    identifier = schema.get("$id")
    if not isinstance(identifier, str):
        return outer
    return _absolute(outer, identifier).removesuffix("#")


def _absolute(base: str, reference: str) -> str:
    if reference.startswith("#"):
        return base + reference  # urljoin would lose the base if it is a URN
    return urljoin(base, reference)


class _Bundle:
    """A schema's parts, as components whose references lead to each other."""

    def __init__(self, schema: Schema, taken: frozenset[str]) -> None:
        self._places = {place.pointer: place for place in _places(schema, (), "")}
        self._resources: dict[str, Pointer] = {"": ()}
        self._anchors: dict[str, Pointer] = {}
        for place in self._places.values():
            if place.text("$id") is not None:
                self._resources[place.base] = place.pointer
            for keyword in ("$anchor", "$dynamicAnchor"):
                anchor = place.text(keyword)
                if anchor is not None:
                    self._anchors[f"{place.base}#{anchor}"] = place.pointer
        self._names = self._name_targets(taken)

    def components(self) -> dict[str, Schema]:
        """The schemas by their names."""
        return {
            name: self._component(self._places[pointer]) for pointer, name in self._names.items()
        }

    def _name_targets(self, taken: frozenset[str]) -> dict[Pointer, str]:
        """A name for the whole schema, and for each subschema that a reference leads to."""
        names: dict[Pointer, str] = {(): ROOT}
        used = {*taken, ROOT, PATCH}
        for place in self._places.values():
            for keyword in ("$ref", "$dynamicRef"):
                target = self._target(place, place.text(keyword))
                if target is not None and target not in names:
                    names[target] = _unused_name(target, used)
                    used |= {names[target], names[target] + PATCH_SUFFIX}
        return names

    def _target(self, place: _Place, reference: str | None) -> Pointer | None:
        """The place that a reference leads to.

        None if there is no reference, or for a meta-schema of JSON Schema itself.
        """
        if reference is None:
            return None
        uri = _absolute(place.base, reference)
        if uri in self._anchors:
            return self._anchors[uri]
        resource, fragment = urldefrag(uri)
        if resource not in self._resources:
            return None
        steps = [_unescaped(step) for step in fragment.split("/")[1:]]
        target = (*self._resources[resource], *steps)
        return target if target in self._places else None

    def _component(self, place: _Place) -> Schema:
        if isinstance(place.schema, bool):
            return {} if place.schema else {"not": {}}
        members: Schema = {}
        for keyword, value in place.schema.items():
            if keyword not in LEFT_OUT:
                members |= self._member(place, keyword, value)
        if "title" in place.schema:
            members.setdefault("description", place.schema["title"])
        return members

    def _member(self, place: _Place, keyword: str, value: Any) -> Schema:
        """A keyword with its value, whose references are rewritten."""
        if keyword in ("$ref", "$dynamicRef"):
            target = self._target(place, value)
            if target is None:
                return {}  # tools would fetch the meta-schema
            return {"$ref": PREFIX + self._names[target]}
        if keyword in VALUES:
            return {keyword: value}
        pointer = (*place.pointer, keyword)
        if keyword in NAMED_SUBSCHEMAS and isinstance(value, dict):
            subschemas = {}
            for name, subschema in value.items():
                # Some generators do not know that `true` is a schema.
                node = {} if subschema is True else self._rewritten(subschema, (*pointer, name))
                subschemas[name] = node
            return {keyword: subschemas}
        return {keyword: self._rewritten(value, pointer)}

    def _rewritten(self, node: Any, pointer: Pointer) -> Any:
        if isinstance(node, list):
            return [
                self._rewritten(member, (*pointer, str(index))) for index, member in enumerate(node)
            ]
        if pointer in self._names:
            return {"$ref": PREFIX + self._names[pointer]}
        if not isinstance(node, dict):
            return node
        return self._component(self._places[pointer])


def _unescaped(step: str) -> str:
    """A step of a JSON Pointer in a URI's fragment (RFC 6901, section 6)."""
    return unquote(step).replace("~1", "/").replace("~0", "~")


def _unused_name(pointer: Pointer, used: set[str]) -> str:
    """A name for a component: `ProfileHomeAddress` for `#/$defs/home-address`."""
    words = re.findall("[A-Za-z0-9]+", pointer[-1])
    wanted = "Profile" + "".join(word[0].upper() + word[1:] for word in words)
    name = wanted
    number = 2
    while name in used or name + PATCH_SUFFIX in used:
        name = f"{wanted}{number}"
        number += 1
    return name


# --- merge patches --------------------------------------------------------------------------------


class _Patches:
    """The schemas of merge patches (RFC 7396) for components.

    In an object, every member is optional, and may be null, which removes it. An array or a scalar
    replaces the stored value, so its schema stays. What else the schema requires is checked in the
    result of a patch, which the patch itself does not show.
    """

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components
        self._names: dict[str, str] = {}
        self.schemas: dict[str, Schema] = {}

    def name_of(self, name: str) -> str:
        """The name of the patch for a component: its own if a patch replaces the whole value."""
        if name in self._names:
            return self._names[name]
        # An object may contain itself: its patch then refers to the name that it gets here.
        self._names[name] = name + PATCH_SUFFIX
        original = self._components[name]
        patch = self._patch(original)
        if patch == original and name != ROOT:
            self._names[name] = name
        else:
            self.schemas[name + PATCH_SUFFIX] = patch
        return self._names[name]

    def _patch(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        patch: Schema = {}
        for keyword, value in schema.items():
            if keyword not in ONLY_FOR_WHOLE_DATA:
                patch |= self._member(schema, keyword, value)
        return patch

    def _member(self, schema: Schema, keyword: str, value: Any) -> Schema:
        """A keyword of a patch; nothing if the keyword says nothing about a patch."""
        match keyword:
            case "properties" | "patternProperties":
                return {keyword: {name: self._removable(part) for name, part in value.items()}}
            case "additionalProperties" if value is False:
                return {}  # a member that was stored before the schema can be removed
            case "additionalProperties":
                return {keyword: self._removable(value)}
            case "allOf" | "anyOf":
                return {keyword: [self._patch(part) for part in value]}
            case "oneOf" if "anyOf" in schema:
                return {}
            case "oneOf":  # without `required`, a patch may suit several
                return {"anyOf": [self._patch(part) for part in value]}
            case "$ref" if value.removeprefix(PREFIX) in self._components:
                return {keyword: PREFIX + self.name_of(value.removeprefix(PREFIX))}
            case "const" if isinstance(value, dict):
                return {}
            case "enum" | "examples" if any(isinstance(member, dict) for member in value):
                return {}
        return {keyword: value}

    def _removable(self, schema: Any) -> Any:
        """The schema of a member: null removes it."""
        patch = self._patch(schema)
        if isinstance(patch, bool):
            return patch or {"type": "null"}
        texts = {name: patch.pop(name) for name in ("title", "description") if name in patch}
        if not patch:
            return texts  # any value, null included
        return {**texts, "anyOf": [patch, {"type": "null"}]}
