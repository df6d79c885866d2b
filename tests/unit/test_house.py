"""Who may import whom, and what importing costs and needs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib import errors, web

ROOT = Path(__file__).parents[2]

ALLOWED = {
    "app": {f"chalicelib.{name}" for name in ("web", "identity", "store", "schema", "settings")}
    | {"local.chalice_command"},
    "chalicelib.schema": {"chalicelib.profile", "chalicelib.errors"},
    "chalicelib.web": {"chalicelib.errors", "chalicelib.identity", "chalicelib.profile"},
    "chalicelib.identity": {"chalicelib.errors"},
    "chalicelib.store": {"chalicelib.items", "chalicelib.profile", "chalicelib.errors"},
    "chalicelib.items": {"chalicelib.profile"},
    "chalicelib.profile": {"chalicelib.errors"},
    "chalicelib.settings": set(),
    "chalicelib.errors": set(),
    "chalicelib": set(),
}
THIRD_PARTY = {
    "app": {"chalice"},
    "chalicelib.web": {"chalice"},
    "chalicelib.schema": {"jsonschema_rs"},
    "chalicelib.store": {"botocore"},
}
SOURCES = {"app": ROOT / "app.py", "chalicelib": ROOT / "chalicelib" / "__init__.py"} | {
    f"chalicelib.{path.stem}": path for path in (ROOT / "chalicelib").glob("*.py") if path.stem != "__init__"
}


def imports_of(path: Path) -> set[str]:
    """Everything that the module imports when it runs: what stands under TYPE_CHECKING does not."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {"chalicelib", "local"}
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module in inner else {node.module}
    return found


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_point_inwards(module: str) -> None:
    ours = {
        name for name in imports_of(SOURCES[module]) if name.split(".")[0] in ("app", "chalicelib", "local", "tests")
    }
    assert ours <= ALLOWED[module]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_third_party_packages_stay_at_the_edges(module: str) -> None:
    packages = {name.split(".")[0] for name in imports_of(SOURCES[module])}
    theirs = packages - {"app", "chalicelib", "local"} - set(sys.stdlib_module_names)
    assert theirs <= THIRD_PARTY.get(module, set())


@pytest.mark.parametrize(
    ("text", "home"),
    [("USER#", "items.py"), ("UpdateExpression", "store.py"), ("from http import", "web.py")],
)
def test_each_kind_of_knowledge_has_one_home(text: str, home: str) -> None:
    assert [path.name for path in (ROOT / "chalicelib").glob("*.py") if text in path.read_text()] == [home]


def test_the_service_is_read_in_a_sitting() -> None:
    """Docstrings and comments count; the formatter's blank lines do not (docs/decisions.md)."""
    lines = [line for path in SOURCES.values() for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < 860


def test_every_error_has_its_problem() -> None:
    def leaves(kind: type[errors.ProfileError]) -> set[type[errors.ProfileError]]:
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(leaves, below))

    assert set(web.PROBLEMS) == leaves(errors.ProfileError)


def test_importing_the_app_needs_no_settings_and_no_network_and_leaves_garbage_collection_on() -> None:
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('a connection was made')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import app\n"
        "assert not {'local', 'jsonschema_rs'} & set(__import__('sys').modules)\n"
        "import gc\n"
        "assert gc.isenabled() and gc.get_freeze_count()\n"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=bare, check=True)
