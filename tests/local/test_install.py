"""The installer, on machines that lack something: one line that says what to do, and no stack trace."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local import install

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "local" / "install.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that needs nothing, so that installing it takes a second."""
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "requirements.txt").write_text("")
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    with pytest.raises(SystemExit) as caught:
        install.main(folder)
    message = str(caught.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    assert capsys.readouterr().out == ""
    return message


def test_it_installs_once_and_again_only_when_the_requirements_change(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.main(project)
    assert (project / ".venv" / "bin" / "python").exists()
    assert "Installing" in capsys.readouterr().err
    install.main(project)
    assert capsys.readouterr().err == ""
    (project / "requirements.txt").write_text("# changed\n")
    install.main(project)
    assert "Installing" in capsys.readouterr().err


def test_an_interrupted_installation_is_finished_the_next_time(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "installed.txt").write_text("unfinished")
    install.main(project)
    assert "Installing" in capsys.readouterr().err


def test_an_old_python_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "OLDEST", (99, 0))
    assert "Python 99.0 or newer is needed" in refusal(capsys, project)


def test_a_python_without_venv_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "apt install python3-venv" in refusal(capsys, project)


def test_a_folder_that_cannot_be_written_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".venv").write_text(
        "in the way"
    )  # root may write anywhere, so that a file stands in for no permission
    assert "cannot write to" in refusal(capsys, project)


def test_a_requirement_that_does_not_exist_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "requirements.txt").write_text("./no-such-folder\n")
    assert "pip could not install" in refusal(capsys, project)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The smallest package there is."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return path


def test_a_package_with_its_hash_is_installed(project: Path, wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (project / "requirements-dev.txt").write_text(
        f"tiny @ {wheel.as_uri()} --hash=sha256:{digest}\n"
    )
    install.main(project)
    assert list((project / ".venv").glob("lib/python*/site-packages/tiny-1.0.dist-info"))


@pytest.mark.parametrize(
    "pinned", ["", f" --hash=sha256:{'0' * 64}"], ids=["without a hash", "with another hash"]
)
@pytest.mark.parametrize("lock", ["requirements-dev.txt", "tests/requirements.txt"])
def test_a_package_that_is_not_just_what_was_pinned_is_refused(
    project: Path, wheel: Path, lock: str, pinned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / lock).write_text(f"tiny @ {wheel.as_uri()}{pinned}\n")
    assert "pip could not install" in refusal(capsys, project)
    assert not list((project / ".venv").glob("lib/python*/site-packages/tiny*"))
    assert not install.is_current(project)


def test_a_venv_that_cannot_be_made_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "cannot make .venv" in refusal(capsys, project)


def test_it_runs_on_a_bare_python(project: Path) -> None:
    """-I -S: no site-packages, as on a machine where nothing is installed yet."""
    command = [sys.executable, "-I", "-S", str(SCRIPT)]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert (project / ".venv" / "installed.txt").exists()
