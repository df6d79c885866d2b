"""What the backend writes into .chalice/config.json: one stage's variables, and nothing else, byte for byte."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import chalice_config
from deploy.stacks import DeploymentError

NEW = {"DYNAMODB_TABLE": "user-profile-dev"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".chalice").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".chalice" / "config.json"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (
            '{"stages": {"dev": {"environment_variables": {}}}}',
            '{"stages": {"dev": {"environment_variables": {\n  "DYNAMODB_TABLE": "user-profile-dev"\n}}}}',
        ),
        (
            '{\r\n\t"stages": {\r\n\t\t"dev": {"environment_variables" : {"A":"b"} , "x": [ 1,2 ]}}}\r\n',
            '{\r\n\t"stages": {\r\n\t\t"dev": {"environment_variables" : {\r\n\t\t\t"A": "b",\r\n\t\t\t'
            '"DYNAMODB_TABLE": "user-profile-dev"\r\n\t\t} , "x": [ 1,2 ]}}}\r\n',
        ),
        (
            '{"dev": {"environment_variables": {"no": "t"}}, "stages": {"prod": {"environment_variables": {}},\n'
            ' "d\\u0065v": {"a": "}\\"{", "environment_variables":{}}}}',
            '{"dev": {"environment_variables": {"no": "t"}}, "stages": {"prod": {"environment_variables": {}},\n'
            ' "d\\u0065v": {"a": "}\\"{", "environment_variables":{\n   "DYNAMODB_TABLE": "user-profile-dev"\n }}}}',
        ),
    ],
    ids=["one line", "tabs and CRLF", "names elsewhere, and escaped"],
)
def test_the_stages_variables_change_and_nothing_else(file: Path, text: str, changed: str) -> None:
    file.write_bytes(text.encode())
    assert chalice_config.change_environment("dev", NEW)
    assert file.read_bytes().decode() == changed
    assert not chalice_config.change_environment("dev", NEW)
    assert chalice_config.change_environment("dev", {"DYNAMODB_TABLE": None})
    assert "DYNAMODB_TABLE" not in chalice_config.environment("dev")
    assert list(file.parent.iterdir()) == [file]


names = st.sampled_from(["dev", "stages", "environment_variables", "a", "é", '"', "\\"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        names.filter(lambda name: name not in ("stages", "environment_variables")), values
    ),
    st.dictionaries(names.filter(lambda name: name != "environment_variables"), values),
    st.dictionaries(names, st.text(max_size=5)),
    st.sampled_from([None, 0, 1, 4, "\t"]),
    st.booleans(),
)
def test_any_configuration_keeps_everything_else(
    top: dict[str, object],
    stage: dict[str, object],
    variables: dict[str, str],
    indent: str | int | None,
    ascii: bool,  # noqa: A002
) -> None:
    config = {**top, "stages": {"dev": {**stage, "environment_variables": variables}}}
    text = json.dumps(config, indent=indent, ensure_ascii=ascii)
    begin, end = 0, len(text)
    for name in ("stages", "dev", "environment_variables"):
        begin, end = chalice_config._member(text, begin, name)
    assert json.loads(text[begin:end]) == variables
    assert (
        json.loads(text[:begin] + "7" + text[end:])["stages"]["dev"]["environment_variables"] == 7
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot read"),
        ("\ufeff{}", "cannot read"),
        ('{"stages": {}, "stages": {"dev": {}}}', "stands twice"),
        ("[]", "is not what Chalice reads"),
        ('{"stages": []}', "is not what Chalice reads"),
        ('{"stages": {"dev": null}}', "is not what Chalice reads"),
        ('{"stages": {"dev": {"environment_variables": "x"}}}', "is not what Chalice reads"),
        ('{"stages": {"prod": {}}}', "there is no stage 'dev'"),
        ('{"stages": {"dev": {}}}', 'Add "environment_variables": {}'),
    ],
)
def test_what_cannot_be_changed_is_told_and_left(file: Path, text: str, told: str) -> None:
    file.write_bytes(text.encode())
    with pytest.raises(DeploymentError, match=told):
        chalice_config.change_environment("dev", NEW)
    assert file.read_bytes() == text.encode()
