"""Install a lock, unless it is installed already: python3 -m requirements.install run|develop|tools

It runs on a Python without any packages. It prints to standard error only, because
`make -s token` must print a token and nothing else.
"""

import hashlib
import platform
import subprocess
import sys
from pathlib import Path

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


def install(lock: Path, environment: Path) -> None:
    """Install the lock, into a new virtual environment if there is no usable one."""
    # The scripts in an environment contain its path, so a moved project needs a new one.
    python_line = f"Python {platform.python_version()} in {environment.resolve()}"
    lock_line = f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    stamp = environment / "installed.txt"
    installed = []
    if stamp.exists() and (environment / "bin" / "python").exists():
        installed = stamp.read_text().splitlines()
    if python_line in installed and lock_line in installed:
        return
    if environment.is_symlink():  # as in the tests' copies: another project owns it
        sys.exit(
            f"error: {environment} links to an environment without the packages of this lock, or "
            "for another Python. Run make in the project it belongs to, or remove the link."
        )
    if python_line not in installed:
        make_environment(environment)
        installed = [python_line]
    stamp.unlink(missing_ok=True)  # so that an interrupted installation is repeated
    run_pip(environment, lock)
    others = [line for line in installed if not line.startswith(f"{lock.name} ")]
    stamp.write_text("\n".join([*others, lock_line, ""]))


def make_environment(environment: Path) -> None:
    """Make an empty virtual environment. An existing one is deleted."""
    print(f"Making {environment.name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(environment)]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        sys.exit(
            f"error: could not make {environment}; the reason is above. If the module venv or "
            "ensurepip is missing on Debian or Ubuntu: apt install python3-venv"
        )


def run_pip(environment: Path, lock: Path) -> None:
    print(f"Installing requirements/{lock.name} ...", file=sys.stderr, flush=True)
    command = [f"{environment}/bin/python", *PIP_INSTALL, *EXACTLY, *FAST, "-r", str(lock)]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        sys.exit(
            f"error: pip could not install requirements/{lock.name}; its message is above. If it "
            "could not connect, check the network and pip's configuration (pip config list)."
        )


if __name__ == "__main__":
    wanted = ROOT / "requirements" / f"{sys.argv[1]}.txt"
    reason = why_stale(ROOT, wanted)
    if reason is not None:
        sys.exit(f"error: {reason}. Run: make lock")
    try:
        install(wanted, TOOLS if wanted.name == "tools.txt" else VENV)
    except KeyboardInterrupt:
        sys.exit("error: interrupted. Run the same command again to finish.")
