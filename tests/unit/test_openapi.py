"""Compares docs/openapi.yaml with the code. tests/api/test_openapi.py compares it with the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chalice import IAMAuthorizer
from openapi_spec_validator import validate

from app import create_app, profile_settings, profile_store
from chalicelib.problems import PROBLEM_TYPES, UNEXPECTED
from chalicelib.settings import RouteSettings
from tests.support.clone import ROOT
from tests.support.http_api import PROFILE

DOCUMENT = ROOT / "docs" / "openapi.yaml"
ROUTES = RouteSettings(erases_accounts=True, public_fields=("name",))
app = create_app(ROUTES, profile_settings, profile_store)
"""With all routes: some exist in certain stages only."""
EVERY_METHOD = {"400", "401", "410", "412", "500", "503"}
STATUSES = {
    "get": EVERY_METHOD | {"200", "304", "404"},
    "post": EVERY_METHOD | {"200", "413", "415", "422", "428"},
    "put": EVERY_METHOD | {"200", "413", "415", "422", "428"},
    "patch": EVERY_METHOD | {"200", "413", "415", "422", "428"},
    "delete": EVERY_METHOD | {"204", "428"},
}
"""The statuses that each method of /user/profile may return."""
EVERY_OPERATION = {"401", "500"}
"""The statuses that every operation of another path may return."""
SIGNED_OPERATION = EVERY_OPERATION | {"403", "404"}
"""The same for operations of back ends and operators. API Gateway returns 404 if unsigned."""


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


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The path, method and description of each operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, method, operation


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_described(document: dict[str, Any]) -> None:
    routes = {f"{method} {path}" for path, methods in app.routes.items() for method in methods}
    described = {f"{method.upper()} {path}" for path, method, _ in operations(document)}
    missing = sorted(routes - described)
    assert not missing, f"describe {missing} under `paths` in docs/openapi.yaml"
    extra = sorted(described - routes)
    assert not extra, f"app.py has no route for {extra}: remove it from docs/openapi.yaml"


def test_every_content_type_is_described(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        route = app.routes[path][method.upper()]
        body = resolve(document, operation.get("requestBody", {}))
        described = list(body.get("content", {}))
        assert described == route.content_types, (
            f"{method.upper()} {path} has the content types {route.content_types} in app.py, and "
            f"{described} in docs/openapi.yaml (requestBody). A route that reads no body has none."
        )


@pytest.mark.parametrize("method", STATUSES)
def test_every_status_is_described(document: dict[str, Any], method: str) -> None:
    assert set(document["paths"][PROFILE][method]["responses"]) == STATUSES[method]


def is_signed(path: str, method: str) -> bool:
    """Whether API Gateway's IAM authorization protects the route."""
    return isinstance(app.routes[path][method.upper()].authorizer, IAMAuthorizer)


def test_every_operation_describes_the_errors_of_all(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        expected = SIGNED_OPERATION if is_signed(path, method) else EVERY_OPERATION
        missing = expected - set(operation["responses"])
        assert not missing, f"docs/openapi.yaml: describe {missing} for {method.upper()} {path}"


def test_every_operation_has_the_security_scheme_of_its_route(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        scheme = "awsSignature" if is_signed(path, method) else "idToken"
        described = operation.get("security", document["security"])
        assert described == [{scheme: []}], (
            f"docs/openapi.yaml: {method.upper()} {path} must have the security scheme {scheme}"
        )


def test_an_unexpected_error_is_described_as_it_is_sent(document: dict[str, Any]) -> None:
    response = document["components"]["responses"]["Unexpected"]
    (example,) = response["content"]["application/problem+json"]["examples"].values()
    assert example["value"]["detail"] == UNEXPECTED.detail


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
    missing = sorted(expected.keys() - described.keys())
    assert not missing, f"docs/openapi.yaml: give examples of {missing} in components.responses"
    assert described == expected, (
        "docs/openapi.yaml: the examples in components.responses differ from PROBLEM_TYPES in "
        "chalicelib/problems.py"
    )
