"""Reading, replacing and deleting a profile."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import HealthCheck, given, settings

from chalicelib.errors import (
    InvalidProfile,
    PreconditionFailed,
    ProfileNotFound,
    ProfileTooLarge,
)
from chalicelib.preconditions import Precondition
from chalicelib.profile import JSON, MAX_BYTES, Document
from chalicelib.store import ProfileStore
from tests.store.conftest import ENDPOINT
from tests.support.json_values import json_values, nested, typed
from tests.support.store import put_item, stored_item

if TYPE_CHECKING:
    from tests.support.cloud import Cloud


def test_a_user_without_a_profile_has_none(store: ProfileStore, sub: str) -> None:
    with pytest.raises(ProfileNotFound):
        store.get(sub)


def test_a_new_profile_has_the_layout_of_the_example(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"name": "Ada"})
    assert stored_item(store, sub) == {
        "pk": {"S": "USERS#ALL"},
        "sk": {"S": f"USER#{sub}"},
        "profile_data": {"M": {"name": {"S": "Ada"}}},
        "revision": {"S": "r1"},
        "created_at": {"S": "t1"},
        "updated_at": {"S": "t1"},
    }


def test_a_write_returns_what_a_read_returns(store: ProfileStore, sub: str) -> None:
    numbers: JSON = [1, Decimal("1.0"), Decimal("1E+5"), Decimal("0.10")]
    data: JSON = {"n": numbers, "s": "", "o": {}, "a": []}
    written = store.replace(sub, data)
    assert written.data == data
    assert store.get(sub) == written


def test_replacing_keeps_nothing_of_the_old_data(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {"a": 1, "b": {"c": 2}})
    profile = store.replace(sub, {"b": {"d": 3}})
    assert profile.data == {"b": {"d": 3}}
    assert profile.revision == "r2"
    assert profile.created_at == "t1"
    assert profile.updated_at == "t2"


def test_every_write_has_a_revision_of_its_own(other: ProfileStore, sub: str) -> None:
    revisions = {other.replace(sub, {}).revision for _ in range(5)}
    assert len(revisions) == 5


def test_a_revision_is_never_used_again(other: ProfileStore, sub: str) -> None:
    seen = set()
    for number in range(3):
        seen.add(other.replace(sub, {}).revision)
        seen.add(other.patch(sub, {"a": number}).revision)
        other.delete(sub)
    assert len(seen) == 6


def test_users_do_not_see_each_other(store: ProfileStore, sub: str) -> None:
    similar_sub = sub[:-1]
    store.replace(sub, {"whose": "mine"})
    with pytest.raises(ProfileNotFound):
        store.get(similar_sub)
    store.replace(similar_sub, {"whose": "theirs"})
    assert store.get(sub).data == {"whose": "mine"}


def test_an_item_of_the_example_is_read_and_replaced(store: ProfileStore, sub: str) -> None:
    put_item(store, sub, profile_data={"M": {"name": {"S": "Ada"}}})
    profile = store.get(sub)
    assert profile.data == {"name": "Ada"}
    assert profile.created_at is None
    assert profile.updated_at is None
    assert profile.revision == store.get(sub).revision
    replaced = store.replace(sub, {"name": "Grace"})
    assert replaced == store.get(sub)
    assert replaced.revision != profile.revision


def test_sets_and_binary_values_are_read_and_replaced(store: ProfileStore, sub: str) -> None:
    put_item(store, sub, profile_data={"M": {"b": {"B": b"\x00\xff"}, "s": {"SS": ["a"]}}})
    assert store.get(sub).data == {"b": "AP8=", "s": ["a"]}
    assert store.replace(sub, {}).data == {}


def test_attributes_of_other_writers_stay(store: ProfileStore, sub: str) -> None:
    put_item(store, sub, profile_data={"M": {}}, theirs={"NS": ["1"]})
    store.replace(sub, {"a": 1})
    store.patch(sub, {"b": 2})
    assert stored_item(store, sub)["theirs"] == {"NS": ["1"]}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values)
def test_any_json_comes_back_equal(other: ProfileStore, value: JSON) -> None:
    assert other.replace("anybody", {"value": value}).data == {"value": value}
    assert typed(other.get("anybody").data) == typed({"value": value})


@pytest.mark.parametrize(
    "data",
    [
        nested(31),
        {"text": "x" * (MAX_BYTES - 8)},
        {"n": [10**125, Decimal("1E-130")]},
    ],
    ids=["deepest", "largest", "numbers"],
)
def test_data_at_the_limits_are_stored(store: ProfileStore, sub: str, data: JSON) -> None:
    assert store.replace(sub, data).data == data


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ([], InvalidProfile),
        ({"": 1}, InvalidProfile),
        (nested(32), InvalidProfile),
        ({"n": 10**126}, InvalidProfile),
        ({"text": "x" * (MAX_BYTES - 7)}, ProfileTooLarge),
    ],
    ids=["no object", "empty name", "too deep", "number", "too large"],
)
def test_a_refused_write_changes_nothing(
    store: ProfileStore, sub: str, data: JSON, error: type[Exception]
) -> None:
    store.replace(sub, {"kept": True})
    before = stored_item(store, sub)
    with pytest.raises(error):
        store.replace(sub, data)
    assert stored_item(store, sub) == before


LIMIT = 1_000
"""MAX_PROFILE_BYTES of `limited`."""


@pytest.fixture
def limited(store: ProfileStore) -> ProfileStore:
    return dataclasses.replace(store, max_bytes=LIMIT)


def of_size(size: int) -> JSON:
    return {"text": "x" * (size - 8)}


WRITES: list[Callable[[ProfileStore, str, JSON], Document]] = [
    lambda store, sub, data: store.replace(sub, data),
    lambda store, sub, data: store.patch(sub, data),
]


@pytest.mark.parametrize("write", WRITES, ids=["replace", "patch"])
def test_a_profile_may_take_max_bytes(
    limited: ProfileStore, sub: str, write: Callable[..., Document]
) -> None:
    assert write(limited, sub, of_size(LIMIT)).data == of_size(LIMIT)
    before = stored_item(limited, sub)
    with pytest.raises(ProfileTooLarge, match=r"1,001 bytes.*At most 1,000 bytes"):
        write(limited, sub, of_size(LIMIT + 1))
    assert stored_item(limited, sub) == before
    with pytest.raises(ProfileTooLarge, match=r"500,000 bytes.*At most 1,000 bytes"):
        write(limited, sub, of_size(500_000))


@pytest.mark.parametrize("write", WRITES, ids=["replace", "patch"])
def test_the_limit_holds_where_nothing_is_stored(
    limited: ProfileStore, sub: str, write: Callable[..., Document]
) -> None:
    with pytest.raises(ProfileTooLarge):
        write(limited, sub, of_size(LIMIT + 1))
    assert stored_item(limited, sub) == {}


@pytest.mark.parametrize("write", WRITES, ids=["replace", "patch"])
def test_a_larger_stored_profile_can_be_made_smaller(
    store: ProfileStore, limited: ProfileStore, sub: str, write: Callable[..., Document]
) -> None:
    """The limit was lowered after the profile was stored."""
    store.replace(sub, of_size(3_000))
    assert limited.get(sub).data == of_size(3_000)
    with pytest.raises(ProfileTooLarge):
        write(limited, sub, {"text": "y" * (3_000 - 8)})
    assert write(limited, sub, of_size(2_999)).data == of_size(2_999)
    assert limited.patch(sub, {}).data == of_size(2_999)


def test_a_large_replacement_keeps_its_precondition(
    store: ProfileStore, limited: ProfileStore, sub: str
) -> None:
    revision = store.replace(sub, of_size(3_000)).revision
    other = Precondition(if_match=frozenset({"other"}))
    with pytest.raises(PreconditionFailed):
        limited.replace(sub, of_size(2_000), other)
    same = Precondition(if_match=frozenset({revision}))
    assert limited.replace(sub, of_size(2_000), same).data == of_size(2_000)


def test_an_item_that_others_have_filled_is_too_large(store: ProfileStore, sub: str) -> None:
    """Only the database knows the size of attributes that other writers added."""
    put_item(store, sub, profile_data={"M": {}}, theirs={"S": "x" * 300_000})
    with pytest.raises(ProfileTooLarge):
        store.replace(sub, {"text": "x" * 200_000})
    assert store.get(sub).data == {}


def test_a_deleted_profile_is_gone_and_stays_gone(store: ProfileStore, sub: str) -> None:
    store.replace(sub, {})
    for _ in range(2):
        store.delete(sub)
        with pytest.raises(ProfileNotFound):
            store.get(sub)


@pytest.mark.skipif(ENDPOINT is not None, reason="this is the run that the test starts")
def test_these_tests_run_against_any_endpoint(cloud: Cloud) -> None:
    bare = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))
    }
    shell = {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "eu-west-1",
        "STORE_TEST_ENDPOINT": f"http://127.0.0.1:{cloud.port}",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--no-cov",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    done = subprocess.run(
        [*command, str(Path(__file__).parent)],
        env=bare | shell,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    tables = boto3.client("dynamodb", region_name="eu-west-1").list_tables()
    assert "user-profile-test-" not in str(tables)
