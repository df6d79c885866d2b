"""A profile's JSON Schema as components of an OpenAPI document, and its merge patch."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from chalicelib.profile import merge_patch
from deploy.profile_components import PREFIX, Schema, profile_components, profile_fields

ADDRESS: Schema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
    "required": ["city"],
}
PERSON: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "home": {"$ref": "#/$defs/address"},
        "tags": {"type": "array", "items": {"type": "object", "required": ["id"]}},
        "contact": {
            "oneOf": [
                {"properties": {"phone": {"type": "string"}}, "required": ["phone"]},
                {"properties": {"mail": {"type": "string"}}, "required": ["mail"]},
            ]
        },
        "theme": {"enum": ["dark", {"color": "red"}]},
        "manager": {"$ref": "#"},
        "settings": {"type": "object", "additionalProperties": {"type": "boolean"}},
    },
    "required": ["name"],
    "if": {"required": ["manager"]},
    "then": {"required": ["home"]},
    "unevaluatedProperties": False,
    "minProperties": 1,
    "$defs": {"address": ADDRESS},
}
NAMED: Schema = {"properties": {"name": {"type": "string"}}}
PEOPLE: list[Any] = [
    {"name": "Ada"},
    {"name": "Ada", "home": {"city": "London", "zip": "W1"}, "tags": [{"id": 1}], "theme": "dark"},
    {"name": "Grace", "home": {"city": "New York"}, "manager": {"name": "Ada"}},
    {"name": "Grace", "contact": {"phone": "1"}, "settings": {"a": True, "b": False}},
    {"name": "Grace", "contact": {"mail": "g"}, "settings": {"b": True}, "theme": {"color": "red"}},
]


def components_of(schema: Schema, *taken: str) -> dict[str, Any]:
    return profile_components(schema, frozenset(taken))


def accepts(components: dict[str, Any], name: str, data: object) -> bool:
    """Whether data conform to a component."""
    document = {"$ref": PREFIX + name, "components": {"schemas": components}}
    return jsonschema_rs.Draft202012Validator(document).is_valid(data)


# --- references -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "reference", "definitions"),
    [
        (None, "#/$defs/address", {"address": ADDRESS}),
        (None, "#/$defs/a~1b~0", {"a/b~": ADDRESS}),
        (None, "#/$defs/a%20b", {"a b": ADDRESS}),
        (None, "#/$defs/outer/properties/inner", {"outer": {"properties": {"inner": ADDRESS}}}),
        (None, "#/$defs/outer", {"outer": {"$ref": "#/$defs/inner"}, "inner": ADDRESS}),
        (None, "#home", {"address": {"$anchor": "home", **ADDRESS}}),
        (None, "urn:a#/$defs/x", {"a": {"$id": "urn:a", "$defs": {"x": ADDRESS}}}),
        (None, "urn:a#home", {"a": {"$id": "urn:a", "$anchor": "home", **ADDRESS}}),
        ("https://example.com/person", "#/$defs/address", {"address": ADDRESS}),
        ("https://example.com/person", "person#/$defs/address", {"address": ADDRESS}),
        ("https://example.com/person", "address", {"address": {"$id": "/address", **ADDRESS}}),
        ("urn:person", "#/$defs/address", {"address": ADDRESS}),
        ("urn:person", "urn:person#home", {"address": {"$anchor": "home", **ADDRESS}}),
    ],
)
def test_references_in_the_schema_keep_their_target(
    identifier: str | None, reference: str, definitions: Schema
) -> None:
    schema: Schema = {"properties": {"home": {"$ref": reference}}, "$defs": definitions}
    if identifier is not None:
        schema["$id"] = identifier
    validator = jsonschema_rs.Draft202012Validator(schema)
    components = components_of(schema)
    for home in ({"city": "London"}, {"city": 1}, {}):
        accepted = accepts(components, "ProfileData", {"home": home})
        assert accepted == validator.is_valid({"home": home})
        assert accepted == (home == {"city": "London"})


@pytest.mark.parametrize("data", [*PEOPLE, {}, {"name": 1}, {"name": "Ada", "age": 1}, []])
def test_the_component_accepts_what_the_schema_accepts(data: object) -> None:
    expected = jsonschema_rs.Draft202012Validator(PERSON).is_valid(data)
    assert accepts(components_of(PERSON), "ProfileData", data) == expected


def test_every_reference_names_a_component() -> None:
    """Tools support no other references well, and generated types would contain definitions."""
    properties = {**PERSON["properties"], "copy": {"$ref": "#/properties/name"}}
    schema = {**PERSON, "properties": properties}
    components = components_of(schema)
    assert components["ProfileData"]["properties"]["copy"] == {"$ref": f"{PREFIX}ProfileName"}
    assert components["ProfileData"]["properties"]["name"] == {"$ref": f"{PREFIX}ProfileName"}
    assert components["ProfileName"] == {"type": "string"}
    assert "$defs" not in components["ProfileData"]


def test_a_reference_in_data_or_a_name_is_left_as_it_is() -> None:
    properties = {"$ref": {"type": "string"}, "link": {"const": {"$ref": "#/nowhere"}}}
    components = components_of({"properties": properties})
    assert components["ProfileData"]["properties"] == properties


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ("address", "ProfileAddress"),
        ("home-address", "ProfileHomeAddress"),
        ("data", "ProfileData2"),
        ("dataPatch", "ProfileDataPatch2"),
        ("taken", "ProfileTaken2"),
        ("~", "Profile2"),
    ],
)
def test_a_definition_gets_a_name_that_is_not_taken(definition: str, name: str) -> None:
    pointer = definition.replace("~", "~0")
    schema = {"properties": {"a": {"$ref": f"#/$defs/{pointer}"}}, "$defs": {definition: ADDRESS}}
    components = components_of(schema, "Profile", "ProfileTaken")
    assert components["ProfileData"]["properties"]["a"] == {"$ref": PREFIX + name}
    assert components[name] == ADDRESS


@pytest.mark.parametrize(("definition", "data"), [(True, "x"), (False, "x"), (False, None)])
def test_a_definition_may_be_a_boolean(definition: bool, data: object) -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": definition}}
    assert accepts(components_of(schema), "ProfileData", {"a": data}) is definition


def test_a_meta_schema_is_any_value() -> None:
    """A tool would fetch it from the network."""
    schema = {"properties": {"a": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}
    assert components_of(schema)["ProfileData"]["properties"] == {"a": {}}


def test_a_title_becomes_the_description_and_defaults_are_left_out() -> None:
    properties = {
        "a": {"title": "A", "type": "string", "default": "x"},
        "b": {"title": "B", "description": "The second.", "type": "string"},
    }
    assert components_of({"properties": properties})["ProfileData"]["properties"] == {
        "a": {"description": "A", "type": "string"},
        "b": {"description": "The second.", "type": "string"},
    }


# --- patches --------------------------------------------------------------------------------------


def difference(before: Any, after: Any) -> Any:
    """The merge patch that changes `before` to `after`."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    removed = {name: None for name in before if name not in after}
    changed = {
        name: difference(before.get(name, {}), value)
        for name, value in after.items()
        if before.get(name) != value
    }
    return removed | changed


@pytest.mark.parametrize("after", PEOPLE)
@pytest.mark.parametrize("before", [*PEOPLE, {"old": 1}])
def test_every_patch_between_valid_profiles_is_accepted(before: Any, after: Any) -> None:
    patch = difference(before, after)
    assert merge_patch(before, patch) == after
    assert accepts(components_of(PERSON), "ProfileDataPatch", patch)


@pytest.mark.parametrize(
    ("patch", "is_accepted"),
    [
        ({}, True),
        ({"name": None}, True),
        ({"home": {"zip": "W1"}}, True),
        ({"home": {"city": None}}, True),
        ({"home": None}, True),
        ({"settings": {"a": None}}, True),
        ({"manager": {"home": {"city": None}}}, True),
        ({"tags": [{"id": None}]}, True),
        ({"name": 1}, False),
        ({"home": {"city": 1}}, False),
        ({"manager": {"name": 1}}, False),
        ({"settings": {"a": 1}}, False),
        ({"tags": [{}]}, False),
        ({"tags": [None]}, False),
        (None, False),
    ],
)
def test_a_patch_may_leave_out_and_remove_members(patch: object, is_accepted: bool) -> None:
    assert accepts(components_of(PERSON), "ProfileDataPatch", patch) is is_accepted


def test_a_value_that_a_patch_replaces_has_one_component() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/color"}, "b": {"$ref": "#/$defs/address"}},
        "$defs": {"color": {"enum": ["red"]}, "address": ADDRESS},
    }
    names = {"ProfileAddress", "ProfileAddressPatch", "ProfileColor"}
    assert set(components_of(schema)) == {"ProfileData", "ProfileDataPatch", *names}


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [NAMED, {"allOf": [NAMED]}, {"$ref": "#/$defs/person", "$defs": {"person": NAMED}}],
)
def test_the_fields_are_those_that_the_schema_names(schema: Schema) -> None:
    assert profile_fields(components_of(schema)) == {"name": {"type": "string"}}


def test_a_schema_that_refers_to_itself_has_fields() -> None:
    schema = {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#"}]}}}
    assert profile_fields(components_of(schema)) == {}
