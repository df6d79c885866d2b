"""The settings of the stage local that need not be in .chalice/config.json."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from local import environment

RECORDED = {
    **environment.for_endpoint(4566),
    "DYNAMODB_TABLE": "table",
    "USER_POOL_ARN": "arn",
    "USER_POOL_CLIENT_ID": "client",
}


@pytest.mark.parametrize("in_the_shell", ["account", "off"])
@pytest.mark.parametrize(
    ("for_all_stages", "for_local", "expected"),
    [
        ({}, {}, "account"),
        ({}, {"ERASURE": "off"}, "off"),
        ({"ERASURE": "off"}, {}, "off"),
        ({"ERASURE": "off"}, {"ERASURE": "account"}, "account"),
        ({}, {"ERASURE": ""}, ""),
    ],
)
@pytest.mark.usefixtures("restored_environment")
def test_accounts_are_erased_unless_the_stage_says_otherwise(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    for_all_stages: dict[str, str],
    for_local: dict[str, str],
    expected: str,
    in_the_shell: str,
) -> None:
    (tmp_path / ".chalice").mkdir()
    config = {
        "environment_variables": for_all_stages,
        "stages": {"local": {"environment_variables": for_local}},
    }
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    monkeypatch.setenv("ERASURE", in_the_shell)
    environment.record(RECORDED)
    environment.load()
    assert os.environ["ERASURE"] == expected
