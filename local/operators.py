"""`make users`, `make user` and `make erase`: users of any stage, through its API."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy import api as deployed_api
from deploy import aws, chalice_config, checks, erase_account
from deploy.arn import UserPoolArn
from deploy.chalice_config import RecordedBackend
from deploy.erase_account import EraseRequest
from deploy.options import check_options
from deploy.show_users import print_user, print_users
from deploy.standard_streams import ended_by_the_reader
from deploy.user_data import NoUsersResource, list_users, read_user
from deploy.user_pool import find_sub
from deploy.users_api import NoResponse, UsersApi
from local import environment, users
from local.errors import LocalError


@dataclass(frozen=True)
class Service:
    """The API and the user pool of a stage."""

    api: UsersApi
    pool_id: str


def show_users(stage: str) -> None:
    """Print each user who has a profile. Raises CommandError."""
    check_options("users", ())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ended_by_the_reader(), _service(stage) as service:
        print_users(list_users(service.api), sys.stdout)


def show_user(stage: str, account: str) -> None:
    """Print the profile and the metadata of one user. Raises CommandError.

    account: the user's e-mail address or sub.
    """
    check_options("user", ("ACCOUNT",))
    if not account:
        raise LocalError(
            "ACCOUNT is required: make user ACCOUNT=ada@example.com, or the user's sub."
        )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ended_by_the_reader(), _service(stage) as service:
        sub = find_sub(service.pool_id, account)
        print_user(read_user(service.api, sub), sys.stdout)


def erase_user(stage: str, account: str, confirmation: str) -> None:
    """Erase a user's account, profile and metadata. Raises CommandError.

    account: the user's e-mail address or sub. confirmation: the same, or empty to ask for it.
    """
    check_options("erase", ("ACCOUNT", "CONFIRM"))
    account = account.strip()
    if not account:
        raise LocalError(
            "ACCOUNT is required: make erase ACCOUNT=ada@example.com, or the user's sub."
        )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with _service(stage) as service:
        erase_account.run(service.api, service.pool_id, EraseRequest(stage, account, confirmation))


@contextmanager
def _service(stage: str) -> Iterator[Service]:
    """A stage's service. Raises CommandError."""
    if stage == environment.STAGE:
        with _advice_for_local():
            yield _local_service()
    else:
        yield _deployed_service(stage)


def _local_service() -> Service:
    recorded = users.use_local_backend()
    return _service_at(f"http://127.0.0.1:{environment.chosen_api_port()}", recorded)


@contextmanager
def _advice_for_local() -> Iterator[None]:
    """Raise errors of the API as LocalError, with advice for this machine."""
    try:
        yield
    except NoResponse as error:
        raise LocalError(
            f"the API does not run on port {environment.chosen_api_port()}. Start it with "
            "`make local`, or give its port: API_PORT=..."
        ) from error
    except NoUsersResource as error:
        raise LocalError(
            f"the API on port {environment.chosen_api_port()} has no users: it is an earlier "
            "version or another program. Restart `make local`, or give the API's port: API_PORT=..."
        ) from error


def _deployed_service(stage: str) -> Service:
    aws.let_boto3_read_aws_region()
    checks.use_account_of(stage)
    recorded = chalice_config.recorded_backend(stage)
    return _service_at(deployed_api.deployed_url(stage), recorded)


def _service_at(url: str, recorded: RecordedBackend) -> Service:
    """The service whose API is at `url`, called with the shell's credentials."""
    pool_id = UserPoolArn.parse(recorded.user_pool_arn).pool_id
    return Service(UsersApi.with_shell_credentials(url), pool_id)
