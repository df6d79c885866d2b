"""RFC 9110, section 13: what If-Match and If-None-Match say, and whether it holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import errors, web
from chalicelib.profile import Precondition
from tests.unit.test_web import request as plain_request

ANY = Precondition.ANY


def read(**headers: str | list[str]) -> Precondition:
    request = plain_request(None)
    event: Any = request.to_original_event()
    lines = {
        name.replace("_", "-"): [value] if isinstance(value, str) else value
        for name, value in headers.items()
    }
    event["multiValueHeaders"] = lines
    return web.precondition(request)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"a"', {"a"}),
        ('"a", "b"', {"a", "b"}),
        (' "a" ,\t"b" ', {"a", "b"}),
        (',, "a",, ', {"a"}),
        ('"a,b"', {"a,b"}),
        ('"a","b"', {"a", "b"}),
        ('""', {""}),
        ('"!#~é"', {"!#~é"}),
        ('"*"', {"*"}),
        (['"a"', '"b", "c"'], {"a", "b", "c"}),
    ],
)
def test_lists_of_tags_are_read(header: str | list[str], tags: set[str]) -> None:
    assert read(If_Match=header).match == frozenset(tags) != ANY
    assert read(if_none_match=header).none_match == frozenset(tags)


def test_without_the_headers_nothing_is_asked() -> None:
    assert read() == Precondition()


def test_a_star_means_whatever_is_stored() -> None:
    assert read(If_Match="*", IF_NONE_MATCH=" * ") == Precondition(ANY, ANY)


def test_weak_tags_count_for_if_none_match_alone() -> None:
    condition = read(If_Match='W/"a", "b"', If_None_Match='W/"a", "b"')
    assert condition == Precondition(frozenset("b"), frozenset("ab"))
    assert read(If_Match='W/"a"').match == frozenset()


@pytest.mark.parametrize(
    "header",
    [
        "", " ", ",", "a", "'a'", '"a', 'a"', '"a" "b"', '"a"b', '"a" b', 'w/"a"', "W/a", 'W/ "a"',
        '*, "a"', '"a", *', "**", '"a\tb"', '"a b"', '"a""b"', ", ".join(['"a"'] * 101),
    ],
)  # fmt: skip
def test_what_is_no_list_of_tags_is_refused(header: str) -> None:
    with pytest.raises(errors.MalformedPrecondition, match="If-Match"):
        read(If_Match=header)
    with pytest.raises(errors.MalformedPrecondition, match="If-None-Match"):
        read(If_None_Match=header)


@given(st.text() | st.text('"W/*,ab '))
def test_any_header_is_read_or_refused(header: str) -> None:
    try:
        condition = read(If_Match=header)
    except errors.MalformedPrecondition:
        return
    assert condition.match is not None


def test_plain_headers_serve_where_an_event_has_no_lists() -> None:
    request = plain_request(None)
    request.headers._dict["if-match"] = '"a"'
    assert web.precondition(request).match == frozenset("a")


@pytest.mark.parametrize(
    ("condition", "stored", "holds"),
    [
        (Precondition(), None, True),
        (Precondition(), "a", True),
        (Precondition(match=ANY), "a", True),
        (Precondition(match=ANY), None, False),
        (Precondition(match=frozenset("ab")), "a", True),
        (Precondition(match=frozenset("bc")), "a", False),
        (Precondition(match=frozenset("a")), None, False),
        (Precondition(match=frozenset()), "a", False),
        (Precondition(none_match=ANY), None, True),
        (Precondition(none_match=ANY), "a", False),
        (Precondition(none_match=frozenset("bc")), "a", True),
        (Precondition(none_match=frozenset("ab")), "a", False),
        (Precondition(none_match=frozenset("a")), None, True),
        (Precondition(frozenset("a"), frozenset("b")), "a", True),
        (Precondition(frozenset("a"), frozenset("a")), "a", False),
        (Precondition(ANY, ANY), "a", False),
        (Precondition(ANY, ANY), None, False),
        (Precondition(match=frozenset("a"), required=True), "a", True),
        (Precondition(none_match=ANY, required=True), None, True),
        (Precondition(required=True), None, True),
    ],
)
def test_when_a_condition_holds(
    condition: Precondition, stored: str | None, *, holds: bool
) -> None:
    if holds:
        condition.check(stored)
        return
    with pytest.raises(errors.PreconditionFailed) as caught:
        condition.check(stored)
    assert caught.value.revision == stored


def test_where_conditions_are_required_a_change_without_one_is_refused() -> None:
    with pytest.raises(errors.PreconditionRequired):
        Precondition(required=True).check("a")


def test_the_refusal_carries_the_current_etag_or_none_where_nothing_is_stored() -> None:
    assert web.error_response(errors.PreconditionFailed("r1")).headers == {"ETag": '"r1"'}
    assert web.error_response(errors.PreconditionFailed(None)).headers == {}
