"""Compares docs/openapi.yaml with the running service. tests/unit/test_openapi.py compares it with
the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.store import ProfileStore
from tests.support.clone import ROOT
from tests.support.cloud import PUBLIC_FIELDS
from tests.support.http_api import Api
from tests.support.operators import operator_of
from tests.support.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
    "unsupported_method",
    "allow_header_conformance",
]
TOKEN_CHECKS = ["missing_required_header", "ignored_auth"]
"""These expect 401 without credentials. API Gateway answers 404 to an unsigned request."""
EXAMPLE_SUB = "f2547e8f-5572-4260-a831-c9550a1b6001"
"""The sub in the document's examples."""


def test_the_document_can_be_read_in_a_browser(api: Api) -> None:
    page = api("GET", "/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for file in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()):
        assert file.startswith("/docs/"), f"{file} comes from another server"
        assert api("GET", file).status == 200


def test_the_document_shown_is_that_of_the_stage(api: Api) -> None:
    shown = api("GET", "/docs/openapi.json")
    assert (shown.status, shown.headers["Content-Type"]) == (200, "application/json")
    document = shown.json()
    assert document["servers"] == [{"url": "/", "description": "The stage local"}]
    assert {"/user", "/profiles"} <= set(document["paths"])
    assert set(document["components"]["schemas"]["PublicFields"]["properties"]) == {*PUBLIC_FIELDS}
    assert b'"/docs/openapi.json"' in api("GET", "/docs/start.js").body


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/openapi.json"])
def test_the_document_is_found_with_a_query_and_by_head(api: Api, path: str) -> None:
    expected = api("GET", path)
    with_query = api("GET", f"{path}?x=/y")
    assert (with_query.status, with_query.body) == (200, expected.body)
    head = api("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == expected.headers[name]


def test_users_are_answered_as_described(api: Api, ada: User) -> None:
    checks = [*CHECKS, *TOKEN_CHECKS]
    send_requests(api, "^/user/.", checks, f"--header=Authorization: Bearer {ada.id_token}")


def test_public_profiles_are_answered_as_described(
    api: Api, ada: User, store: ProfileStore
) -> None:
    store.replace(EXAMPLE_SUB, {"name": "Ada", "private": True})
    checks = [*CHECKS, *TOKEN_CHECKS]
    send_requests(api, "^/profiles", checks, f"--header=Authorization: Bearer {ada.id_token}")


@pytest.fixture
def empty_table(dynamodb: DynamoDBClient, table: str) -> None:
    """Tests of the store leave profiles whose times are t1, t2... The list would show them."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, AttributesToGet=["pk", "sk"])
    for page in pages:
        for key in page["Items"]:
            dynamodb.delete_item(TableName=table, Key=key)


def test_operators_are_answered_as_described(api: Api, empty_table: None) -> None:
    """tests/support/schemathesis_hooks.py signs the requests."""
    operator = operator_of(api)
    profile = f"/users/{EXAMPLE_SUB}/profile"
    before = operator.send("PUT", profile, body='{"name": "Ada"}').headers["ETag"]
    operator.send("PUT", f"/users/{EXAMPLE_SUB}/metadata", body='{"app_metadata": {"plan": "pro"}}')
    send_requests(api, r"^/users($|/\{sub\}/.)", CHECKS)
    after = operator.send("GET", profile).headers.get("ETag")
    assert after != before, "the requests changed nothing: their signatures were refused"


def test_the_end_of_an_account_is_as_described(api: Api, new_user: Callable[[], User]) -> None:
    user = new_user()
    checks = [*CHECKS, *TOKEN_CHECKS]
    send_requests(api, "^/user$", checks, f"--header=Authorization: Bearer {user.id_token}")
    assert api.get(user).status == 410
    send_requests(api, r"^/users/\{sub\}$", CHECKS)


def send_requests(
    api: Api, paths: str, checks: list[str], *options: str, document: Path = DOCUMENT
) -> None:
    """Schemathesis sends requests made from the document and checks the responses."""
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [
        schemathesis,
        "run",
        str(document),
        f"--url=http://127.0.0.1:{api.port}",
        f"--include-path-regex={paths}",
        f"--checks={','.join(checks)}",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        "--seed=20261123",
        "--request-timeout=30",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--warnings=off",
        "--no-color",
        *options,
    ]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    generated = re.search(r"(\d+) generated", done.stdout.replace(",", ""))
    assert generated is not None, done.stdout
    assert int(generated.group(1)) > 5 * EXAMPLES
    sys.stdout.write(f"\n{generated.group(1)} requests, all with responses as described\n")
