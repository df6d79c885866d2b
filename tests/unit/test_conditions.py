"""Preconditions as condition expressions. tests/store evaluates them in a database."""

import pytest
from ministack.services.dynamodb import AWS_KEYWORDS as RESERVED_WORDS

from chalicelib import conditions, items
from chalicelib.conditions import ABSENT, ALWAYS, EXISTS, NEVER, Condition
from chalicelib.preconditions import Precondition, Wildcard
from tests.support.attributes import ATTRIBUTES

A = frozenset("a")
STORED = items.profile_key("5f0c") | {
    "profile_data": {"M": {"n": {"N": "1"}}},
    "revision": {"S": "r1"},
}


@pytest.mark.parametrize(
    ("precondition", "condition"),
    [
        (Precondition(), ALWAYS),
        (Precondition(required=True), ABSENT),
        (Precondition(if_none_match=Wildcard.ANY), ABSENT),
        (Precondition(if_none_match=A), ABSENT),
        (Precondition(if_match=Wildcard.ANY), EXISTS),
        (Precondition(if_match=Wildcard.ANY, required=True), EXISTS),
        (Precondition(if_match=A), Condition("revision IN (:tag0)", {":tag0": {"S": "a"}})),
        (
            Precondition(if_match=frozenset({"b", "", "a"})),
            Condition("revision IN (:tag0, :tag1)", {":tag0": {"S": "a"}, ":tag1": {"S": "b"}}),
        ),
        (Precondition(if_match=frozenset()), NEVER),
        (Precondition(if_match=frozenset({""})), NEVER),
        (Precondition(if_match=A, if_none_match=A), NEVER),
        (Precondition(if_match=Wildcard.ANY, if_none_match=A), NEVER),
    ],
)
def test_a_precondition_becomes_a_condition(
    precondition: Precondition, condition: Condition
) -> None:
    assert conditions.from_precondition(precondition) == condition


@pytest.mark.parametrize(
    ("item", "condition"),
    [
        ({}, ABSENT),
        (STORED, Condition("revision = :seen", {":seen": {"S": "r1"}})),
        (
            {name: STORED[name] for name in ("pk", "sk", "profile_data")},
            Condition(
                "attribute_exists(sk) AND attribute_not_exists(revision) AND "
                "profile_data = :seen_profile_data",
                {":seen_profile_data": {"M": {"n": {"N": "1"}}}},
            ),
        ),
        (
            items.profile_key("5f0c"),
            Condition(
                "attribute_exists(sk) AND attribute_not_exists(revision) "
                "AND attribute_not_exists(profile_data)"
            ),
        ),
    ],
)
def test_unchanged_means_exactly_what_was_seen(item: items.Item, condition: Condition) -> None:
    assert conditions.unchanged(item, items.PROFILE) == condition


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_no_attribute_name_is_a_reserved_word(name: str) -> None:
    assert name.upper() not in RESERVED_WORDS, "Expressions name the attributes directly."
