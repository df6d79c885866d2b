"""Build vendor/, the AWS SDK of the package: the pinned botocore with the data that the API needs.

Chalice copies vendor/ to the root of the package. Most of botocore is the data of services that
the API never calls. Without it, the package is smaller and a client is created faster.

Cognito's data is for the erasure of accounts. botocore reads it when such a client is created.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
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
USER_POOL_MODEL = DATA + "cognito-idp/2016-04-18/"
ENDPOINTS = DATA + "endpoints.json"
ENDPOINT_PREFIXES = ("dynamodb", "cognito-idp")
"""The names of the two services in endpoints.json."""
SERVICE = MODEL + "service-2.json.gz"
USER_POOL_SERVICE = USER_POOL_MODEL + "service-2.json.gz"
USER_POOL_OPERATIONS = ("ListUsers", "AdminDeleteUser")
"""The operations of Cognito that the API calls. The package's model has no others."""
COPIED_DATA = (
    DATA + "_retry.json",
    DATA + "partitions.json",
    DATA + "sdk-default-configuration.json",
    MODEL + "endpoint-rule-set-1.json.gz",
    MODEL + "paginators-1.json",
    MODEL + "waiters-2.json",
    USER_POOL_MODEL + "endpoint-rule-set-1.json.gz",
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
    if name in (ENDPOINTS, SERVICE, USER_POOL_SERVICE, *COPIED_DATA):
        return True
    is_license = "LICENSE" in name or "NOTICE" in name
    return is_license or name.endswith((".py", "cacert.pem"))


def _copy(source: Path, name: str) -> None:
    target = FOLDER / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if name == ENDPOINTS:
        target.write_text(_text(_reduced_endpoints(source)))
    elif name == SERVICE:
        target.with_suffix("").write_text(_text(_model(source)))
    elif name == USER_POOL_SERVICE:
        model = _with_operations(_model(source), USER_POOL_OPERATIONS)
        target.with_suffix("").write_text(_text(model))
    else:
        shutil.copyfile(source, target)


def _text(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def _reduced_endpoints(source: Path) -> Any:
    """Return endpoints.json with every partition and region, but only the API's two services."""
    endpoints: dict[str, Any] = json.loads(source.read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"].items()
        partition["services"] = {name: row for name, row in services if name in ENDPOINT_PREFIXES}
    return endpoints


def _model(source: Path) -> Any:
    """Return a service's model without its documentation, which is three quarters of it."""
    return _without_documentation(json.loads(gzip.decompress(source.read_bytes())))


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


def _with_operations(model: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a service's model with these operations, and the shapes and errors that they need."""
    operations = {name: model["operations"][name] for name in names}
    needed: set[str] = set()
    new = set(_shapes_named_in(operations))
    while new:
        needed |= new
        named = {name for shape in new for name in _shapes_named_in(model["shapes"][shape])}
        new = named - needed
    shapes = {name: shape for name, shape in model["shapes"].items() if name in needed}
    return {**model, "operations": operations, "shapes": shapes}


def _shapes_named_in(value: Any) -> Iterator[str]:
    """Yield the name of each shape to which a part of a model refers: {"shape": "StringType"}."""
    if isinstance(value, list):
        for element in value:
            yield from _shapes_named_in(element)
    elif isinstance(value, dict):
        for name, member in value.items():
            # A shape may have a member with this name. Its value is an object.
            if name == "shape" and isinstance(member, str):
                yield member
            else:
                yield from _shapes_named_in(member)
