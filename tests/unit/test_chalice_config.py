"""Reading .chalice/config.json, and recording a stage's backend in it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from deploy import chalice_config
from deploy.chalice_config import BackendRecord, Part, RecordedBackend
from deploy.errors import DeploymentError, NoBackend

COMMITTED = Path(__file__).parents[2] / ".chalice" / "config.json"
BACKEND = {
    "DYNAMODB_TABLE": "user-profile-dev",
    "USER_POOL_ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc",
    "USER_POOL_CLIENT_ID": "first, second",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".chalice").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".chalice" / "config.json"


def write(file: Path, config: dict[str, Any]) -> None:
    file.write_text(json.dumps(config))


def test_the_committed_file_is_as_a_change_writes_it() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    written = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert text == written, (
        "the next `make backend` would reformat .chalice/config.json. Format it with "
        "`python -m json.tool --indent 2 --no-ensure-ascii`"
    )


def test_a_change_touches_only_the_lines_it_must(file: Path) -> None:
    stages = {"dev": {"environment_variables": {"LOG": "é"}}, "prod": {"lambda_timeout": 20}}
    before = json.dumps({"stages": stages}, indent=2, ensure_ascii=False) + "\n"
    file.write_text(before, encoding="utf-8")

    assert chalice_config.record("dev", {"ADDED": "ü"}, BackendRecord())
    after = before.replace('"LOG": "é"', '"LOG": "é",\n        "ADDED": "ü"')
    assert file.read_text(encoding="utf-8") == after

    assert chalice_config.record("dev", {"ADDED": None}, BackendRecord())
    assert file.read_text(encoding="utf-8") == before
    assert list(file.parent.iterdir()) == [file], "no temporary file is left"


def test_a_change_keeps_everything_else(file: Path) -> None:
    other = {"environment_variables": {"A": "b"}, "manage_iam_role": False}
    dev = {"lambda_memory_size": 512, "environment_variables": {"LOG": "x", "DYNAMODB_TABLE": "t"}}
    write(file, {"version": "2.0", "stages": {"prod": other, "dev": dev}})
    assert chalice_config.record("dev", {"DYNAMODB_TABLE": None, "NEW": "n"}, BackendRecord())
    dev["environment_variables"] = {"LOG": "x", "NEW": "n"}
    assert json.loads(file.read_text()) == {
        "version": "2.0",
        "stages": {"prod": other, "dev": dev},
    }


def test_what_is_recorded_already_is_no_change(file: Path) -> None:
    write(file, {"stages": {"dev": {"environment_variables": BACKEND}}})
    before = file.read_bytes()
    assert not chalice_config.record("dev", BACKEND, BackendRecord())
    assert file.read_bytes() == before


def test_a_stage_without_variables_gets_them(file: Path) -> None:
    write(file, {"stages": {"dev": {}}})
    assert chalice_config.record("dev", BACKEND, BackendRecord())
    assert chalice_config.environment("dev") == BACKEND


def test_a_stage_has_the_variables_of_all_stages_too(file: Path) -> None:
    stages = {"dev": {"environment_variables": {"B": "own"}}}
    write(file, {"environment_variables": {"A": "shared", "B": "shared"}, "stages": stages})
    assert chalice_config.environment("dev") == {"A": "shared", "B": "own"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config.json: .*line 1"),
        ("\ufeff{}", "config.json: .*BOM"),
        ('{"stages": {}, "stages": {"dev": {}}}', '"stages" twice'),
        ("[]", "must be a JSON object"),
        ('{"stages": []}', "must be a JSON object"),
        ('{"stages": {"dev": null}}', "must be a JSON object"),
        (
            '{"stages": {"dev": {"environment_variables": "x"}}}',
            "must be a JSON object",
        ),
        (
            '{"environment_variables": [], "stages": {"dev": {}}}',
            "must be a JSON object",
        ),
        ('{"stages": {"prod": {}}}', "'dev' in .*config.json"),
    ],
)
def test_an_unusable_file_is_explained_and_kept(file: Path, text: str, message: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DeploymentError, match=message):
        chalice_config.record("dev", BACKEND, BackendRecord())
    assert file.read_text(encoding="utf-8") == text


def test_a_missing_file_is_explained(file: Path) -> None:
    with pytest.raises(DeploymentError, match=r"there is no .*config\.json .* project's folder"):
        chalice_config.environment("dev")


def test_a_recorded_backend_names_its_table_and_pool(file: Path) -> None:
    write(file, {"stages": {"dev": {"environment_variables": BACKEND}}})
    recorded = chalice_config.recorded_backend("dev")
    assert recorded.table == BACKEND["DYNAMODB_TABLE"]
    assert recorded.user_pool_arn == BACKEND["USER_POOL_ARN"]
    assert recorded.first_client_id == "first"


@pytest.mark.parametrize("missing", ["DYNAMODB_TABLE", "USER_POOL_ARN"])
def test_a_stage_without_table_or_pool_has_no_backend(missing: str) -> None:
    with pytest.raises(NoBackend, match="make backend STAGE=dev"):
        RecordedBackend.from_environment({**BACKEND, missing: ""}, "dev")


def test_the_local_stage_is_not_sent_to_make_backend() -> None:
    """`make backend STAGE=local` would refuse it."""
    with pytest.raises(DeploymentError, match="make local") as refusal:
        RecordedBackend.from_environment({}, "local")
    assert "make backend" not in str(refusal.value)


def test_without_an_app_client_nobody_can_sign_in() -> None:
    recorded = RecordedBackend.from_environment({**BACKEND, "USER_POOL_CLIENT_ID": ""}, "dev")
    with pytest.raises(DeploymentError, match="USER_POOL_CLIENT_ID"):
        _ = recorded.first_client_id


def test_stages_that_share_a_table_are_found(file: Path) -> None:
    variables = {"environment_variables": BACKEND}
    write(file, {"stages": {"dev": variables, "copy": variables, "prod": {}}})
    table = BACKEND["DYNAMODB_TABLE"]
    assert chalice_config.stages_with("DYNAMODB_TABLE", table, other_than="copy") == ["dev"]
    assert chalice_config.stages_with("DYNAMODB_TABLE", table, other_than="prod") == ["dev", "copy"]


def test_a_policy_file_is_found_by_its_name_or_by_the_stages(file: Path) -> None:
    write(file, {"stages": {"dev": {}, "prod": {"iam_policy_file": "policies/own.json"}}})
    assert chalice_config.policy_file("dev") == Path(".chalice/policy-dev.json")
    assert chalice_config.policy_file("prod") == Path(".chalice/policies/own.json")


@pytest.mark.parametrize(
    "config",
    [
        {"iam_policy_file": "own.json", "stages": {"dev": {}}},
        {"stages": {name: {"iam_policy_file": "own.json"} for name in ("dev", "prod")}},
    ],
)
def test_stages_must_not_share_a_policy_file(file: Path, config: dict[str, Any]) -> None:
    """Each stage's policy names its own table."""
    write(file, config)
    with pytest.raises(DeploymentError, match="several stages"):
        chalice_config.policy_file("dev")


@pytest.mark.parametrize("value", [True, 5, None, ["x"]])
def test_a_variable_that_is_not_a_string_is_an_error(file: Path, value: object) -> None:
    write(file, {"stages": {"dev": {"environment_variables": {"REQUIRE_PRECONDITIONS": value}}}})
    with pytest.raises(DeploymentError, match="REQUIRE_PRECONDITIONS"):
        chalice_config.environment("dev")


RECORD = BackendRecord(
    app_name="acme-profiles",
    attached=(Part.USER_POOL,),
    sign_in_domain="auth.example.com",
    adopted_stacks=("arn:aws:cloudformation:us-east-1:000000000000:stack/x/1",),
    parameters={"MfaConfiguration": "ON"},
)


def test_a_backend_record_is_read_as_it_was_written(file: Path) -> None:
    write(file, {"stages": {"dev": {}}})
    assert chalice_config.backend_record("dev") == BackendRecord()
    assert chalice_config.record("dev", BACKEND, RECORD)
    assert chalice_config.backend_record("dev") == RECORD
    assert not chalice_config.record("dev", BACKEND, RECORD)


def test_an_empty_record_leaves_no_trace(file: Path) -> None:
    write(file, {"stages": {"dev": {"backend": {"app_name": "x"}}}})
    assert chalice_config.record("dev", {}, BackendRecord())
    settings = json.loads(file.read_text())["stages"]["dev"]
    assert settings == {"environment_variables": {}}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "must be a JSON object"),
        ({"app-name": "x"}, 'unknown member "app-name"'),
        ({"parameters": {"IdTokenMinutes": 15}}, "has 15 as the parameter IdTokenMinutes"),
        ({"parameters": []}, '"parameters" that are not a JSON object'),
        ({"attached": ["tables"]}, 'has "tables" in "attached"'),
        ({"attached": "table"}, '"attached" that is not a list of strings'),
        ({"adopted_stacks": [1]}, '"adopted_stacks" that is not a list of strings'),
        ({"sign_in_domain": None}, '"sign_in_domain" that is not a string'),
    ],
)
def test_a_broken_backend_record_is_explained(file: Path, record: object, message: str) -> None:
    write(file, {"stages": {"dev": {"backend": record}}})
    with pytest.raises(DeploymentError, match=re.escape(message)):
        chalice_config.backend_record("dev")


@pytest.mark.parametrize("name", ["a", "acme-profiles", "x" * 20])
def test_an_app_name_that_suits_every_resource(file: Path, name: str) -> None:
    write(file, {"app_name": name, "stages": {}})
    assert chalice_config.app_name() == name


@pytest.mark.parametrize(
    "name", [None, 5, "", "x" * 21, "Acme", "a_b", "1a", "-a", "my-aws", "cognito-x", "amazonia"]
)
def test_an_app_name_that_aws_would_refuse(file: Path, name: object) -> None:
    write(file, {"app_name": name, "stages": {}})
    with pytest.raises(DeploymentError, match="app_name"):
        chalice_config.app_name()


def test_the_owner_id_is_written_once(file: Path) -> None:
    write(file, {"stages": {}})
    assert chalice_config.owner_id() == ""
    chalice_config.create_owner_id()
    owner = chalice_config.owner_id()
    assert re.fullmatch("[0-9a-f]{16}", owner)
    chalice_config.create_owner_id()
    assert chalice_config.owner_id() == owner


def test_the_published_configuration_has_no_owner() -> None:
    """A clone of the template must not look like the owner of another clone's stacks."""
    config = json.loads(COMMITTED.read_text())
    is_the_template = not any(
        "backend" in stage or stage.get("environment_variables", {}).get("USER_POOL_ARN")
        for stage in config["stages"].values()
    )
    if is_the_template:
        assert "owner_id" not in config


def test_a_file_that_cannot_be_written_is_explained(file: Path) -> None:
    write(file, {"stages": {"dev": {}}})
    file.with_name(f".{file.name}.{os.getpid()}").mkdir()
    for change in (
        lambda: chalice_config.require_writable(file),
        chalice_config.create_owner_id,
        lambda: chalice_config.record("dev", BACKEND, RECORD),
    ):
        with pytest.raises(DeploymentError, match=r"cannot write .*config\.json"):
            change()
    assert json.loads(file.read_text()) == {"stages": {"dev": {}}}


def test_a_linked_file_stays_a_link(file: Path) -> None:
    shared = file.with_name("shared.json")
    write(shared, {"stages": {"dev": {}}})
    file.symlink_to(shared)
    chalice_config.record("dev", BACKEND, RECORD)
    assert file.is_symlink()
    assert json.loads(shared.read_text())["stages"]["dev"]["environment_variables"] == BACKEND


def test_checking_for_writing_leaves_no_trace(file: Path) -> None:
    write(file, {"stages": {}})
    before = file.read_bytes()
    chalice_config.require_writable(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
