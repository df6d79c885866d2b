"""The tests of tests/api again, through the emulated API Gateway and the packaged function.

tests/api runs against `chalice local`. Here each test of the modules named below that sends
requests runs again. conftest.py deselects cases that make no difference for API Gateway.

The other modules of tests/api do not run here. test_http is about the HTTP server, and test_logs is
about the log of `chalice local`. test_any_json and test_openapi send too many requests for the
emulator. Each setting of test_settings would need a deployment (test_commands.py deploys one of
them). For test_concurrency the emulator would start a process for each client. test_faults,
test_function and test_isolation call the function without HTTP.
"""

import inspect
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api import (
    test_bad_input,
    test_changes,
    test_preconditions,
    test_profile,
    test_tokens,
)
from tests.support.http_api import Api, assert_problem
from tests.support.users import User

CLIENTS = 4

for module in (test_profile, test_changes, test_preconditions, test_tokens, test_bad_input):
    for name, member in vars(module).items():
        if name.startswith("test_") and "api" in inspect.signature(member).parameters:
            globals()[name] = member


@pytest.mark.parametrize(("method", "path"), [("TRACE", "/user/profile"), ("GET", "/user/nobody")])
def test_an_unknown_method_or_path_is_not_found(
    api: Api, ada: User, method: str, path: str
) -> None:
    assert_problem(api(method, path), 404)


def test_one_of_a_few_who_saw_the_same_state_changes_it(api: Api, user: User, etag: str) -> None:
    """Each call has its own process, as on Lambda."""

    def change(number: int) -> int:
        headers = [("Content-Type", "application/json"), ("If-Match", etag)]
        body = json.dumps({"by": number})
        return api("PUT", token=user.id_token, body=body, headers=headers).status

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = sorted(pool.map(change, range(CLIENTS)))
    assert statuses == [200] + [412] * (CLIENTS - 1)
