"""`make openapi`: the file that it writes, and files that it does not replace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from deploy.errors import DeploymentError
from deploy.stage_description import DescribedStage
from deploy.write_description import DescriptionRequest, run

URL = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/api"
STAGE = DescribedStage.read("dev", {})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(file: str = "", overwrite: str = "") -> None:
    run(STAGE, URL, DescriptionRequest.from_options(file, overwrite))


def test_without_a_name_the_file_is_in_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write()
    written = json.loads((folder / "out" / "dev" / "openapi.json").read_text())
    assert written["servers"][0]["url"] == URL
    output = capsys.readouterr().out
    assert "out/dev/openapi.json" in output
    assert URL in output
    assert "PROFILE_SCHEMA" in output


@pytest.mark.parametrize("name", ["api.yaml", "api.yml"])
def test_a_yaml_file_has_the_same_content(folder: Path, name: str) -> None:
    write("api.json")
    write(name)
    text = (folder / name).read_text()
    assert yaml.safe_load(text) == json.loads((folder / "api.json").read_text())
    assert "&id" not in text


@pytest.mark.parametrize("name", ["", "api.json", "api.yaml"])
def test_a_repeated_command_replaces_its_own_file(folder: Path, name: str) -> None:
    write(name)
    (file,) = [path for path in folder.rglob("*") if path.is_file()]
    before = file.read_bytes()
    write(name)
    assert file.read_bytes() == before
    assert [path for path in folder.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize(
    "content", ["", "openapi: 3.1.0\n", "\0" * 1000, "x" * 500 + "x-written-by"]
)
def test_a_file_of_another_program_is_kept(folder: Path, content: str) -> None:
    (folder / "api.yaml").write_text(content)
    with pytest.raises(DeploymentError, match=r"api\.yaml exists, and make openapi did not write"):
        write("api.yaml")
    assert (folder / "api.yaml").read_text() == content
    write("api.yaml", overwrite="yes")
    assert yaml.safe_load((folder / "api.yaml").read_text())["openapi"] == "3.1.0"


@pytest.mark.parametrize("overwrite", ["", "yes"])
def test_a_folder_is_never_replaced(folder: Path, overwrite: str) -> None:
    (folder / "api.json").mkdir()
    with pytest.raises(DeploymentError, match="is not a file"):
        write("api.json", overwrite)
    assert (folder / "api.json").is_dir()


def test_a_missing_folder_is_reported(folder: Path) -> None:
    with pytest.raises(DeploymentError, match="No such file or directory"):
        write("missing/api.json")
    assert list(folder.iterdir()) == []


def test_a_file_in_the_way_of_out_is_reported(folder: Path) -> None:
    (folder / "out").write_text("")
    with pytest.raises(DeploymentError, match="cannot create the folder out/dev"):
        write()


def test_another_value_of_overwrite_is_refused() -> None:
    with pytest.raises(DeploymentError, match="OVERWRITE=yes"):
        write(overwrite="true")
