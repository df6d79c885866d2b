"""Make .venv and install the requirements into it, when they are not there yet: python3 -m local.install

Runs on whatever Python the machine has, with its standard library alone, and says in one line what is missing. It
prints to standard error, so that `make -s token` prints a token and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

OLDEST = (3, 11)
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "tests/requirements.txt")


def is_current(folder: Path) -> bool:
    """Whether just what `folder`/requirements*.txt name is installed in `folder`/.venv, for this Python."""
    installed = folder / ".venv" / "installed.txt"
    return (
        (folder / ".venv/bin/python").exists()
        and installed.exists()
        and installed.read_text() == _fingerprint(folder)
    )


def main(folder: Path) -> None:
    """Install what `folder`/requirements*.txt name into `folder`/.venv, unless that is done already."""
    if sys.version_info < OLDEST:
        fail(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}. "
            "Name another one: make PYTHON=python3.13 ..."
        )
    if is_current(folder):
        return
    venv, installed = folder / ".venv", folder / ".venv" / "installed.txt"
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            fail(
                f"this Python has no module '{module}'. On Debian and Ubuntu: apt install python3-venv"
            )
    say("Making .venv ...")
    try:
        venv.mkdir(exist_ok=True)
        installed.write_text("unfinished")
    except OSError as error:
        fail(
            f"cannot write to {venv} ({error.strerror}). Make the folder writable, or work in another copy."
        )
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        fail("cannot make .venv: " + (made.stdout + made.stderr).strip().replace("\n", " "))
    say("Installing the requirements (a minute or so) ...")
    began = time.monotonic()
    pip_installs(["-r", str(folder / "requirements-dev.txt")], venv)
    pip_installs(["--no-deps", "-r", str(folder / "tests" / "requirements.txt")], venv)
    print(file=sys.stderr)
    installed.write_text(_fingerprint(folder))
    say(f"  done in {time.monotonic() - began:.0f} s")


def pip_installs(what: list[str], venv: Path) -> None:
    """Have pip install `what` into `venv`, a dot for each package; stop with its last words if it fails.

    Wheels with the hashes that `what` names, and nothing else: a source distribution would be built by packages that
    have no hash there.
    """
    pip = [
        str(venv / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
    ]
    pip += ["--require-hashes", "--only-binary", ":all:"]
    lines = []
    with subprocess.Popen(
        [*pip, *what], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith(("Collecting", "Installing")):
                print(".", end="", file=sys.stderr, flush=True)
    if process.returncode:
        say("\n" + "".join(lines[-15:]))
        fail(
            "pip could not install the requirements; its last lines are above. Is the package index reachable?"
        )


def _fingerprint(folder: Path) -> str:
    text = b"".join((folder / name).read_bytes() for name in REQUIREMENTS)
    # The scripts in a venv hold its path: a project that was moved needs a new one.
    return f"{hashlib.sha256(text).hexdigest()} {sys.version} {(folder / '.venv').resolve()}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fail(why: str) -> NoReturn:
    sys.exit(f"error: {why}")


if __name__ == "__main__":
    try:
        main(Path.cwd())
    except KeyboardInterrupt:
        fail("interrupted. Run it again to finish.")
