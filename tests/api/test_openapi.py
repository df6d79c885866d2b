"""docs/openapi.yaml against the app's routes, and against what the running service really answers."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from chalicelib import web
from tests.conftest import Api, User

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.yaml"
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "40")
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
    "allow_header_conformance", "ignored_auth",
)  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return loaded


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """`node`, or what its $ref points at."""
    for step in node["$ref"].split("/")[1:] if "$ref" in node else ():
        document = document[step]
    return document if "$ref" in node else node


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_it_describes_just_the_apps_routes(document: dict[str, Any], function: ModuleType) -> None:
    assert set(document["paths"]) == set(function.app.routes)
    for path, operations in document["paths"].items():
        entries = function.app.routes[path]
        assert {method.upper() for method in operations} == set(entries)
        for method, operation in operations.items():
            body = resolved(document, operation.get("requestBody", {}))
            assert list(body.get("content", {})) == entries[method.upper()].content_types


def test_it_describes_every_status(document: dict[str, Any]) -> None:
    always = {"400", "401", "412", "500", "503"}
    writing = always | {"200", "413", "415", "422", "428"}
    expected = {
        "get": always | {"200", "304", "404"}, "post": writing, "put": writing, "patch": writing,
        "delete": always | {"204", "428"},
    }  # fmt: skip
    operations = document["paths"]["/user/profile"]
    assert {
        method: set(operation["responses"]) for method, operation in operations.items()
    } == expected


def test_it_describes_every_problem(document: dict[str, Any]) -> None:
    described = {}
    for response in document["components"]["responses"].values():
        for example in (
            response["content"]
            .get("application/problem+json", {"examples": {}})["examples"]
            .values()
        ):
            problem = example["value"]
            if problem["type"] != "about:blank":
                described[problem["type"].rpartition(":")[2]] = (
                    problem["status"],
                    problem["title"],
                )
    assert described == {
        problem.name: (problem.status, problem.title) for problem in web.PROBLEMS.values()
    }


def test_it_can_be_read_in_a_browser(api: Api) -> None:
    page = api("GET", "/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert api("GET", "/docs/openapi.yaml").body == DOCUMENT.read_bytes()
    for file in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()):
        assert file.startswith("/docs/"), "nothing from elsewhere"
        assert api("GET", file).status == 200


def test_what_the_service_answers_is_what_is_described(api: Api, ada: User) -> None:
    schemathesis = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [
            schemathesis, "run", DOCUMENT, "--url", f"http://127.0.0.1:{api.port}", "--checks", ",".join(CHECKS),
            "-H", f"Authorization: Bearer {ada.id_token}", "--max-examples", EXAMPLES, "--seed", "20261123",
            "--phases", "examples,coverage,fuzzing", "--request-timeout", "30", "--continue-on-failure", "--no-color",
            "--suppress-health-check", "all", "--warnings", "off",
        ],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    generated = re.search(r"(\d+) generated", done.stdout.replace(",", ""))
    assert generated is not None, done.stdout
    assert int(generated.group(1)) > 5 * int(EXAMPLES)
    sys.stdout.write(f"\n{generated.group(1)} requests, none answered otherwise than described\n")
