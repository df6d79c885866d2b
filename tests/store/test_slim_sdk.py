"""The storage layer with the packaged AWS SDK: botocore with DynamoDB's data only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import vendor
from tests.support.clone import ROOT


def test_the_store_works_with_the_packaged_sdk(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vendor.build()
    packaged = tmp_path / "vendor"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packaged), str(ROOT)]))
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.use_store", table],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(packaged)), "it ran with another SDK"
