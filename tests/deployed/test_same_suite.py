"""The suite that runs against `chalice local`, through the emulated API Gateway with the packaged function.

Every test of the modules named here that talks to the API over HTTP is run again. Of tests/api, these are not named:
test_http, which is about the HTTP server; test_openapi, for whose requests the emulator's gateway is too slow;
test_settings, whose settings would be a deployment each (test_commands.py deploys one of them); and test_concurrency,
for which the emulator would start a process for each client.
"""

import inspect

from tests.api import (
    test_bad_input,
    test_changes,
    test_preconditions,
    test_profile,
    test_tokens,
)
from tests.conftest import Api, User, assert_problem

globals().update(
    (name, member)
    for module in (test_profile, test_changes, test_preconditions, test_tokens, test_bad_input)
    for name, member in vars(module).items()
    if name.startswith("test_") and "api" in inspect.signature(member).parameters
)


def test_a_method_or_path_that_is_not_offered_is_a_404(api: Api, ada: User) -> None:
    assert_problem(api("TRACE"), 404)
    assert_problem(api("GET", "/user/nobody"), 404)
