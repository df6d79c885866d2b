"""The storage layer's tests once more, with the SDK as it is packaged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import botocore
import pytest

from deploy import vendor
from tests.conftest import ROOT


def test_the_storage_layer_works_with_the_packaged_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vendor.build()
    # What the tests need besides DynamoDB (the user pool, CloudFormation) comes from the whole SDK's data.
    whole = Path(botocore.__file__).with_name("data")
    shutil.copytree(
        whole,
        tmp_path / "vendor/botocore/data",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("dynamodb"),
    )
    code = "import botocore, pytest, sys; assert 'vendor' in botocore.__file__; sys.exit(pytest.main(sys.argv[1:]))"
    # It writes binary values, which this SDK cannot: only other writers do. tests/deployed reads such an item with it.
    without = (
        "tests/store/test_store.py::test_an_item_with_values_that_are_not_json_is_read_and_replaced"
    )
    shell = {"PYTHONPATH": str(tmp_path / "vendor")}
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cov", "-q", "-p", "no:cacheprovider", "tests/store/test_store.py",
         "--deselect", without],
        cwd=ROOT, env=os.environ | shell, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
