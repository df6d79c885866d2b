"""Rules for imports, for the place of each kind of knowledge, and for importing app.py."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attributes import ATTRIBUTES
from tests.support.commands import output_of

ROOT = Path(__file__).parents[2]
SERVICE = [ROOT / "app.py", *sorted((ROOT / "chalicelib").glob("*.py"))]

LAYERS = [
    ["app"],
    ["http"],
    ["responses"],
    ["public_profiles", "erasure"],
    ["markers"],
    ["store", "user_pool"],
    ["dynamodb", "conditions", "deadline", "problems", "schema"],
    ["settings"],
    ["items", "json_text", "paging", "schema_messages"],
    ["metadata"],
    ["profile", "preconditions", "identity", "startup"],
    ["errors"],
]
"""Modules of the service from the outside in. A module imports only from layers further in."""

THIRD_PARTY = {
    "app": {"chalice"},
    "http": {"chalice"},
    "responses": {"chalice"},
    "dynamodb": {"botocore"},
    "user_pool": {"botocore"},
    "schema": {"jsonschema_rs"},
}
"""Third-party packages, and the only modules that import them."""

HOMES = [
    ("USER#", ["items.py"]),
    ("ConditionExpression", ["markers.py", "store.py"]),
    ("attribute_not_exists", ["conditions.py"]),
    ("ProvisionedThroughputExceededException", ["dynamodb.py"]),
    ("TooManyRequestsException", ["user_pool.py"]),
    ("urn:problem-type", ["problems.py"]),
]

RESPONSE_WRITERS = ("_profile_members", "_times", "_listed_user", "_public_members")
"""The functions of responses.py that name the members of a response."""
WORD = re.compile(r"(?<![:\w])\w+")
"""A word, but not the name of a value in an expression, such as :revision."""


def layer_of(module: str) -> int:
    for number, modules in enumerate(LAYERS):
        if module in modules:
            return number
    pytest.fail(f"Add {module} to LAYERS in {Path(__file__).name}, below its importers.")


def runtime_imports(path: Path) -> Iterator[str]:
    """The full names that a module imports when it runs; not those under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: path.stem)
def test_the_service_imports_only_further_in(path: Path) -> None:
    if path.stem == "__init__":
        assert not list(runtime_imports(path))
        return
    for name in runtime_imports(path):
        package, _, module = name.partition(".")
        if package == "chalicelib":
            imported = module.partition(".")[0]
            assert layer_of(imported) > layer_of(path.stem), f"{path.stem} imports {imported}"


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: path.stem)
def test_other_packages_are_imported_only_at_the_edges(path: Path) -> None:
    packages = {name.partition(".")[0] for name in runtime_imports(path)}
    others = packages - {"chalicelib"} - set(sys.stdlib_module_names)
    if path.stem == "app":
        others -= {"local"}  # under the chalice command only: see test_startup.py
    unexpected = others - THIRD_PARTY.get(path.stem, set())
    assert not unexpected, (
        f"{path.name} imports {unexpected}. If that is intended, add it to THIRD_PARTY in "
        f"{Path(__file__).name}."
    )


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("chalicelib", {"app", "deploy", "local", "tests", "bench"}),
        ("deploy", {"app", "local", "tests", "bench"}),
        ("local", {"tests", "bench"}),
        ("tests", {"bench", "docs"}),
        ("docs", {"bench"}),
        ("requirements", {"app", "chalicelib", "deploy", "local", "tests", "bench", "docs"}),
    ],
)
def test_folders_do_not_import_their_users(folder: str, forbidden: set[str]) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        packages = {name.partition(".")[0] for name in runtime_imports(path)}
        assert not packages & forbidden, path.relative_to(ROOT)


@pytest.mark.parametrize(("text", "home"), HOMES)
def test_each_kind_of_knowledge_has_its_home(text: str, home: list[str]) -> None:
    found = [path.name for path in SERVICE if text in path.read_text()]
    assert found == home, f"only {' and '.join(home)} may contain {text}: call a function there"


def test_only_the_http_layer_knows_status_codes() -> None:
    found = [path.name for path in SERVICE if names_a_status(path)]
    assert found == ["http.py", "problems.py", "responses.py"], (
        "raise an error of errors.py instead"
    )


def names_a_status(path: Path) -> bool:
    """Whether a module uses http.HTTPStatus, or creates a Response with a number as its status."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.alias) and node.name == "HTTPStatus":
            return True
        if isinstance(node, ast.Attribute) and node.attr == "HTTPStatus":
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Response"):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(is_number(argument) for argument in arguments):
                return True
    return False


def is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: path.stem)
def test_only_items_knows_the_names_of_attributes(path: Path) -> None:
    """The members of a response have some of these names too, whatever the table calls them."""
    if path.name in ("items.py", "metadata.py"):  # metadata.py names members, as responses do
        return
    tree = ast.parse(path.read_text())
    if path.name == "responses.py":
        tree.body = [node for node in tree.body if not is_function(node, RESPONSE_WRITERS)]
    for text in texts_in(tree):
        names = set(ATTRIBUTES).intersection(WORD.findall(text))
        assert not names, f"{path.name} contains {text!r}: use a constant of items.py"


def is_function(node: ast.stmt, names: tuple[str, ...]) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name in names


def texts_in(tree: ast.Module) -> Iterator[str]:
    """The texts that a module uses: its string literals, without docstrings."""
    docstrings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.value


def test_importing_the_app_needs_no_settings_and_no_network() -> None:
    bare_shell = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('a connection was made')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import app, sys\n"
        "assert not {'local', 'deploy', 'jsonschema_rs', 'boto3'} & set(sys.modules)\n"
    )
    output_of([sys.executable, "-c", code], bare_shell)
