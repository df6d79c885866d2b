"""Compiled files (.pyc) for the package, so that a cold start compiles nothing.

By default, Python checks a compiled file by its source's date, which a zip does not keep. On Lambda
the package's folder is read-only, so every cold start would compile the sources again. The files
made here are checked by the source's hash, or not at all (PEP 552).
"""

from __future__ import annotations

import py_compile
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chalice

APP = Path("app.py")
CHALICELIB = Path("chalicelib")


def compile_folder(folder: Path) -> None:
    """Compile all sources below `folder`. Python never checks these files: nobody edits them."""
    # The same sources must give the same bytes. The bytes depend on other objects in memory and on
    # the order of sets, so the compiler runs in its own process with fixed hashes.
    options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "compileall", *options, str(folder)],
        env={"PYTHONHASHSEED": "0"},
        check=True,
    )


@dataclass(frozen=True)
class _Source:
    """A source, the folder for its compiled file, and its path as tracebacks show it."""

    path: Path
    cache: Path
    shown_as: str


def compile_own_code(vendor: Path) -> None:
    """Compile app.py, chalicelib and Chalice's runtime into folders that Chalice packages.

    `vendor` is the folder whose content goes to the root of the package. The compiled files are
    checked by the source's hash: an edited source is compiled again, here and on Lambda.
    """
    _delete_stale_files()
    for source in _own_sources(vendor):
        name = f"{source.path.stem}.{sys.implementation.cache_tag}.pyc"
        py_compile.compile(
            str(source.path),
            cfile=str(source.cache / name),
            dfile=source.shown_as,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )


def _own_sources(vendor: Path) -> Iterator[_Source]:
    yield _Source(APP, vendor / "__pycache__", APP.name)
    for path in CHALICELIB.glob("*.py"):
        yield _Source(path, CHALICELIB / "__pycache__", f"chalicelib/{path.name}")
    # Chalice packages these two of its modules.
    for module in (chalice, chalice.app):
        path = Path(str(module.__file__))
        yield _Source(path, vendor / "chalice" / "__pycache__", f"chalice/{path.name}")


def _delete_stale_files() -> None:
    """Delete compiled files without a source: Chalice packages everything in chalicelib."""
    for stale in (CHALICELIB / "__pycache__").glob("*.pyc"):
        stale.unlink()
