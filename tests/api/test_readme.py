"""The JavaScript example in README.md, run by Node unchanged."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import output_of
from tests.support.documents import README, example
from tests.support.http_api import Api
from tests.support.users import User

CALL = "console.log(JSON.stringify(await saveName(process.env.TOKEN, process.env.NAME)));"


@pytest.fixture
def script(api: Api, tmp_path: Path) -> Path:
    """The example for the API of the tests, with a call of its function."""
    code = example(README, "Use it from your app", "js")
    file = tmp_path / "example.mjs"
    file.write_text(code.replace("127.0.0.1:8000", f"127.0.0.1:{api.port}") + CALL)
    return file


def save_name(script: Path, user: User, name: str) -> Any:
    """The profile data that the example returns."""
    environment = os.environ | {"TOKEN": user.id_token, "NAME": name}
    return json.loads(output_of(["node", script], environment))


def test_the_example_creates_a_profile(script: Path, user: User) -> None:
    assert save_name(script, user, "Ada") == {"name": "Ada"}


def test_the_example_changes_only_the_name(api: Api, script: Path, user: User) -> None:
    api.post(user, '{"name": "Ada", "born": 1815}')
    assert save_name(script, user, "Ada Lovelace") == {"name": "Ada Lovelace", "born": 1815}
