"""A lock records digests of its input files, so that a change without `make lock` is detected."""

import hashlib
import re
from pathlib import Path


def header(root: Path, inputs: list[str]) -> str:
    """Return the comment at the start of a lock: the digests of its input files."""
    lines = [f"# {name} sha256:{digest(root / name)}\n" for name in inputs]
    return "# Written by `make lock`, from:\n" + "".join(lines)


def why_stale(root: Path, lock: Path) -> str | None:
    """Return the reason why the lock is outdated, or None if it is up to date."""
    inputs = re.findall(r"^# (\S+) sha256:(\w+)$", lock.read_text(), re.MULTILINE)
    if not inputs:
        return f"requirements/{lock.name} was not written by `make lock`"
    for name, recorded in inputs:
        if digest(root / name) != recorded:
            return f"{name} changed after requirements/{lock.name} was locked"
    return None


def digest(path: Path) -> str:
    """Return the SHA-256 of the requirements in a file, without comments and blank lines."""
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in path.read_text().splitlines()]
    requirements = [line for line in lines if line]
    return hashlib.sha256("\n".join(requirements).encode()).hexdigest()
