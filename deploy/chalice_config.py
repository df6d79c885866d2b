"""What .chalice/config.json says of a stage, and what the backend writes into it: its `environment_variables`, and
nothing else, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.stacks import DeploymentError

FILE = Path(".chalice/config.json")
SPACE = re.compile(r"\s*")


def environment(stage: str) -> dict[str, str]:
    """The stage's environment variables, those of all stages included. Raises DeploymentError for an unknown stage."""
    config = _read()
    if stage not in config["stages"]:
        known = ", ".join(sorted(config["stages"]))
        raise DeploymentError(
            f"there is no stage {stage!r} in {FILE}, which has {known}. To make one, copy dev's and policy-dev.json."
        )
    return {
        **config.get("environment_variables", {}),
        **config["stages"][stage].get("environment_variables", {}),
    }


def policy(stage: str) -> str:
    """The text of the stage's policy file. Raises DeploymentError where there is none."""
    file = FILE.with_name(_read()["stages"][stage].get("iam_policy_file", f"policy-{stage}.json"))
    try:
        return file.read_text()
    except OSError as error:
        raise DeploymentError(
            f"the stage {stage} has no {file}. Copy policy-dev.json, with {stage} in it."
        ) from error


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
    indent = text[text.rfind("\n", 0, begin) + 1 : begin]
    indent = indent[: len(indent) - len(indent.lstrip(" \t"))]
    newline = "\r\n" if "\r\n" in text else "\n"
    written = json.dumps(after, indent="\t" if "\t" in indent else 2, ensure_ascii=text.isascii())
    changed = FILE.with_suffix(".tmp")
    changed.write_bytes(
        (text[:begin] + written.replace("\n", newline + indent) + text[end:]).encode()
    )
    changed.replace(FILE)
    return True


def sharing(stage: str) -> list[str]:
    """The other stages that record the same table as `stage`."""
    table = environment(stage).get("DYNAMODB_TABLE")
    return [
        name
        for name in _read()["stages"]
        if name != stage and environment(name).get("DYNAMODB_TABLE") == table
    ]


def _read() -> dict[str, Any]:
    config: dict[str, Any]
    try:
        config = json.loads(FILE.read_bytes().decode(), object_pairs_hook=_without_duplicates)
    except (OSError, ValueError) as error:
        raise DeploymentError(f"cannot read {FILE}: {error}") from error
    stages = config.get("stages") if isinstance(config, dict) else None
    if not isinstance(stages, dict) or not all(
        isinstance(part, dict) and isinstance(part.get("environment_variables", {}), dict)
        for part in (config, *stages.values())
    ):
        raise DeploymentError(
            f'{FILE} is not what Chalice reads: "stages", and what is in it, must be objects.'
        )
    return config


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"a name stands twice in one object, among {', '.join(members)}")
    return members


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
    raise DeploymentError(
        f'there is no "{name}" where {FILE} should have one. Add "{name}": {{}} there.'
    )


def _after_space(text: str, position: int) -> int:
    match = SPACE.match(text, position)
    return match.end() if match else position
