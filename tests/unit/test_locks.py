"""The locks: every package pinned with its hashes, and made from the present requirements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from requirements.lock import INPUTS
from requirements.sources import digest, header, why_stale

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"


def pins(name: str) -> set[str]:
    """The packages that a lock pins, as name==version."""
    text = (FOLDER / f"{name}.txt").read_text()
    return set(re.findall(r"^([\w.-]+==[^\s;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", INPUTS)
def test_the_lock_is_up_to_date(name: str) -> None:
    reason = why_stale(ROOT, FOLDER / f"{name}.txt")
    assert reason is None, f"{reason}. Run: make lock"


@pytest.mark.parametrize("name", INPUTS)
def test_every_locked_package_has_a_version_and_a_hash(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()
    entries = re.findall(r"^[^#\s].*(?:\n .*)*", text, re.MULTILINE)
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("name", INPUTS)
def test_a_lock_leaves_the_package_index_to_each_machine(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links", text)


def test_tests_run_with_the_packages_that_run_the_service() -> None:
    assert pins("run") <= pins("develop")


@pytest.mark.parametrize("name", INPUTS)
def test_a_lock_names_each_file_that_it_is_made_from(name: str) -> None:
    for path in INPUTS[name]:
        included = re.findall(r"^-r (\S+)", (ROOT / path).read_text(), re.MULTILINE)
        folder = (ROOT / path).parent
        names = {(folder / file).resolve().relative_to(ROOT).as_posix() for file in included}
        assert names <= set(INPUTS[name])


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock that was made from requirements.txt with one package."""
    (tmp_path / "requirements.txt").write_text("# Needed for the schema.\njsonschema-rs==0.60.3\n")
    path = tmp_path / "run.txt"
    path.write_text(header(tmp_path, ["requirements.txt"]))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "jsonschema-rs==0.60.3",
        "\n  jsonschema-rs==0.60.3  # The comment moved.\n\n",
        "# Another comment.\njsonschema-rs==0.60.3\n",
    ],
)
def test_changed_comments_and_blank_lines_need_no_new_lock(lock: Path, text: str) -> None:
    (lock.parent / "requirements.txt").write_text(text)
    assert why_stale(lock.parent, lock) is None


@pytest.mark.parametrize(
    "text", ["", "jsonschema-rs==0.60.4", "jsonschema-rs==0.60.3\nfurl==2.1.4", "x#y==1"]
)
def test_changed_requirements_need_a_new_lock(lock: Path, text: str) -> None:
    (lock.parent / "requirements.txt").write_text(text)
    reason = why_stale(lock.parent, lock)
    assert reason is not None
    assert reason.startswith("requirements.txt changed")


def test_a_lock_of_another_tool_needs_a_new_lock(lock: Path) -> None:
    lock.write_text("six==1.17.0\n")
    reason = why_stale(lock.parent, lock)
    assert reason is not None
    assert "make lock" in reason


def test_a_fragment_in_a_url_is_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("tiny @ file:///tiny.whl#sha256=1")
    before = digest(path)
    path.write_text("tiny @ file:///tiny.whl#sha256=2")
    assert digest(path) != before
