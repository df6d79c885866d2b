"""README.md and docs/: a test runs each example, and named commands and files exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import Session

from deploy import api_parameters, backend, backend_parameters, packaging
from deploy.smoke_checks import CHECKS
from tests.support.documents import (
    DOCS,
    DOCUMENTS,
    README,
    ROOT,
    blocks,
    code_in,
    commands,
    names_in_table,
)

SETTINGS = DOCS / "settings.md"

RUN_BY = {
    ("README.md", "User Profile Service"): "tests/local/test_commands.py",
    ("README.md", "Run it"): "tests/local/test_commands.py",
    ("README.md", "Deploy it"): "tests/deployed/test_commands.py",
    ("README.md", "Use it from your app"): "tests/browser/test_readme.py",
    ("clients.md", "JavaScript"): "tests/browser/test_clients.py",
    ("clients.md", "AWS Amplify"): "tests/browser/test_clients.py",
    ("clients.md", "curl"): "tests/browser/test_clients.py",
    ("clients.md", "Types"): "tests/types/test_types.py",
    ("deploying.md", "Deploy a stage"): "tests/deployed/test_commands.py",
    ("deploying.md", "Check the deployment"): "tests/deployed/test_commands.py",
    ("deploying.md", "Use your own user pool"): "tests/deployed/test_documented.py",
    ("deploying.md", "Use your own table"): "tests/deployed/test_documented.py",
    ("deploying.md", "Share an account"): "tests/deployed/test_documented.py",
    ("deploying.md", "Deploying with chalice deploy"): "tests/deployed/test_chalice_deploy.py",
    ("settings.md", "Settings of the user pool"): "tests/deployed/test_documented.py",
    ("settings.md", "Settings of the API"): "tests/deployed/test_documented.py",
    ("local.md", "Parts and addresses"): "tests/local/test_commands.py",
    ("local.md", "Users and tokens"): "tests/local/test_commands.py",
    ("local.md", "A front end of your own"): "tests/local/test_commands.py",
    ("local.md", "Reading users"): "tests/local/test_commands.py",
    ("local.md", "Working on the API"): "tests/local/test_commands.py",
    ("local.md", "Using a deployed stage"): "tests/deployed/test_commands.py",
    ("operating.md", "Export and import"): "tests/operators/test_documented.py",
    ("operating.md", "Erase an account"): "tests/operators/test_documented.py",
    ("operating.md", "Orphans"): "tests/operators/test_documented.py",
    ("operating.md", "Logs"): "tests/deployed/test_commands.py",
    ("operating.md", "Find and read users"): "tests/deployed/test_commands.py",
    ("operating.md", "Write metadata from a back end"): "tests/deployed/test_users.py",
    ("operating.md", "Call the API with curl"): "tests/api/test_signatures.py",
    ("operating.md", "Call the API with JavaScript"): "tests/api/test_signatures.py",
    ("operating.md", "Restoring and rotating"): "tests/unit/test_documents.py",
    ("page.md", "With a deployed stage"): "tests/deployed/test_commands.py",
    ("development.md", "Tests"): "tests/unit/test_ci.py",  # `make test` runs this
    ("development.md", "Dependencies"): "tests/local/test_install.py",
}
"""The test of the `sh` and `js` blocks below each heading."""

MAKE_COMMAND = re.compile(r"\bmake (?:-s )?(?P<target>[a-z-]+)(?P<variables>(?: [A-Z_]+=\S+)*)")
TARGET_WITH_HELP = re.compile(
    r"^(?P<target>[a-z-]+):[^#\n]*## (?P<help>.*(?:\n##\+.*)*)$", re.MULTILINE
)
TARGETS = dict(TARGET_WITH_HELP.findall((ROOT / "Makefile").read_text()))
"""The targets of the Makefile, and the help of each, which names its variables."""

PATH_IN_PROJECT = re.compile(
    r"(?<![\w/.$>-])(?:\.chalice|\.github|bench|chalicelib|deploy|docs|local|requirements|resources"
    r"|tests|web)/[\w./-]*\w"
)
COMMANDS_OF_THE_CLI_ALONE = {("cloudformation", "deploy"), ("configure", "export-credentials")}
"""Commands that the AWS CLI adds to the operations of a service."""
NEW_FILES = {
    "tests/unit/test_rules.py",
    ".chalice/policy-dev.json",
    ".github/workflows/deploy.yml",
}
"""Files that a reader creates, or that a command creates to be committed."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_each_example_of_a_document_is_run_by_a_test(document: Path) -> None:
    for block in blocks(document):
        if block.language in {"sh", "js"}:
            test = RUN_BY.get((document.name, block.heading))
            assert test is not None, (
                f'write a test that runs the example below "{block.heading}", and name it in '
                f"RUN_BY in {Path(__file__).name}"
            )
            assert (ROOT / test).exists(), f"RUN_BY names {test}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_each_make_command_has_a_target_and_its_variables(document: Path) -> None:
    for command in MAKE_COMMAND.finditer(code_in(document)):
        target = command["target"]
        assert target in TARGETS, f"the Makefile has no target for `{command[0]}`"
        for variable in re.findall(r"([A-Z_]+)=", command["variables"]):
            assert variable in TARGETS[target], f"`make help` lists no {variable} for {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_each_path_in_a_document_exists(document: Path) -> None:
    for path in PATH_IN_PROJECT.findall(code_in(document)):
        if path not in NEW_FILES and not (ROOT / path).exists():
            assert is_generated(path), f"there is no {path}"


def is_generated(path: str) -> bool:
    """Whether git ignores a path: a command of the project creates it."""
    done = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
    return done.returncode == 0


def test_the_readme_deploys_with_the_commands_of_deploying_md() -> None:
    """tests/deployed runs those of deploying.md."""
    guide = DOCS / "deploying.md"
    in_guide = commands(guide, "Deploy a stage") + commands(guide, "Check the deployment")
    assert commands(README, "Deploy it") == in_guide


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_aws_commands_have_an_operation_and_its_parameters(document: Path) -> None:
    """The AWS CLI derives its commands from botocore's models."""
    for command in aws_commands(document):
        _, service, subcommand, *arguments = shlex.split(command)
        if (service, subcommand) in COMMANDS_OF_THE_CLI_ALONE:
            continue
        model = Session().get_service_model(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        parameters = model.operation_model(operations[subcommand]).input_shape
        assert parameters is not None
        options = {argument for argument in arguments if argument.startswith("--")}
        assert options <= {f"--{xform_name(name, '-')}" for name in parameters.members}


def aws_commands(document: Path) -> list[str]:
    """The commands of the AWS CLI in a document's blocks and code spans that have options."""
    text = [code_in(document)]
    text += [block.text for block in blocks(document) if block.language == "text"]
    lines = "\n".join(text).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if re.match(r" *aws .* --", line)]


def test_the_guide_lists_each_module_of_the_service() -> None:
    listed = re.findall(r"^\| `(\w+\.py)` \|", (DOCS / "development.md").read_text(), re.MULTILINE)
    modules = [path.name for path in (ROOT / "chalicelib").glob("*.py")]
    assert sorted([*listed, "__init__.py"]) == sorted(modules), (
        "list each module of chalicelib/ once, below Layout in docs/development.md"
    )


def test_the_guide_lists_the_parameters_of_the_user_pool() -> None:
    settable = set(backend.template()["Parameters"]) - backend_parameters.DERIVED
    assert set(names_in_table(SETTINGS, "Settings of the user pool")) == settable


def test_the_guide_lists_the_parameters_of_the_api() -> None:
    declared = set(json.loads(packaging.TEMPLATE.read_text())["Parameters"])
    options = {"PermissionsBoundary"}  # in the table of the options of `make deploy`
    settable = declared - api_parameters.NOT_SETTABLE - options
    profiles = {"ProfilesThrottleRate", "ProfilesThrottleBurst"}  # declared with PUBLIC_FIELDS
    assert set(names_in_table(SETTINGS, "Settings of the API")) == settable | profiles


def test_the_guide_lists_the_checks_of_make_smoke() -> None:
    assert names_in_table(DOCS / "aws-checks.md", "Shown by make smoke", column=1) == list(CHECKS)
