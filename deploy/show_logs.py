"""`make logs`: the latest lines of the function's log, and new ones with FOLLOW=yes.

On a terminal, the JSON lines are shown as text. Elsewhere they are printed as they are, for jq and
similar programs.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO, TypeAlias

import boto3

from deploy import api, lookup
from deploy.aws import report_aws_errors
from deploy.errors import DeploymentError
from deploy.options import is_yes
from deploy.show_users import escape_unprintable, print_line

OPTIONS = {
    "SINCE": "how far back: 30s, 10m (the default), 2h, 7d",
    "FOLLOW": "yes: also print new lines, until Ctrl-C",
}
DEFAULT_SINCE = "10m"
PERIOD = re.compile("([1-9][0-9]{0,4})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
SECONDS_BETWEEN_READS = 2.0
LATE = timedelta(seconds=30)
"""How long after its time a line can arrive. So much is read again, to miss none."""
EventId: TypeAlias = tuple[object, ...]
SHOWN_FIELDS = ("sub", "caller", "error")
"""The fields of a request's line that its message does not contain."""


@dataclass(frozen=True)
class LogsRequest:
    """What to show of a stage's log."""

    since: timedelta
    follow: bool

    @classmethod
    def from_options(cls, since: str, follow: str) -> LogsRequest:
        """Read the values of SINCE and FOLLOW; empty if not given. Raises DeploymentError."""
        return cls(parse_period(since or DEFAULT_SINCE), is_yes("FOLLOW", follow))


def parse_period(text: str) -> timedelta:
    """Return the period that a text such as 10m names. Raises DeploymentError."""
    found = PERIOD.fullmatch(text)
    if found is None:
        raise DeploymentError(
            f"SINCE={text} is not understood. Give a number and a unit: 30s, 10m, 2h or 7d."
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def run(stage: str, request: LogsRequest, output: TextIO = sys.stdout) -> None:
    """Print the log of the stage's function. With `follow`, this does not end.

    Raises DeploymentError, also if the stage has no API.
    """
    start = datetime.now(UTC) - request.since
    log = Log(log_group(stage), start)
    count = _print_new_lines(log, output)
    if count == 0:
        since = f"{start:%Y-%m-%d %H:%M:%S} UTC"
        print(f"There are no lines in {log.group} since {since}.", file=sys.stderr)
    while request.follow:
        time.sleep(SECONDS_BETWEEN_READS)
        _print_new_lines(log, output)


def log_group(stage: str) -> str:
    """Return the log group of the stage's function. Raises DeploymentError."""
    function = lookup.find_function_configuration(api.function_name(stage))
    if function is None:
        raise api.not_deployed(stage)
    group: str = function["LoggingConfig"]["LogGroup"]
    return group


def _print_new_lines(log: Log, output: TextIO) -> int:
    """Print the lines that have arrived, and return their number."""
    count = 0
    for event in log.new_events():
        count += 1
        for line in lines_of(event, as_text=output.isatty()):
            print_line(line, output)
    return count


# --- reading --------------------------------------------------------------------------------------


@dataclass
class Log:
    """A log group, of which each event is read once."""

    group: str
    start: datetime
    """The time of the first event to read next."""
    _seen: set[EventId] = field(default_factory=set)
    """The events that were read and can be read again."""

    def new_events(self) -> Iterator[Mapping[str, Any]]:
        """Yield the events that were not read before, the oldest first.

        A group that Lambda has not created yet is empty. Raises DeploymentError.
        """
        read_at = datetime.now(UTC)
        read_again: set[EventId] = set()
        with report_aws_errors(f"the log group {self.group}"):
            client = boto3.client("logs")
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=self.group, startTime=_milliseconds(self.start)
            )
            with suppress(client.exceptions.ResourceNotFoundException):
                for page in pages:
                    for event in page["events"]:
                        event_id = _id_of(event)
                        if event["timestamp"] >= _milliseconds(read_at - LATE):
                            read_again.add(event_id)
                        if event_id not in self._seen:
                            yield event
        self._seen = read_again
        self.start = max(self.start, read_at - LATE)


def _id_of(event: Mapping[str, Any]) -> EventId:
    """Identifies an event. The emulator (ministack 1.5.33) gives it no eventId."""
    members = ("eventId", "logStreamName", "timestamp", "message")
    return tuple(event.get(name) for name in members)


def _milliseconds(time: datetime) -> int:
    """The time as CloudWatch Logs takes it, which has no times before 1970."""
    return max(0, int(time.timestamp() * 1000))


# --- printing -------------------------------------------------------------------------------------


def lines_of(event: Mapping[str, Any], *, as_text: bool) -> list[str]:
    """Return the lines to print for an event: as they are, or as text for a terminal."""
    message = str(event["message"]).rstrip("\n")
    if not as_text:
        return message.split("\n")
    time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    text = f"{time:%Y-%m-%dT%H:%M:%S}Z {text_of(message)}"
    return [escape_unprintable(line) for line in text.replace("\t", "  ").split("\n")]


def text_of(message: str) -> str:
    """Return a line of the log as text. A line that is not a JSON object stays as it is."""
    try:
        line = json.loads(message)
    except ValueError:
        return message
    if not isinstance(line, dict):
        return message
    if "record" in line:  # a line of Lambda's own, such as platform.report
        return f"{line.get('type')} {_members(line['record'])}"
    fields = {name: line[name] for name in SHOWN_FIELDS if line.get(name)}
    text = f"{line.get('level', '-')} {line.get('message', '')} {_members(fields)}".rstrip()
    if line.get("errorType"):
        text += f"\n{line['errorType']}: {line.get('errorMessage', '')}"
        text += "".join(f"\n{frame}".rstrip() for frame in line.get("stackTrace", []))
    return text


def _members(value: object) -> str:
    """Return the members of an object as name=value, also those of objects in it."""
    if not isinstance(value, dict):
        return str(value)
    parts = [
        _members(member) if isinstance(member, dict) else f"{name}={member}"
        for name, member in value.items()
    ]
    return " ".join(parts)
