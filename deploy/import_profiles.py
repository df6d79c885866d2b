"""`make import`: write the profiles and metadata of a file of JSON lines to a stage's table.

deploy/profile_lines.py describes the lines. Each is checked as the API checks it, and written by
one request with its condition. Nothing is read before a write: if something is stored already,
DynamoDB refuses the write and returns what is stored. An equal item is skipped, so an import that
was interrupted continues when it runs again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeAlias

import boto3
from botocore.config import Config

from chalicelib import items
from chalicelib.errors import InvalidProfile, ProfileTooLarge, StoreUnavailable
from chalicelib.metadata import check_metadata
from chalicelib.profile import check_profile_data
from deploy.aws import report_aws_errors
from deploy.counting import counted
from deploy.errors import DeploymentError
from deploy.options import is_yes
from deploy.profile_lines import LineRefused, Record, read_line
from deploy.profile_writer import DryRun, Outcome, Pace, TableWriter, Times, Writer
from deploy.progress import Progress
from deploy.stage_table import StageTable
from deploy.user_pool import KnownUsers, UserPool

OPTIONS = {
    "FILE": "the file to read",
    "OVERWRITE": "yes: also replace what is stored",
    "DRY_RUN": "yes: write nothing, and report what would be written",
    "ANY_SUB": "yes: also import users whom the user pool does not have",
    "TIMES": "keep: the file's times (default); now: the present time",
    "RATE": "the most requests to the table a second (default: 100)",
}
DEFAULT_RATE = 100
"""Writes a second. All profiles are in one partition of the table, which takes 1,000 write units a
second. With profiles of up to 1 KB, nine tenths of them are left for the users."""
MAX_RATE = 10_000
THREADS = 16
MAX_PENDING = 2 * THREADS
"""Lines in memory. Each takes at most MAX_LINE_BYTES."""
MAX_LINE_BYTES = 10_000_000
"""More than the longest JSON text of data that can be stored."""
CLIENT_CONFIG = Config(
    # After Ctrl-C, the requests that were sent are awaited: at most a minute and a half.
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=THREADS,
    parameter_validation=False,  # the data was checked
)


CONTINUE = "To continue, run this command again: equal lines are skipped."


# --- options --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImportRequest:
    """The options of the command."""

    file: Path
    overwrite: bool
    dry_run: bool
    any_sub: bool
    times: Times
    rate: int
    """Requests to the table a second."""

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> ImportRequest:
        """The request of a command line. Raises DeploymentError."""
        return cls(
            file=Path(options.file),
            overwrite=is_yes("OVERWRITE", options.overwrite),
            dry_run=is_yes("DRY_RUN", options.dry_run),
            any_sub=is_yes("ANY_SUB", options.any_sub),
            times=_times(options.times),
            rate=_rate(options.rate),
        )


def _times(text: str) -> Times:
    if text not in ("", *Times):
        raise DeploymentError(f"TIMES={text} is not understood. Set TIMES=keep or TIMES=now.")
    return Times(text or Times.KEEP)


def _rate(text: str) -> int:
    if not text:
        return DEFAULT_RATE
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_RATE:
        raise DeploymentError(f"RATE={text} is not a whole number from 1 to {MAX_RATE}.")
    return int(text)


# --- the command ----------------------------------------------------------------------------------


@dataclass
class Report:
    """The outcomes of the lines so far."""

    dry_run: bool
    progress: Progress
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def add(self, number: int, outcome: Outcome, reason: str = "") -> None:
        """Count a line. `reason` states why it is not written, without anything of its data."""
        self.outcomes[outcome] += 1
        if reason:
            self.progress.note(f"line {number}: {reason}")
        self.progress.show(self.outcomes.total())

    def summary(self) -> str:
        """The counts in a sentence."""
        counts = [f"{self.outcomes[outcome]:,} {outcome.value}" for outcome in Outcome]
        first = "Dry run, nothing was written. " if self.dry_run else ""
        return f"{first}{counted(self.outcomes.total(), 'line')}: {', '.join(counts)}."


def run(table: StageTable, request: ImportRequest) -> None:
    """Import a file into a stage's table, and print a report.

    Raises DeploymentError if the import ended early, and SystemExit if lines were refused or the
    user pressed Ctrl-C.
    """
    report = Report(request.dry_run, Progress("lines"))
    with _opened(request.file) as file:
        try:
            _Import(table, request, report).run(file)
        except KeyboardInterrupt:
            sys.exit(f"Interrupted. {report.summary()} {CONTINUE}")
        except DeploymentError as error:
            problem = str(error).rstrip(".")
            raise DeploymentError(f"{problem}. {report.summary()} {CONTINUE}") from error
        finally:
            report.progress.close()
    print(report.summary())
    if report.outcomes[Outcome.REFUSED]:
        sys.exit(1)


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise DeploymentError(f"cannot read {file}: {error.strerror}.") from error


Key: TypeAlias = tuple[str, str]
"""The partition key and the sort key of an item."""


class _Import:
    """One run of the command."""

    def __init__(self, table: StageTable, request: ImportRequest, report: Report) -> None:
        self._table = table
        self._request = request
        self._report = report
        self._users = KnownUsers(UserPool.connect(table.user_pool_id))
        self._pace = Pace(request.rate)
        self._writer = self._create_writer()
        self._pending: dict[Future[Outcome], tuple[int, Key]] = {}
        """The lines that are being written: their numbers and keys."""

    def _create_writer(self) -> Writer:
        client = boto3.client("dynamodb", config=CLIENT_CONFIG)
        request = self._request
        if request.dry_run:
            return DryRun(client, self._table.name, self._pace, request.overwrite)
        return TableWriter(client, self._table.name, self._pace, request.overwrite, request.times)

    def run(self, file: BinaryIO) -> None:
        """Import all lines. Raises DeploymentError or KeyboardInterrupt."""
        pool = ThreadPoolExecutor(THREADS)
        try:
            for number, line in _lines(file):
                self._start(pool, number, line)
            while self._pending:
                self._collect()
        finally:
            # After an error or Ctrl-C, the requests that were sent are awaited and counted.
            self._pace.stop()
            pool.shutdown(cancel_futures=True)
            self._count_completed()

    def _start(self, pool: ThreadPoolExecutor, number: int, line: bytes | None) -> None:
        """Begin to write a line. None is a line that is too long."""
        try:
            record = self._record(line)
        except LineRefused as refusal:
            self._report.add(number, Outcome.REFUSED, str(refusal))
            return
        key = _key(record)
        # Lines about the same item are written in their order.
        while len(self._pending) >= MAX_PENDING or key in self._pending_keys():
            self._collect()
        self._pending[pool.submit(self._writer.write, record)] = (number, key)

    def _pending_keys(self) -> set[Key]:
        return {key for _, key in self._pending.values()}

    # --- checking ---------------------------------------------------------------------------------

    def _record(self, line: bytes | None) -> Record:
        """The record of a line that may be written. Raises LineRefused or DeploymentError."""
        if line is None:
            raise LineRefused(f"the line has more than {MAX_LINE_BYTES:,} bytes.")
        record = read_line(line)
        size = self._checked_size(record)
        if size > self._table.max_bytes:
            raise LineRefused(
                f"the data takes {size:,} bytes in the database. At most {self._table.max_bytes:,} "
                "can be stored (MAX_PROFILE_BYTES)."
            )
        if self._request.times is Times.KEEP:
            record.check_times()
        if not self._request.any_sub and not self._users.has_user(record.sub):
            raise LineRefused("the user pool has no user with this sub. ANY_SUB=yes imports it.")
        return record

    def _checked_size(self, record: Record) -> int:
        """The size of the data, which can be stored. Raises LineRefused.

        The reason names no part of the data: names in it can be personal, too.
        """
        check = check_metadata if record.kind is items.METADATA else check_profile_data
        try:
            size = check(record.data)
        except InvalidProfile as error:
            raise LineRefused(f"the data is invalid. {error.violations[0].detail}") from None
        except ProfileTooLarge as error:
            raise LineRefused(str(error)) from None
        if record.kind is items.PROFILE and self._table.schema:
            try:
                self._table.check_profile(record.data)
            except InvalidProfile:
                schema = f"{self._table.schema} (PROFILE_SCHEMA)"
                raise LineRefused(f"the profile does not match the schema {schema}.") from None
        return size

    # --- outcomes ---------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Wait until a line is written, and count all that are. Raises DeploymentError."""
        done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        for future in done:
            number, _ = self._pending.pop(future)
            self._count(number, future)

    def _count(self, number: int, future: Future[Outcome]) -> None:
        """Count a line that was written or refused. Raises DeploymentError."""
        try:
            with report_aws_errors(f"using the table {self._table.name}"):
                outcome = future.result()
        except (LineRefused, ProfileTooLarge) as error:
            self._report.add(number, Outcome.REFUSED, str(error))
        except StoreUnavailable as error:
            raise DeploymentError(f"{error} A lower RATE may help.") from error
        else:
            self._report.add(number, outcome, _reason(outcome))

    def _count_completed(self) -> None:
        """Count the lines that were written although the import has ended with an error."""
        for future, (number, _) in self._pending.items():
            if not future.cancelled() and future.exception() is None:
                self._count(number, future)
        self._pending.clear()


def _key(record: Record) -> Key:
    return record.key[items.PARTITION_KEY]["S"], record.key[items.SORT_KEY]["S"]


def _reason(outcome: Outcome) -> str:
    if outcome is Outcome.KEPT:
        return "other data is stored. OVERWRITE=yes replaces it."
    if outcome is Outcome.ERASED:
        return "the account was erased. Nothing is written over that."
    return ""


def _next_part(file: BinaryIO) -> bytes:
    """The rest of a line, or the start of a long one. Raises DeploymentError."""
    try:
        return file.readline(MAX_LINE_BYTES + 1)
    except OSError as error:  # such as a network drive that is gone
        raise DeploymentError(f"cannot read {file.name}: {error.strerror}.") from error


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """The lines of a file with their numbers, without empty ones. None: the line is too long."""
    number = 0
    while line := _next_part(file):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = _next_part(file)
            yield number, None
        elif line.strip():
            yield number, line
