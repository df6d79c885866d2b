"""Check a live deployment as its users see it: make smoke URL=https://.../api TOKEN=<an id token>

The command sends requests as one signed-in user, prints a line for each check, and exits with
status 1 if one fails. It deletes what it stores. If the user already has a profile, it stops; with
OVERWRITE=yes it continues and restores the profile's data at the end. With FILE, it stores the
profile in this file instead of its own test data.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from chalicelib.json_text import write_json
from deploy import api, chalice_config, checks, cognito
from deploy.errors import CommandError, SmokeError
from deploy.options import check_options, option
from deploy.smoke_checks import (
    CHECKS,
    OTHER_ANSWERS,
    PROFILE,
    UNDOCUMENTED_PATHS,
    CheckFailed,
    CheckNotPossible,
    Client,
    profile_data,
    remove_profile,
    status_of_path,
    store_profile,
    stored_sample,
)
from deploy.smoke_sample import BUILT_IN, Sample, sample_in
from deploy.users_api import UsersApi, UsersApiError

# --- the command ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """The deployment to check, and the user. An option that was not set is an empty text."""

    url: str
    stage: str
    overwrite: bool
    file: str
    token: str
    email: str
    password: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `arguments` are those of the command line. Raises SystemExit for errors."""
    options = _read_options(arguments)
    try:
        check_options("smoke", ("URL", "TOKEN", "EMAIL", "PASSWORD", "OVERWRITE", "FILE"))
        sample = BUILT_IN
        if options.file:
            sample = sample_in(Path(options.file))
        client = _client(options, sample)
        print(f"{client.url}{PROFILE}")
        failed = run(client, overwrite=options.overwrite)
    except CommandError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    if failed:
        sys.exit(f"{failed} of {len(CHECKS)} failed.")


def _read_options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m deploy.smoke", description=__doc__)
    parser.add_argument("--url", default=option("URL"), help="the API's URL; default: the stage's")
    parser.add_argument(
        "--stage", default=option("STAGE"), help="the stage whose user pool has the user"
    )
    parser.add_argument(
        "--overwrite",
        default=option("OVERWRITE"),
        help="yes: replace an existing profile and restore it",
    )
    parser.add_argument(
        "--file",
        default=option("FILE"),
        help="a profile that the stage allows, to be stored instead of the test data",
    )
    parsed = parser.parse_args(arguments)
    return Options(
        url=parsed.url,
        stage=parsed.stage,
        overwrite=parsed.overwrite == "yes",
        file=parsed.file,
        token=option("TOKEN"),
        email=option("EMAIL"),
        password=option("PASSWORD"),
    )


def _client(options: Options, sample: Sample) -> Client:
    """Return a client for the deployment, signed in. Raises CommandError."""
    if options.stage:
        checks.use_region_of(options.stage)
    url = _url(options)
    operator = _operator(url)
    if options.token:
        token = options.token.removeprefix("Bearer ").strip()
        return Client(url, token, operator=operator, sample=sample)
    if not (options.email and options.password and options.stage):
        raise SmokeError(
            "a user is required: TOKEN=<an id token>, or EMAIL=... PASSWORD=... and the STAGE=... "
            "of their user pool."
        )
    recorded = chalice_config.recorded_backend(options.stage)
    tokens = cognito.sign_in(
        recorded.user_pool_arn, recorded.first_client_id, options.email, options.password
    )
    return Client(url, tokens["IdToken"], tokens["AccessToken"], operator, sample)


def _operator(url: str) -> UsersApi | None:
    """The API as the shell's AWS credentials may call it; None if the shell has none."""
    try:
        return UsersApi.with_shell_credentials(url)
    except UsersApiError:
        return None


def _url(options: Options) -> str:
    """Return the API's URL without the profile's path: URL's value, else the stage's."""
    if options.url:
        return options.url.rstrip("/").removesuffix(PROFILE)
    if not options.stage:
        raise SmokeError("URL or STAGE is required: make smoke URL=https://.../api TOKEN=...")
    return api.deployed_url(options.stage)


# --- running the checks ---------------------------------------------------------------------------


def run(client: Client, *, overwrite: bool) -> int:
    """Run all checks, print the result of each, and return how many failed. Raises SmokeError."""
    failed = 0
    with _without_profile(client, overwrite=overwrite):
        for name, check in CHECKS.items():
            try:
                check(client)
                result = "ok"
            except CheckNotPossible as reason:
                result = f"not checked: {reason}"
            except (CheckFailed, requests.RequestException, ValueError) as reason:
                failed += 1
                result = f"FAILED: {reason}"
            print(f"  {name:<54}{result}", flush=True)
        _show_undocumented_paths(client)
    return failed


def _show_undocumented_paths(client: Client) -> None:
    """Print how the deployment answers other spellings of the path. No answer is a failure."""
    print("Not documented by AWS, for your information (200: read as the profile's path):")
    for path in UNDOCUMENTED_PATHS:
        try:
            stored_sample(client)
            answer = str(status_of_path(client, path))
        except CheckNotPossible as reason:
            answer = f"not checked: {reason}"
        except CheckFailed as reason:
            answer = f"not checked, as no profile could be stored: {reason}"
        except (requests.RequestException, OSError, http.client.HTTPException) as reason:
            answer = f"no response ({reason})"
        print(f"  {'GET ' + path:<54}{answer}", flush=True)
    for name, describe in OTHER_ANSWERS.items():
        try:
            answer = describe(client)
        except requests.RequestException as reason:
            answer = f"no response ({reason})"
        print(f"  {name:<54}{answer}", flush=True)


@contextmanager
def _without_profile(client: Client, *, overwrite: bool) -> Iterator[None]:
    """Delete the user's profile at the start, and restore it at the end. Raises SmokeError."""
    saved = _saved_profile(client, overwrite=overwrite)
    try:
        if saved is not None:
            _change(partial(remove_profile, client), f"The profile is in {saved}.")
        yield
    finally:
        if saved is None:
            _change(partial(remove_profile, client), "A test profile may remain: DELETE it.")
        else:
            body = saved.read_text(encoding="utf-8")
            restore = partial(store_profile, client, body)
            _change(restore, f"The profile is in {saved}: PUT it back.")
            saved.unlink()


def _saved_profile(client: Client, *, overwrite: bool) -> Path | None:
    """Save the user's profile data in a file; return None if there is no profile.

    If the checks are interrupted, the file still contains the data. Raises SmokeError.
    """
    try:
        response = client.send("GET")
    except requests.RequestException as error:
        raise SmokeError(f"{client.url} does not respond: {error}") from error
    if response.status_code == 404:
        return None
    if response.status_code != 200:
        answer = f"{response.status_code} {response.text[:200]}"
        raise SmokeError(f"{client.url} does not accept this user: {answer}")
    if not overwrite:
        raise SmokeError(
            "this user has a profile. Choose another user, or give OVERWRITE=yes: the profile's "
            "data is restored at the end."
        )
    with tempfile.NamedTemporaryFile(
        "w", prefix="profile-", suffix=".json", encoding="utf-8", delete=False
    ) as file:
        file.write(write_json(profile_data(response)))
    return Path(file.name)


def _change(change: Callable[[], None], advice: str) -> None:
    """Change the stored profile. Raises SmokeError, with the advice."""
    try:
        change()
    except (CheckFailed, requests.RequestException) as error:
        raise SmokeError(
            f"the profile could not be restored or deleted: {error}. {advice}"
        ) from error


if __name__ == "__main__":
    main()
