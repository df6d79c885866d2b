"""The API in a separate process, `chalice local`, on a free port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.api import serving
from tests.support.http_api import Api


@contextmanager
def running_api(log: Path) -> Iterator[Api]:
    """Run the API with the environment recorded in the folder that LOCAL_STATE names.

    Its output goes to the file `log`. Raises ApiError.
    """
    with serving(0, log) as running:
        yield Api(running.port)
