"""The function itself, beside the API over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.support.cloud import DEFAULT_SETTINGS, Cloud


@pytest.fixture(scope="session")
def function(cloud: Cloud) -> Iterator[ModuleType]:
    """app.py, imported as Lambda imports it, with the settings of the stage."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in DEFAULT_SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("DYNAMODB_TABLE", cloud.outputs["TableName"])
        patch.setenv("USER_POOL_CLIENT_ID", cloud.outputs["UserPoolClientId"])
        patch.delenv("AWS_CHALICE_CLI_MODE", raising=False)
        # Another test may have imported it with other settings.
        patch.delitem(sys.modules, "app", raising=False)
        import app  # noqa: PLC0415

        yield app
