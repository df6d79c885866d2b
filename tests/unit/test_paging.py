"""The query of a list: limits and cursors."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import MalformedQuery
from chalicelib.paging import PageRequest, cursor_after, page_request

SUB = "5f0c7a1e-0000-4000-8000-0123456789ab"


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_without_parameters_the_first_25_users_are_listed() -> None:
    assert page_request({}) == PageRequest(limit=25, after=None)


@pytest.mark.parametrize("limit", [1, 9, 10, 99, 100])
def test_a_page_has_1_to_100_users(limit: int) -> None:
    assert page_request({"limit": [str(limit)]}).limit == limit


@pytest.mark.parametrize(
    "limit", ["0", "101", "1000", "-1", "+1", "01", "1.0", "1e1", " 1", "1\n", "\u0661", "", "ten"]
)
def test_any_other_limit_is_malformed(limit: str) -> None:
    with pytest.raises(MalformedQuery, match="limit"):
        page_request({"limit": [limit]})


@given(st.uuids().map(str))
def test_a_cursor_names_the_last_sub_and_needs_no_encoding_in_a_url(sub: str) -> None:
    cursor = cursor_after(sub)
    assert page_request({"cursor": [cursor]}).after == sub
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        SUB,
        encoded(SUB),
        encoded(f"2:{SUB}"),
        encoded(f"1:{SUB.upper()}"),
        encoded(f"1:1:{SUB}"),
        encoded(f"1:{SUB}\n"),
        encoded("1:USER#ada"),
        encoded(f"1:USERS#ALL|{SUB}"),
        cursor_after(SUB) + "=",
        cursor_after(SUB) + "==",
        cursor_after(SUB) + "\n",
        " " + cursor_after(SUB),
        "%" + cursor_after(SUB),
        "\u00e9",
        "A" * 10_000,
    ],
)
def test_any_other_cursor_is_malformed(cursor: str) -> None:
    with pytest.raises(MalformedQuery, match="cursor"):
        page_request({"cursor": [cursor]})


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": ["1", "1"]},
        {"cursor": [cursor_after(SUB), cursor_after(SUB)]},
        {"limit": []},
        {"Limit": ["1"]},
        {"after": [SUB]},
        {"pk": ["USERS#ALL"]},
        {"": [""]},
    ],
)
def test_a_repeated_or_unknown_parameter_is_malformed(parameters: dict[str, list[str]]) -> None:
    with pytest.raises(MalformedQuery, match="parameter"):
        page_request(parameters)
