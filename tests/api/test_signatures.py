"""The examples in docs/operating.md that sign requests: curl and JavaScript.

tests/deployed/test_users.py runs the Python example in a Lambda function.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chalicelib.store import ProfileStore
from deploy.users_api import UsersApi
from local import page
from tests.support.clone import ROOT
from tests.support.commands import output_of
from tests.support.documents import DOCS, example
from tests.support.http_api import Api
from tests.support.operators import operator_of

OPERATING = DOCS / "operating.md"
PACKAGES = ROOT / "tests" / "browser"
SUBS = [f"00000000-0000-4000-8000-{number:012}" for number in range(12)]
"""Users at the start of the list."""


@pytest.fixture
def operator(api: Api, store: ProfileStore) -> UsersApi:
    """An operator of a service that has more users than the examples read at once."""
    for sub in SUBS:
        store.replace(sub, {"name": "Ada", "é": "+ %20"})
    return operator_of(api)


@pytest.fixture
def variables(operator: UsersApi) -> dict[str, str]:
    """The environment in which the examples run."""
    return os.environ | {
        "API_URL": operator.url,
        "AWS_REGION": operator.region,
        "AWS_ACCESS_KEY_ID": operator.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": operator.credentials.secret_key,
        "AWS_SESSION_TOKEN": "",
    }


def test_the_curl_example_lists_users_and_sets_a_plan(
    operator: UsersApi, variables: dict[str, str]
) -> None:
    cursor = operator.send("GET", "/users", query={"limit": "3"}).json()["next"]
    script = example(OPERATING, "Call the API with curl", "sh")
    output = output_of(["bash", "-ec", script], variables | {"CURSOR": cursor, "SUB": SUBS[0]})
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(output)
    second, end = decoder.raw_decode(output, end)
    metadata, _ = decoder.raw_decode(output, end)
    assert [user["sub"] for user in first["users"]] == SUBS[:10]
    assert [user["sub"] for user in second["users"]][:9] == SUBS[3:]
    assert metadata["app_metadata"] == {"plan": "pro"}


def test_the_javascript_example_lists_every_user(
    operator: UsersApi, variables: dict[str, str], tmp_path: Path
) -> None:
    page.install(PACKAGES)
    (tmp_path / "node_modules").symlink_to(PACKAGES / "node_modules")
    code = example(OPERATING, "Call the API with JavaScript", "js")
    file = tmp_path / "example.mjs"
    file.write_text(code.replace("limit=100", "limit=5"))
    lines = output_of(["node", file], variables).splitlines()
    listed = dict(line.split(" ", 1) for line in lines)
    assert list(listed)[: len(SUBS)] == SUBS
    assert json.loads(listed[SUBS[0]]) == {"name": "Ada", "é": "+ %20"}
    assert len(listed) == len(lines)
