"""`make smoke` on stages with rules for profiles, and with FILE."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.profile import JSON, MAX_BYTES
from chalicelib.store import ProfileStore
from deploy import smoke
from deploy.errors import SmokeError
from deploy.smoke_checks import SAMPLE_REFUSED
from deploy.smoke_sample import MAX_FILE_BYTES, sample_in
from tests.api.test_smoke import client_of
from tests.support.api_server import api_with
from tests.support.cloud import Cloud
from tests.support.http_api import Api, assert_problem
from tests.support.smoke import NOWHERE, error_of
from tests.support.users import User

NEEDS_A_SAMPLE = 6
"""The lines of the output that need a stored sample: three checks, and three paths."""


@pytest.fixture(scope="module")
def ruled_api(
    cloud: Cloud, logs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The API with a PROFILE_SCHEMA, which requires a name, and a low MAX_PROFILE_BYTES."""
    settings = {"PROFILE_SCHEMA": "profile.schema.json", "MAX_PROFILE_BYTES": "200"}
    with api_with(cloud, logs, tmp_path_factory.mktemp("ruled"), **settings) as api:
        yield api


@pytest.fixture(scope="module")
def small_api(
    cloud: Cloud, logs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The API with a MAX_PROFILE_BYTES that the built-in test data exceeds."""
    folder = tmp_path_factory.mktemp("small")
    with api_with(cloud, logs, folder, MAX_PROFILE_BYTES="60") as api:
        yield api


# --- stages with rules for profiles ---------------------------------------------------------------


@pytest.mark.parametrize("stage", ["ruled_api", "small_api"], ids=["schema", "size"])
def test_a_stage_that_refuses_the_test_data_passes(
    request: pytest.FixtureRequest,
    new_user: Callable[[], User],
    capsys: pytest.CaptureFixture[str],
    stage: str,
) -> None:
    api: Api = request.getfixturevalue(stage)
    user = new_user()
    assert smoke.run(client_of(api, user), overwrite=False) == 0
    output = capsys.readouterr().out
    assert output.count(f"not checked: {SAMPLE_REFUSED}\n") == NEEDS_A_SAMPLE
    assert_problem(api.get(user), 404, "profile-not-found")


@pytest.mark.parametrize(
    ("stage", "body"),
    [
        ("api", '{"long": 12345678901234567890.5, "small": 1E-130, "a": 0.10}'),
        ("api", "{}"),
        ("ruled_api", '{"name": "Ada", "score": 12345678901234567890.50}'),
        ("small_api", '{"n": -0.1}'),
    ],
    ids=["any", "empty", "schema", "size"],
)
def test_all_checks_pass_with_a_profile_of_the_stage(
    request: pytest.FixtureRequest,
    new_user: Callable[[], User],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    body: str,
) -> None:
    api: Api = request.getfixturevalue(stage)
    user = new_user()
    client = client_of(api, user)
    file = tmp_path / "profile.json"
    file.write_text(body)
    client.sample = sample_in(file)
    failed = smoke.run(client, overwrite=False)
    output = capsys.readouterr().out
    assert failed == 0, output
    assert output.count("not checked") == 1, "TLS, which the local API does not have"
    assert re.search(r"GET /user/%70rofile +200\n", output)
    assert_problem(api.get(user), 404, "profile-not-found")


def test_a_file_that_the_stage_refuses_fails(
    ruled_api: Api,
    new_user: Callable[[], User],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = client_of(ruled_api, new_user())
    file = tmp_path / "profile.json"
    file.write_text('{"name": ""}')
    client.sample = sample_in(file)
    assert smoke.run(client, overwrite=False) == 3
    message = r"FAILED: this stage refuses the profile in FILE: 422 .*/name"
    assert len(re.findall(message, capsys.readouterr().out)) == 3


def test_a_profile_is_restored_after_a_run_with_a_file(
    ruled_api: Api, new_user: Callable[[], User], tmp_path: Path
) -> None:
    user = new_user()
    ruled_api.post(user, '{"name": "Ada"}')
    client = client_of(ruled_api, user)
    file = tmp_path / "profile.json"
    file.write_text('{"name": "Test"}')
    client.sample = sample_in(file)
    assert smoke.run(client, overwrite=True) == 0
    assert ruled_api.get(user).json()["profile_data"] == {"name": "Ada"}


@pytest.mark.parametrize(
    ("data", "status"),
    [({"name": "Ada", "bio": "x" * 200}, "413"), ({"mine": 1}, "422")],
    ids=["413", "422"],
)
def test_a_profile_that_the_stage_refuses_stays(
    ruled_api: Api,
    new_user: Callable[[], User],
    store: ProfileStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: JSON,
    status: str,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    user = new_user()
    stored = store.replace(user.sub, data)
    with pytest.raises(SmokeError, match=f"{status} .*nothing was deleted.* Choose another user"):
        smoke.run(client_of(ruled_api, user), overwrite=True)
    assert store.get(user.sub) == stored
    assert not list(tmp_path.iterdir())


# --- FILE -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The body is empty"),
        (b"{", "line 1, column 2"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": 1, "a": 2}', '"a" twice'),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": {"": 1}}', "at /a/. A name must have"),
        (b'{"a": 1e126}', "at /a. A number"),
        (b'{"a": %s}' % (b"1" * 39), "38 significant digits"),
        (b'{"a": %s%s}' % (b"[" * 31, b"]" * 31), "Nested too deeply"),
        (b'{"a": "%s"}' % (b"x" * MAX_BYTES), "bytes can be stored"),
        (b" " * (MAX_FILE_BYTES + 1), "has more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_profile_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "profile.json"
    file.write_bytes(content)
    error = error_of(monkeypatch, URL=NOWHERE, TOKEN="a.b.c", FILE=str(file))
    assert message in error
    assert str(file) in error


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    error = error_of(monkeypatch, URL=NOWHERE, TOKEN="a.b.c", FILE=str(tmp_path / name))
    assert "cannot read" in error
    assert str(tmp_path) in error


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": %s}' % (b"1" * 38),
        b'{"a": %s%s}' % (b"[" * 30, b"]" * 30),
        b'{"a": "%s"}' % (b"x" * (MAX_BYTES - len("a") - 4)),
        b"{}" + b" " * (MAX_FILE_BYTES - 2),
    ],
    ids=["digits", "levels", "bytes", "file"],
)
def test_a_file_at_the_limits_is_sent_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "profile.json"
    file.write_bytes(content)
    assert sample_in(file).body.encode() == content
