"""The settings that change what the API answers, in a server of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.api import serving
from local.process import free_port
from tests.api.test_changes import BODIES, send
from tests.conftest import Api, Cloud, User

ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def strict(cloud: Cloud, logs: list[Path]) -> Iterator[Api]:
    port = free_port()
    logs.append(cloud.folder / "strict.log")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORS_ALLOW_ORIGIN", ORIGIN)
        patch.setenv("REQUIRE_PRECONDITIONS", "true")
        with serving(port, logs[-1]):
            yield Api(port)


def test_the_origin_that_is_set_is_the_one_allowed(strict: Api, ada: User) -> None:
    for answer in (
        strict("OPTIONS"),
        strict("GET"),
        strict("GET", "/nowhere"),
        strict("GET", token=ada.id_token),
        strict("POST", token=ada.id_token, body="{"),
        strict("TRACE", token=ada.id_token),
    ):
        assert answer.headers.get_all("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.parametrize("method", BODIES)
def test_an_existing_profile_is_changed_under_a_condition_alone(
    strict: Api, new_user: Callable[[], User], method: str
) -> None:
    user = new_user()
    created = send(strict, user, "PUT", {"created": "without"})
    assert created.status == 200
    refused = send(strict, user, method, BODIES[method])
    assert refused.status == 428
    assert refused.json()["type"] == "urn:problem-type:user-profile:precondition-required"
    assert strict.get(user).headers["ETag"] == created.headers["ETag"]
    assert send(strict, user, method, BODIES[method], If_Match=created.headers["ETag"]).status in (
        200,
        204,
    )


def test_what_is_not_there_may_be_deleted_without_one(
    strict: Api, new_user: Callable[[], User]
) -> None:
    assert send(strict, new_user(), "DELETE").status == 204
