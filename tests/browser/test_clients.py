"""The examples of docs/clients.md, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import MODULES, Site
from tests.conftest import ROOT, User

DOCUMENT = (ROOT / "docs" / "clients.md").read_text()


def example(heading: str) -> str:
    """The code under a heading."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    (code,) = re.findall(r"^```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.fixture
def folder(site: Site, tmp_path: Path) -> Path:
    """A folder of the project beside a running `make local`, as far as the examples look."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "config.json").write_text(site.config.read_text())
    (tmp_path / "node_modules").symlink_to(MODULES)
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> str:
    """What `command` prints; it must succeed. It finds AWS by what the example says, not by our settings."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        command, cwd=folder, env=bare | variables, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl(site: Site, demo_user: User) -> None:
    script = example("curl").replace("localhost:8000", f"localhost:{site.api.port}")
    said = run(ROOT, "bash", "-euc", script, LOCAL_STATE=str(site.cloud.folder))
    assert '"profile_data":{"name":"Ada","born":1815}' in said


def test_python(site: Site, demo_user: User, folder: Path) -> None:
    assert site.api.post(demo_user, '{"born": 1815}').status == 200
    for _ in ("there is a profile", "and now there is none"):
        said = json.loads(run(folder, sys.executable, "-W", "error", "-c", example("Python")))
        assert said["profile_data"]["name"] == "Ada Lovelace"
        site.api("DELETE", token=demo_user.id_token)


def test_javascript(site: Site, demo_user: User, folder: Path) -> None:
    (folder / "example.mjs").write_text(example("JavaScript"))
    for visits in (1, 2):
        said = json.loads(run(folder, "node", "example.mjs", TOKEN=demo_user.id_token))
        assert said["profile_data"] == {"visits": visits}


def test_amplify(site: Site, demo_user: User, folder: Path) -> None:
    assert site.api.post(demo_user, '{"name": "Ada"}').status == 200
    (folder / "example.mjs").write_text(example("AWS Amplify"))
    assert '"profile_data":{"name":"Ada"}' in run(folder, "node", "example.mjs")


def test_the_address_bar_needs_the_implicit_flow_which_the_local_cloud_refuses(site: Site) -> None:
    (address,) = re.findall(r"https://<UserPoolDomain>(\S+)", DOCUMENT)
    assert "response_type=token" in address
    asked = address.replace("<UserPoolClientId>", site.cloud.outputs["UserPoolClientId"])
    refusal = type(site.api)(site.cloud.port)("GET", asked)
    assert (refusal.status, refusal.json()["error"]) == (400, "unsupported_response_type")
