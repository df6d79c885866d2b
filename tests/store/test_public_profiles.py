"""Public profiles on a DynamoDB API: only public fields leave the database."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from chalicelib import items
from chalicelib.errors import ProfileNotFound
from chalicelib.items import AttributeValue
from chalicelib.profile import JSON
from chalicelib.public_profiles import PublicFields, PublicProfileStore
from chalicelib.store import ProfileStore
from tests.support.store import RecordingClient, put_item

SECRET = "of the owner only"


def public_fields(store: ProfileStore, sub: str, *fields: str) -> PublicFields:
    """The public fields of a user, which are the same with either way of reading."""
    public = PublicProfileStore.beside(store, fields)
    alone = public.get(sub)
    assert public.get_all([sub]) == {sub: alone}
    return alone


def test_other_fields_do_not_leave_the_database(other: ProfileStore, sub: str) -> None:
    other.replace(sub, {"name": "Ada", "email": SECRET, "address": {"name": SECRET}})
    client = RecordingClient(other.client)
    public = PublicProfileStore(client, other.table, ("name",))  # type: ignore[arg-type]
    assert public.get(sub) == {"name": "Ada"}
    public.get_all([sub])
    for operation, arguments in client.calls:
        assert SECRET not in str(getattr(other.client, operation)(**arguments))


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("a.b", {"a.b": "public", "a": {"b": SECRET}}),
        ("a[0]", {"a[0]": "public", "a": [SECRET]}),
        ("a.b[0].c", {"a.b[0].c": "public", "a": {"b": [{"c": SECRET}]}}),
        ("#f0", {"#f0": "public", "#f1": SECRET}),
        ("profile_data", {"profile_data": "public", "a": SECRET}),
        ("pk", {"pk": "public", "sk": SECRET}),
        ("*", {"*": "public", "a": SECRET}),
        ('é "', {'é "': "public", "é": SECRET, "e": SECRET}),
        ("name", {"name": "public", "Name": SECRET, "names": SECRET, "name ": SECRET}),
    ],
)
def test_a_field_is_named_by_its_whole_name(
    store: ProfileStore, sub: str, field: str, data: JSON
) -> None:
    """A dot, a bracket or a hash in it has no meaning."""
    store.replace(sub, data)
    assert public_fields(store, sub, field) == {field: "public"}


def test_a_public_field_is_public_as_a_whole(store: ProfileStore, sub: str) -> None:
    links: JSON = {"home": ["https://ada.example"], "n": Decimal("1.5"), "none": None}
    store.replace(sub, {"links": links, "home": SECRET})
    assert public_fields(store, sub, "links", "missing") == {"links": links}


def test_fifty_public_fields_can_be_read(store: ProfileStore, sub: str) -> None:
    names = tuple(f"field{number}" for number in range(50))
    store.replace(sub, dict.fromkeys((*names, "field50"), 1))
    assert public_fields(store, sub, *names) == dict.fromkeys(names, 1)


@pytest.mark.parametrize("data", [{}, {"other": SECRET}, {"a": {"name": SECRET}}])
def test_a_profile_without_public_fields_is_empty(
    store: ProfileStore, sub: str, data: JSON
) -> None:
    store.replace(sub, data)
    assert public_fields(store, sub, "name") == {}


@pytest.mark.parametrize(
    ("attributes", "fields"),
    [
        ({}, {}),
        ({"name": {"S": SECRET}}, {}),
        ({"profile_data": {"S": SECRET}}, {}),
        ({"profile_data": {"L": [{"S": SECRET}]}}, {}),
        ({"profile_data": {"SS": [SECRET]}}, {}),
        ({"profile_data": {"NULL": True}}, {}),
        ({"profile_data": {"M": {"name": {"SS": ["a"]}}}}, {"name": ["a"]}),
        ({"profile_data": {"M": {"name": {"B": b"\x00\xff"}}}}, {"name": "AP8="}),
    ],
    ids=str,
)
def test_items_of_other_programs_can_be_read(
    store: ProfileStore, sub: str, attributes: dict[str, AttributeValue], fields: PublicFields
) -> None:
    put_item(store, sub, **attributes)
    assert public_fields(store, sub, "name") == fields


@pytest.mark.parametrize("attributes", [{}, {"profile_data": {"M": {"name": {"S": SECRET}}}}])
def test_an_erased_account_has_no_public_profile(
    store: ProfileStore, sub: str, attributes: dict[str, AttributeValue]
) -> None:
    put_item(store, sub, erased_at={"S": "2026-11-29T10:00:00.000000Z"}, **attributes)
    public = PublicProfileStore.beside(store, ("name", "erased_at"))
    with pytest.raises(ProfileNotFound):
        public.get(sub)
    assert public.get_all([sub]) == {}


def test_several_are_read_in_the_order_asked(store: ProfileStore) -> None:
    subs = [str(uuid.uuid4()) for _ in range(25)]
    for number, sub in enumerate(subs):
        store.replace(sub, {"n": number, "secret": SECRET})
    erased, deleted = subs[3], subs[4]
    marker = items.profile_key(erased) | {items.ERASED_AT: {"S": "now"}}
    store.client.put_item(TableName=store.table, Item=marker)
    store.delete(deleted)
    found = PublicProfileStore.beside(store, ("n",)).get_all(subs)
    present = [sub for sub in subs if sub not in (erased, deleted)]
    assert list(found.items()) == [(sub, {"n": subs.index(sub)}) for sub in present]


def test_more_than_a_megabyte_is_read(store: ProfileStore) -> None:
    """DynamoDB reads 1 MB in one call. The emulator has no such limit."""
    subs = [str(uuid.uuid4()) for _ in range(25)]
    for sub in subs:
        store.replace(sub, {"name": sub, "text": "x" * 60_000})
    found = PublicProfileStore.beside(store, ("name",)).get_all(subs)
    assert found == {sub: {"name": sub} for sub in subs}
