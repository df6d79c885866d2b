"""An optional JSON Schema (draft 2020-12) that profile data must conform to, in a file beside this one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NoReturn

from chalicelib.errors import InvalidProfile
from chalicelib.profile import JSON, MAX_VIOLATIONS, check_profile_data, violation_at

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def profile_check(file_name: str) -> Callable[[JSON], JSON]:
    """What refuses data that may not be stored: DynamoDB's limits, and the schema in chalicelib/`file_name` unless "".

    A schema that is itself wrong ends the process with a line that says so: `chalice package` and `make local` stop,
    and a function does not start. Formats are asserted; no $ref leads out of the file, but to the drafts' own.
    """
    if not file_name:
        return check_profile_data
    try:
        import jsonschema_rs  # noqa: PLC0415 - a third of a cold start, for who has a schema

        schema = json.loads(Path(__file__).with_name(file_name).read_text("utf-8"))
        if schema.get("$schema", DRAFT) != DRAFT:
            raise ValueError(f'"$schema" must be "{DRAFT}"')
        validator = jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, retriever=_refuse, mask="This value"
        )
    except (ImportError, OSError, ValueError, RecursionError) as error:
        hint = " Add jsonschema-rs to requirements.txt." if isinstance(error, ImportError) else ""
        why = str(error).partition("\n")[0]
        sys.stderr.write(f"error: PROFILE_SCHEMA, chalicelib/{file_name}: {why}.{hint}\n")
        sys.exit(1)

    def check(data: JSON) -> JSON:
        check_profile_data(data)
        errors = islice(validator.iter_errors(data), MAX_VIOLATIONS)
        if found := [violation_at(error.instance_path, error.message[:500]) for error in errors]:
            raise InvalidProfile(found)
        return data

    return check


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not in this file")
