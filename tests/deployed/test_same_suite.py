"""The suite that runs against `chalice local`, through the emulated API Gateway with the packaged function.

Every test of the modules named here that talks to the API over HTTP is run again, but for those in ELSEWHERE, each with
its reason. Of tests/api, two are not named: test_openapi, for whose thousands of requests the emulator's gateway is too
slow, and test_settings, whose settings would be a deployment each (test_commands.py deploys one of them). And the 800
concurrent patches have a server of their own: the emulator would start a process for each client.
"""

import inspect

import pytest

from tests.api import test_bad_input, test_changes, test_profile, test_tokens
from tests.api.test_bad_input import kept
from tests.api.test_changes import etag, user
from tests.conftest import Api, User, assert_problem

__all__ = ["etag", "kept", "user"]

HTTP = "The HTTP server's part: local/gateway.py's under `chalice local`, API Gateway's in AWS, the emulator's here."
ELSEWHERE = {
    "test_the_preflight_lets_a_browser_send_what_the_api_takes": (
        "ministack 1.5.33 answers preflights without the headers of the definition; tests/deployed/test_package.py looks "
        "for them there, and `make smoke` at a live deployment."
    ),
    "test_a_body_that_is_no_profile_is_refused[UTF-8 that is none]": (
        "API Gateway makes text of a body before the function sees it; what AWS makes of this one, only AWS can tell."
    ),
    "test_a_method_that_is_not_offered_is_a_405": (
        "API Gateway has no 405: a method without a route is MISSING_AUTHENTICATION_TOKEN, as an unknown path is, and "
        "resources/api.json tells both as 404."
    ),
    "test_a_body_beyond_what_api_gateway_takes_is_refused_and_the_refusal_arrives": "ministack has no such limit.",
    "test_a_burst_of_clients_is_answered": "ministack starts a process for each of 80 calls at once: minutes, here.",
    "test_a_body_cut_short_is_refused": HTTP,
    "test_two_lengths_are_refused": HTTP,
    "test_a_length_that_is_none_is_refused": HTTP,
    "test_a_body_of_unknown_length_is_refused": HTTP,
    "test_what_is_no_request_is_answered_all_the_same": HTTP,
}

globals().update(
    (name, member)
    for module in (test_profile, test_changes, test_tokens, test_bad_input)
    for name, member in vars(module).items()
    if name.startswith("test_") and "api" in inspect.signature(member).parameters
)


def test_what_runs_elsewhere_is_still_there(request: pytest.FixtureRequest) -> None:
    known = {item.name for item in request.session.items} | {
        getattr(item, "originalname", item.name) for item in request.session.items
    }
    assert set(ELSEWHERE) <= known or len(request.session.items) < 50, (
        "when the whole module was asked for"
    )


def test_a_method_or_path_that_is_not_offered_is_a_404(api: Api, ada: User) -> None:
    assert_problem(api("TRACE"), 404)
    assert_problem(api("GET", "/user/nobody"), 404)


@pytest.fixture(autouse=True)
def _unless_elsewhere(request: pytest.FixtureRequest) -> None:
    reason = ELSEWHERE.get(request.node.name) or ELSEWHERE.get(request.node.originalname)
    if reason:
        pytest.skip(reason)
