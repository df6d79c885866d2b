"""Use each part of the storage layer once, in a separate process.

test_slim_sdk.py runs this with the packaged AWS SDK: python -m tests.store.use_store TABLE
"""

from __future__ import annotations

import os
import sys
import uuid

import botocore
import pytest
from botocore.exceptions import ClientError

from chalicelib.errors import PreconditionFailed, ProfileNotFound, StoreUnavailable
from chalicelib.preconditions import Precondition
from chalicelib.profile import JSON
from chalicelib.public_profiles import PublicProfileStore
from chalicelib.store import ProfileStore

SUB = str(uuid.uuid4())


def write_and_read(store: ProfileStore) -> None:
    with pytest.raises(ProfileNotFound):
        store.get(SUB)
    data: JSON = {"text": "é", "list": [1, None, True], "object": {"empty": ""}}
    assert store.replace(SUB, data).data == data
    assert store.patch(SUB, {"text": None}).data == {
        "list": [1, None, True],
        "object": {"empty": ""},
    }
    assert store.patch(SUB, {}) == store.get(SUB)
    store.delete(SUB)
    with pytest.raises(ProfileNotFound):
        store.get(SUB)


def read_public_fields(store: ProfileStore) -> None:
    store.replace(SUB, {"name": "Ada", "email": "ada@example.com"})
    public = PublicProfileStore.beside(store, ("name",))
    assert public.get(SUB) == {"name": "Ada"}
    assert public.get_all([SUB, str(uuid.uuid4())]) == {SUB: {"name": "Ada"}}


def fail_a_condition(store: ProfileStore) -> None:
    """The refused write returns the stored item."""
    stored = store.replace(SUB, {})
    with pytest.raises(PreconditionFailed) as failure:
        store.replace(SUB, {}, Precondition(if_match=frozenset({"another"})))
    assert failure.value.revision == stored.revision


def meet_an_error_of_dynamodb() -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        ProfileStore.connect("no-such-table").get(SUB)


def meet_a_database_that_does_not_answer(table: str) -> None:
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = "http://127.0.0.1:9"
    with pytest.raises(StoreUnavailable):
        ProfileStore.connect(table).get(SUB)


def main(table: str) -> None:
    store = ProfileStore.connect(table)
    write_and_read(store)
    read_public_fields(store)
    fail_a_condition(store)
    meet_an_error_of_dynamodb()
    meet_a_database_that_does_not_answer(table)
    sys.stdout.write(f"{botocore.__file__}\n")


if __name__ == "__main__":
    main(sys.argv[1])
