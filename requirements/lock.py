"""Write the locks from requirements.txt and the .in files: python3 -m requirements.lock [OPTION]...

The options are those of `uv pip compile`, such as `--upgrade` or `-P boto3`. Without options, a
pinned version stays as long as it fits the .in files.
"""

import subprocess
import sys

from requirements.install import OLDEST_PYTHON, ROOT, VENV, install, one_at_a_time
from requirements.sources import header

INPUTS = {
    "run": ["requirements.txt", "requirements/run.in"],
    "develop": ["requirements.txt", "requirements/run.in", "requirements/develop.in"],
    "tools": ["requirements/tools.in"],
}
"""Each lock and its input files."""
COMPILE = ("pip", "compile", "--quiet", "--no-header", "--generate-hashes")
# One lock for every supported Python and operating system.
EVERYWHERE = ("--universal", "--python-version", f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}")


def write_lock(name: str, options: list[str]) -> None:
    """Write requirements/`name`.txt. `options` are added to those of `uv pip compile`."""
    files = [f"requirements/{name}.in", "--output-file", f"requirements/{name}.txt"]
    command = [f"{VENV}/bin/uv", *COMPILE, *EVERYWHERE, *options, *files]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(f"error: uv could not write requirements/{name}.txt; its message is above.")
    lock = ROOT / "requirements" / f"{name}.txt"
    lock.write_text(header(ROOT, INPUTS[name]) + lock.read_text())


if __name__ == "__main__":
    try:
        with one_at_a_time() as mutex:
            # Even if the lock is stale: it contains uv.
            install(ROOT / "requirements" / "develop.txt", VENV, mutex, is_python_given=False)
            for lock_name in INPUTS:
                write_lock(lock_name, sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("error: interrupted. Run `make lock` again: some locks may be old.")
