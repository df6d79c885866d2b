"""The query of a list: how many users a page has, and where it starts."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chalicelib.errors import MalformedQuery
from chalicelib.identity import is_sub

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
VERSION = "1:"
"""The start of a decoded cursor, so that its format can change later."""


class PageRequest(NamedTuple):
    """A page of a list of users, which is sorted by sub."""

    limit: int = DEFAULT_LIMIT
    """The most users on the page."""
    after: str | None = None
    """The page starts after this sub. None: at the start of the list."""


def page_request(parameters: Mapping[str, Sequence[str]]) -> PageRequest:
    """Read a query, given as the values of each parameter. Raises MalformedQuery."""
    for name, values in parameters.items():
        if name not in ("limit", "cursor"):
            raise MalformedQuery(
                f"There is no parameter {name[:50]!r} here. The parameters are limit and cursor."
            )
        if len(values) != 1:
            raise MalformedQuery(f"The parameter {name} may only be given once.")
    limit = DEFAULT_LIMIT
    if "limit" in parameters:
        limit = _limit(parameters["limit"][0])
    after = None
    if "cursor" in parameters:
        after = _position(parameters["cursor"][0])
    return PageRequest(limit, after)


def cursor_after(sub: str) -> str:
    """The cursor of the page that starts after `sub`.

    It is not signed: it only names a position in a list that the caller may read whole.
    """
    return base64.urlsafe_b64encode(f"{VERSION}{sub}".encode()).decode().rstrip("=")


def _limit(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,2}", text) or int(text) > MAX_LIMIT:
        raise MalformedQuery(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _position(cursor: str) -> str:
    """The sub in a cursor. Only the exact text that `cursor_after` returned is accepted."""
    try:
        padding = "=" * (-len(cursor) % 4)
        text = base64.urlsafe_b64decode(cursor + padding).decode()
    except (binascii.Error, ValueError):
        text = ""
    sub = text.removeprefix(VERSION)
    if not is_sub(sub) or cursor_after(sub) != cursor:
        raise MalformedQuery("The cursor is not one that this service returned as next.")
    return sub
