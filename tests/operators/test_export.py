"""`make export`: what the file contains, and that it is complete and private."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time

import pytest

from chalicelib import items
from chalicelib.json_text import read_json
from tests.operators.conftest import Stage, metadata_line, new_sub

ERASED = {items.ERASED_AT: {"S": "2026-11-22T10:00:00.000000Z"}}
EXACT = '{"pi":3.1415926535897932384626433832795028841,"big":1E+125,"small":-1E-130,"n":-0.5}'


def test_profiles_and_metadata_are_exported(stage: Stage) -> None:
    sub = new_sub()
    profile = stage.profiles.replace(sub, {"name": "Ada"})
    stage.metadata.replace(sub, {"app_metadata": {"plan": "pro"}, "private_metadata": {"n": 1}})
    found = {line["kind"]: line for line in stage.exported()}
    assert found["profile"] == {
        "kind": "profile",
        "sub": sub,
        "profile_data": {"name": "Ada"},
        "created_at": profile.created_at,
        "updated_at": profile.updated_at,
    }
    expected = metadata_line(sub, {"plan": "pro"}, {"n": 1})
    assert found["metadata"].items() >= expected.items()


def test_numbers_are_exported_exactly(stage: Stage) -> None:
    sub = new_sub()
    stage.profiles.replace(sub, read_json(EXACT.encode()))
    stage.exported()
    line = read_json((stage.folder / "out.jsonl").read_bytes())
    assert isinstance(line, dict)
    assert line["profile_data"] == read_json(EXACT.encode())


def test_items_of_the_original_example_have_no_times(stage: Stage) -> None:
    sub = new_sub()
    stage.put(sub, profile_data={"M": {"name": {"S": "Ada"}}})
    assert stage.exported() == [{"kind": "profile", "sub": sub, "profile_data": {"name": "Ada"}}]


def test_markers_of_erased_accounts_are_left_out(stage: Stage) -> None:
    stage.put(new_sub(), items.PROFILE, **ERASED)
    stage.put(new_sub(), items.METADATA, **ERASED)
    assert stage.exported() == []


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("USERS#ALL", "USER#ada"),
        ("USERS#ALL", "ORDER#00000000-0000-4000-8000-000000000000"),
        ("ORDERS", "USER#00000000-0000-4000-8000-000000000000"),
    ],
)
def test_items_of_other_programs_are_counted(stage: Stage, pk: str, sk: str) -> None:
    stage.client.put_item(TableName=stage.table, Item={"pk": {"S": pk}, "sk": {"S": sk}})
    done = stage.run("export", "--file=out.jsonl")
    assert done.status == 0
    assert "Left out, as other programs wrote them: 1 item." in done.errors
    assert (stage.folder / "out.jsonl").read_text() == ""


def test_all_pages_are_exported(stage: Stage) -> None:
    """A page of Scan has at most 1 MB."""
    subs = [new_sub() for _ in range(8)]
    for sub in subs:
        stage.profiles.replace(sub, {"text": "x" * 300_000})
    assert sorted(line["sub"] for line in stage.exported()) == sorted(subs)


def test_only_the_owner_can_read_the_file(stage: Stage) -> None:
    before = os.umask(0)
    try:
        stage.exported()
    finally:
        os.umask(before)
    assert stat.S_IMODE((stage.folder / "out.jsonl").stat().st_mode) == 0o600


def test_an_existing_file_is_kept(stage: Stage) -> None:
    (stage.folder / "out.jsonl").write_text("before")
    done = stage.run("export", "--file=out.jsonl")
    assert done.status == 1
    assert "error: out.jsonl exists" in done.errors
    assert (stage.folder / "out.jsonl").read_text() == "before"


def test_overwrite_replaces_an_existing_file(stage: Stage) -> None:
    (stage.folder / "out.jsonl").write_text("before")
    (stage.folder / "out.jsonl").chmod(0o644)
    assert stage.run("export", "--file=out.jsonl", "--overwrite=yes").status == 0
    assert (stage.folder / "out.jsonl").read_text() == ""
    assert stat.S_IMODE((stage.folder / "out.jsonl").stat().st_mode) == 0o600


def test_a_folder_or_a_device_is_never_replaced(stage: Stage) -> None:
    (stage.folder / "out").mkdir()
    done = stage.run("export", "--file=out", "--overwrite=yes")
    assert "error: out exists and is not a file" in done.errors


def test_a_second_export_to_the_same_file_is_refused(stage: Stage) -> None:
    (stage.folder / "out.jsonl.part").write_text("of another export")
    done = stage.run("export", "--file=out.jsonl")
    assert "out.jsonl.part exists" in done.errors
    assert (stage.folder / "out.jsonl.part").read_text() == "of another export"


def test_a_failed_export_leaves_no_file(stage: Stage) -> None:
    stage.configure(DYNAMODB_TABLE="no-such-table")
    done = stage.run("export", "--file=out.jsonl")
    assert "error: AWS refused Scan (reading the table no-such-table)" in done.errors
    assert not list(stage.folder.glob("out*"))


def test_a_folder_that_does_not_exist_is_reported(stage: Stage) -> None:
    done = stage.run("export", "--file=missing/out.jsonl")
    assert "error: cannot write missing/out.jsonl: No such file" in done.errors


def test_an_interrupted_export_leaves_no_file(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        endpoint = f"http://127.0.0.1:{silent_server.getsockname()[1]}"
        process = stage.start("export", "--file=out.jsonl", AWS_ENDPOINT_URL_DYNAMODB=endpoint)
        connection, _ = silent_server.accept()
        with connection:
            assert (stage.folder / "out.jsonl.part").exists()
            time.sleep(0.2)  # until the command waits for the response
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors == "Interrupted. out.jsonl was not written.\n"
    assert output == ""
    assert not list(stage.folder.glob("out*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "FILE is required: make export STAGE=dev FILE=profiles.jsonl"),
        (["--file=out.jsonl", "--overwrite=maybe"], "OVERWRITE=maybe is not understood"),
    ],
)
def test_wrong_options_are_refused(stage: Stage, arguments: list[str], message: str) -> None:
    done = stage.run("export", *arguments)
    assert done.status == 1
    assert f"error: {message}" in done.errors
    assert not list(stage.folder.glob("out*"))


def test_an_unknown_option_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTION_NAMES", "STAGE FILE RATE")
    monkeypatch.setenv("OPTION_FILE", "out.jsonl")
    done = stage.run("export")
    assert "error: make export has no option RATE" in done.errors


def test_a_stage_without_a_backend_is_refused(stage: Stage) -> None:
    stage.configure(DYNAMODB_TABLE="")
    done = stage.run("export", "--file=out.jsonl")
    assert "make backend STAGE=dev" in done.errors


def test_a_file_that_appears_during_the_export_is_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = stage.folder / "out.jsonl"

    def write_precious_file(_: int) -> None:
        file.write_text("precious")

    monkeypatch.setattr(os, "fsync", write_precious_file)
    done = stage.run("export", "--file=out.jsonl")
    assert "error: out.jsonl exists" in done.errors
    assert file.read_text() == "precious"
