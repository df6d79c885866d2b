"""If-Match and If-None-Match: parsing and evaluation (RFC 9110, section 13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import MalformedPrecondition, PreconditionFailed, PreconditionRequired
from chalicelib.preconditions import (
    UNCONDITIONAL,
    Precondition,
    Tags,
    Wildcard,
    parse_tags,
)


def tags(*revisions: str) -> Tags:
    return frozenset(revisions)


@pytest.mark.parametrize(
    ("lines", "revisions"),
    [
        (['"a"'], {"a"}),
        (['"a", "b"'], {"a", "b"}),
        ([' "a" ,\t"b" '], {"a", "b"}),
        ([',, "a",, '], {"a"}),
        (['"a,b"'], {"a,b"}),
        (['"a","b"'], {"a", "b"}),
        (['""'], {""}),
        (['"!#~é"'], {"!#~é"}),
        (['"*"'], {"*"}),
        (['"a"', '"b", "c"'], {"a", "b", "c"}),
        ([", ".join(f'"{number}"' for number in range(100))], {str(n) for n in range(100)}),
    ],
)
def test_lists_of_tags_are_read(lines: list[str], revisions: set[str]) -> None:
    assert parse_tags("If-Match", lines) == frozenset(revisions)


def test_a_header_that_was_not_sent_is_none() -> None:
    assert parse_tags("If-Match", []) is None


@pytest.mark.parametrize("line", ["*", " * "])
def test_a_star_means_any_stored_profile(line: str) -> None:
    assert parse_tags("If-Match", [line]) is Wildcard.ANY


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_weak_tag_counts_like_the_strong_one(header: str) -> None:
    """RFC 9110, 13.1.2, for If-None-Match. In If-Match, it is a deviation from 13.1.1: see docs."""
    assert parse_tags(header, ['W/"a", "b"']) == tags("a", "b")


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        ",",
        "a",
        "'a'",
        '"a',
        'a"',
        '"a" "b"',
        '"a"b',
        '"a" b',
        'w/"a"',
        "W/a",
        'W/ "a"',
        '*, "a"',
        '"a", *',
        "**",
        '"a\tb"',
        '"a b"',
        '"a""b"',
        ", ".join(['"a"'] * 101),
    ],
)
def test_anything_else_is_refused_with_its_header(line: str) -> None:
    with pytest.raises(MalformedPrecondition, match="If-None-Match must be"):
        parse_tags("If-None-Match", [line])


@given(st.text() | st.text('"W/*,ab '))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        read = parse_tags("If-Match", [line])
    except MalformedPrecondition:
        return
    assert read is not None


@pytest.mark.parametrize(
    ("precondition", "stored"),
    [
        (UNCONDITIONAL, None),
        (UNCONDITIONAL, "a"),
        (Precondition(if_match=Wildcard.ANY), "a"),
        (Precondition(if_match=tags("a", "b")), "a"),
        (Precondition(if_none_match=Wildcard.ANY), None),
        (Precondition(if_none_match=tags("b", "c")), "a"),
        (Precondition(if_none_match=tags("a")), None),
        (Precondition(if_match=tags("a"), if_none_match=tags("b")), "a"),
        (Precondition(if_match=tags("a"), required=True), "a"),
        (Precondition(if_none_match=Wildcard.ANY, required=True), None),
        (Precondition(required=True), None),
    ],
)
def test_a_precondition_that_holds_passes(precondition: Precondition, stored: str | None) -> None:
    precondition.check(stored)


@pytest.mark.parametrize(
    ("precondition", "stored"),
    [
        (Precondition(if_match=Wildcard.ANY), None),
        (Precondition(if_match=tags("b", "c")), "a"),
        (Precondition(if_match=tags("a")), None),
        (Precondition(if_match=tags()), "a"),
        (Precondition(if_none_match=Wildcard.ANY), "a"),
        (Precondition(if_none_match=tags("a", "b")), "a"),
        (Precondition(if_match=tags("a"), if_none_match=tags("a")), "a"),
        (Precondition(if_match=Wildcard.ANY, if_none_match=Wildcard.ANY), "a"),
        (Precondition(if_match=Wildcard.ANY, if_none_match=Wildcard.ANY), None),
        (Precondition(if_match=tags("b"), required=True), "a"),
    ],
)
def test_a_failed_precondition_names_the_stored_revision(
    precondition: Precondition, stored: str | None
) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        precondition.check(stored)
    assert caught.value.revision == stored


def test_a_required_precondition_must_be_sent() -> None:
    with pytest.raises(PreconditionRequired):
        Precondition(required=True).check("a")


@pytest.mark.parametrize(
    ("precondition", "is_excluded"),
    [
        (UNCONDITIONAL, False),
        (Precondition(if_none_match=tags("a")), True),
        (Precondition(if_none_match=Wildcard.ANY), True),
        (Precondition(if_none_match=tags("b")), False),
        (Precondition(if_match=tags("a")), False),
    ],
)
def test_if_none_match_excludes_what_it_names(
    precondition: Precondition, *, is_excluded: bool
) -> None:
    assert precondition.excludes("a") == is_excluded
