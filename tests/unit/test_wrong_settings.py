"""A wrong setting stops packaging and `chalice local`, and a misspelled one causes a warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clone import ROOT, record_backend, reset_stages
from tests.support.project import copy_project


def run_chalice(
    project: Path, command: list[str], **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a `chalice` command in a new copy of the project, whose stage dev has `variables`."""
    copy_project(ROOT, project)
    reset_stages(project)
    (project / "chalicelib" / "wrong.json").write_text('{"type": "nonsense"}')
    backend = {
        "DYNAMODB_TABLE": "user-profile-dev",
        "USER_POOL_ARN": "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_x",
    }
    record_backend(project, "dev", backend | variables)
    with (project / "requirements.txt").open("a") as requirements:
        requirements.write("jsonschema-rs==0.60.3\n")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    chalice = Path(sys.executable).with_name("chalice")
    return subprocess.run(
        [chalice, command[0], "--stage", "dev", *command[1:]],
        cwd=project,
        env=bare | {"AWS_DEFAULT_REGION": "us-east-1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "command", [["package", "out"], ["local", "--no-autoreload", "--port", "0"]]
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROFILE_SCHEMA", "wrong.json"),
        ("MAX_PROFILE_BYTES", "64k"),
        ("MAX_PROFILE_BYTES", "409301"),
        ("REQUIRE_PRECONDITIONS", "yes"),
        ("CORS_ALLOW_ORIGIN", "https://app.example.com/"),
        ("CORS_ALLOW_HEADERS", "trace parent"),
        ("PUBLIC_FIELDS", ",".join(f"field{number}" for number in range(51))),
    ],
)
def test_chalice_commands_stop_at_a_wrong_setting(
    tmp_path: Path, command: list[str], name: str, value: str
) -> None:
    project = tmp_path / "user-profile"
    done = run_chalice(project, command, **{name: value})
    assert done.returncode != 0
    assert f"error: {name}: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "out").exists()


def test_packaging_warns_of_a_misspelled_setting(tmp_path: Path) -> None:
    """The wrong value of another setting ends this packaging early."""
    variables = {"MAX_PROFILE_BYTE": "9", "REQUIRE_PRECONDITIONS": "yes"}
    done = run_chalice(tmp_path / "user-profile", ["package", "out"], **variables)
    assert "Warning: MAX_PROFILE_BYTE in .chalice/config.json" in done.stderr
    assert "error: REQUIRE_PRECONDITIONS" in done.stderr
