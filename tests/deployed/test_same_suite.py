"""The tests of tests/api again, through the emulated API Gateway and the packaged function.

tests/api runs against `chalice local`. Here each of its tests that sends requests runs again, but
for those in ELSEWHERE, each with its reason. conftest.py reduces parametrized tests to what API
Gateway distinguishes: every method, and the first value of every other parameter.

Two modules are left out: test_openapi, because the emulator is too slow for its many requests, and
test_settings, whose settings would each need a deployment (test_commands.py deploys one of them).
"""

import inspect
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api import test_bad_input, test_changes, test_profile, test_tokens
from tests.api.test_bad_input import kept
from tests.api.test_changes import etag, user
from tests.conftest import Api, User, assert_problem

__all__ = ["etag", "kept", "user"]

CLIENTS = 4
HTTP_SERVER = (
    "The HTTP server decides: local/gateway.py in tests/api, API Gateway on AWS, ministack here."
)
FUNCTION = (
    "The function decides: API Gateway passes all of these requests on alike. tests/api and "
    "test_events.py send them to the function."
)
TOO_MANY_AT_ONCE = (
    "ministack starts a process for each call at once: many of them take a minute. "
    "test_one_of_a_few_who_saw_the_same_state_changes_it has fewer."
)
ELSEWHERE = {
    "test_the_preflight_lets_a_browser_send_what_the_api_takes": (
        "ministack 1.5.33 answers preflights without the headers of the definition. "
        "test_template.py finds them there, and `make smoke` in a live deployment."
    ),
    "test_a_method_that_is_not_offered_is_a_405": (
        "API Gateway has no 405: an unknown method is MISSING_AUTHENTICATION_TOKEN, as an unknown "
        "path is, and resources/api.json answers both with 404."
    ),
    "test_a_body_beyond_what_api_gateway_takes_is_refused_and_the_refusal_arrives": (
        "ministack has no such limit."
    ),
    "test_a_burst_of_clients_is_answered": TOO_MANY_AT_ONCE,
    "test_one_of_many_who_saw_the_same_state_changes_it": TOO_MANY_AT_ONCE,
    "test_one_of_many_creates": TOO_MANY_AT_ONCE,
    "test_a_body_cut_short_is_refused": HTTP_SERVER,
    "test_two_lengths_are_refused": HTTP_SERVER,
    "test_a_length_that_is_none_is_refused": HTTP_SERVER,
    "test_a_body_of_unknown_length_is_refused": HTTP_SERVER,
    "test_what_is_no_request_is_answered_all_the_same": HTTP_SERVER,
    "test_any_json_within_the_limits_comes_back_equal": FUNCTION,
    "test_racing_changes_end_in_a_state_that_some_order_explains": FUNCTION,
}


def every_test_of_the_api() -> dict[str, object]:
    """Return the tests that send requests to the API, by name."""
    found: dict[str, object] = {}
    for module in (test_profile, test_changes, test_tokens, test_bad_input):
        for name, member in vars(module).items():
            if name.startswith("test_") and "api" in inspect.signature(member).parameters:
                found[name] = member
    return found


ALL_TESTS = every_test_of_the_api()
globals().update({name: test for name, test in ALL_TESTS.items() if name not in ELSEWHERE})


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_test_that_is_left_out_exists(name: str) -> None:
    assert name in ALL_TESTS, f"there is no {name} in tests/api: remove or rename it in ELSEWHERE"


@pytest.mark.parametrize(("method", "path"), [("TRACE", "/user/profile"), ("GET", "/user/nobody")])
def test_an_unknown_method_or_path_is_not_found(
    api: Api, ada: User, method: str, path: str
) -> None:
    assert_problem(api(method, path), 404)


def test_one_of_a_few_who_saw_the_same_state_changes_it(api: Api, user: User, etag: str) -> None:
    """Each call has a process of its own, as on Lambda."""

    def change(number: int) -> int:
        headers = [("Content-Type", "application/json"), ("If-Match", etag)]
        body = json.dumps({"by": number})
        return api("PUT", token=user.id_token, body=body, headers=headers).status

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = sorted(pool.map(change, range(CLIENTS)))
    assert statuses == [200] + [412] * (CLIENTS - 1)
