"""`make logs`: which lines are read and how they are printed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from deploy import show_logs
from deploy.errors import DeploymentError
from deploy.show_logs import Log, LogsRequest

GROUP = "/aws/lambda/user-profile-dev-api"
REQUEST = {
    "timestamp": "2026-11-29T10:00:00Z",
    "level": "INFO",
    "message": "GET /user/profile: 200 in 3.1 ms (request_id r-1)",
    "logger": "user-profile",
    "requestId": "f-1",
    "request_id": "r-1",
    "sub": "f2547e8f-0000-4000-8000-000000000000",
    "error": None,
}
FAILURE = {
    "level": "ERROR",
    "message": "GET /user/profile: 500 in 9.0 ms (request_id r-2)",
    "error": "ResourceNotFoundException",
    "errorType": "ResourceNotFoundException",
    "errorMessage": "not found",
    "stackTrace": ['  File "/var/task/chalicelib/store.py", line 1, in read\n'],
}
REPORT = {
    "time": "2026-11-29T10:00:00.123Z",
    "type": "platform.report",
    "record": {"requestId": "f-1", "metrics": {"durationMs": 3.2, "memorySizeMB": 1024}},
}


class FakeLogs:
    """CloudWatch Logs with these events; two are on a page."""

    class exceptions:  # noqa: N801 - as botocore names it
        class ResourceNotFoundException(Exception):
            """The group does not exist."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] | None = None
        """None: there is no group."""

    def get_paginator(self, operation: str) -> FakeLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["logGroupName"] == GROUP
        if self.events is None:
            raise self.exceptions.ResourceNotFoundException
        found = [event for event in self.events if event["timestamp"] >= request["startTime"]]
        for start in range(0, len(found), 2):
            yield {"events": found[start : start + 2]}

    def add(self, message: str, *, seconds_ago: float = 0) -> None:
        """Add a line; its time may be earlier than that of lines that were read."""
        self.events = self.events or []
        time = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        event = {"eventId": str(len(self.events)), "message": message}
        self.events.append({**event, "timestamp": int(time.timestamp() * 1000)})


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> FakeLogs:
    fake = FakeLogs()
    monkeypatch.setattr(boto3, "client", lambda _: fake)
    return fake


def log_of_the_last(period: timedelta) -> Log:
    return Log(GROUP, datetime.now(UTC) - period)


def read(log: Log) -> list[str]:
    return [event["message"] for event in log.new_events()]


def test_each_line_is_read_once(logs: FakeLogs) -> None:
    log = log_of_the_last(timedelta(minutes=10))
    logs.add("too old", seconds_ago=700)
    for number in range(5):
        logs.add(f"line {number}", seconds_ago=500 - number)
    assert read(log) == [f"line {number}" for number in range(5)]
    assert read(log) == []
    logs.add("new")
    assert read(log) == ["new"]
    assert read(log) == []


def test_a_line_that_arrives_late_is_read(logs: FakeLogs) -> None:
    log = log_of_the_last(timedelta(minutes=10))
    logs.add("first")
    assert read(log) == ["first"]
    logs.add("late", seconds_ago=20)
    assert read(log) == ["late"]


def test_a_group_that_does_not_exist_yet_is_empty(logs: FakeLogs) -> None:
    log = log_of_the_last(timedelta(minutes=10))
    assert read(log) == []
    logs.add("first")
    assert read(log) == ["first"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604800), ("99999d", 8639913600)],
)
def test_a_period_has_a_number_and_a_unit(logs: FakeLogs, text: str, seconds: int) -> None:
    period = show_logs.parse_period(text)
    assert period.total_seconds() == seconds
    assert read(log_of_the_last(period)) == []


@pytest.mark.parametrize("text", ["0m", "10", "m", "-1m", "1.5h", "10 m", "10M", "1w", "100000d"])
def test_another_period_is_refused(text: str) -> None:
    with pytest.raises(DeploymentError, match=r"SINCE=.* is not understood"):
        LogsRequest.from_options(text, "")


def test_the_default_is_ten_minutes() -> None:
    assert LogsRequest.from_options("", "") == LogsRequest(timedelta(minutes=10), follow=False)
    assert LogsRequest.from_options("", "yes").follow
    with pytest.raises(DeploymentError, match="FOLLOW=yes"):
        LogsRequest.from_options("", "true")


def lines(message: str, *, as_text: bool) -> list[str]:
    time = datetime(2026, 11, 29, 10, tzinfo=UTC)
    event = {"message": message, "timestamp": int(time.timestamp() * 1000)}
    return show_logs.lines_of(event, as_text=as_text)


def test_elsewhere_lines_stay_json() -> None:
    message = json.dumps(REQUEST)
    assert lines(message + "\n", as_text=False) == [message]


def test_on_a_terminal_a_request_is_one_line_of_text() -> None:
    assert lines(json.dumps(REQUEST), as_text=True) == [
        f"2026-11-29T10:00:00Z INFO {REQUEST['message']} sub={REQUEST['sub']}"
    ]


def test_on_a_terminal_a_failure_has_its_traceback() -> None:
    assert lines(json.dumps(FAILURE), as_text=True) == [
        f"2026-11-29T10:00:00Z ERROR {FAILURE['message']} error=ResourceNotFoundException",
        "ResourceNotFoundException: not found",
        '  File "/var/task/chalicelib/store.py", line 1, in read',
    ]


def test_on_a_terminal_lambdas_lines_are_text() -> None:
    assert lines(json.dumps(REPORT), as_text=True) == [
        "2026-11-29T10:00:00Z platform.report requestId=f-1 durationMs=3.2 memorySizeMB=1024"
    ]


@pytest.mark.parametrize("message", ["START RequestId: f-1", "[]", "1", '{"a": ', "null"])
def test_on_a_terminal_other_lines_stay_as_they_are(message: str) -> None:
    """After `chalice deploy`, the log is text."""
    assert lines(f"{message}\n", as_text=True) == [f"2026-11-29T10:00:00Z {message}"]


@pytest.mark.parametrize(
    "line", [{}, {"record": None}, {"record": 1}, {"message": None, "level": 3}, {"sub": ["x"]}]
)
def test_on_a_terminal_any_object_is_printed(line: object) -> None:
    assert len(lines(json.dumps(line), as_text=True)) == 1


def test_a_line_cannot_control_the_terminal() -> None:
    message = json.dumps({"level": "INFO", "message": "\x1b[2J", "sub": "\x07"})
    (line,) = lines(message, as_text=True)
    assert line.isprintable()
    (tabs,) = lines("REPORT\tDuration: 1 ms", as_text=True)
    assert tabs.endswith("REPORT  Duration: 1 ms")


def test_no_lines_are_explained(
    logs: FakeLogs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show_logs, "log_group", lambda _: GROUP)
    output = io.StringIO()
    show_logs.run("dev", LogsRequest.from_options("7d", ""), output)
    assert output.getvalue() == ""
    message = capsys.readouterr().err
    week_ago = datetime.now(UTC) - timedelta(days=7)
    assert f"There are no lines in {GROUP} since {week_ago:%Y-%m-%d %H}" in message
