"""A stage with a table of its own, for the commands that operators run on its data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import items
from chalicelib.items import Item, Kind
from chalicelib.profile import JSON
from chalicelib.store import MetadataStore, ProfileStore
from deploy import __main__ as deploy_command
from tests.deployed.existing import create_table
from tests.support.cloud import Cloud
from tests.support.commands import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    output: str
    errors: str
    """Standard error, with the message of a failure."""


class Stage:
    """The stage dev, in the folder of a clone, with an empty table in the emulator."""

    def __init__(
        self, folder: Path, client: DynamoDBClient, cloud: Cloud, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self.client = client
        self.table = create_table()
        self.profiles = ProfileStore(client, self.table)
        self.metadata = MetadataStore.beside(self.profiles)
        self.app_name = "user-profile"
        self._capsys = capsys
        self._variables = {
            "DYNAMODB_TABLE": self.table,
            "USER_POOL_ARN": cloud.outputs["UserPoolArn"],
            "USER_POOL_CLIENT_ID": cloud.outputs["UserPoolClientId"],
        }
        self.configure()

    def configure(self, **variables: str) -> None:
        """Set environment variables of the stage."""
        self._variables |= variables
        config = {
            "version": "2.0",
            "app_name": self.app_name,
            "stages": {"dev": {"environment_variables": self._variables}},
        }
        (self.folder / ".chalice").mkdir(exist_ok=True)
        (self.folder / ".chalice" / "config.json").write_text(json.dumps(config))

    def run(self, command: str, *arguments: str) -> Done:
        """Run a command of deploy/ in this process."""
        self._capsys.readouterr()
        status = 0
        message = ""
        try:
            deploy_command.main([command, "dev", *arguments])
        except SystemExit as ended:
            status = 1
            message = "" if ended.code == 1 else str(ended.code)
        printed = self._capsys.readouterr()
        return Done(status, printed.out, printed.err + message)

    def start(self, command: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command of deploy/ as a process, with more environment variables."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy", command, "dev", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, *lines: object) -> str:
        """Write a file of lines, which are texts or JSON values; return its name."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (self.folder / "in.jsonl").write_text("".join(f"{text}\n" for text in texts))
        return "in.jsonl"

    def import_lines(self, *lines: object, options: tuple[str, ...] = ()) -> Done:
        """Import lines for any user, as fast as possible."""
        file = self.write(*lines)
        return self.run("import", f"--file={file}", "--any-sub=yes", "--rate=10000", *options)

    def exported(self) -> list[dict[str, Any]]:
        """The lines of an export, which must succeed."""
        done = self.run("export", "--file=out.jsonl", "--overwrite=yes")
        assert done.status == 0, done.errors
        lines = (self.folder / "out.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def item(self, sub: str, kind: Kind = items.PROFILE) -> Item:
        """A stored item; empty if there is none."""
        response = self.client.get_item(
            TableName=self.table, Key=kind.key(sub), ConsistentRead=True
        )
        return response.get("Item", {})

    def put(self, sub: str, kind: Kind = items.PROFILE, **attributes: Any) -> None:
        """Store an item directly."""
        self.client.put_item(TableName=self.table, Item={**kind.key(sub), **attributes})


@pytest.fixture
def stage(
    cloud: Cloud,
    dynamodb: DynamoDBClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Stage:
    monkeypatch.chdir(tmp_path)
    return Stage(tmp_path, dynamodb, cloud, capsys)


def new_sub() -> str:
    """The id of a user who is in no user pool."""
    return str(uuid.uuid4())


def profile_line(sub: str, data: JSON, **times: str) -> dict[str, Any]:
    """The line of a profile, as an export writes it."""
    return {"kind": "profile", "sub": sub, "profile_data": data, **times}


def metadata_line(sub: str, app: JSON, private: JSON) -> dict[str, Any]:
    """The line of a user's metadata, as an export writes it."""
    return {"kind": "metadata", "sub": sub, "app_metadata": app, "private_metadata": private}
