"""The API in a separate process, `chalice local`, on a free port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local.api import ApiError, serving
from local.process import free_port
from tests.support.http_api import Api


@contextmanager
def running_api(log: Path) -> Iterator[Api]:
    """Run the API with the environment recorded in the folder that LOCAL_STATE names.

    Its output goes to the file `log`. Raises ApiError.
    """
    with ExitStack() as stack:
        port = free_port()
        try:
            stack.enter_context(serving(port, log))
        except ApiError:
            # Another program may have taken the port before the API did. Try one other.
            port = free_port()
            stack.enter_context(serving(port, log))
        yield Api(port)
