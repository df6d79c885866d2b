"""Chalice's own test client, used as its documentation shows it ("Testing", class Client)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.support.clone import ROOT, record_backend, reset_stages
from tests.support.cloud import Cloud
from tests.support.commands import output_of
from tests.support.project import copy_project
from tests.support.users import User

TEST = """
import json, sys
from chalice.test import Client
from app import app

with Client(app, stage_name="dev") as client:
    headers = {"Authorization": sys.argv[1], "Content-Type": "application/json"}
    send = lambda method, body: getattr(client.http, method)(
        "/user/profile", headers=headers, body=body
    )
    answers = {
        "signed out": client.http.get("/user/profile").status_code,
        "not conforming": send("put", b'{"age": "old"}').status_code,
        "too large": send("put", b'{"text": "%s"}' % (b"x" * 100)).status_code,
        "stored": send("put", b'{"age": 36}').status_code,
        "without a precondition": send("put", b'{"age": 37}').status_code,
        "read": send("get", b"").json_body["profile_data"],
    }
with Client(app, stage_name="prod") as client:
    answers["too large in prod"] = send("put", b'{"age": "old enough"}').status_code
print(json.dumps(answers))
"""


def test_the_client_sets_a_stages_variables_after_the_import(
    cloud: Cloud, user: User, tmp_path: Path
) -> None:
    """Table, schema, limit and preconditions apply, although app.py was imported without them."""
    project = tmp_path / "user-profile"
    copy_project(ROOT, project)
    reset_stages(project)
    schema = {"properties": {"age": {"type": "integer"}}}
    (project / "chalicelib" / "age.json").write_text(json.dumps(schema))
    settings = {
        "DYNAMODB_TABLE": cloud.outputs["TableName"],
        "USER_POOL_ARN": cloud.outputs["UserPoolArn"],
        "PROFILE_SCHEMA": "age.json",
        "MAX_PROFILE_BYTES": "100",
        "REQUIRE_PRECONDITIONS": "true",
    }
    record_backend(project, "dev", settings)
    record_backend(
        project,
        "prod",
        settings | {"PROFILE_SCHEMA": "", "REQUIRE_PRECONDITIONS": "", "MAX_PROFILE_BYTES": "10"},
    )
    output = output_of([sys.executable, "-c", TEST, user.id_token], os.environ, project)
    assert json.loads(output.splitlines()[-1]) == {
        "signed out": 401,
        "not conforming": 422,
        "too large": 413,
        "stored": 200,
        "without a precondition": 428,
        "read": {"age": 36},
        "too large in prod": 413,
    }
