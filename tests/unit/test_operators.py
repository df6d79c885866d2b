"""Small parts of export and import: progress, pace, lost responses, the user pool."""

from __future__ import annotations

import io
import sys
import threading
import time
import uuid
from typing import Any, cast

import pytest

from chalicelib import items
from chalicelib.dynamodb import ConditionFailed
from deploy.profile_lines import LineRefused, Record
from deploy.profile_writer import Outcome, Pace, Stopped, TableWriter, Times
from deploy.progress import Progress
from deploy.user_pool import MAX_LOOKUPS, KnownUsers, UserPool

RECORD = Record(items.PROFILE, "00000000-0000-4000-8000-000000000001", {"n": 1})


# --- progress -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Standard error on a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    now = 0.0
    progress = Progress("lines", clock=lambda: now)
    for count in range(1, 26):
        now += 0.1
        progress.show(count * 1000)
    shown = cast(io.StringIO, sys.stderr).getvalue().splitlines()
    assert len(shown) == 2
    assert shown[0].endswith("lines, 10,000 a second")


def test_progress_on_a_terminal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    now = 0.0
    progress = Progress("lines", clock=lambda: now)
    for count in range(3):
        now += 1
        progress.show(count)
    progress.note("line 2: refused")
    text = cast(io.StringIO, sys.stderr).getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\r\x1b[Kline 2: refused\n")


# --- pace -----------------------------------------------------------------------------------------


def test_a_pace_spaces_the_calls_of_all_threads() -> None:
    pace = Pace(per_second=50)
    start = time.monotonic()
    threads = [threading.Thread(target=pace.wait) for _ in range(11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start >= 0.2


def test_a_stopped_pace_lets_nobody_pass() -> None:
    pace = Pace(per_second=1)
    pace.wait()
    timer = threading.Timer(0.05, pace.stop)
    timer.start()
    for _ in range(2):
        with pytest.raises(Stopped):
            pace.wait()
    timer.join()


# --- the writer -----------------------------------------------------------------------------------


class Table:
    """A client whose writes are refused; `stored` is called for what is stored then."""

    def __init__(self, stored: Any) -> None:
        self._stored = stored
        self.conditions: list[str] = []

    def update_item(self, **arguments: Any) -> None:
        self.conditions.append(arguments["ConditionExpression"])
        values = arguments["ExpressionAttributeValues"]
        raise ConditionFailed(self._stored(values), outcome_unknown=False)


def writer(table: Table) -> TableWriter:
    return TableWriter(cast(Any, table), "table", Pace(10_000), overwrite=True, times=Times.KEEP)


def test_a_write_whose_response_was_lost_counts_as_written() -> None:
    table = Table(lambda values: RECORD.key | {items.REVISION: values[":revision"]})
    assert writer(table).write(RECORD) is Outcome.WRITTEN


def test_an_item_that_keeps_changing_is_refused() -> None:
    table = Table(lambda _: RECORD.key | {items.REVISION: {"S": uuid.uuid4().hex}})
    with pytest.raises(LineRefused, match="keep changing"):
        writer(table).write(RECORD)
    assert all("attribute_not_exists(erased_at)" in text for text in table.conditions)


def test_an_item_that_is_erased_meanwhile_is_kept() -> None:
    answers = iter([{items.REVISION: {"S": "1"}}, {items.ERASED_AT: {"S": "now"}}])
    table = Table(lambda _: RECORD.key | next(answers))
    assert writer(table).write(RECORD) is Outcome.ERASED


# --- the user pool --------------------------------------------------------------------------------


class Cognito:
    """A client of a user pool with some users, which counts its requests."""

    def __init__(self, subs: list[str]) -> None:
        self._subs = subs
        self.lookups = 0
        self.lists = 0

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_users"
        return self

    def paginate(self, *, Filter: str = "", **_: Any) -> list[dict[str, Any]]:  # noqa: N803
        if Filter:
            self.lookups += 1
            return [self._page(sub for sub in self._subs if Filter == f'sub = "{sub}"')]
        self.lists += 1
        return [self._page(self._subs[:2]), self._page(self._subs[2:])]

    def _page(self, subs: Any) -> dict[str, Any]:
        return {"Users": [{"Attributes": [{"Name": "sub", "Value": sub}]} for sub in subs]}


def test_few_users_are_looked_up_once_each() -> None:
    subs = [str(uuid.uuid4()) for _ in range(3)]
    client = Cognito(subs)
    users = KnownUsers(UserPool(cast(Any, client), "pool"))
    for _ in range(2):
        assert all(users.has_user(sub) for sub in subs)
        assert not users.has_user("00000000-0000-4000-8000-000000000001")
    assert (client.lookups, client.lists) == (4, 0)


def test_many_users_are_read_once() -> None:
    subs = [str(uuid.uuid4()) for _ in range(MAX_LOOKUPS + 2)]
    client = Cognito(subs)
    users = KnownUsers(UserPool(cast(Any, client), "pool"))
    assert all(users.has_user(sub) for sub in subs)
    assert not users.has_user("00000000-0000-4000-8000-000000000001")
    assert (client.lookups, client.lists) == (MAX_LOOKUPS, 1)
