"""Settings that change the API's responses, in a separate server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import smoke
from deploy.smoke_checks import Client
from tests.api.test_preconditions import CHANGES
from tests.support.api_server import api_with
from tests.support.cloud import Cloud
from tests.support.http_api import Api
from tests.support.operators import operator_of
from tests.support.users import User

ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def strict_api(
    cloud: Cloud, logs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The API with CORS_ALLOW_ORIGIN and REQUIRE_PRECONDITIONS set."""
    folder = tmp_path_factory.mktemp("strict")
    settings = {"CORS_ALLOW_ORIGIN": ORIGIN, "REQUIRE_PRECONDITIONS": "true"}
    with api_with(cloud, logs, folder, **settings) as api:
        yield api


@pytest.mark.parametrize(
    ("method", "path"), [("OPTIONS", "/user/profile"), ("GET", "/user/profile"), ("GET", "/no")]
)
def test_cors_allow_origin_applies_without_a_token(strict_api: Api, method: str, path: str) -> None:
    answer = strict_api(method, path)
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", "{"), ("TRACE", None)])
def test_cors_allow_origin_applies_to_every_answer(
    strict_api: Api, ada: User, method: str, body: str | None
) -> None:
    answer = strict_api(method, token=ada.id_token, body=body)
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_without_a_condition_is_a_428(strict_api: Api, user: User, method: str) -> None:
    created = strict_api.send(user, "PUT", {"created": "without a condition"})
    assert created.status == 200
    refused = strict_api.send(user, method, CHANGES[method])
    assert refused.status == 428
    assert refused.json()["type"] == "urn:problem-type:user-profile:precondition-required"
    assert strict_api.get(user).headers["ETag"] == created.headers["ETag"]


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_with_a_condition_is_made(strict_api: Api, user: User, method: str) -> None:
    created = strict_api.send(user, "PUT", {})
    changed = strict_api.send(user, method, CHANGES[method], If_Match=created.headers["ETag"])
    assert changed.status in (200, 204)


def test_a_delete_without_a_profile_needs_no_condition(strict_api: Api, user: User) -> None:
    assert strict_api.send(user, "DELETE").status == 204


def test_make_smoke_passes_with_these_settings(
    strict_api: Api, new_user: Callable[[], User], capsys: pytest.CaptureFixture[str]
) -> None:
    user = new_user()
    strict_api.send(user, "PUT", {"mine": 1})
    url = f"http://127.0.0.1:{strict_api.port}"
    client = Client(url, user.id_token, user.access_token, operator_of(strict_api))
    assert smoke.run(client, overwrite=True) == 0, capsys.readouterr().out
    assert strict_api.get(user).json()["profile_data"] == {"mine": 1}
