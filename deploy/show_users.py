"""Prints users: as a table or indented on a terminal, as JSON lines elsewhere."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable
from typing import TextIO

from chalicelib.json_text import write_json
from chalicelib.profile import JSON
from deploy.errors import OutputError
from deploy.standard_streams import discard_output
from deploy.user_data import User

NO_USERS = "No user has a profile yet."
HEADINGS = ("sub", "updated_at", "profile_data")
SUB_WIDTH = 36
TIME_WIDTH = 20
"""A time without fractions of seconds: 2026-11-22T10:00:00Z."""
ELLIPSIS = "…"
WIDE = ("W", "F")
"""The East Asian widths of characters that take two columns."""


def print_users(users: Iterable[User], output: TextIO) -> None:
    """Print each user when it is read. On a terminal, the data itself is not shown."""
    if output.isatty():
        _print_table(users, output)
    else:
        for user in users:
            print_line(write_json(user), output)


def print_user(user: User, output: TextIO) -> None:
    """Print one user as JSON, indented on a terminal."""
    if output.isatty():
        for line in indented_json(user).split("\n"):
            print_line(escape_unprintable(line), output)
    else:
        print_line(write_json(user), output)


def print_line(line: str, output: TextIO) -> None:
    """Write a whole line at once. An interruption leaves no part of a line.

    Raises BrokenPipeError if the reader has ended, or OutputError, for example on a full disk.
    """
    try:
        output.write(line + "\n")
        output.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise OutputError(f"the output could not be written: {error.strerror}.") from error


# --- the table ------------------------------------------------------------------------------------


def _print_table(users: Iterable[User], output: TextIO) -> None:
    width = shutil.get_terminal_size().columns
    count = 0
    for user in users:
        if count == 0:
            print_line(_row(*HEADINGS, width), output)
        print_line(table_row(user, width), output)
        count += 1
    if count == 0:
        print_line(NO_USERS, output)


def table_row(user: User, width: int) -> str:
    """The row of a user in a table of `width` columns."""
    return _row(
        str(user["sub"]), without_fraction(user.get("updated_at")), _member_names(user), width
    )


def _row(sub: str, updated_at: str, members: str, width: int) -> str:
    row = f"{sub:<{SUB_WIDTH}}  {updated_at:<{TIME_WIDTH}}  {members}"
    return cut(escape_unprintable(row), width)


def without_fraction(time: JSON) -> str:
    """A time without its fraction. Items of the original example have no times."""
    if not isinstance(time, str):
        return "-"
    return re.sub(r"\.\d+", "", time)


def _member_names(user: User) -> str:
    """The names of the profile's members."""
    if user.get("too_large"):
        return "(too large for a response)"
    data = user.get("profile_data")
    if not isinstance(data, dict) or not data:
        return "(empty)"
    return ", ".join(data)


def cut(text: str, width: int) -> str:
    """`text`, shortened to `width` columns of a terminal."""
    columns = 0
    length_with_ellipsis = 0
    for position, character in enumerate(text):
        columns += _columns_of(character)
        if columns > width:
            return text[:length_with_ellipsis].rstrip() + ELLIPSIS
        if columns < width:
            length_with_ellipsis = position + 1
    return text


def _columns_of(character: str) -> int:
    if unicodedata.east_asian_width(character) in WIDE:
        return 2
    return 1


# --- JSON -----------------------------------------------------------------------------------------


def indented_json(value: JSON, indent: str = "") -> str:
    """`value` as JSON text on several lines, with exact numbers.

    indent: the spaces before the line on which the value starts.
    """
    inner = indent + "  "
    if isinstance(value, dict) and value:
        members = [
            f"{inner}{write_json(name)}: {indented_json(member, inner)}"
            for name, member in value.items()
        ]
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        elements = [inner + indented_json(element, inner) for element in value]
        return "[\n" + ",\n".join(elements) + f"\n{indent}]"
    return write_json(value)


def escape_unprintable(text: str) -> str:
    """`text` with JSON escapes for the characters that could control a terminal.

    A user may store any text, and control sequences can hide or fake lines. In a line of JSON text,
    unprintable characters are only in strings, so that its meaning stays the same.
    """
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
