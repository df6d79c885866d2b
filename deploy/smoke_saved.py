"""The profile of a user with whom `make smoke OVERWRITE=yes` runs: saved, deleted, and restored."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
import requests

from chalicelib.json_text import write_json
from chalicelib.profile import JSON
from deploy.errors import SmokeError
from deploy.smoke_checks import CheckFailed, Client, excerpt, expect, profile_data, remove_profile
from deploy.stop_signals import StopRequest

MIN_TOKEN_SECONDS = 300
"""How long the id token must still be valid. A run takes less than a minute if AWS responds."""


@dataclass(frozen=True)
class ExistingProfile:
    """A profile that the user had before the checks."""

    data: JSON
    etag: str


class ChangedElsewhere(SmokeError):
    """Another client changed the profile before it was deleted."""

    def __init__(self) -> None:
        super().__init__(
            "another client has just changed the profile. Nothing was deleted. Run this command "
            "again when no other client changes the profile."
        )


@contextmanager
def profile_replaced(
    client: Client, existing: ExistingProfile, stop: StopRequest
) -> Iterator[None]:
    """Delete the profile at the start, and restore its data at the end. Raises SmokeError.

    If it cannot be restored, the message names the file that contains it.
    """
    _require_lasting_token(client)
    file = _save(existing.data)
    may_be_deleted = False
    try:
        etag = _write_back(client, existing)
        stop.raise_if_received()
        _note(f"The profile is saved in {file} until it is restored.")
        may_be_deleted = True
        _delete(client, etag)
        yield
    except ChangedElsewhere:
        may_be_deleted = False
        raise
    finally:
        if may_be_deleted:
            _restore(client, existing.data, file)  # if it fails, the file remains
        file.unlink(missing_ok=True)


def _require_lasting_token(client: Client) -> None:
    """Raise SmokeError if the id token may expire before the profile is restored with it."""
    try:
        jwt.decode(
            client.id_token,
            options={"verify_signature": False, "verify_exp": True, "require": ["exp"]},
            leeway=-MIN_TOKEN_SECONDS,
        )
    except jwt.ExpiredSignatureError as error:
        raise SmokeError(
            f"the id token expires in less than {MIN_TOKEN_SECONDS // 60} minutes, and the profile "
            "is restored with it. Nothing was changed. Get a new token, or check this machine's "
            "clock."
        ) from error
    except jwt.InvalidTokenError as error:
        raise SmokeError(f"the id token cannot be read: {error}. Nothing was changed.") from error


def _save(data: JSON) -> Path:
    """Write the profile data to a new file that only its owner can read. Raises SmokeError."""
    file = None
    try:
        descriptor, name = tempfile.mkstemp(prefix="profile-", suffix=".json")
        file = Path(name)
        with open(descriptor, "w", encoding="utf-8") as opened:
            opened.write(write_json(data))
    except OSError as error:
        if file is not None:
            file.unlink()
        raise SmokeError(
            f"the profile could not be saved in a file: {error.strerror}. Nothing was changed."
        ) from error
    return file


def _write_back(client: Client, existing: ExistingProfile) -> str:
    """Show that the profile can be restored: PUT it unchanged. Return its new ETag.

    A stage can refuse what it has stored, after a change of PROFILE_SCHEMA or MAX_PROFILE_BYTES.
    Raises SmokeError.
    """
    body = write_json(existing.data)
    try:
        response = client.send("PUT", body, headers={"If-Match": existing.etag})
    except requests.RequestException as error:
        raise SmokeError(
            f"{client.url} does not respond: {error}. The profile's data is unchanged."
        ) from error
    if response.status_code == 412:
        raise ChangedElsewhere
    if response.status_code != 200 or "ETag" not in response.headers:
        raise SmokeError(
            f"this stage does not accept the user's profile as it is stored: {excerpt(response)}. "
            "It could not be restored after the checks, so nothing was deleted. Choose another "
            "user."
        )
    return response.headers["ETag"]


def _delete(client: Client, etag: str) -> None:
    """Delete the profile. Raises ChangedElsewhere, and SmokeError if it may be deleted or not."""
    try:
        response = client.send("DELETE", headers={"If-Match": etag})
        if response.status_code == 412:
            raise ChangedElsewhere
        expect(response, 204)
    except (CheckFailed, requests.RequestException) as error:
        raise SmokeError(f"the profile could not be deleted: {error}") from error


def _restore(client: Client, data: JSON, file: Path) -> None:
    """Store the profile data again, unless it is still stored. Raises SmokeError."""
    try:
        if _is_stored(client, data):
            _note("The profile's data is unchanged.")
            return
        remove_profile(client)
        response = client.send("PUT", write_json(data))
        expect(response, 200)
        if profile_data(response) != data:
            raise CheckFailed(f"other data was stored: {excerpt(response)}")
    except (CheckFailed, requests.RequestException) as error:
        raise SmokeError(
            f"the profile could not be restored: {error}. The profile is in {file}: PUT it back."
        ) from error
    _note("The profile was restored, with a new ETag and new times (created_at, too).")


def _is_stored(client: Client, data: JSON) -> bool:
    response = client.send("GET")
    return response.status_code == 200 and profile_data(response) == data


def _note(text: str) -> None:
    """Print a note for the user, who may have sent the results of the checks elsewhere."""
    print(text, file=sys.stderr, flush=True)
