"""`make orphans`: find profiles and metadata whose user is gone, and finish unfinished erasures.

Users can disappear from the user pool without an erasure: they are deleted in Cognito's console, or
a restored table has users who were erased since. The table is read first and the user pool after
it, so a user who signs up meanwhile is in the second list: no orphan. The table is read by Scan,
eventually consistent. A profile that is written during the scan may be missing; it is found by the
next run, if its user is gone by then.

Orphans are removed only on request, with the number that was shown. Each is looked up in the user
pool once more, and replaced by the markers of an erased account: an id token of its user may still
be valid, and could store data again. Removing an orphan never deletes an account.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TextIO, TypeVar

import boto3
from botocore.config import Config

from chalicelib import dynamodb, user_pool
from chalicelib.deadline import Deadline
from chalicelib.erasure import Erasure
from chalicelib.errors import StoreUnavailable
from chalicelib.json_text import write_json
from chalicelib.markers import MarkerStore
from chalicelib.profile import JSON
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.user_pool import AmbiguousUserName
from deploy import pairing
from deploy.arn import UserPoolArn
from deploy.aws import report_aws_errors
from deploy.chalice_config import RecordedBackend
from deploy.counting import counted
from deploy.errors import DeploymentError
from deploy.profile_writer import Pace
from deploy.progress import Progress
from deploy.show_users import escape_unprintable, print_line, without_fraction
from deploy.stage_settings import report_invalid_settings
from deploy.stage_table import variables_of
from deploy.table_accounts import AccountTable, Orphan, Sub, TableAccounts, to_bytes, to_text
from deploy.user_pool import UserPool

OPTIONS = {
    "DELETE": "the number of orphans that was shown: remove them",
    "DELETE_ACCOUNTS": "the number of erased users with an account that was shown: delete these",
}
COGNITO_REQUESTS_PER_SECOND = 10
"""How many pages of users are read, or users looked up or deleted, in a second. By default, Cognito
allows three times as many ListUsers requests, for all its callers. The function needs some too."""
LARGE_PERCENTAGE = 5
"""The percentage of all profiles above which the removal of orphans is confirmed once more."""
PAUSES = (1, 2, 4, 8, 16)
"""The seconds before a step is repeated that found the table or the user pool too busy."""
Result = TypeVar("Result")
TABLE_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 10})


# --- options --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """The stage whose table and user pool are compared."""

    stage: str
    table: str
    pool_id: str
    ttl_attribute: str
    erases_accounts: bool
    """Whether the stage may delete accounts of the user pool (ERASURE)."""

    @classmethod
    def of(cls, stage: str) -> Target:
        """The table and the user pool recorded for a stage. Raises DeploymentError."""
        variables = variables_of(stage)
        recorded = RecordedBackend.from_environment(variables, stage)
        with report_invalid_settings(stage):
            routes = RouteSettings.from_environment(variables)
            settings = ProfileSettings.from_environment(variables)
        return cls(
            stage=stage,
            table=recorded.table,
            pool_id=UserPoolArn.parse(recorded.user_pool_arn).pool_id,
            ttl_attribute=settings.ttl_attribute,
            erases_accounts=routes.erases_accounts,
        )

    @property
    def command(self) -> str:
        """The command that lists the orphans."""
        return f"make orphans STAGE={self.stage}"


@dataclass(frozen=True)
class Confirmed:
    """The numbers that the operator has seen and confirmed. None: nothing is to be deleted."""

    orphans: int | None
    accounts: int | None

    @classmethod
    def from_options(cls, delete: str, delete_accounts: str) -> Confirmed:
        """Raises DeploymentError if one of the options is not a number."""
        return cls(_number("DELETE", delete), _number("DELETE_ACCOUNTS", delete_accounts))


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,9}", text):
        raise DeploymentError(
            f"{name}={text} is not a number. Set it to the number that make orphans shows without "
            f"{name}."
        )
    return int(text)


# --- the command ----------------------------------------------------------------------------------


class Change(Enum):
    """What the command has done. The values are the members of the final report."""

    FINISHED = "erasures finished"
    ACCOUNT_DELETED = "accounts of erased users deleted"
    MARKER_REMOVED = "expired markers removed"
    ORPHAN_REMOVED = "orphans removed"
    ORPHAN_KEPT = "kept, because their user exists"
    FAILED = "failed"


class Report:
    """Counts what was done. Notes go to standard error: standard output is for orphans."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._counts: Counter[Change] = Counter()
        self._current_sub = ""
        self.progress = Progress("orphans")

    def begin(self, sub: str) -> None:
        """Note that the data or the account of a user is about to be changed."""
        self._current_sub = sub

    def end(self) -> None:
        """Note that the change is complete."""
        self._current_sub = ""

    def add(self, change: Change, text: str = "") -> None:
        """Count a change, and print a line about it if there is a text."""
        self._counts[change] += 1
        if text:
            self.note(text)

    def note(self, text: str) -> None:
        """Print a line."""
        self.progress.note(text)

    def count(self, change: Change) -> int:
        """How often this was done."""
        return self._counts[change]

    def has_changes(self) -> bool:
        """Whether anything was changed, or may have been."""
        return bool(self._counts or self._current_sub)

    def summary(self) -> str:
        """What was done, in sentences."""
        if not self.has_changes():
            return "Nothing was changed."
        counts = [
            f"{self._counts[change]:,} {change.value}" for change in Change if self._counts[change]
        ]
        text = f"Done: {', '.join(counts) or 'nothing'}."
        if self._current_sub:
            sub = self._current_sub
            text += f" The erasure of {sub} may be incomplete. The next run finishes it."
        return text

    def interruption(self) -> str:
        """What was done, and what to do after the command has ended early."""
        return f"{self.summary()} To continue, run: {self._target.command}"


def run(target: Target, confirmed: Confirmed) -> None:
    """Find the orphans of a stage, and remove them if their number is confirmed.

    Raises DeploymentError if the command ended early, and SystemExit if an account could not be
    deleted, or the user pressed Ctrl-C.
    """
    report = Report(target)
    try:
        pairing.check(target.stage, target.table, target.pool_id)
        _Run(target, report).run(confirmed)
    except KeyboardInterrupt:
        sys.exit(f"Interrupted. {report.interruption()}")
    except DeploymentError as error:
        if not report.has_changes():
            raise
        raise DeploymentError(f"{str(error).rstrip('.')}. {report.interruption()}") from error
    finally:
        report.progress.close()
    if report.count(Change.FAILED):
        sys.exit(1)


class KeptAccounts(user_pool.UserPool):
    """A user pool whose accounts are never deleted."""

    def delete_user(self, sub: str, deadline: Deadline) -> None:
        """Do nothing."""


class _Run:
    """One run of the command."""

    def __init__(self, target: Target, report: Report) -> None:
        self._target = target
        self._report = report
        self._pace = Pace(COGNITO_REQUESTS_PER_SECOND)
        self._pool = UserPool.connect(target.pool_id)
        client = boto3.client("dynamodb", config=TABLE_CONFIG)
        self._table = AccountTable(client, target.table, target.ttl_attribute)
        markers = MarkerStore(
            boto3.client("dynamodb", config=dynamodb.CLIENT_CONFIG),
            target.table,
            target.ttl_attribute,
        )
        cognito = boto3.client("cognito-idp", config=user_pool.CLIENT_CONFIG)
        self._accounts = user_pool.UserPool(cognito, target.pool_id)
        self._data_erasure = Erasure(markers, KeptAccounts(cognito, target.pool_id))
        self._erasure = self._data_erasure
        if target.erases_accounts:
            self._erasure = Erasure(markers, self._accounts)

    def run(self, confirmed: Confirmed) -> None:
        """Read table and user pool, finish what is unfinished, and list or remove the orphans."""
        found = self._table.read()
        with_account = self._compare(found)
        self._finish_erasures(found, with_account)
        self._delete_accounts(sorted(with_account - found.unfinished), confirmed.accounts)
        self._remove_expired_markers(found)
        if found.others:
            self._report.note(
                f"Left alone, as other programs wrote them: {counted(found.others, 'item')}."
            )
        orphans = self._orphans(found.with_data)
        if confirmed.orphans is None:
            self._list(orphans, found.profiles)
            return
        self._check_count(orphans, found.profiles, confirmed.orphans)
        self._remove(orphans)
        self._report.note(self._report.summary())

    # --- reading ----------------------------------------------------------------------------------

    def _compare(self, found: TableAccounts) -> set[Sub]:
        """Take the users of the user pool out of `with_data`: the rest are gone.

        Returns the erased users who are in the pool nevertheless. Raises DeploymentError.
        """
        progress = Progress("users read from the user pool")
        users = 0
        with_account: set[Sub] = set()
        for page in self._pool.pages_of_subs():
            subs = {to_bytes(sub) for sub in page}
            found.with_data -= subs
            with_account |= subs & found.erased
            users += len(page)
            progress.show(users)
            self._pace.wait()
        progress.close()
        if users == 0 and found.with_data:
            raise DeploymentError(
                f"the user pool {self._target.pool_id} has no users. Every profile would be an "
                "orphan, so nothing was changed. Is it the right user pool?"
            )
        return with_account

    def _orphans(self, gone: set[Sub]) -> list[Orphan]:
        """What is stored at present for the users who are gone, sorted by sub."""
        orphans = []
        for sub in sorted(gone):
            orphan = self._table.find_orphan(to_text(sub))
            if orphan is not None:
                orphans.append(orphan)
                self._report.progress.show(len(orphans))
        self._report.progress.close()
        return orphans

    def _list(self, orphans: Sequence[Orphan], profiles: int) -> None:
        print_orphans(orphans, sys.stdout)
        if not orphans:
            self._report.note(f"No orphans. Profiles in the table: {profiles:,}.")
            return
        self._report.note(
            f"Orphans: {len(orphans):,}. Profiles in the table: {profiles:,}. To remove the "
            f"orphans, run: {self._target.command} DELETE={len(orphans)}"
        )

    # --- erasures ---------------------------------------------------------------------------------

    def _finish_erasures(self, found: TableAccounts, with_account: set[Sub]) -> None:
        """Finish the erasures that were interrupted."""
        for sub in sorted(found.unfinished):
            text = to_text(sub)
            if sub in with_account and not self._target.erases_accounts:
                self._report.note(f"{text}: {self._reason_to_keep()}")
                continue
            self._pace.wait()
            if self._has_ended(self._erasure.erase, text):
                self._report.add(Change.FINISHED, f"Finished the erasure of {text}.")

    def _delete_accounts(self, subs: Sequence[Sub], confirmed: int | None) -> None:
        """Delete the accounts of erased users, if their number is confirmed.

        An erasure right after the sign-up can miss the account. But if the data was removed with
        the wrong user pool recorded, these are the accounts of present users.
        """
        if confirmed is not None and confirmed != len(subs):
            raise DeploymentError(
                f"DELETE_ACCOUNTS={confirmed}, but the number of erased users with an account is "
                f"{len(subs)} now. None was deleted. To see them, run: {self._target.command}"
            )
        for sub in subs:
            text = to_text(sub)
            if not self._target.erases_accounts:
                self._report.note(f"{text}: {self._reason_to_keep()}")
            elif confirmed is None:
                self._report.note(f"{text} was erased, but the user pool has the account.")
            else:
                self._pace.wait()
                if self._has_ended(self._delete_account, text):
                    self._report.add(Change.ACCOUNT_DELETED, f"Deleted the account of {text}.")
        if subs and confirmed is None and self._target.erases_accounts:
            self._report.note(
                f"Erased users with an account: {len(subs):,}. Check that "
                f"{self._target.pool_id} is the user pool of this table. To delete these accounts, "
                f"run: {self._target.command} DELETE_ACCOUNTS={len(subs)}"
            )

    def _reason_to_keep(self) -> str:
        return (
            "erased, but the user pool has the account, which is kept, because ERASURE of "
            f"{self._target.stage} is not account. The API answers 410 to this user. To delete the "
            "account, set ERASURE to account for this run, or delete it in Cognito."
        )

    def _has_ended(self, step: Callable[[str], None], sub: str) -> bool:
        """Run a step that may delete an account, and report a user name that is ambiguous."""
        try:
            self._repeat(step, sub)
        except AmbiguousUserName as error:
            self._report.end()
            self._report.add(Change.FAILED, str(error))
            return False
        return True

    def _delete_account(self, sub: str) -> None:
        # `erase` would not: it ends at once if both markers are finished.
        self._accounts.delete_user(sub, Deadline.after())

    def _remove_expired_markers(self, found: TableAccounts) -> None:
        """Do what DynamoDB's TTL does, on a table without it."""
        if not found.expired or self._table.removes_expired_markers():
            return
        for kind, sub in found.expired:
            if self._repeat(partial(self._table.remove_marker, kind), to_text(sub)):
                self._report.add(Change.MARKER_REMOVED)
        self._report.note(
            f"Removed {counted(self._report.count(Change.MARKER_REMOVED), 'expired marker')}: the "
            f"table has no TTL on {self._target.ttl_attribute}."
        )

    # --- orphans ----------------------------------------------------------------------------------

    def _check_count(self, orphans: Sequence[Orphan], profiles: int, delete: int) -> None:
        """Raise DeploymentError unless the number of orphans is the one that was confirmed."""
        count = len(orphans)
        if count != delete:
            raise DeploymentError(
                f"DELETE={delete}, but the number of orphans is {count} now. None was removed. To "
                f"see them, run: {self._target.command}"
            )
        if count * 100 <= profiles * LARGE_PERCENTAGE:
            return
        self._report.note(
            f"The orphans ({count:,}) are more than {LARGE_PERCENTAGE} % of the profiles "
            f"({profiles:,}). "
            f"Check that {self._target.pool_id} is the user pool of this table. To remove them, "
            f"type their number once more:"
        )
        if sys.stdin.readline().strip() != str(count):
            raise DeploymentError(
                f"no orphan was removed. Type {count}, or pipe it to the command."
            )

    def _remove(self, orphans: Sequence[Orphan]) -> None:
        """Replace the data of each orphan by markers, unless its user exists after all."""
        for orphan in orphans:
            self._pace.wait()
            if self._pool.find(orphan.sub) is not None:
                note = f"{orphan.sub} is in the user pool and was kept."
                self._report.add(Change.ORPHAN_KEPT, note)
                continue
            self._repeat(self._data_erasure.erase, orphan.sub)
            self._report.add(Change.ORPHAN_REMOVED)
            self._report.progress.show(self._report.count(Change.ORPHAN_REMOVED))

    def _repeat(self, step: Callable[[str], Result], sub: str) -> Result:
        """Run a step about a user, again if the table or the user pool is too busy.

        Raises DeploymentError or AmbiguousUserName.
        """
        self._report.begin(sub)
        with report_aws_errors(f"erasing {sub}"):
            result = _run_until_available(partial(step, sub))
        self._report.end()
        return result


def _run_until_available(step: Callable[[], Result]) -> Result:
    """Run a step that can be repeated. Raises DeploymentError, and the errors of the step."""
    for pause in PAUSES:
        try:
            return step()
        except StoreUnavailable:
            time.sleep(pause)
    try:
        return step()
    except StoreUnavailable as error:
        raise DeploymentError(str(error)) from error


# --- output ---------------------------------------------------------------------------------------


def print_orphans(orphans: Sequence[Orphan], output: TextIO) -> None:
    """Print the orphans: as a table on a terminal, as JSON lines elsewhere."""
    for orphan in orphans:
        line = _row(orphan) if output.isatty() else _json(orphan)
        print_line(line, output)


def _row(orphan: Orphan) -> str:
    stored = " and ".join(orphan.stored)
    time_text = without_fraction(orphan.updated_at)
    return escape_unprintable(f"{orphan.sub}  {stored:<20}  {time_text}")


def _json(orphan: Orphan) -> str:
    stored: list[JSON] = list(orphan.stored)
    return write_json({"sub": orphan.sub, "stored": stored, "updated_at": orphan.updated_at})
