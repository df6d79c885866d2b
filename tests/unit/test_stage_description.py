"""The description of one stage: its URL, its routes and the schema of its profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from app import create_app, profile_settings, profile_store
from chalicelib.settings import InvalidSetting, RouteSettings
from deploy.stage_description import DescribedStage, stage_description

URL = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/api"
SCHEMA = {
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name"],
}


def describe(folder: Path, schema: object = None, **variables: str) -> Any:
    """The description of a stage with a schema, None for none, and these variables."""
    if schema is not None:
        (folder / "profile.schema.json").write_text(json.dumps(schema))
        variables["PROFILE_SCHEMA"] = "profile.schema.json"
    description = stage_description(DescribedStage.read("dev", variables, folder), URL)
    validate(description)
    return description


def schemas_of(description: Any) -> dict[str, Any]:
    schemas: dict[str, Any] = description["components"]["schemas"]
    return schemas


def examples_of(description: Any, kind: str, name: str) -> list[Any]:
    """The values of the examples of a request body or a response, without doubles."""
    values = []
    for media_type in description["components"][kind][name]["content"].values():
        for example in media_type.get("examples", {}).values():
            if example["value"] not in values:
                values.append(example["value"])
    return values


@pytest.mark.parametrize("erasure", ["account", "off", ""])
@pytest.mark.parametrize("public_fields", ["", "name"])
def test_the_paths_are_the_routes_of_the_stage(
    tmp_path: Path, erasure: str, public_fields: str
) -> None:
    variables = {"ERASURE": erasure, "PUBLIC_FIELDS": public_fields}
    routes = RouteSettings.from_environment(variables)
    app = create_app(routes, profile_settings, profile_store)
    description = describe(tmp_path, **variables)
    assert set(description["paths"]) == set(app.routes)
    tags = {tag["name"] for tag in description["tags"]}
    assert ("public profiles" in tags) == bool(public_fields)
    assert ("PublicProfile" in schemas_of(description)) == bool(public_fields)


def test_the_server_is_the_stages_url(tmp_path: Path) -> None:
    assert describe(tmp_path)["servers"] == [{"url": URL, "description": "The stage dev"}]


def test_the_schema_describes_profiles_and_not_metadata(tmp_path: Path) -> None:
    schemas = schemas_of(describe(tmp_path, SCHEMA))
    assert schemas["ProfileData"]["properties"] == SCHEMA["properties"]
    assert schemas["ProfileData"]["required"] == ["name"]
    assert "required" not in schemas["ProfileDataPatch"]
    metadata = schemas["Metadata"]["properties"]["app_metadata"]
    assert metadata == {"$ref": "#/components/schemas/JsonObject"}
    assert schemas["JsonObject"]["additionalProperties"] is True


@pytest.mark.parametrize("description", [None, "A person."])
def test_the_schemas_own_description_is_kept(tmp_path: Path, description: str | None) -> None:
    schema = SCHEMA if description is None else {**SCHEMA, "description": description}
    described = schemas_of(describe(tmp_path, schema))["ProfileData"]["description"]
    if description is None:
        assert "JSON Schema" in described
    else:
        assert described == description


def test_without_a_schema_profile_data_may_have_any_members(tmp_path: Path) -> None:
    schemas = schemas_of(describe(tmp_path))
    for name in ("ProfileData", "ProfileDataPatch"):
        assert schemas[name]["type"] == "object"
        assert schemas[name]["additionalProperties"] is True


@pytest.mark.parametrize(("schema", "name_schema"), [(None, {}), (SCHEMA, {"type": "string"})])
def test_public_profiles_have_the_public_fields_only(
    tmp_path: Path, schema: object, name_schema: object
) -> None:
    public = schemas_of(describe(tmp_path, schema, PUBLIC_FIELDS="name,picture"))["PublicFields"]
    assert public["properties"] == {"name": name_schema, "picture": {}}
    assert public["additionalProperties"] is False
    assert "required" not in public


def test_examples_have_the_fields_of_the_stage(tmp_path: Path) -> None:
    description = describe(tmp_path, SCHEMA, PUBLIC_FIELDS="picture")
    data = {"name": "Ada", "born": 1815}
    assert examples_of(description, "requestBodies", "ProfileData") == [data]
    assert examples_of(description, "requestBodies", "ProfilePatch") == [{"name": "Ada Lovelace"}]
    (profile,) = examples_of(description, "responses", "Profile")
    assert profile["profile_data"] == data
    (public,) = examples_of(description, "responses", "PublicProfile")
    assert public["profile_data"] == {}


@pytest.mark.parametrize(
    "schema",
    [
        {**SCHEMA, "required": ["email"]},
        {"properties": {"email": {"type": "string"}}},
        {"properties": {"name": {"maxLength": 2}}},
    ],
)
def test_examples_that_the_schema_refuses_are_left_out(tmp_path: Path, schema: object) -> None:
    description = describe(tmp_path, schema)
    for kind, name in (("requestBodies", "ProfileData"), ("responses", "Profile")):
        assert examples_of(description, kind, name) == []


def test_the_same_stage_has_the_same_description(tmp_path: Path) -> None:
    texts = {json.dumps(describe(tmp_path, SCHEMA, PUBLIC_FIELDS="name,born")) for _ in range(2)}
    assert len(texts) == 1


def test_an_older_draft_is_refused_with_the_one_that_is_read(tmp_path: Path) -> None:
    schema = {**SCHEMA, "$schema": "http://json-schema.org/draft-07/schema#"}
    with pytest.raises(InvalidSetting, match="draft/2020-12/schema"):
        describe(tmp_path, schema)
