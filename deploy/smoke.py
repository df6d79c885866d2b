"""Check a live deployment as its users see it: make smoke URL=https://.../api TOKEN=<an id token>

The command sends requests as one signed-in user, prints a line for each check, and exits with
status 1 if one fails. It deletes what it stores. If the user already has a profile, it stops; with
OVERWRITE=yes it continues and restores the profile's data at the end, with a new ETag and new times
(created_at, too). With FILE, it stores the profile in this file instead of its own test data.
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":

    def end(*_: object) -> None:
        """End at Ctrl-C during the slow imports below, which would print a traceback."""
        os.write(2, b"Interrupted.\n")
        os._exit(1)

    signal.signal(signal.SIGINT, end)

import argparse
import http.client
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from chalicelib.errors import ProfileNotFound
from deploy import api, aws, chalice_config, checks, cognito
from deploy.aws import report_aws_errors
from deploy.errors import CommandError, SmokeError
from deploy.options import check_options, is_yes, option
from deploy.smoke_checks import (
    CHECKS,
    OTHER_ANSWERS,
    PROFILE,
    UNDOCUMENTED_PATHS,
    CheckFailed,
    CheckNotPossible,
    Client,
    excerpt,
    profile_data,
    remove_profile,
    reports,
    status_of_path,
    stored_sample,
)
from deploy.smoke_sample import BUILT_IN, Sample, sample_in
from deploy.smoke_saved import ExistingProfile, profile_replaced
from deploy.standard_streams import discard_output, open_closed_streams
from deploy.stop_signals import StopRequest, stop_signals_deferred, stop_signals_raise
from deploy.users_api import UsersApi, UsersApiError

OPTIONS = {
    "URL": "the API's URL; default: the stage's",
    "TOKEN": "an id token of the user",
    "EMAIL": "the user's e-mail address, instead of TOKEN",
    "PASSWORD": "the user's password, instead of TOKEN",
    "OVERWRITE": "yes: replace an existing profile and restore it",
    "FILE": "a profile that the stage allows, to be stored instead of the test data",
}
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""A signed token (RFC 7515, section 3.1)."""

# --- the command ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """The deployment to check, and the user. An option that was not set is an empty text."""

    url: str
    stage: str
    overwrite: str
    file: str
    token: str
    email: str
    password: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `arguments` are those of the command line. Raises SystemExit for errors."""
    open_closed_streams()
    options = _read_options(arguments)
    try:
        with stop_signals_raise():
            failed = _run(options)
    except CommandError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except BrokenPipeError:
        discard_output()
        sys.exit("error: the output was closed. Run this command again.")
    if failed:
        sys.exit(f"{failed} of {len(CHECKS)} failed.")


def _read_options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m deploy.smoke", description=__doc__)
    for name in ("URL", "OVERWRITE", "FILE"):
        parser.add_argument(f"--{name.lower()}", default=option(name), help=OPTIONS[name])
    parser.add_argument(
        "--stage", default=option("STAGE"), help="the stage whose user pool has the user"
    )
    parsed = parser.parse_args(arguments)
    return Options(
        url=parsed.url,
        stage=parsed.stage,
        overwrite=parsed.overwrite,
        file=parsed.file,
        token=option("TOKEN"),
        email=option("EMAIL"),
        password=option("PASSWORD"),
    )


def _run(options: Options) -> int:
    """Check the deployment, and return how many checks failed. Raises CommandError."""
    check_options("smoke", OPTIONS)
    overwrite = is_yes("OVERWRITE", options.overwrite)
    sample = BUILT_IN
    if options.file:
        sample = sample_in(Path(options.file))
    aws.let_boto3_read_aws_region()
    client = _client(options, sample)
    print(f"{client.url}{PROFILE}", flush=True)
    return run(client, overwrite=overwrite)


def _client(options: Options, sample: Sample) -> Client:
    """Return a client for the deployment, signed in. Raises CommandError."""
    token = _token(options)
    if options.stage:
        _use_settings_of(options)
    url = _url(options)
    operator = _operator(url)
    if token:
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


def _token(options: Options) -> str:
    """Return TOKEN's value without Bearer; empty if it was not set.

    Raises SmokeError if it cannot be a token. The message does not contain it: it can be a secret.
    """
    token = options.token.removeprefix("Bearer ").strip()
    if options.token and not TOKEN.fullmatch(token):
        raise SmokeError(
            "TOKEN is not an id token: it must have three parts, separated by dots, of letters, "
            "digits, hyphens and underscores. To get one, run: make -s token STAGE=... EMAIL=... "
            "PASSWORD=..."
        )
    return token


def _use_settings_of(options: Options) -> None:
    """Use the region of the stage. Raises DeploymentError.

    Only the search for the stage's URL needs credentials. They must be of the stage's account.
    """
    if options.url:
        checks.use_region_of(options.stage)
    else:
        chalice_config.refuse_local_stage(options.stage)
        checks.use_account_of(options.stage)


def _operator(url: str) -> UsersApi | None:
    """The API as the shell's AWS credentials may call it; None if the shell has none.

    Raises DeploymentError if the shell's AWS settings cannot be used.
    """
    with report_aws_errors("reading the shell's AWS settings"):
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
    """Run all checks, print the result of each, and return how many failed.

    A stop signal takes effect between two checks: a request that was interrupted could still be
    carried out after the profile was restored. Raises SmokeError, and KeyboardInterrupt.
    """
    existing = _existing_profile(client)
    if existing is not None and not overwrite:
        raise SmokeError(
            "this user has a profile. Choose another user, or give OVERWRITE=yes: the profile's "
            "data is restored at the end, with a new ETag and new times (created_at, too)."
        )
    notice = "Interrupted: this command ends after the current step."
    with stop_signals_deferred(notice) as stop, _without_profile(client, existing, stop):
        failed = _run_checks(client, stop)
        _show_undocumented_paths(client, stop)
    return failed


def _run_checks(client: Client, stop: StopRequest) -> int:
    failed = 0
    for name, check in CHECKS.items():
        stop.raise_if_received()
        try:
            check(client)
            result = "ok"
        except CheckNotPossible as reason:
            result = f"not checked: {reason}"
        except (CheckFailed, requests.RequestException, ValueError) as reason:
            failed += 1
            result = f"FAILED: {reason}"
        print(f"  {name:<54}{result}", flush=True)
    return failed


def _show_undocumented_paths(client: Client, stop: StopRequest) -> None:
    """Print how the deployment answers other spellings of the path. No answer is a failure."""
    print("Not documented by AWS, for your information (200: read as the profile's path):")
    for path in UNDOCUMENTED_PATHS:
        stop.raise_if_received()
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
        stop.raise_if_received()
        try:
            answer = describe(client)
        except requests.RequestException as reason:
            answer = f"no response ({reason})"
        print(f"  {name:<54}{answer}", flush=True)


# --- the user's profile ---------------------------------------------------------------------------


def _existing_profile(client: Client) -> ExistingProfile | None:
    """Return the user's profile, None if there is none. It sends the first request.

    Raises SmokeError, also if the response is not one of this service.
    """
    try:
        response = client.send("GET")
    except (requests.RequestException, UnicodeError) as error:  # UnicodeError: an unusable host
        raise SmokeError(f"{client.url} does not respond: {error}") from error
    if reports(response, ProfileNotFound):
        return None
    if response.status_code == 200:
        return _profile_in(response)
    if response.status_code == 404:
        raise _not_this_service(response)
    if response.is_redirect:
        raise SmokeError(
            f"{client.url} redirects to {response.headers['Location']}. Give the API's own URL."
        )
    raise SmokeError(f"{client.url} does not accept this user: {excerpt(response)}")


def _profile_in(response: requests.Response) -> ExistingProfile:
    try:
        data = profile_data(response)
    except CheckFailed as error:
        raise _not_this_service(response) from error
    if "ETag" not in response.headers:
        raise _not_this_service(response)
    return ExistingProfile(data, response.headers["ETag"])


def _not_this_service(response: requests.Response) -> SmokeError:
    return SmokeError(
        f"the response of {response.url} is not one of this service: {excerpt(response)}. Check "
        f"URL: it is the part of the API's address before {PROFILE}."
    )


def _without_profile(
    client: Client, existing: ExistingProfile | None, stop: StopRequest
) -> AbstractContextManager[None]:
    """No profile is stored at the start, and the user's own one at the end. Raises SmokeError."""
    if existing is None:
        return _test_profile_removed(client, stop)
    return profile_replaced(client, existing, stop)


@contextmanager
def _test_profile_removed(client: Client, stop: StopRequest) -> Iterator[None]:
    """Remove the checks' profile at the end. Raises SmokeError."""
    try:
        yield
    finally:
        try:
            remove_profile(client)
        except (CheckFailed, requests.RequestException) as error:
            raise SmokeError(
                f"the test profile could not be deleted: {error}. It may remain: DELETE it."
            ) from error
        if stop.received:
            print("The test profile was removed.", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
