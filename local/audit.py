"""Ask the advisory database about everything that is pinned: python -m local.audit

pip-audit alone ends with a stack trace when it cannot reach the database, and well when the database knows none of the
packages, as with a mirror of the package index that has no advisories. Neither says that nothing is wrong.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PIP_AUDIT = (
    ".tools/bin/pip-audit",
    "--format=json",
    "--progress-spinner=off",
    "--disable-pip",
    "--require-hashes",
)
LOCKS = (
    "requirements-dev.txt", "tests/requirements.txt", "tests/fuzz/requirements.txt", "bench/requirements.txt",
    "requirements-tools.txt",
)  # fmt: skip


def main(pip_audit: Sequence[str] = PIP_AUDIT, locks: Sequence[str] = LOCKS) -> int:
    """Print what is known of the packages that this Python takes from each of `locks`.

    Returns the exit status: 0 for nothing known, 1 for a vulnerability, 2 where not every package could be asked about.
    """
    return max(audit([*pip_audit, "-r", lock], lock) for lock in locks)


def audit(command: Sequence[str], lock: str) -> int:
    """Print what `command` reports of one lock file, and return the exit status for it."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        print(
            f"{lock}: not audited. This needs the network, to reach the advisory database; it ended with: {last}"
        )
        return 2
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for advisory in package["vulns"]:
            fixed = ", ".join(advisory["fix_versions"]) or "none"
            print(
                f"{lock}: {package['name']} {package['version']} has {advisory['id']}; mended in: {fixed}"
            )
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        print(
            f"{lock}: {len(unknown)} of {len(packages)} packages not audited, {unknown[0]} the first. The index that "
            "answered has no advisories about them; a mirror may have none at all."
        )
    if not vulnerable and not unknown:
        print(f"{lock}: no known vulnerability in {len(packages)} packages")
    return 2 if unknown else 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
