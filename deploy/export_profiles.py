"""`make export`: write all profiles and metadata of a stage to a file of JSON lines.

The table is read by Scan, page by page, eventually consistent: a change that is made during the
export, or less than a second before it, may be missing. Markers of erased accounts and items of
other programs are left out.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import boto3
from botocore.config import Config

from chalicelib import items
from deploy.counting import counted
from deploy.errors import DeploymentError
from deploy.profile_lines import record_of, write_line
from deploy.progress import Progress
from deploy.stage_table import StageTable
from deploy.table_scan import scan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPTIONS = {
    "FILE": "the file to write",
    "OVERWRITE": "yes: replace an existing file",
}
CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 10})
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class ExportRequest:
    """The options of the command."""

    file: Path
    overwrite: bool


def run(table: StageTable, request: ExportRequest) -> None:
    """Export a stage's table. Raises DeploymentError, or SystemExit after Ctrl-C."""
    progress = Progress("items")
    client = boto3.client("dynamodb", config=CLIENT_CONFIG)
    try:
        with _complete_file(request) as file:
            counts = _export(client, table.name, file, progress)
    except KeyboardInterrupt:
        sys.exit(f"Interrupted. {request.file} was not written.")
    finally:
        progress.close()
    if counts["other"]:
        progress.note(
            f"Left out, as other programs wrote them: {counted(counts['other'], 'item')}."
        )
    print(
        f"Exported {counted(counts['profile'], 'profile')} and the metadata of "
        f"{counted(counts['metadata'], 'user')} to {request.file}."
    )


def _export(client: DynamoDBClient, table: str, file: TextIO, progress: Progress) -> Counter[str]:
    """Write a line for each item. Return the counts of the kinds, and of what was left out."""
    counts: Counter[str] = Counter()
    for item in scan(client, table):
        if items.ERASED_AT in item:
            counts["erased"] += 1
            continue
        record = record_of(item)
        if record is None:
            counts["other"] += 1
            continue
        file.write(write_line(record))
        counts["metadata" if record.kind is items.METADATA else "profile"] += 1
        progress.show(counts.total())
    return counts


@contextmanager
def _complete_file(request: ExportRequest) -> Iterator[TextIO]:
    """A new file for its owner only, which gets its name when it is complete.

    If the command fails or is interrupted, nothing has changed. Raises DeploymentError.
    """
    _check_name(request)
    part = request.file.with_name(f"{request.file.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as error:
        raise DeploymentError(
            f"{part} exists. Another export is writing it, or one was killed: then delete it."
        ) from error
    except OSError as error:
        raise _cannot_write(request.file, error) from error
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        _check_name(request)  # a file with this name may have appeared
        part.replace(request.file)
    except OSError as error:  # such as a full disk
        part.unlink(missing_ok=True)
        raise _cannot_write(request.file, error) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _check_name(request: ExportRequest) -> None:
    file = request.file
    if not os.path.lexists(file):
        return
    if not file.is_file():
        raise DeploymentError(f"{file} exists and is not a file. Choose another FILE.")
    if not request.overwrite:
        raise DeploymentError(f"{file} exists. Choose another FILE, or set OVERWRITE=yes.")


def _cannot_write(file: Path, error: OSError) -> DeploymentError:
    return DeploymentError(f"cannot write {file}: {error.strerror or error}.")
