"""Types that a front end makes from the description, used against the running service."""

from __future__ import annotations

import copy
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_openapi import CHECKS, TOKEN_CHECKS, send_requests
from tests.support.documents import DOCS, commands, example
from tests.support.http_api import Api
from tests.support.users import User
from tests.types.conftest import FOLDER, SCHEMA, Service, Types, description_with

DOCUMENT = DOCS / "openapi.yaml"
CLIENTS = DOCS / "clients.md"


def with_integer_names() -> dict[str, Any]:
    """SCHEMA with one line changed."""
    changed = copy.deepcopy(SCHEMA)
    changed["properties"]["name"] = {"type": "integer"}
    return changed


@pytest.mark.parametrize(
    ("schema", "variables"),
    [
        (None, {}),
        (SCHEMA, {}),
        (SCHEMA, {"ERASURE": "account", "PUBLIC_FIELDS": "name,address,picture"}),
    ],
    ids=["plain", "with a schema", "with all routes"],
)
def test_descriptions_keep_the_rules_of_redocly(
    types: Types, tmp_path: Path, schema: object, variables: dict[str, str]
) -> None:
    description = description_with(tmp_path, schema, **variables)
    done = types.run("node", FOLDER / "lint.mjs", DOCUMENT, description)
    assert done.status == 0, done.output


def test_a_description_that_yaml_cuts_is_reported(types: Types, tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    title = "title: {type: string}"
    assert title in text
    cut = tmp_path / "openapi.yaml"
    cut.write_text(text.replace(title, "title: {type: string, description: One, two}"))
    done = types.run("node", FOLDER / "lint.mjs", cut)
    assert done.status == 1
    assert "`two` is not expected here" in done.output


def test_a_typed_front_end_reads_and_saves(service: Service, types: Types, user: User) -> None:
    file = types.folder / "openapi.json"
    service.run(f"make -s openapi FILE={file} API_PORT={service.api.port}")
    description = json.loads(file.read_text())
    types.generate(file)
    compiled = types.compile("front-end.ts")
    assert compiled.status == 0, compiled.output
    url = description["servers"][0]["url"]
    done = types.run("node", "front-end.js", API=url, TOKEN=user.id_token)
    assert done.status == 0, done.output
    assert json.loads(done.output) == {"name": "Ada", "city": "London"}


def test_the_documented_commands_and_example_work(
    service: Service, types: Types, user: User
) -> None:
    make_openapi, generate = commands(CLIENTS, "Types")
    (service.clone / "node_modules").symlink_to(FOLDER / "node_modules")
    service.run(f"{make_openapi} API_PORT={service.api.port}")
    service.run(generate)
    (service.clone / "api.ts").rename(types.folder / "api.ts")
    address = f"127.0.0.1:{service.api.port}"
    program = example(CLIENTS, "Types", "ts").replace("127.0.0.1:8000", address)
    compiled = types.compile("example.ts", program)
    assert compiled.status == 0, compiled.output
    done = types.run("node", "example.js", TOKEN=user.id_token)
    assert (done.status, done.output) == (0, "Ada Lovelace\n")


def test_a_second_make_openapi_replaces_only_its_own_file(service: Service) -> None:
    service.run("make -s openapi FILE=api.json")
    service.run("make -s openapi STAGE=local FILE=api.json")
    (service.clone / "api.json").write_text("{}")
    done = service.start("make -s openapi FILE=api.json")
    assert done.status != 0
    assert "OVERWRITE=yes" in done.output
    service.run("make -s openapi FILE=api.json OVERWRITE=yes")


def test_the_page_of_the_api_shows_the_schema(service: Service) -> None:
    shown = service.api("GET", "/docs/openapi.json").json()
    written = service.clone / "shown.json"
    service.run("make -s openapi FILE=shown.json")
    expected = json.loads(written.read_text())
    assert shown.pop("servers")[0]["url"] == "/"
    del expected["servers"]
    assert shown == expected
    assert "name" in shown["components"]["schemas"]["ProfileData"]["properties"]


def test_a_stage_with_a_schema_answers_as_described(service: Service, ada: User) -> None:
    service.run("make -s openapi FILE=stage.json")
    token = f"--header=Authorization: Bearer {ada.id_token}"
    checks = [*CHECKS, *TOKEN_CHECKS]
    document = service.clone / "stage.json"
    send_requests(service.api, "^/user/profile$", checks, token, document=document)


def test_without_a_schema_a_profile_may_have_any_members(
    api: Api, types: Types, user: User
) -> None:
    types.generate(DOCUMENT)
    compiled = types.compile("any-members.ts")
    assert compiled.status == 0, compiled.output
    url = f"http://127.0.0.1:{api.port}"
    done = types.run("node", "any-members.js", API=url, TOKEN=user.id_token)
    assert done.status == 0, done.output
    assert json.loads(done.output) == {"name": "Ada", "data": {"name": "Ada", "tags": ["a"]}}


def test_a_changed_schema_changes_typescript_types(types: Types, tmp_path: Path) -> None:
    types.generate(description_with(tmp_path, with_integer_names()))
    compiled = types.compile("front-end.ts")
    assert compiled.status != 0
    assert "Type 'number' is not assignable to type 'string'." in compiled.output


@pytest.mark.parametrize(("schema", "name_type"), [(SCHEMA, "str"), (with_integer_names(), "int")])
def test_a_changed_schema_changes_python_types(
    types: Types,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    schema: object,
    name_type: str,
) -> None:
    description = description_with(tmp_path, schema, PUBLIC_FIELDS="name")
    (tmp_path / "config.yaml").write_text("post_hooks: []\npackage_name_override: typed_client\n")
    done = types.run(
        sys.executable,
        *("-m", "openapi_python_client", "generate", "--meta", "none"),
        *("--path", description, "--config", "config.yaml", "--output-path", "typed_client"),
    )
    assert done.status == 0, done.output
    assert "WARNING" not in done.output
    monkeypatch.syspath_prepend(tmp_path)
    for module in [name for name in sys.modules if name.startswith("typed_client")]:
        del sys.modules[module]
    models = importlib.import_module("typed_client.models")
    assert models.ProfileData.__annotations__["name"] == name_type
    in_patches = models.ProfileDataPatch.__annotations__["name"]
    assert set(in_patches.split(" | ")) == {name_type, "None", "Unset"}
