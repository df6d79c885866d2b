"""Compares docs/openapi.yaml with the app's routes and with the responses of the service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from app import app
from chalicelib.problems import PROBLEM_TYPES
from tests.support.clone import ROOT
from tests.support.http_api import PROFILE, Api
from tests.support.users import User

DOCUMENT = ROOT / "docs" / "openapi.yaml"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
"""Random requests for each operation and phase; `make fuzz` sends more."""
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]
EVERY_METHOD = {"400", "401", "412", "500", "503"}
STATUSES = {
    "get": EVERY_METHOD | {"200", "304", "404"},
    "post": EVERY_METHOD | {"200", "413", "415", "422", "428"},
    "put": EVERY_METHOD | {"200", "413", "415", "422", "428"},
    "patch": EVERY_METHOD | {"200", "413", "415", "422", "428"},
    "delete": EVERY_METHOD | {"204", "428"},
}
"""The statuses that each method of /user/profile may return."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return loaded


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The object that `node` refers to with $ref, or `node` itself."""
    if "$ref" not in node:
        return node
    target = document
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return target


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_described(document: dict[str, Any]) -> None:
    routes = {f"{method} {path}" for path, methods in app.routes.items() for method in methods}
    described = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    missing = sorted(routes - described)
    assert not missing, f"describe {missing} under `paths` in docs/openapi.yaml"
    extra = sorted(described - routes)
    assert not extra, f"app.py has no route for {extra}: remove it from docs/openapi.yaml"


def test_every_content_type_is_described(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            route = app.routes[path][method.upper()]
            body = resolve(document, operation.get("requestBody", {}))
            described = list(body.get("content", {}))
            assert described == route.content_types, (
                f"docs/openapi.yaml: the requestBody of {method.upper()} {path} must have the "
                f"content types that app.py has: {route.content_types}"
            )


@pytest.mark.parametrize("method", STATUSES)
def test_every_status_is_described(document: dict[str, Any], method: str) -> None:
    assert set(document["paths"][PROFILE][method]["responses"]) == STATUSES[method]


def test_every_problem_is_described(document: dict[str, Any]) -> None:
    described = {}
    for response in document["components"]["responses"].values():
        problems = response["content"].get("application/problem+json", {"examples": {}})
        for example in problems["examples"].values():
            problem = example["value"]
            name = problem["type"].rpartition(":")[2]
            if problem["type"] != "about:blank":
                described[name] = (problem["status"], problem["title"])
    expected = {problem.name: (problem.status, problem.title) for problem in PROBLEM_TYPES.values()}
    assert described == expected, (
        "docs/openapi.yaml: the examples under components.responses must be the problems "
        "that the service has"
    )


def test_the_document_can_be_read_in_a_browser(api: Api) -> None:
    page = api("GET", "/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert api("GET", "/docs/openapi.yaml").body == DOCUMENT.read_bytes()
    for file in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()):
        assert file.startswith("/docs/"), f"{file} comes from another server"
        assert api("GET", file).status == 200


def test_the_service_answers_as_described(api: Api, ada: User) -> None:
    """Schemathesis sends requests made from the document and checks the responses."""
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [
        schemathesis,
        "run",
        str(DOCUMENT),
        f"--url=http://127.0.0.1:{api.port}",
        f"--header=Authorization: Bearer {ada.id_token}",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        "--seed=20261123",
        "--request-timeout=30",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--warnings=off",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    generated = re.search(r"(\d+) generated", done.stdout.replace(",", ""))
    assert generated is not None, done.stdout
    assert int(generated.group(1)) > 5 * EXAMPLES
    sys.stdout.write(f"\n{generated.group(1)} requests, all with responses as described\n")
