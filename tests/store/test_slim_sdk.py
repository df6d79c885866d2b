"""The storage layer and the user pool with the packaged AWS SDK: botocore with little data."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest

from deploy import vendor
from tests.support.clone import ROOT
from tests.support.cloud import Cloud


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packaged SDK, which processes started by the test use."""
    monkeypatch.chdir(tmp_path)
    vendor.build()
    folder = tmp_path / "vendor"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    return folder


def assert_it_works(packaged: Path, module: str, *arguments: str) -> None:
    """Run a module of tests/store, which prints where its SDK is."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.store.{module}", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(packaged)), "it ran with another SDK"


def test_the_store_works_with_the_packaged_sdk(packaged: Path, table: str) -> None:
    assert_it_works(packaged, "use_store", table)


def test_a_user_is_deleted_with_the_packaged_sdk(packaged: Path, cloud: Cloud) -> None:
    pool_id = cloud.outputs["UserPoolId"]
    name = f"{uuid.uuid4()}@example.com"
    cognito = boto3.client("cognito-idp")
    created = cognito.admin_create_user(UserPoolId=pool_id, Username=name)["User"]
    (sub,) = (found["Value"] for found in created["Attributes"] if found["Name"] == "sub")
    assert_it_works(packaged, "use_user_pool", cloud.outputs["UserPoolArn"], sub)
    with pytest.raises(cognito.exceptions.UserNotFoundException):
        cognito.admin_get_user(UserPoolId=pool_id, Username=name)
