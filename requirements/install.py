"""Install a lock, unless it is installed already.

    python3 -m requirements.install [--python-given] run|develop|tools

It runs on a Python without any packages. It prints to standard error only, because
`make -s token` must print a token and nothing else.
"""

import fcntl
import hashlib
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

OLDEST_PYTHON = (3, 11)
if sys.version_info < OLDEST_PYTHON:  # before the imports and lines that an older Python rejects
    sys.exit(
        f"error: Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is required. This is Python "
        f"{platform.python_version()}. To use another one: export PYTHON=python3.13"
    )

from requirements.sources import why_stale  # noqa: E402

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
PIP_INSTALL = ("-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check")
# Only wheels: the build of a source distribution would run packages that have no hash here.
EXACTLY = ("--require-hashes", "--only-binary", ":all:")
# A lock contains all dependencies, and Python compiles a module at its first import. Without these
# two steps, pip takes half the time.
FAST = ("--no-deps", "--no-compile")


def install(lock: Path, environment: Path, mutex: IO[str], *, is_python_given: bool) -> None:
    """Install the lock, into a new virtual environment if there is no usable one.

    mutex: see one_at_a_time.
    is_python_given: whether the user chose the Python that runs this. If not, an environment of
    another Python is usable: another terminal may have chosen it.
    """
    # The scripts in an environment contain its path, so a moved project needs a new one.
    place = f" in {environment.resolve()}"
    python_line = f"Python {platform.python_version()}{place}"
    lock_line = f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    stamp = environment / "installed.txt"
    installed = []
    if stamp.exists() and (environment / "bin" / "python").exists():
        installed = stamp.read_text().splitlines()
        if not is_python_given:
            found = [line for line in installed if line.endswith(place)]
            python_line = found[0] if found else python_line
    if python_line in installed and lock_line in installed:
        return
    if environment.is_symlink():  # as in the tests' copies: another project owns it
        sys.exit(
            f"error: {environment} links to an environment without the packages of this lock, or "
            "for another Python. Run make in the project it belongs to, or remove the link."
        )
    if python_line not in installed:
        if is_running_here():
            sys.exit(
                f"error: {environment.name} must be made again, and a `make local` of this folder "
                "uses it. Stop that first."
            )
        make_environment(environment, mutex)
        installed = [python_line]
    stamp.unlink(missing_ok=True)  # so that an interrupted installation is repeated
    run_pip(environment, lock, mutex)
    others = [line for line in installed if not line.startswith(f"{lock.name} ")]
    stamp.write_text("\n".join([*others, lock_line, ""]))


def is_running_here() -> bool:
    """Whether a `make local` of this folder is running. It holds a lock on the file .local/lock."""
    try:
        with (ROOT / ".local" / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def one_at_a_time() -> Iterator[IO[str]]:
    """Wait until no other `make` in this folder installs.

    Yields the locked file. The lock ends when every process that has the file has closed it.
    """
    with Path(__file__).open() as file:  # any file of the project serves as the lock
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting = "Waiting until another make in this folder has finished installing ..."
            print(waiting, file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def make_environment(environment: Path, mutex: IO[str]) -> None:
    """Make an empty virtual environment. An existing one is deleted."""
    print(f"Making {environment.name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(environment)]
    if run(command, mutex):
        sys.exit(
            f"error: could not make {environment}; the reason is above. If the module venv or "
            "ensurepip is missing on Debian or Ubuntu: apt install python3-venv"
        )


def run_pip(environment: Path, lock: Path, mutex: IO[str]) -> None:
    print(f"Installing requirements/{lock.name} ...", file=sys.stderr, flush=True)
    command = [f"{environment}/bin/python", *PIP_INSTALL, *EXACTLY, *FAST, "-r", str(lock)]
    if run(command, mutex):
        sys.exit(
            f"error: pip could not install requirements/{lock.name}; its message is above. If it "
            "could not connect, check the network and pip's configuration (pip config list)."
        )


def run(command: list[str], mutex: IO[str]) -> int:
    """Run a command with its output on standard error, and return its exit status.

    Ctrl-C does not reach the command, which would print a traceback. This process ends the command
    and the processes that it has started: `python -m venv` starts ensurepip, which starts pip.

    If this process is killed, they continue. The locked file is their standard input, so that the
    next `make` waits for them. Unlike other file descriptors, all of them inherit that.
    """
    with subprocess.Popen(
        command, stdin=mutex, stdout=sys.stderr, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except BaseException:
            with suppress(ProcessLookupError, PermissionError):  # the command has just ended
                os.killpg(process.pid, signal.SIGKILL)
            raise


if __name__ == "__main__":
    wanted = ROOT / "requirements" / f"{sys.argv[-1]}.txt"
    reason = why_stale(ROOT, wanted)
    if reason is not None:
        sys.exit(f"error: {reason}. Run: make lock")
    try:
        with one_at_a_time() as mutex:
            target = TOOLS if wanted.name == "tools.txt" else VENV
            install(wanted, target, mutex, is_python_given="--python-given" in sys.argv)
    except KeyboardInterrupt:
        sys.exit("error: interrupted. Run the same command again to finish.")
    except OSError as error:
        sys.exit(
            f"error: cannot write to {error.filename} ({error.strerror}). Make it writable, or "
            "delete it."
        )
