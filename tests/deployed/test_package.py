"""The zip of `make package`, and its function in AWS's own runtime."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import vendor
from tests.deployed.conftest import Account
from tests.support import lambda_runtime as runtimes
from tests.support.clone import ROOT
from tests.support.events import user_event
from tests.support.lambda_runtime import Runtime
from tests.support.users import User

OWN_CODE = ("app.py", "chalicelib", "chalice")
"""Code that is compiled with a check of its source, because it may be edited."""
CHECKED_BY_HASH = b"\x03\0\0\0"
UNCHECKED = b"\x01\0\0\0"
"""The flags of a compiled file, its bytes 4 to 8 (PEP 552)."""
SDK = ("botocore", "jmespath", "dateutil", "urllib3", "six.py")
BUILT_HERE = {*OWN_CODE, *SDK, vendor.STAMP.name, "__pycache__"}
"""The names at the root of the zip, without the packages in requirements.txt."""
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def archive(package: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(package / "deployment.zip") as opened:
        yield opened


@pytest.fixture(scope="module")
def client_id(account: Account, package: Path) -> str:
    return account.environment("dev")["USER_POOL_CLIENT_ID"]


def test_the_zip_holds_what_runs_and_nothing_else(
    archive: zipfile.ZipFile, account: Account
) -> None:
    names = archive.namelist()
    at_the_root = {root_of(name) for name in names if ".dist-info/" not in name}
    assert at_the_root >= BUILT_HERE
    requirements = (account.folder / "requirements.txt").read_text().splitlines()
    if all(line.startswith("#") for line in requirements):
        assert at_the_root == BUILT_HERE


def test_a_file_has_one_content(archive: zipfile.ZipFile) -> None:
    """A package in requirements.txt may need a package that the SDK also needs."""
    contents: dict[str, int] = {}
    for entry in archive.infolist():
        assert contents.setdefault(entry.filename, entry.CRC) == entry.CRC, (
            f"{entry.filename} is in the zip twice: from vendor/, and in another version from "
            "requirements.txt. Pin its package there to the version in requirements/run.txt."
        )


def root_of(name: str) -> str:
    """The first part of a name in the zip."""
    return name.partition("/")[0]


def test_all_of_chalicelib_is_in_the_zip(archive: zipfile.ZipFile) -> None:
    packaged = {
        name
        for name in archive.namelist()
        if name.startswith("chalicelib/") and "__pycache__" not in name
    }
    sources = {f"chalicelib/{path.name}" for path in (ROOT / "chalicelib").glob("*.py")}
    assert sources <= packaged


def test_the_zip_is_under_3_megabytes(package: Path, archive: zipfile.ZipFile) -> None:
    """Without the packages in requirements.txt."""
    size = (package / "deployment.zip").stat().st_size
    for entry in archive.infolist():
        if root_of(entry.filename) not in BUILT_HERE:
            size -= entry.compress_size
    assert size < 3 * MEGABYTE


def test_everything_that_is_built_here_is_compiled(archive: zipfile.ZipFile) -> None:
    for name in archive.namelist():
        path = Path(name)
        if path.suffix != ".py" or root_of(name) not in BUILT_HERE:
            continue
        compiled_name = f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        compiled = archive.read(str(path.parent / "__pycache__" / compiled_name))
        if path.parts[0] in OWN_CODE:
            assert compiled[4:8] == CHECKED_BY_HASH, name
            source_hash = importlib.util.source_hash(archive.read(name))
            assert compiled[8:16] == source_hash, f"{name} was compiled from another source"
        else:
            assert compiled[4:8] == UNCHECKED, name


def test_it_runs_with_the_runtimes_sdk_too(
    archive: zipfile.ZipFile,
    account: Account,
    client_id: str,
    aws_variables: dict[str, str],
    ada: User,
    tmp_path: Path,
) -> None:
    """As in a package without vendor/."""
    runtime = tmp_path / "runtime"
    task = tmp_path / "task"
    runtimes.install(runtime, extra_packages=vendor.PACKAGES)
    archive.extractall(task, [name for name in archive.namelist() if root_of(name) not in SDK])
    variables = aws_variables | account.environment("dev")
    with runtimes.function(runtime, task, "app.app", variables) as function:
        answer = function.invoke(user_event("GET", ada.sub, client_id))
    assert answer["statusCode"] in (200, 404), answer


def test_it_stores_and_reads_a_profile(
    runtime: Runtime, client_id: str, new_user: Callable[[], User]
) -> None:
    user = new_user()
    assert runtime.invoke(user_event("GET", user.sub, client_id))["statusCode"] == 404
    posted = runtime.invoke(
        user_event("POST", user.sub, client_id, '{"n": 12345678901234567890.5}')
    )
    assert posted["statusCode"] == 200, posted
    read = runtime.invoke(user_event("GET", user.sub, client_id))
    assert '"profile_data":{"n":12345678901234567890.5}' in read["body"]
    assert read["headers"]["ETag"] == posted["headers"]["ETag"]


@pytest.fixture(scope="module")
def log_lines(
    installed: Path, runtime: Runtime, account: Account, aws_variables: dict[str, str], ada: User
) -> list[dict[str, Any]]:
    """The log of three events, from a function whose table does not exist."""
    variables = aws_variables | account.environment("dev")
    variables["DYNAMODB_TABLE"] = "user-profile-nowhere"
    client_id = variables["USER_POOL_CLIENT_ID"]
    with runtimes.function(installed, installed / "task", "app.app", variables) as function:
        function.invoke(user_event("GET", ada.sub, client_id))
        function.invoke(user_event("PUT", ada.sub, client_id, "{"))
        function.invoke({"detail-type": "Scheduled Event"})
        text = function.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("logger") == "user-profile"]


def test_each_request_is_one_line_of_json_in_the_log(
    log_lines: list[dict[str, Any]], ada: User
) -> None:
    assert len(log_lines) == 3
    for line in log_lines[:2]:
        assert line["timestamp"]
        assert line["duration_ms"] > 0
        assert line["sub"] == ada.sub
        assert line["route"] == "/user/profile"
        assert line["request_id"] == "request-1"


def test_a_failure_is_logged_with_its_traceback(log_lines: list[dict[str, Any]]) -> None:
    failure = log_lines[0]
    assert failure["level"] == "ERROR"
    assert (failure["method"], failure["status"], failure["database_calls"]) == ("GET", 500, 1)
    assert failure["errorType"] == "ResourceNotFoundException"
    assert any("chalicelib/" in frame for frame in failure["stackTrace"])


def test_a_client_error_is_logged_without_a_traceback(log_lines: list[dict[str, Any]]) -> None:
    refused = log_lines[1]
    assert refused["level"] == "INFO"
    assert refused["error"] == "MalformedJSON"
    assert (refused["method"], refused["status"], refused["database_calls"]) == ("PUT", 400, 0)
    assert "stackTrace" not in refused


def test_an_event_that_is_no_request_is_logged(log_lines: list[dict[str, Any]]) -> None:
    ping = log_lines[2]
    assert (ping["level"], ping["status"], ping["method"]) == ("INFO", 400, "-")
