"""The profile that `make smoke` stores: its own, or the one in FILE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import InvalidProfile, MalformedJSON, ProfileTooLarge
from chalicelib.json_text import read_json
from chalicelib.profile import JSON, MAX_BYTES, check_profile_data, too_large
from deploy.errors import SmokeError

MAX_FILE_BYTES = 10_000_000
"""More than the longest JSON text of data that can be stored."""


@dataclass(frozen=True)
class Sample:
    """A profile for the checks."""

    body: str
    """The profile data, a JSON text."""
    patch: str
    """A merge patch, a JSON text. The result must be allowed where `body` is allowed."""
    is_built_in: bool = False

    @property
    def data(self) -> JSON:
        """The profile data, with its numbers exact."""
        return read_json(self.body.encode())


BUILT_IN = Sample(
    body=(
        '{"tenth":0.1,"long":12345678901234567890.5,'
        '"digits":12345678901234567890123456789012345678,"small":1E-130,'
        '"text":"\\u0000 \U0001f600 \\u202e","empty":["",{},[]],"pk":"mine","nothing":null}'
    ),
    patch='{"text":null}',
    is_built_in=True,
)
"""Numbers and texts that careless JSON or database code would change."""


def sample_in(file: Path) -> Sample:
    """Return the sample whose profile data is in a file. Raises SmokeError."""
    content = _content(file)
    try:
        size = check_profile_data(read_json(content))
        if size > MAX_BYTES:
            raise too_large(size, MAX_BYTES)
    except (MalformedJSON, ProfileTooLarge) as error:
        raise SmokeError(f"{file} (FILE) cannot be sent as a profile. {error}") from error
    except InvalidProfile as error:
        first = error.violations[0]
        place = f" at {first.pointer}" if first.pointer else ""
        raise SmokeError(f"{file} (FILE) is not a profile{place}. {first.detail}") from error
    return Sample(body=content.decode(), patch="{}")


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SmokeError(f"cannot read {file} (FILE): {error.strerror}.") from error
    if len(content) > MAX_FILE_BYTES:
        raise SmokeError(
            f"{file} (FILE) has more than {MAX_FILE_BYTES:,} bytes. No profile is as large."
        )
    return content
