"""Build vendor/, the AWS SDK that goes into the package: the pinned botocore with DynamoDB's data alone, compiled.

Chalice copies vendor/ to the root of the zip. On Lambda that is read-only, and the dates in a zip break Python's usual
check of compiled files: what arrives uncompiled is compiled again by every cold start. And most of botocore is the data
of services that are never called.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import chalice

FOLDER = Path("vendor")
PACKAGES = ("botocore", "jmespath", "python-dateutil", "six", "urllib3")
DATA = "botocore/data/"
ENDPOINTS = DATA + "endpoints.json"
MODEL = DATA + "dynamodb/2012-08-10/"
SERVICE = MODEL + "service-2.json.gz"
EXTRAS = {"shapes": {"AttributeValue": {"document": True}}}
"""Added to the service's model by botocore's own means for that (botocore.loaders, "sdk-extras"): attribute values are
JSON that goes through as it is, both ways. items.py makes and reads them; botocore need not take each apart before."""
WANTED_DATA = {
    ENDPOINTS,
    SERVICE,
    *(DATA + name for name in ("_retry.json", "partitions.json", "sdk-default-configuration.json")),
    *(
        MODEL + name
        for name in ("endpoint-rule-set-1.json.gz", "paginators-1.json", "waiters-2.json")
    ),
}


def build() -> bool:
    """Make vendor/ what the installed packages, this Python and this script say; False if it is so already."""
    stamp, wanted = (
        FOLDER / ".built",
        _fingerprint(),
    )  # it is packaged too, and tells what is in there
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    shutil.rmtree(FOLDER, ignore_errors=True)
    for source, name in _files():
        target = FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == ENDPOINTS:
            target.write_text(_endpoints(source))
        elif name == SERVICE:
            target.with_suffix("").write_text(_service(source))
        else:
            shutil.copyfile(source, target)
    (FOLDER / MODEL / "service-2.sdk-extras.json").write_text(
        json.dumps({"version": 1.0, "merge": EXTRAS})
    )
    # Unchecked: the source lies beside it and is not edited. In a process of its own and with fixed hashes: what a
    # compiled file holds depends on what else is in memory, and the same packages shall give the same bytes.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", FOLDER, FOLDER],
        env={"PYTHONHASHSEED": "0"}, check=True,
    )  # fmt: skip
    stamp.write_text(wanted)
    return True


def compile_own_code() -> None:
    """Compile app.py, chalicelib and what Chalice packages of itself, where Chalice's packager takes them along.

    Checked by the source's content: what is edited later is compiled again, here and on Lambda.
    """
    for stale in Path("chalicelib/__pycache__").glob("*.pyc"):
        stale.unlink()  # all that is in there is packaged
    own = [(Path("app.py"), FOLDER / "__pycache__")]
    own += [(path, Path("chalicelib/__pycache__")) for path in Path("chalicelib").glob("*.py")]
    own += [
        (Path(str(module.__file__)), FOLDER / "chalice/__pycache__")
        for module in (chalice, chalice.app)
    ]
    for source, folder in own:
        compiled = folder / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        shown = compiled.parent.with_name(source.name).as_posix().removeprefix(f"{FOLDER}/")
        py_compile.compile(
            str(source), str(compiled), shown, doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )  # fmt: skip


def _files() -> Iterator[tuple[Path, str]]:
    """What goes into vendor/: where it is installed, and its name there. Licenses come along."""
    for package in PACKAGES:
        found = distribution(package)
        for file in sorted(found.files or ()):
            name = file.as_posix()
            kept = (
                name.endswith((".py", "cacert.pem"))
                or "LICENSE" in name
                or "NOTICE" in name
                or name in WANTED_DATA
            )
            if kept and not name.startswith((".", "/")):
                yield Path(str(found.locate_file(file))), name


def _endpoints(source: Path) -> str:
    """endpoints.json with DynamoDB's rows alone: every partition and region, one service."""
    endpoints: dict[str, Any] = json.loads(source.read_bytes())
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: row for name, row in partition["services"].items() if name == "dynamodb"
        }
    return json.dumps(endpoints, separators=(",", ":"))


def _service(source: Path) -> str:
    """DynamoDB's model without its documentation: three quarters of what is read whenever a client is made."""

    def undocumented(value: Any) -> Any:
        if isinstance(value, dict):
            # A member of a shape may have that name as well; it is no text then.
            return {
                name: undocumented(member)
                for name, member in value.items()
                if name != "documentation" or not isinstance(member, str)
            }
        return [undocumented(element) for element in value] if isinstance(value, list) else value

    return json.dumps(
        undocumented(json.loads(gzip.decompress(source.read_bytes()))), separators=(",", ":")
    )


def _fingerprint() -> str:
    versions = [f"{package}=={distribution(package).version}" for package in PACKAGES]
    python = f"{sys.implementation.cache_tag} {importlib.util.MAGIC_NUMBER.hex()}"
    return (
        f"{' '.join(versions)} {python} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"
    )
