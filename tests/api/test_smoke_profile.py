"""`make smoke` for a user who has a profile, and when it is interrupted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy import smoke, smoke_saved
from deploy.errors import SmokeError
from deploy.smoke_checks import Client
from tests.api.test_smoke import client_of
from tests.support.commands import ROOT
from tests.support.http_api import Api, assert_problem
from tests.support.users import User


@pytest.fixture
def saved_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which contains only those of the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def patch_send(
    client: Client, monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None]
) -> None:
    """Call `before` with the method of each request before the client sends it."""
    send = client.session.request

    def send_later(method: str, *arguments: Any, **options: Any) -> requests.Response:
        before(method)
        return send(method, *arguments, **options)

    monkeypatch.setattr(client.session, "request", send_later)


# --- a profile that the user has ------------------------------------------------------------------


def test_a_restored_profile_has_its_data_and_a_new_etag(
    api: Api, new_user: Callable[[], User], saved_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = new_user()
    before = api.post(user, '{"mine": 12345678901234567890.5}')
    assert smoke.run(client_of(api, user), overwrite=True) == 0
    after = api.get(user)
    assert after.json()["profile_data"] == before.json()["profile_data"]
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "restored, with a new ETag and new times (created_at, too)" in capsys.readouterr().err
    assert not list(saved_files.iterdir())


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_change_by_another_client_is_not_lost(
    api: Api,
    new_user: Callable[[], User],
    saved_files: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    user = new_user()
    api.post(user, '{"mine": 1}')
    client = client_of(api, user)

    def change_before(next_method: str) -> None:
        if next_method == method:
            api.post(user, '{"mine": 2}')

    patch_send(client, monkeypatch, change_before)
    with pytest.raises(SmokeError, match="another client has just changed the profile"):
        smoke.run(client, overwrite=True)
    assert api.get(user).json()["profile_data"] == {"mine": 2}
    assert not list(saved_files.iterdir())


def test_a_profile_that_cannot_be_deleted_stays(
    api: Api,
    new_user: Callable[[], User],
    saved_files: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = new_user()
    api.post(user, '{"mine": 1}')
    client = client_of(api, user)

    def refuse_to_delete(method: str) -> None:
        if method == "DELETE":
            raise requests.ConnectionError("the network is gone")

    patch_send(client, monkeypatch, refuse_to_delete)
    with pytest.raises(SmokeError, match="could not be deleted"):
        smoke.run(client, overwrite=True)
    assert api.get(user).json()["profile_data"] == {"mine": 1}
    assert not list(saved_files.iterdir())


def test_a_profile_that_cannot_be_saved_stays(
    api: Api, new_user: Callable[[], User], saved_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = new_user()
    before = api.post(user, '{"mine": 1}')
    monkeypatch.setattr(tempfile, "tempdir", str(saved_files / "nowhere"))
    with pytest.raises(SmokeError, match="could not be saved in a file"):
        smoke.run(client_of(api, user), overwrite=True)
    assert api.get(user).headers["ETag"] == before.headers["ETag"]


def test_a_profile_stays_if_the_token_expires_soon(
    api: Api, new_user: Callable[[], User], saved_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens of the tests are valid for an hour."""
    user = new_user()
    before = api.post(user, '{"mine": 1}')
    monkeypatch.setattr(smoke_saved, "MIN_TOKEN_SECONDS", 3600)
    with pytest.raises(SmokeError, match="expires in less than 60 minutes"):
        smoke.run(client_of(api, user), overwrite=True)
    assert api.get(user).headers["ETag"] == before.headers["ETag"]
    assert not list(saved_files.iterdir())


# --- interruptions --------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys
from deploy import smoke, smoke_saved

number = signal.Signals[sys.argv[1]]

def interrupt():
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)

def first_check(client):
    assert client.send("PUT", '{"test":1}').status_code == 200
    interrupt()
    assert client.send("GET").status_code == 200

def second_check(client):
    raise AssertionError("a check was made after the interruption")

def interrupted_before(change):
    def changed(client):
        interrupt()
        change(client)
    return changed

smoke.CHECKS = {"the first": first_check, "the second": second_check}
smoke.remove_profile = interrupted_before(smoke.remove_profile)
smoke_saved.remove_profile = interrupted_before(smoke_saved.remove_profile)
smoke.main([])
"""
"""`make smoke` with two signals during a check, and two more while the profile is restored."""


def interrupted(
    api: Api, user: User, signal_name: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run INTERRUPTED as the user, to its end."""
    options = {"OPTION_URL": f"http://127.0.0.1:{api.port}", "OPTION_TOKEN": user.id_token}
    return subprocess.run(
        [sys.executable, "-c", INTERRUPTED, signal_name],
        cwd=ROOT,
        env={**os.environ, **options, **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_restores_the_profile(
    api: Api, new_user: Callable[[], User], saved_files: Path, signal_name: str
) -> None:
    user = new_user()
    api.post(user, '{"mine": 1}')
    done = interrupted(api, user, signal_name, OPTION_OVERWRITE="yes")
    assert done.returncode == 1
    saved, _, restored, end = done.stderr.splitlines()
    assert re.fullmatch(rf"The profile is saved in {saved_files}/\S+ until it is restored.", saved)
    assert "The profile was restored" in restored
    assert end == "Interrupted."
    assert api.get(user).json()["profile_data"] == {"mine": 1}
    assert not list(saved_files.iterdir())


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_removes_the_test_profile(
    api: Api, new_user: Callable[[], User], signal_name: str
) -> None:
    user = new_user()
    done = interrupted(api, user, signal_name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["The test profile was removed.", "Interrupted."]
    assert_problem(api.get(user), 404, "profile-not-found")


def test_a_closed_output_loses_no_profile(
    api: Api, new_user: Callable[[], User], saved_files: Path
) -> None:
    user = new_user()
    api.post(user, '{"mine": 1}')
    reading, writing = os.pipe()
    os.close(reading)
    options = {
        "OPTION_URL": f"http://127.0.0.1:{api.port}",
        "OPTION_TOKEN": user.id_token,
        "OPTION_OVERWRITE": "yes",
    }
    done = subprocess.run(
        [sys.executable, "-m", "deploy.smoke"],
        cwd=ROOT,
        env={**os.environ, **options},
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: the output was closed")
    assert api.get(user).json()["profile_data"] == {"mine": 1}


def test_ctrl_c_during_the_imports_prints_no_traceback(tmp_path: Path) -> None:
    """A module with the name of one that is imported sends SIGINT."""
    module = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (tmp_path / "requests.py").write_text(module)
    done = subprocess.run(
        [sys.executable, "-m", "deploy.smoke"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Interrupted.\n")
