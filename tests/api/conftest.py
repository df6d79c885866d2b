"""The function itself, beside the API over HTTP."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.conftest import Cloud


@pytest.fixture(scope="session")
def function(cloud: Cloud) -> Iterator[ModuleType]:
    """app.py, imported as Lambda imports it, with the settings of the stage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYNAMODB_TABLE", cloud.outputs["TableName"])
        patch.setenv("USER_POOL_CLIENT_ID", cloud.outputs["UserPoolClientId"])
        patch.delenv("AWS_CHALICE_CLI_MODE", raising=False)
        patch.delitem(sys.modules, "app", raising=False)  # imported for another test, without them
        import app  # noqa: PLC0415

        yield app
