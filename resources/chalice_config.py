"""What .chalice/config.json says of a stage, and what the backend writes into it: its `environment_variables`, and
nothing else, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.stacks import DeploymentError

FILE = Path(".chalice/config.json")
SPACE = re.compile(r"\s*")


def environment(stage: str) -> dict[str, str]:
    """The stage's environment variables, those of all stages included. Raises DeploymentError for an unknown stage."""
    config = _read()
    if stage not in config.get("stages", {}):
        known = ", ".join(sorted(config.get("stages", {})))
        raise DeploymentError(
            f"there is no stage {stage!r} in {FILE}, which has {known}. To make one, copy dev's and policy-dev.json."
        )
    return {**config.get("environment_variables", {}), **config["stages"][stage].get("environment_variables", {})}


def change_environment(stage: str, change: Mapping[str, str | None]) -> bool:
    """Set the variables in `change` for `stage`, None removing one; False if they were so already.

    Raises DeploymentError where there is no such stage, or it has no environment_variables.
    """
    environment(stage)
    text = FILE.read_bytes().decode()
    begin, end = 0, len(text)
    for name in ("stages", stage, "environment_variables"):
        begin, end = _member(text, begin, name)
    before: dict[str, str] = json.loads(text[begin:end])
    after = {name: value for name, value in {**before, **change}.items() if value is not None}
    if after == before:
        return False
    indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, begin) + 1 :])
    written = json.dumps(after, indent=2, ensure_ascii=False).replace("\n", "\n" + (indent.group() if indent else ""))
    FILE.write_bytes((text[:begin] + written + text[end:]).encode())
    return True


def _read() -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(FILE.read_bytes())
    except (OSError, ValueError) as error:
        raise DeploymentError(f"cannot read {FILE}: {error}") from error
    return config


def _member(text: str, position: int, name: str) -> tuple[int, int]:
    """Where the value of the member `name` begins and ends, of the object that stands at `position` of a JSON text."""
    decoder = json.JSONDecoder()
    position = _after_space(text, _after_space(text, position) + 1)
    while text[position] != "}":
        key, position = decoder.raw_decode(text, position)
        begin = _after_space(text, _after_space(text, position) + 1)  # the colon is between
        _, end = decoder.raw_decode(text, begin)
        if key == name:
            return begin, end
        position = _after_space(text, end)
        position = _after_space(text, position + 1) if text[position] == "," else position
    raise DeploymentError(f'there is no "{name}" where {FILE} should have one. Add "{name}": {{}} there.')


def _after_space(text: str, position: int) -> int:
    match = SPACE.match(text, position)
    return match.end() if match else position
