"""The suite of `chalice local` again, against the deployed function behind an API Gateway.

Every test of the modules named here that talks to the API over HTTP runs again. The other modules
of tests/api are not named: test_http is about the HTTP server, test_openapi sends more requests
than the emulator's gateway answers in time, each setting of test_settings would be a deployment
of its own, and the emulator starts a process for each client of test_concurrency.
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
