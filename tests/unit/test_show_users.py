"""What `make users` and `make user` print, on a terminal and in a pipe."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.json_text import read_json
from deploy.show_users import cut, escape_unprintable, indented_json, print_user, print_users

SUB = "f2547e8f-5572-4260-a831-c9550a1b6001"
USER: dict[str, Any] = {
    "sub": SUB,
    "pk": "USERS#ALL",
    "sk": f"USER#{SUB}",
    "profile_data": {"name": "Ada", "balance": Decimal("0.10"), "n": 10**30},
    "created_at": "2026-11-22T10:00:00.123456Z",
    "updated_at": "2026-11-22T10:00:01.123456Z",
    "etag": '"abc"',
}


class Terminal(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def lines_of(output: io.StringIO) -> list[str]:
    return output.getvalue().splitlines()


def test_a_terminal_shows_a_table_without_data(terminal: Terminal) -> None:
    print_users([USER], terminal)
    headings, row = lines_of(terminal)
    assert headings.split() == ["sub", "updated_at", "profile_data"]
    assert row == f"{SUB}  2026-11-22T10:00:01Z  name, balance, n"


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({"updated_at": None}, "-                     name, balance, n"),
        ({"profile_data": {}}, "2026-11-22T10:00:01Z  (empty)"),
        ({"profile_data": None, "too_large": True}, "2026-11-22T10:00:01Z  (too large for"),
        ({"profile_data": {"a\nb\x1b[2J": 1}}, "2026-11-22T10:00:01Z  a\\u000ab\\u001b[2J"),
        ({"profile_data": {f"member{n}": n for n in range(99)}}, "member0, member1, m…"),
    ],
    ids=["no times", "no members", "too large", "control characters", "many members"],
)
def test_each_user_is_one_line_of_the_terminals_width(
    terminal: Terminal, changes: dict[str, Any], cells: str
) -> None:
    print_users([USER | changes], terminal)
    _, row = lines_of(terminal)
    assert cells in row
    assert len(row) <= 80


def test_a_terminal_says_that_there_are_no_users(terminal: Terminal) -> None:
    print_users([], terminal)
    assert lines_of(terminal) == ["No user has a profile yet."]


def test_a_pipe_gets_exact_json_lines() -> None:
    pipe = io.StringIO()
    print_users([USER, USER], pipe)
    first, second = lines_of(pipe)
    assert first == second
    assert read_json(first.encode()) == USER
    assert f'"balance":0.10,"n":{10**30}' in first


def test_an_empty_list_is_an_empty_output_in_a_pipe() -> None:
    pipe = io.StringIO()
    print_users([], pipe)
    assert pipe.getvalue() == ""


def test_a_user_is_indented_on_a_terminal(terminal: Terminal) -> None:
    print_user({"sub": SUB, "profile": None, "metadata": {}}, terminal)
    assert lines_of(terminal) == [
        "{",
        f'  "sub": "{SUB}",',
        '  "profile": null,',
        '  "metadata": {}',
        "}",
    ]


def test_a_user_is_one_line_in_a_pipe() -> None:
    pipe = io.StringIO()
    print_user({"sub": SUB, "profile": None}, pipe)
    assert lines_of(pipe) == [f'{{"sub":"{SUB}","profile":null}}']


@pytest.mark.parametrize(
    "value", [{}, [], {"a": {"b": [1, {"c": []}]}, "d": "x"}, [[], [{}], None, True], "text"]
)
def test_indented_json_has_the_common_format(value: Any) -> None:
    assert indented_json(value) == json.dumps(value, indent=2)


def test_indented_json_has_exact_numbers() -> None:
    assert indented_json([Decimal("1.10"), 10**30]) == f"[\n  1.10,\n  {10**30}\n]"


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "a\nb", "\u202e", "\U000e0041", "\x7f"])
def test_no_text_controls_a_terminal_and_json_stays_the_same(terminal: Terminal, text: str) -> None:
    print_user({"profile": {text: [text]}}, terminal)
    assert all(line.isprintable() for line in lines_of(terminal))
    assert json.loads(terminal.getvalue()) == {"profile": {text: [text]}}


def test_printable_text_is_not_escaped() -> None:
    assert escape_unprintable("Zoë 日本 €😀") == "Zoë 日本 €😀"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本", 4, "日本"),
        ("日本", 3, "日…"),
        ("日本", 2, "…"),
        ("ab cd", 4, "ab…"),
    ],
)
def test_a_text_is_cut_to_columns(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected
