"""Where the commands of this machine find the local cloud: `.local/environment.json`, written by `make local`.

The stages for AWS keep such values in `.chalice/config.json`. The local cloud's differ on every machine (its user pool
gets a random id), so they stay out of version control.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

STAGE = "local"


def folder() -> Path:
    """The folder of the local cloud's state and records; LOCAL_STATE names another one, for tests."""
    return Path(os.environ.get("LOCAL_STATE", ".local")).absolute()


def for_endpoint(port: int) -> dict[str, str]:
    """The variables that make every AWS client talk to the emulator on `port`."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def enter(variables: dict[str, str]) -> None:
    """Set `variables` for this process, and drop every other AWS setting that the shell may have: each could lead
    elsewhere."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CHALICE_CLI_MODE":
            del os.environ[name]
    os.environ.update(variables)


def record(variables: dict[str, str]) -> None:
    """Write `variables` for the commands that come later."""
    (folder() / "environment.json").write_text(json.dumps(variables, indent=2) + "\n")


def load() -> bool:
    """Enter the recorded environment. False where none is recorded: `make local` never ran here."""
    try:
        text = (folder() / "environment.json").read_text()
    except FileNotFoundError:
        return False
    enter(json.loads(text))
    return True


def load_if_local() -> None:
    """For a `chalice` command with `--stage local`, marked in .chalice/config.json: enter what is recorded."""
    if "USE_LOCAL_CLOUD" in os.environ and not load():
        print("There is no local cloud yet: run `make local` (or `make cloud`) first.", flush=True)
