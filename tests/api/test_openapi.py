"""Compares docs/openapi.yaml with the running service. tests/unit/test_openapi.py compares it with
the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clone import ROOT
from tests.support.http_api import Api
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


def test_the_document_can_be_read_in_a_browser(api: Api) -> None:
    page = api("GET", "/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert api("GET", "/docs/openapi.yaml").body == DOCUMENT.read_bytes()
    for file in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()):
        assert file.startswith("/docs/"), f"{file} comes from another server"
        assert api("GET", file).status == 200


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/openapi.yaml"])
def test_the_document_is_found_with_a_query_and_by_head(api: Api, path: str) -> None:
    expected = api("GET", path)
    with_query = api("GET", f"{path}?x=/y")
    assert (with_query.status, with_query.body) == (200, expected.body)
    head = api("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == expected.headers[name]


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
