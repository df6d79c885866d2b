"""Build vendor/, the AWS SDK of the package: the pinned botocore with DynamoDB's data only.

Chalice copies vendor/ to the root of the package. Most of botocore is the data of services that
the API never calls. Without it, the package is smaller and a client is created faster.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from deploy import bytecode

FOLDER = Path("vendor")
STAMP = FOLDER / ".built"
"""Records the versions from which vendor/ was built. It is packaged too."""
PACKAGES = ("botocore", "jmespath", "python-dateutil", "six", "urllib3")

DATA = "botocore/data/"
MODEL = DATA + "dynamodb/2012-08-10/"
ENDPOINTS = DATA + "endpoints.json"
SERVICE = MODEL + "service-2.json.gz"
COPIED_DATA = (
    DATA + "_retry.json",
    DATA + "partitions.json",
    DATA + "sdk-default-configuration.json",
    MODEL + "endpoint-rule-set-1.json.gz",
    MODEL + "paginators-1.json",
    MODEL + "waiters-2.json",
)
EXTRAS = {"shapes": {"AttributeValue": {"document": True}}}
"""Additions to the service's model, in botocore's own format ("sdk-extras" in botocore.loaders).

Attribute values pass unchanged in both directions: items.py writes and reads them, so botocore does
not need to convert each of them.
"""


def build() -> bool:
    """Build vendor/ from the installed packages. Return False if it is up to date."""
    fingerprint = _fingerprint()
    if STAMP.exists() and STAMP.read_text() == fingerprint:
        return False
    shutil.rmtree(FOLDER, ignore_errors=True)
    for source, name in _files():
        _copy(source, name)
    extras = FOLDER / MODEL / "service-2.sdk-extras.json"
    extras.write_text(json.dumps({"version": 1.0, "merge": EXTRAS}))
    bytecode.compile_folder(FOLDER)
    STAMP.write_text(fingerprint)
    return True


def _fingerprint() -> str:
    """Identify the sources of vendor/: packages, Python and this code."""
    versions = [f"{package}=={distribution(package).version}" for package in PACKAGES]
    python = f"{sys.implementation.cache_tag} {importlib.util.MAGIC_NUMBER.hex()}"
    own_code = hashlib.sha256()
    for file in (Path(__file__), Path(bytecode.__file__)):
        own_code.update(file.read_bytes())
    return f"{' '.join(versions)} {python} {own_code.hexdigest()}"


def _files() -> Iterator[tuple[Path, str]]:
    """Yield each wanted file of PACKAGES: where it is installed, and its name in vendor/."""
    for package in PACKAGES:
        installed = distribution(package)
        for file in sorted(installed.files or ()):
            name = file.as_posix()
            if _is_wanted(name):
                yield Path(str(installed.locate_file(file))), name


def _is_wanted(name: str) -> bool:
    if name.startswith((".", "/")):
        return False  # installed outside the packages' folder, such as a command
    if name in (ENDPOINTS, SERVICE, *COPIED_DATA):
        return True
    is_license = "LICENSE" in name or "NOTICE" in name
    return is_license or name.endswith((".py", "cacert.pem"))


def _copy(source: Path, name: str) -> None:
    target = FOLDER / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if name == ENDPOINTS:
        target.write_text(_reduced_endpoints(source))
    elif name == SERVICE:
        target.with_suffix("").write_text(_reduced_service(source))
    else:
        shutil.copyfile(source, target)


def _reduced_endpoints(source: Path) -> str:
    """Return endpoints.json with every partition and region, but DynamoDB as the only service."""
    endpoints: dict[str, Any] = json.loads(source.read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"].items()
        partition["services"] = {name: row for name, row in services if name == "dynamodb"}
    return json.dumps(endpoints, separators=(",", ":"))


def _reduced_service(source: Path) -> str:
    """Return DynamoDB's model without its documentation, which is three quarters of it."""
    model = json.loads(gzip.decompress(source.read_bytes()))
    return json.dumps(_without_documentation(model), separators=(",", ":"))


def _without_documentation(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_documentation(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_documentation(member)
        for name, member in value.items()
        # A shape may have a member with this name. Its value is an object.
        if name != "documentation" or not isinstance(member, str)
    }
