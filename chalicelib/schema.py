"""An optional JSON Schema (draft 2020-12) for profile data, in a file in this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from chalicelib.errors import InvalidProfile
from chalicelib.profile import JSON, MAX_VIOLATIONS, ProfileCheck, check_profile_data, violation_at
from chalicelib.schema_messages import violations_of
from chalicelib.settings import InvalidSetting

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TYPES = "array, boolean, integer, null, number, object, string"
FOLDER = Path(__file__).parent


def profile_check(file_name: str, folder: Path = FOLDER) -> ProfileCheck:
    """A function that checks profile data: DynamoDB's limits and, unless `file_name` is "", the
    schema in that file of `folder`.

    `format` is checked. A `$ref` that leads out of the file is an error, unless it names a
    meta-schema of JSON Schema itself. Raises InvalidSetting if the schema has an error.
    """
    if not file_name:
        return check_profile_data
    try:
        schema = read_schema(folder / file_name)
        validator = _validator(schema)
        _require_type_object(schema)
    except ImportError as error:
        reason = f"{error}. Add jsonschema-rs to requirements.txt and run make lock."
        raise _invalid(file_name, reason) from error
    except FileNotFoundError as error:
        reason = "there is no such file. Set PROFILE_SCHEMA to the name of a file in chalicelib/."
        raise _invalid(file_name, reason) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(file_name, _reason(error)) from error

    def check(data: JSON) -> int:
        size = check_profile_data(data)
        errors = validator.iter_errors(data)
        violations = violations_of(errors, schema, limit=MAX_VIOLATIONS)
        if violations:
            raise InvalidProfile(violations)
        return size

    return check


def read_schema(file: Path) -> dict[str, Any]:
    """The JSON Schema in a file. Raises OSError, ValueError or RecursionError."""
    schema = json.loads(file.read_text("utf-8"))
    if not isinstance(schema, dict):
        raise ValueError("A JSON Schema must be an object here")
    if schema.get("$schema", DRAFT) != DRAFT:
        raise ValueError(f'"$schema" must be "{DRAFT}"')
    return schema


def _validator(schema: dict[str, Any]) -> Any:
    """Raises ImportError, or ValueError for a mistake in the schema."""
    import jsonschema_rs  # noqa: PLC0415 - takes a third of a cold start; only a schema needs it

    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        retriever=_refuse_reference,
        mask="This value",  # replaces the value in messages: they must not contain profile data
    )


def _require_type_object(schema: dict[str, Any]) -> None:
    """Raise ValueError if no profile could match a valid schema, because profiles are objects."""
    if "object" not in schema.get("type", "object"):  # a text or a list of texts
        raise ValueError('The "type" of the schema must allow "object": a profile is an object')


def _reason(error: Exception) -> str:
    """What is wrong with a schema, in one line, and where: as a JSON Pointer, if that is known."""
    first_line = str(error).partition("\n")[0]
    place: list[str | int] = getattr(error, "instance_path", [])
    if not place:
        return f"{first_line}."
    if place[-1] == "type" and "anyOf" in first_line:
        first_line = f'"type" must be one of {TYPES}, or a list of them'
    return f"{first_line}, at {violation_at(place, first_line).pointer}."


def _refuse_reference(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not in this file")


def _invalid(file_name: str, reason: str) -> InvalidSetting:
    return InvalidSetting("PROFILE_SCHEMA", f"chalicelib/{file_name}: {reason}")
