"""The OpenAPI description of one stage, made from docs/openapi.yaml.

docs/openapi.yaml describes every stage. A stage has a URL, some of the routes, and perhaps a JSON
Schema for profiles. With these in place, tools generate types and requests that suit the stage.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from chalicelib.errors import InvalidProfile
from chalicelib.profile import ProfileCheck
from chalicelib.schema import profile_check
from chalicelib.settings import ProfileSettings, RouteSettings
from deploy.profile_components import PATCH, ROOT, Schema, profile_components, profile_fields

Document: TypeAlias = dict[str, Any]

PROJECT = Path(__file__).parents[1]
FILE = PROJECT / "docs" / "openapi.yaml"
SCHEMAS = PROJECT / "chalicelib"
MARK = "x-written-by"
"""The member of a document that names the command that wrote it."""
COMMAND = "make openapi"
ERASURE_PATHS = ("/user", "/users/{sub}")
"""The paths that exist only if the stage erases accounts."""
PUBLIC_PATHS = ("/profiles", "/profiles/{sub}")
"""The paths that exist only if the stage has public fields."""

DESCRIBED_SETTINGS = ("ERASURE", "PUBLIC_FIELDS", "PROFILE_SCHEMA")
"""The settings on which the description depends."""

SCHEMA_DESCRIPTION = (
    "Profile data as the stage's JSON Schema defines it. Data that was stored before the schema "
    "applied may differ."
)


@dataclass(frozen=True)
class DescribedStage:
    """What the description of a stage depends on."""

    name: str
    erases_accounts: bool
    public_fields: tuple[str, ...]
    schema: Schema | None
    """The JSON Schema for profiles. None if there is none."""
    check_profile: ProfileCheck
    """Checks profile data by the schema."""

    @classmethod
    def read(
        cls, name: str, variables: Mapping[str, str], schemas: Path = SCHEMAS
    ) -> DescribedStage:
        """The settings in a stage's environment variables. Raises InvalidSetting.

        schemas: the folder with the schema.
        """
        routes = RouteSettings.from_environment(variables)
        file_name = ProfileSettings.from_environment(variables).profile_schema
        check = profile_check(file_name, schemas)
        schema = None
        if file_name:
            schema = json.loads((schemas / file_name).read_text("utf-8"))
        return cls(name, routes.erases_accounts, routes.public_fields, schema, check)


def stage_description(stage: DescribedStage, url: str) -> Document:
    """The description of a stage's API.

    url: the API's URL, without a slash at the end unless it is only that.
    """
    loaded = yaml.safe_load(FILE.read_text("utf-8"))
    # In the file, parts are shared by YAML's aliases. Each becomes a part of its own.
    described: Document = json.loads(json.dumps(loaded))
    document = {"openapi": described.pop("openapi"), MARK: COMMAND, **described}
    document["servers"] = [{"url": url, "description": f"The stage {stage.name}"}]
    _remove_missing_routes(document, stage)
    if stage.schema is not None:
        _put_schema_in(document, stage.schema)
    if stage.public_fields:
        _name_public_fields(document, stage)
    _correct_examples(document["components"], stage)
    _remove_unused_components(document)
    return document


def _remove_missing_routes(document: Document, stage: DescribedStage) -> None:
    paths = document["paths"]
    missing: list[str] = []
    if not stage.erases_accounts:
        missing += ERASURE_PATHS
    if not stage.public_fields:
        missing += PUBLIC_PATHS
    for path in missing:
        del paths[path]
    used = {tag for tags in _values_of("tags", paths) for tag in tags}
    document["tags"] = [tag for tag in document["tags"] if tag["name"] in used]


def _put_schema_in(document: Document, schema: Schema) -> None:
    schemas = document["components"]["schemas"]
    patch_description = schemas[PATCH]["description"]
    schemas |= profile_components(schema, frozenset(schemas))
    schemas[ROOT]["description"] = schema.get("description", SCHEMA_DESCRIPTION)
    schemas[PATCH]["description"] = patch_description


def _name_public_fields(document: Document, stage: DescribedStage) -> None:
    schemas = document["components"]["schemas"]
    fields = profile_fields(schemas)
    schemas["PublicFields"] = {
        "type": "object",
        "description": schemas["PublicFields"]["description"],
        # A field without a schema may have any value.
        "properties": {name: fields.get(name, {}) for name in stage.public_fields},
        "additionalProperties": False,
    }


# --- examples -------------------------------------------------------------------------------------


def _correct_examples(components: Document, stage: DescribedStage) -> None:
    """Make the examples of profile data suit the stage, or remove them if the schema refuses them.

    They keep the fields that the schema names, and those of other users the public fields.
    """
    bodies = [components["requestBodies"][name] for name in ("ProfileData", "ProfilePatch")]
    responses = [components["responses"][name] for name in ("Profile", "UserList")]
    public = [components["responses"][name] for name in ("PublicProfile", "PublicProfiles")]
    profiles = [data for body in bodies for data in _example_values(body)]
    profiles += _values_of("profile_data", [_example_values(response) for response in responses])
    fields = profile_fields(components["schemas"])
    if fields:
        _keep_members(profiles, fields)
    public_data = _values_of("profile_data", [_example_values(response) for response in public])
    _keep_members(public_data, stage.public_fields)
    if not profiles[0] or not _is_valid(profiles[0], stage.check_profile):
        for part in (*bodies, *responses, *public):
            for media_type in part["content"].values():
                del media_type["examples"]


def _keep_members(examples: Iterable[Document], names: Collection[str]) -> None:
    for example in examples:
        for name in set(example) - set(names):
            del example[name]


def _is_valid(data: Document, check: ProfileCheck) -> bool:
    try:
        check(data)
    except InvalidProfile:
        return False
    return True


def _example_values(body: Document) -> list[Any]:
    """The values of the examples of a request body or a response."""
    return [
        example["value"]
        for media_type in body["content"].values()
        for example in media_type["examples"].values()
    ]


# --- components -----------------------------------------------------------------------------------


def _remove_unused_components(document: Document) -> None:
    components = document["components"]
    used = _used_components(document)
    for kind in set(components) - {"securitySchemes"}:  # operations name these without $ref
        components[kind] = {
            name: component for name, component in components[kind].items() if (kind, name) in used
        }


def _used_components(document: Document) -> set[tuple[str, str]]:
    """The kinds and names of the components that the paths refer to, directly or not."""
    used: set[tuple[str, str]] = set()
    unread: list[object] = [document["paths"]]
    while unread:
        for reference in _values_of("$ref", unread.pop()):
            if not isinstance(reference, str) or not reference.startswith("#/components/"):
                continue
            kind, name = reference.split("/")[2:4]
            if (kind, name) not in used:
                used.add((kind, name))
                unread.append(document["components"][kind][name])
    return used


def _values_of(name: str, node: object) -> Iterator[Any]:
    """The values of all members with this name, at any depth."""
    if isinstance(node, list):
        for part in node:
            yield from _values_of(name, part)
    if isinstance(node, dict):
        if name in node:
            yield node[name]
        for part in node.values():
            yield from _values_of(name, part)
