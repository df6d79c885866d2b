"""DELETE /user and DELETE /users/{sub}: who may call them, and when a step is not begun."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from app import create_app
from chalicelib.deadline import Deadline
from chalicelib.erasure import Erasure
from chalicelib.errors import StoreUnavailable
from chalicelib.http import ProfileApp
from chalicelib.items import Kind
from chalicelib.settings import ProfileSettings, RouteSettings
from tests.support.events import api_gateway_event, id_token_claims, operator_event

SUB = "5f0c7a1e-0000-4000-8000-0123456789ab"
CLIENT = "client"
ROUTES = RouteSettings(client_ids=(CLIENT,), erases_accounts=True)


class Untouched:
    """A store or user pool that no request may reach."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


def untouched_app(routes: RouteSettings = ROUTES) -> ProfileApp:
    nothing: Any = Untouched()
    return create_app(routes, ProfileSettings, lambda: nothing, lambda _: nothing)


def own_erasure(auth_time: str | None = None, **headers: str) -> dict[str, Any]:
    """The event of DELETE /user. Without `auth_time`, the user has just signed in."""
    if auth_time is None:
        auth_time = str(int(time.time()))
    return api_gateway_event(
        "DELETE",
        "/user",
        claims=id_token_claims(SUB, CLIENT, auth_time=auth_time),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_without_erasure_the_routes_do_not_exist() -> None:
    app = untouched_app(RouteSettings(client_ids=(CLIENT,)))
    assert "/user" not in app.routes
    assert "/users/{sub}" not in app.routes


def test_an_old_sign_in_erases_nothing() -> None:
    answer = untouched_app()(own_erasure(auth_time=str(int(time.time()) - 700)), None)
    problem = json.loads(answer["body"])
    assert answer["statusCode"] == 401
    assert problem["type"] == "urn:problem-type:user-profile:insufficient-user-authentication"
    assert problem["max_age"] == 600
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("changed", [{"token_use": "access"}, {"aud": "another"}])
def test_another_token_erases_nothing(changed: dict[str, str]) -> None:
    event = own_erasure()
    event["requestContext"]["authorizer"]["claims"] |= changed
    answer = untouched_app()(event, None)
    assert json.loads(answer["body"])["type"].endswith(":not-signed-in")


FAILED = [
    ({"If_Match": '"of-the-profile"'}, 412),
    ({"If_Match": '""'}, 412),
    ({"If_None_Match": "*"}, 412),
    ({"If_Match": "malformed"}, 400),
]


@pytest.mark.parametrize(("headers", "status"), FAILED)
def test_a_failed_precondition_erases_nothing(headers: dict[str, str], status: int) -> None:
    """An account has no ETag, so one in If-Match never matches."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    by_operator = operator_event("DELETE", "/users/{sub}", SUB, headers=lines)
    for event in (own_erasure(**headers), by_operator):
        answer = untouched_app()(event, None)
        assert answer["statusCode"] == status
        assert "ETag" not in answer["headers"]


def test_a_refusal_does_not_say_that_the_account_exists() -> None:
    """The precondition is checked before anybody looks for the account, which may be unknown."""
    event = operator_event("DELETE", "/users/{sub}", SUB, headers={"If-None-Match": "*"})
    detail = json.loads(untouched_app()(event, None)["body"])["detail"]
    assert detail.startswith("If-None-Match: * never holds for an account")


@pytest.mark.parametrize("sub", ["", "me", SUB.upper(), f"{SUB}x", "ada@example.com"])
def test_a_path_without_a_sub_erases_nothing(sub: str) -> None:
    answer = untouched_app()(operator_event("DELETE", "/users/{sub}", sub), None)
    assert answer["statusCode"] == 404


# --- the deadline ---------------------------------------------------------------------------------


@dataclass
class SlowSteps:
    """Markers and a user pool. Each step needs the time that the deadline allows for it."""

    seconds_of_a_step: float
    now: float = 0.0
    steps: list[str] = field(default_factory=list)

    def step(self, name: str, deadline: Deadline) -> None:
        deadline.require(self.seconds_of_a_step)
        self.steps.append(name)
        self.now += self.seconds_of_a_step

    def place(self, kind: Kind, sub: str, deadline: Deadline) -> bool:
        self.step("place", deadline)
        return False

    def delete_user(self, sub: str, deadline: Deadline) -> None:
        self.step("delete user", deadline)

    def finish(self, kind: Kind, sub: str, deadline: Deadline) -> None:
        self.step("finish", deadline)


@pytest.mark.parametrize(("seconds", "steps"), [(3.0, 5), (3.1, 4), (7.5, 2), (7.6, 1), (15.1, 0)])
def test_a_step_that_could_end_too_late_is_not_begun(seconds: float, steps: int) -> None:
    slow = SlowSteps(seconds)
    fakes: Any = slow
    erasure = Erasure(fakes, fakes, lambda: Deadline.after(15.0, lambda: slow.now))
    if steps == 5:
        erasure.erase(SUB)
    else:
        with pytest.raises(StoreUnavailable):
            erasure.erase(SUB)
    assert slow.steps == ["place", "place", "delete user", "finish", "finish"][:steps]
    assert slow.now <= 15.0
