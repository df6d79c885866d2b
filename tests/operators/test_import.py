"""`make import`: what is written, skipped, kept and refused."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import items
from chalicelib.items import Kind
from chalicelib.profile import JSON
from deploy.import_profiles import MAX_LINE_BYTES
from deploy.user_pool import MAX_LOOKUPS
from tests.deployed.existing import create_table
from tests.operators.conftest import Done, Stage, metadata_line, new_sub, profile_line
from tests.support.users import User

MARKER = {items.ERASED_AT: {"S": "2026-11-22T10:00:00.000000Z"}}
CREATED = "2026-11-22T10:00:00.123456Z"
UPDATED = "2026-11-23T10:00:00.123456Z"
SECRET = "Rosebud"


def counts(done: Done) -> tuple[int, ...]:
    """The numbers of the report: written, equal, kept, erased, refused."""
    return tuple(int(number) for number in re.findall(r"[:,] ([0-9]+) ", done.output))


def refused_with(done: Done, reason: str) -> None:
    """The only line was refused."""
    assert done.status == 1
    assert counts(done) == (0, 0, 0, 0, 1)
    assert done.errors.startswith("line 1: ")
    assert reason in done.errors
    assert SECRET not in done.errors


# --- what is written ------------------------------------------------------------------------------


def test_an_export_can_be_imported_into_another_table(stage: Stage) -> None:
    numbers = '{"pi":3.1415926535897932384626433832795028841,"big":1E+125,"small":-1E-130,"one":1}'
    lines = [
        f'{{"kind":"profile","sub":"{new_sub()}","profile_data":{numbers},'
        f'"created_at":"{CREATED}","updated_at":"{UPDATED}"}}',
        json.dumps(metadata_line(new_sub(), {"plan": "pro"}, {}) | {"created_at": CREATED}),
    ]
    assert stage.import_lines(*lines).status == 0
    stage.exported()
    first = (stage.folder / "out.jsonl").read_text()
    stage.configure(DYNAMODB_TABLE=create_table())
    done = stage.run("import", "--file=out.jsonl", "--any-sub=yes")
    assert counts(done) == (2, 0, 0, 0, 0)
    (stage.folder / "out.jsonl").unlink()
    stage.exported()
    assert (stage.folder / "out.jsonl").read_text() == first


def test_a_profile_gets_the_times_of_its_line(stage: Stage) -> None:
    sub = new_sub()
    stage.import_lines(profile_line(sub, {"n": 1}, created_at=CREATED, updated_at=UPDATED))
    profile = stage.profiles.get(sub)
    assert (profile.created_at, profile.updated_at) == (CREATED, UPDATED)


@pytest.mark.parametrize("name", ["created_at", "updated_at"])
def test_one_time_stands_for_both(stage: Stage, name: str) -> None:
    sub = new_sub()
    stage.import_lines({**profile_line(sub, {"n": 1}), name: CREATED})
    profile = stage.profiles.get(sub)
    assert (profile.created_at, profile.updated_at) == (CREATED, CREATED)


def test_times_now_ignores_the_times_of_the_line(stage: Stage) -> None:
    sub = new_sub()
    line = profile_line(sub, {"n": 1}, created_at="unknown", updated_at=UPDATED)
    assert stage.import_lines(line, options=("--times=now",)).status == 0
    profile = stage.profiles.get(sub)
    assert profile.created_at == profile.updated_at
    assert profile.updated_at is not None
    assert profile.updated_at > UPDATED


def test_an_item_of_the_original_example_is_written(stage: Stage) -> None:
    sub = new_sub()
    line = {"pk": "USERS#ALL", "sk": f"USER#{sub}", "profile_data": {"name": "Ada"}}
    assert counts(stage.import_lines(line)) == (1, 0, 0, 0, 0)
    profile = stage.profiles.get(sub)
    assert profile.data == {"name": "Ada"}
    assert profile.created_at == profile.updated_at
    assert profile.created_at


def test_a_line_of_a_table_export_is_written(stage: Stage) -> None:
    sub = new_sub()
    stage.put(
        sub, items.METADATA, app_metadata={"M": {"n": {"N": "1.50"}}}, private_metadata={"M": {}}
    )
    item = stage.item(sub, items.METADATA)
    stage.client.delete_item(TableName=stage.table, Key=items.METADATA.key(sub))
    assert counts(stage.import_lines({"Item": item})) == (1, 0, 0, 0, 0)
    assert stage.exported()[0]["app_metadata"] == {"n": 1.5}


def test_empty_lines_are_ignored(stage: Stage) -> None:
    done = stage.import_lines("", profile_line(new_sub(), {"n": 1}), "  ", "{")
    assert counts(done) == (1, 0, 0, 0, 1)
    assert done.errors.startswith("line 4: ")


# --- what is stored already -----------------------------------------------------------------------


def test_a_second_import_skips_all_lines(stage: Stage) -> None:
    sub = new_sub()
    lines = (profile_line(sub, {"n": 1, "b": True}), metadata_line(sub, {"n": 1}, {}))
    assert counts(stage.import_lines(*lines)) == (2, 0, 0, 0, 0)
    before = stage.item(sub), stage.item(sub, items.METADATA)
    for options in ((), ("--overwrite=yes",)):
        done = stage.import_lines(*lines, options=options)
        assert done.status == 0
        assert counts(done) == (0, 2, 0, 0, 0)
    assert (stage.item(sub), stage.item(sub, items.METADATA)) == before


def test_true_and_1_are_different(stage: Stage) -> None:
    sub = new_sub()
    stage.profiles.replace(sub, {"n": True})
    assert counts(stage.import_lines(profile_line(sub, {"n": 1}))) == (0, 0, 1, 0, 0)


def test_other_data_is_kept(stage: Stage) -> None:
    sub = new_sub()
    stage.profiles.replace(sub, {"n": 1})
    before = stage.item(sub)
    done = stage.import_lines(profile_line(sub, {"n": 2}))
    assert done.status == 0
    assert counts(done) == (0, 0, 1, 0, 0)
    assert done.errors.startswith("line 1: other data is stored. OVERWRITE=yes")
    assert stage.item(sub) == before


def test_overwrite_replaces_data_under_a_new_revision(stage: Stage) -> None:
    sub = new_sub()
    before = stage.profiles.replace(sub, {"n": 1})
    line = profile_line(sub, {"n": 2}, updated_at=UPDATED)
    assert counts(stage.import_lines(line, options=("--overwrite=yes",))) == (1, 0, 0, 0, 0)
    after = stage.profiles.get(sub)
    assert after.data == {"n": 2}
    assert after.revision != before.revision
    assert after.created_at == before.created_at
    assert after.updated_at == UPDATED


def test_overwrite_replaces_an_item_of_the_original_example(stage: Stage) -> None:
    sub = new_sub()
    stage.put(sub, profile_data={"M": {"n": {"N": "1"}}})
    line = profile_line(sub, {"n": 2}, created_at=CREATED)
    assert counts(stage.import_lines(line, options=("--overwrite=yes",))) == (1, 0, 0, 0, 0)
    assert stage.profiles.get(sub).created_at == CREATED


def test_overwrite_keeps_attributes_of_other_programs(stage: Stage) -> None:
    sub = new_sub()
    stage.put(sub, profile_data={"M": {}}, note={"S": "keep"})
    stage.import_lines(profile_line(sub, {"n": 2}), options=("--overwrite=yes",))
    assert stage.item(sub)["note"] == {"S": "keep"}


@pytest.mark.parametrize("kind", [items.PROFILE, items.METADATA], ids=["profile", "metadata"])
@pytest.mark.parametrize("options", [(), ("--overwrite=yes",)], ids=["", "overwrite"])
def test_a_marker_is_never_replaced(stage: Stage, kind: Kind, options: tuple[str, ...]) -> None:
    sub = new_sub()
    stage.put(sub, kind, **MARKER)
    lines = {
        items.PROFILE: profile_line(sub, {"n": 2}),
        items.METADATA: metadata_line(sub, {"n": 2}, {}),
    }
    done = stage.import_lines(lines[kind], options=options)
    assert counts(done) == (0, 0, 0, 1, 0)
    assert "line 1: the account was erased" in done.errors
    assert stage.item(sub, kind) == {**kind.key(sub), **MARKER}


def test_lines_about_one_user_are_written_in_their_order(stage: Stage) -> None:
    sub = new_sub()
    lines = [profile_line(sub, {"n": number}) for number in range(40)]
    done = stage.import_lines(*lines, options=("--overwrite=yes",))
    assert counts(done) == (40, 0, 0, 0, 0)
    assert stage.profiles.get(sub).data == {"n": 39}


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not a JSON text"),
        ('{"n": 1, "n": 1}', "not a JSON text"),
        ('"\ud800"'.encode("utf-8", "surrogatepass").decode("latin-1"), "not a JSON object"),
        ("[]", "not a JSON object"),
        ({}, '"kind" is neither profile nor metadata'),
        ({"kind": SECRET, "sub": new_sub(), "profile_data": {}}, '"kind" is neither'),
        (profile_line(SECRET, {}), '"sub" is not a UUID in lower case'),
        (profile_line(new_sub().upper(), {}), '"sub" is not a UUID in lower case'),
        ({"kind": "profile", "sub": new_sub()}, "the line has no profile_data"),
        ({"kind": "metadata", "sub": new_sub()}, "no app_metadata or private_metadata"),
        ({"pk": "USERS#ALL", "sk": f"USER#{SECRET}", "profile_data": {}}, "pk and sk are not"),
        ({"pk": "USERS#ALL", "profile_data": {}}, "pk and sk are not"),
        ({"Item": [SECRET]}, '"Item" is not an item in DynamoDB JSON'),
        ({"Item": {"pk": SECRET}}, '"Item" has a value that is not'),
        ({"Item": {"profile_data": {"N": "NaN"}}}, '"Item" has a value that is not'),
        ({"kind": "profile", "sub": new_sub(), **MARKER}, "the marker of an erased account"),
        (profile_line(new_sub(), SECRET), "must be a JSON object"),
        (profile_line(new_sub(), {SECRET: 10**38 + 1}), "at most 38 significant digits"),
        (metadata_line(new_sub(), SECRET, {}), "This must be a JSON object"),
        (profile_line(new_sub(), {}, created_at=SECRET), "created_at is not a time"),
        (profile_line(new_sub(), {}, updated_at="2026-02-30T10:00:00Z"), "updated_at is not a"),
        ({**profile_line(new_sub(), {}), "updated_at": 1}, "updated_at is not a string"),
    ],
)
def test_a_wrong_line_is_refused(stage: Stage, line: Any, reason: str) -> None:
    refused_with(stage.import_lines(line), reason)
    assert stage.exported() == []


def test_a_file_that_is_no_text_is_refused(stage: Stage) -> None:
    (stage.folder / "in.jsonl").write_bytes(b"\x1f\x8b\x08\xff\n")
    refused_with(stage.run("import", "--file=in.jsonl"), "not a JSON text")


def test_a_line_that_is_too_long_is_refused(stage: Stage) -> None:
    line = json.dumps(profile_line(new_sub(), {"n": 1}))
    done = stage.import_lines(" " * MAX_LINE_BYTES * 2 + line, line)
    assert counts(done) == (1, 0, 0, 0, 1)
    assert done.errors.startswith("line 1: the line has more than 10,000,000 bytes")


def test_the_other_lines_are_written(stage: Stage) -> None:
    lines: list[object] = [profile_line(new_sub(), {"n": number}) for number in range(10)]
    lines[3] = lines[7] = "x"
    done = stage.import_lines(*lines)
    assert done.status == 1
    assert counts(done) == (8, 0, 0, 0, 2)
    assert [line.partition(":")[0] for line in done.errors.splitlines()] == ["line 4", "line 8"]


def test_the_limit_of_the_stage_applies(stage: Stage) -> None:
    stage.configure(MAX_PROFILE_BYTES="20")
    sub = new_sub()
    fits: JSON = {"n": "x" * 15}  # 3 bytes, 1 for the member, 1 for its name
    assert stage.import_lines(profile_line(sub, fits)).status == 0
    too_large: JSON = {"n": "x" * 16}
    refused_with(stage.import_lines(profile_line(sub, too_large)), "takes 21 bytes")
    refused_with(stage.import_lines(metadata_line(sub, too_large, {})), "At most 20 can be stored")


def test_the_schema_of_the_stage_applies_to_profiles(stage: Stage) -> None:
    (stage.folder / "chalicelib").mkdir()
    schema = {"additionalProperties": False, "properties": {"n": {"type": "integer"}}}
    (stage.folder / "chalicelib" / "profile.schema.json").write_text(json.dumps(schema))
    stage.configure(PROFILE_SCHEMA="profile.schema.json")
    assert stage.import_lines(profile_line(new_sub(), {"n": 1})).status == 0
    reason = "does not match the schema profile.schema.json (PROFILE_SCHEMA)"
    refused_with(stage.import_lines(profile_line(new_sub(), {SECRET: 1})), reason)
    assert stage.import_lines(metadata_line(new_sub(), {"plan": 1}, {})).status == 0


def test_a_wrong_setting_of_the_stage_is_reported(stage: Stage) -> None:
    stage.configure(PROFILE_SCHEMA="missing.schema.json")
    done = stage.import_lines(profile_line(new_sub(), {"n": 1}))
    assert "error: a setting of the stage dev is invalid: PROFILE_SCHEMA" in done.errors


# --- the user pool --------------------------------------------------------------------------------


def test_a_user_whom_the_pool_does_not_have_is_refused(
    stage: Stage, new_user: Callable[[], User]
) -> None:
    user = new_user()
    file = stage.write(
        profile_line(user.sub, {"n": 1}), profile_line(new_sub(), {"n": 1}), {"kind": "profile"}
    )
    done = stage.run("import", f"--file={file}")
    assert counts(done) == (1, 0, 0, 0, 2)
    assert "line 2: the user pool has no user with this sub. ANY_SUB=yes" in done.errors
    assert [line["sub"] for line in stage.exported()] == [user.sub]


def test_many_users_are_found_in_the_list_of_all(
    stage: Stage, new_user: Callable[[], User]
) -> None:
    user = new_user()
    others = [profile_line(new_sub(), {"n": 1}) for _ in range(MAX_LOOKUPS + 1)]
    file = stage.write(*others, profile_line(user.sub, {"n": 1}))
    done = stage.run("import", f"--file={file}", "--rate=10000")
    assert counts(done) == (1, 0, 0, 0, MAX_LOOKUPS + 1)


def test_a_missing_user_pool_ends_the_import(stage: Stage) -> None:
    stage.configure(
        USER_POOL_ARN="arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_missing"
    )
    file = stage.write(profile_line(new_sub(), {"n": 1}))
    done = stage.run("import", f"--file={file}")
    assert "error: AWS refused ListUsers (reading the user pool us-east-1_missing)" in done.errors
    assert "0 lines" in done.errors


# --- options --------------------------------------------------------------------------------------


def test_a_dry_run_reports_the_same_and_writes_nothing(stage: Stage) -> None:
    same, other, erased = new_sub(), new_sub(), new_sub()
    stage.profiles.replace(same, {"n": 1})
    stage.profiles.replace(other, {"n": 2})
    stage.put(erased, items.PROFILE, **MARKER)
    lines = [profile_line(sub, {"n": 1}) for sub in (same, other, erased, new_sub())]
    for options in ((), ("--overwrite=yes",)):
        before = [stage.item(sub) for sub in (same, other, erased)]
        dry = stage.import_lines(*lines, "x", options=("--dry-run=yes", *options))
        assert dry.output.startswith("Dry run, nothing was written. ")
        assert [stage.item(sub) for sub in (same, other, erased)] == before
        assert len(stage.exported()) == 2
        done = stage.import_lines(*lines, "x", options=options)
        assert counts(dry) == counts(done)
        assert sorted(dry.errors.splitlines()) == sorted(done.errors.splitlines())
        stage.client.delete_item(TableName=stage.table, Key=items.profile_key(str(lines[3]["sub"])))


def test_the_rate_is_limited(stage: Stage) -> None:
    lines = [profile_line(new_sub(), {"n": 1}) for _ in range(11)]
    file = stage.write(*lines)
    start = time.monotonic()
    assert stage.run("import", f"--file={file}", "--any-sub=yes", "--rate=10").status == 0
    assert time.monotonic() - start >= 1  # ten intervals


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--rate=0", "RATE=0 is not a whole number from 1 to 10000"),
        ("--rate=10001", "RATE=10001 is not a whole number"),
        ("--rate=1.5", "RATE=1.5 is not a whole number"),
        ("--times=x", "TIMES=x is not understood"),
        ("--overwrite=maybe", "OVERWRITE=maybe is not understood"),
        ("--dry-run=no", "DRY_RUN=no is not understood"),
        ("--any-sub=1", "ANY_SUB=1 is not understood"),
    ],
)
def test_wrong_options_are_refused(stage: Stage, option: str, message: str) -> None:
    done = stage.run("import", "--file=missing.jsonl", option)
    assert done.status == 1
    assert done.errors.startswith(f"error: {message}")


def test_an_unknown_option_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTION_NAMES", "STAGE FILE DRYRUN")
    monkeypatch.setenv("OPTION_FILE", "in.jsonl")
    assert "error: make import has no option DRYRUN" in stage.run("import").errors


def test_a_missing_file_is_reported(stage: Stage) -> None:
    assert "error: FILE is required: make import" in stage.run("import").errors
    done = stage.run("import", "--file=missing.jsonl")
    assert "error: cannot read missing.jsonl: No such file or directory." in done.errors


# --- interruptions --------------------------------------------------------------------------------


def test_an_interrupted_import_says_how_far_it_came(stage: Stage) -> None:
    lines = [profile_line(new_sub(), {"n": number}) for number in range(5)]
    fifo = stage.folder / "fifo"
    os.mkfifo(fifo)
    process = stage.start("import", "--file=fifo", "--any-sub=yes")
    with fifo.open("w") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
        file.flush()
        deadline = time.monotonic() + 30
        while len(stage.client.scan(TableName=stage.table)["Items"]) < len(lines):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("Interrupted. 5 lines: 5 written, 0 skipped as equal")
    assert "run this command again" in errors
    assert "Traceback" not in errors
    assert counts(stage.import_lines(*lines, profile_line(new_sub(), {}))) == (1, 5, 0, 0, 0)


def test_a_failing_table_ends_the_import(stage: Stage) -> None:
    stage.configure(DYNAMODB_TABLE="no-such-table")
    done = stage.import_lines(*[profile_line(new_sub(), {"n": 1}) for _ in range(100)])
    assert done.status == 1
    assert "error: AWS refused UpdateItem (using the table no-such-table)" in done.errors
    assert "0 lines: 0 written" in done.errors
    assert "Traceback" not in done.errors
