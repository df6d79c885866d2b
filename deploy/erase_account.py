"""`make erase`: erase a user's account, profile and metadata, after a typed confirmation.

The API carries it out: see chalicelib/erasure.py. An erasure that has begun can always be repeated.
It is then named by the user's `sub`, because the account with the e-mail address may be gone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from deploy import polling
from deploy.chalice_config import LOCAL_STAGE
from deploy.errors import CommandError
from deploy.show_users import escape_unprintable
from deploy.standard_streams import discard_output
from deploy.user_data import (
    NotCarriedOut,
    Stored,
    StoredData,
    erase_account,
    find_stored_data,
)
from deploy.user_pool import Account, NoAccount, UserPool, find_sub
from deploy.users_api import UsersApi, UsersApiError

SEARCH_SECONDS = 5
"""How long Cognito's search may still find an account that was deleted."""


class ErasureError(CommandError):
    """An account was not erased, or perhaps in part. The text says which."""


@dataclass(frozen=True)
class EraseRequest:
    """The options of the command."""

    stage: str
    account: str
    """The user's e-mail address or sub, as the operator typed it."""
    confirmation: str
    """The account once more, or empty to ask for it on a terminal."""

    def command(self, sub: str) -> str:
        """The command that erases the account of the user `sub`."""
        stage = "" if self.stage == LOCAL_STAGE else f" STAGE={self.stage}"
        return f"make erase{stage} ACCOUNT={sub}"


@dataclass(frozen=True)
class _Found:
    """What exists for a user before the erasure."""

    account: Account | None
    data: StoredData

    @property
    def is_nothing(self) -> bool:
        return self.account is None and self.data == StoredData(Stored.NOTHING, Stored.NOTHING)

    @property
    def was_erased(self) -> bool:
        return self.account is None and not self.data.has(Stored.DATA)


def run(api: UsersApi, pool_id: str, request: EraseRequest) -> None:
    """Erase the account that the request names. Raises CommandError, or SystemExit after Ctrl-C."""
    if request.confirmation and request.confirmation.strip() != request.account:
        raise _not_confirmed(request)
    pool = UserPool.connect(pool_id)
    try:
        sub = _find_sub(pool_id, request)
        found = _Found(pool.find(sub), find_stored_data(api, sub))
        _show(pool_id, request, sub, found)
        if found.is_nothing:
            raise ErasureError(
                f"there is nothing to erase: the user pool {pool_id} has no user with the sub "
                f"{sub}, and nothing is stored for it."
            )
        if not found.was_erased and _confirmation(request) != request.account:
            raise _not_confirmed(request)
    except KeyboardInterrupt:
        sys.exit("Interrupted. Nothing was erased.")
    try:
        _erase(api, sub, request)
        if found.account is not None:
            _check_is_deleted(pool, sub, request)
    except KeyboardInterrupt:
        sys.exit(
            "Interrupted. The account may be erased, or erased in part. To finish it, run: "
            f"{request.command(sub)}"
        )
    if found.was_erased:
        _print_result("The account was erased before. Nothing was left to delete.")
        return
    _print_result(f"The account {request.account} is erased.")


def _find_sub(pool_id: str, request: EraseRequest) -> str:
    try:
        return find_sub(pool_id, request.account)
    except NoAccount as error:
        raise ErasureError(
            f"{error} If an erasure has begun already, name the user by the sub: ACCOUNT=<sub>."
        ) from error


def _show(pool_id: str, request: EraseRequest, sub: str, found: _Found) -> None:
    """Print what the user has. Raises ErasureError if it cannot be printed."""
    try:
        _print_description(pool_id, request, sub, found)
    except OSError as error:
        discard_output()
        raise ErasureError(
            f"nothing was erased: the output cannot be written ({error.strerror}). Run the command "
            "on a terminal, or with its output in a file."
        ) from error


def _print_result(text: str) -> None:
    """Print what was done. The erasure has succeeded, also if nobody reads that."""
    try:
        print(text, flush=True)
    except OSError:
        discard_output()


def _print_description(pool_id: str, request: EraseRequest, sub: str, found: _Found) -> None:
    print(f"In the stage {request.stage}, the user {sub} has:")
    if found.account is None:
        print(f"  account   none in the user pool {pool_id}")
    else:
        email = found.account.email or "no e-mail address"
        text = f"{email}, user name {found.account.user_name}, in the user pool {pool_id}"
        print(f"  account   {escape_unprintable(text)}")
    print(f"  profile   {found.data.profile.value}")
    print(f"  metadata  {found.data.metadata.value}", flush=True)


# --- the confirmation -----------------------------------------------------------------------------


def _confirmation(request: EraseRequest) -> str:
    """The account as it was confirmed. Raises ErasureError if nobody can be asked."""
    if request.confirmation:
        return request.confirmation.strip()
    if not sys.stdin.isatty():
        raise ErasureError(
            "nothing was erased: there is no terminal to ask for a confirmation. Set "
            f"CONFIRM={request.account} to erase this account without one."
        )
    try:
        answer = input(
            f"This cannot be undone. Type {request.account} to erase the account with its data: "
        )
    except EOFError:
        print()
        return ""
    return answer.strip()


def _not_confirmed(request: EraseRequest) -> ErasureError:
    return ErasureError(
        f"nothing was erased. Set CONFIRM={request.account}, or type {request.account} when asked "
        "on a terminal."
    )


# --- the erasure ----------------------------------------------------------------------------------


def _erase(api: UsersApi, sub: str, request: EraseRequest) -> None:
    """Erase the account. Raises CommandError."""
    try:
        erase_account(api, sub)
    except NotCarriedOut:
        raise
    except UsersApiError as error:
        problem = str(error).rstrip(".")
        raise ErasureError(
            f"{problem}. The account may be erased in part. To finish it, run: "
            f"{request.command(sub)}"
        ) from error


def _check_is_deleted(pool: UserPool, sub: str, request: EraseRequest) -> None:
    """Raise ErasureError if the account still exists.

    The API does not look for the account of an earlier erasure again, and that erasure may have
    missed it: Cognito's search is eventually consistent, and can miss an account right after the
    sign-up. The deployed API may also use another user pool than the one that the stage records.
    """
    try:
        polling.wait_until(lambda: pool.find(sub) is None, timeout=SEARCH_SECONDS)
    except TimeoutError as error:
        raise ErasureError(
            f"the data of {sub} is erased, but the user pool still has the account. To delete it, "
            f"run: make orphans STAGE={request.stage}"
        ) from error
