"""`make install`, `lock` and `audit` in a small copy of the project with tiny locks."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.process import wait_until
from requirements.sources import header

ROOT = Path(__file__).parents[2]
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MAKE", "MFLAGS", "COVERAGE", "VIRTUAL_ENV"))
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minimal package."""
    path = tmp_path_factory.mktemp("wheels") / "tiny-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    about = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", metadata)
        archive.writestr("tiny-1.0.dist-info/WHEEL", about)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture(scope="module")
def tiny(wheel: Path) -> str:
    """A lock's line for that package."""
    return f"tiny @ {wheel.as_uri()} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def make(
    folder: Path, target: str = "install", python: str | Path = sys.executable
) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", target, f"PYTHON={python}"]
    done = subprocess.run(
        command, cwd=folder, env=BARE, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "", "standard output belongs to `make -s token`"
    return done


def start_install(folder: Path) -> subprocess.Popen[str]:
    """Start `make install`. Like a foreground job, it has its own process group."""
    return subprocess.Popen(
        ["make", "-s", "install", f"PYTHON={sys.executable}"],
        cwd=folder,
        env=BARE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def write_locks(folder: Path, run: str = "", develop: str = "") -> None:
    for name, requirements in (("run", run), ("develop", develop), ("tools", "")):
        lock = folder / "requirements" / f"{name}.txt"
        lock.write_text(header(folder, ["requirements.txt"]) + requirements + "\n")


def has_tiny(folder: Path) -> bool:
    return any((folder / ".venv").glob("lib/python*/site-packages/tiny.py"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project where nothing is installed; its locks are empty."""
    folder = tmp_path / "project"
    (folder / "requirements").mkdir(parents=True)
    for path in (ROOT / "requirements").glob("*.py"):
        shutil.copy(path, folder / "requirements")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.txt").touch()
    write_locks(folder)
    return folder


@pytest.fixture
def project(clone: Path) -> Path:
    """A project with an environment. To save time, it uses the pip of these tests."""
    environment = clone / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    python = f"Python {platform.python_version()} in {environment.resolve()}\n"
    (environment / "installed.txt").write_text(python)
    return clone


def test_a_clone_gets_an_environment_with_the_packages(clone: Path, tiny: str) -> None:
    write_locks(clone, run=tiny)
    done = make(clone)
    assert done.returncode == 0, done.stderr
    assert locks_in(done.stderr) == ["requirements/run.txt"]
    assert has_tiny(clone)


def test_it_runs_on_a_python_without_packages(clone: Path, tmp_path: Path, tiny: str) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    without_venv(clone)
    assert "Making .venv" in make(clone, python=python).stderr


def test_what_is_installed_is_not_installed_again(project: Path, tiny: str) -> None:
    write_locks(project, run=tiny)
    assert locks_in(make(project).stderr) == ["requirements/run.txt"]
    assert make(project).stderr == ""


def test_a_changed_lock_is_installed(project: Path, tiny: str) -> None:
    make(project)
    write_locks(project, run=tiny)
    assert locks_in(make(project).stderr) == ["requirements/run.txt"]
    assert has_tiny(project)


def test_tests_get_their_packages_besides_those_to_run(project: Path, tiny: str) -> None:
    write_locks(project, develop=tiny)
    make(project)
    assert not has_tiny(project)
    installed = make(project, "install-develop")
    assert locks_in(installed.stderr) == ["requirements/develop.txt"]
    assert has_tiny(project)
    assert make(project, "install-develop").stderr == ""


def test_requirements_without_a_new_lock_are_an_error(project: Path) -> None:
    (project / "requirements.txt").write_text("jsonschema-rs==0.60.3\n")
    error = error_of(make(project))
    assert "requirements.txt changed" in error
    assert "make lock" in error


@pytest.mark.parametrize(
    "pinned", ["", f" --hash=sha256:{'0' * 64}"], ids=["without a hash", "with another hash"]
)
def test_a_package_without_its_hash_is_refused(project: Path, wheel: Path, pinned: str) -> None:
    write_locks(project, run=f"tiny @ {wheel.as_uri()}{pinned}")
    done = make(project)
    assert "hash" in done.stderr.lower(), "what pip said"
    assert "requirements/run.txt" in error_of(done)
    assert not has_tiny(project)


def test_an_interrupted_installation_is_started_again(project: Path) -> None:
    make(project)
    with socket.create_server(("127.0.0.1", 0)) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/tiny-1.0-py3-none-any.whl"
        write_locks(project, run=f"tiny @ {url} --hash=sha256:{'0' * 64}")
        process = start_install(project)
        index.settimeout(60)
        connection, _ = index.accept()
        with connection:  # pip waits for a response
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert "error: interrupted" in errors
    assert "Traceback" not in errors
    write_locks(project)
    without_venv(project)
    assert "Making .venv" in make(project).stderr


SLOW_VENV = """
import subprocess, sys
subprocess.check_output([sys.executable, "slow_ensurepip.py"])
"""
SLOW_ENSUREPIP = """
import time
from pathlib import Path
Path("started").touch()
end = time.monotonic() + 60
while not Path("finish").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""


@pytest.fixture
def slow_install(clone: Path) -> Iterator[subprocess.Popen[str]]:
    """A `make install` in the middle of `python -m venv`, which runs ensurepip as its child.

    ensurepip ends when the file `finish` exists.
    """
    (clone / "venv.py").write_text(SLOW_VENV)
    (clone / "slow_ensurepip.py").write_text(SLOW_ENSUREPIP)
    process = start_install(clone)
    assert wait_until((clone / "started").exists, timeout=60)
    (clone / "venv.py").unlink()  # the next one is Python's own
    yield process
    (clone / "finish").touch()
    process.communicate(timeout=60)


def test_ctrl_c_ends_every_process_of_the_installation(
    clone: Path, slow_install: subprocess.Popen[str]
) -> None:
    os.killpg(slow_install.pid, signal.SIGINT)
    _, errors = slow_install.communicate(timeout=10)  # until no process can write to it any more
    assert "error: interrupted" in errors
    assert make(clone).returncode == 0


def test_after_kill_9_the_next_make_waits_for_what_is_left(
    clone: Path, slow_install: subprocess.Popen[str]
) -> None:
    os.killpg(slow_install.pid, signal.SIGKILL)
    slow_install.wait()
    second = start_install(clone)
    assert second.stderr is not None
    assert second.stderr.readline().startswith("Waiting")
    (clone / "finish").touch()
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors


@pytest.mark.parametrize("change", ["the Python", "the folder", "the Python that it links to"])
def test_an_environment_that_does_not_fit_is_made_again(project: Path, change: str) -> None:
    make(project)
    stamp = project / ".venv" / "installed.txt"
    if change == "the Python":
        stamp.write_text(stamp.read_text().replace(platform.python_version(), "3.11.0rc1"))
    elif change == "the folder":
        project = project.rename(project.with_name("moved"))
    else:
        (project / ".venv" / "bin" / "python").unlink()
    without_venv(project)
    assert "Making .venv" in make(project).stderr


def test_another_terminals_python_keeps_the_environment(project: Path) -> None:
    """Only a Python that is chosen with PYTHON= replaces the environment of another one."""
    make(project)
    stamp = project / ".venv" / "installed.txt"
    stamp.write_text(stamp.read_text().replace(platform.python_version(), "3.13.0"))
    python_folder = str(Path(sys.executable).parent)
    shell = BARE | {"PATH": f"{python_folder}:{BARE['PATH']}"}
    done = subprocess.run(
        ["make", "-s", "install"],
        cwd=project,
        env=shell,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Making .venv" not in done.stderr


def test_an_environment_in_use_is_not_replaced(project: Path) -> None:
    make(project)
    stamp = project / ".venv" / "installed.txt"
    stamp.write_text(stamp.read_text().replace(platform.python_version(), "3.11.0rc1"))
    (project / ".local").mkdir()
    with (project / ".local" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "make local" in error_of(make(project))


def test_a_second_make_waits_until_the_first_has_installed(project: Path) -> None:
    with (project / "requirements" / "install.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start_install(project)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Waiting")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert (project / ".venv" / "installed.txt").exists()


def test_a_linked_environment_is_left_as_it_is(project: Path, tiny: str) -> None:
    real = (project / ".venv").rename(project.with_name("environment"))
    (project / ".venv").symlink_to(real)
    write_locks(project, run=tiny)
    assert ".venv links" in error_of(make(project))
    assert not has_tiny(project)


def test_a_python_without_venv_is_an_error(clone: Path) -> None:
    without_venv(clone)
    assert "apt install python3-venv" in error_of(make(clone))


def test_a_folder_that_cannot_be_written_is_an_error(clone: Path) -> None:
    (clone / ".venv").touch()  # in the way; root may write into every folder
    assert ".venv" in error_of(make(clone))


def test_an_old_python_is_an_error(clone: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    code = (
        "import runpy, sys; sys.version_info = (3, 10, 9); "
        "runpy.run_module(sys.argv[2], run_name='__main__')"
    )
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    python.chmod(0o755)
    assert "export PYTHON=" in error_of(make(clone, python=python))


def test_a_missing_python_is_an_error(clone: Path) -> None:
    assert error_of(make(clone, python="python3.99")).startswith("error: python3.99")


@pytest.fixture
def tools(project: Path) -> Path:
    """The folder of the installed tools. Tests write their own commands into it."""
    shutil.copytree(project / ".venv", project / ".tools", symlinks=True)
    lock = hashlib.sha256((project / "requirements" / "tools.txt").read_bytes()).hexdigest()
    (project / ".tools" / "installed.txt").write_text(
        f"Python {platform.python_version()} in {project.resolve()}/.tools\ntools.txt {lock}\n"
    )
    return project / ".tools" / "bin"


def write_command(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_new_lock_is_installed(project: Path, tiny: str) -> None:
    for name in ("run", "develop", "tools"):
        (project / "requirements" / f"{name}.in").touch()
    (project / "requirements.txt").write_text("tiny==1.0\n")
    output = 'for output; do :; done; case "$output" in *run.txt)'
    write_command(project / ".venv/bin/uv", f'{output} echo "{tiny}" > "$output";; esac')
    done = make(project, "lock")
    assert done.returncode == 0, done.stderr
    assert make(project).returncode == 0
    assert has_tiny(project)


def test_a_lock_that_cannot_be_made_is_an_error(project: Path) -> None:
    (project / "requirements.txt").write_text("tiny==1.0\n")
    write_command(project / ".venv/bin/uv", "exit 1")
    assert "requirements/run.txt" in error_of(make(project, "lock"))
    assert "requirements.txt changed" in error_of(make(project))


def test_packages_that_were_not_audited_are_an_error(project: Path, tools: Path) -> None:
    # pip-audit skips packages that its database does not know. With --strict, it fails then.
    write_command(tools / "pip-audit", 'case "$*" in *--strict*) exit 1;; esac')
    error = error_of(make(project, "audit"))
    assert error.startswith("error: requirements/develop.txt")


def test_an_audit_without_findings_ends_well(project: Path, tools: Path) -> None:
    write_command(tools / "pip-audit", "exit 0")
    assert make(project, "audit").returncode == 0


def without_venv(folder: Path) -> None:
    """Make `python -m venv` fail in this folder, as on a Python without that module."""
    (folder / "venv.py").write_text("raise SystemExit('No module named venv')")


def locks_in(output: str) -> list[str]:
    """The locks that a command printed, as it installed them."""
    return re.findall(r"requirements/\w+\.txt", output)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The error message of a failed command."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    return errors[0]
