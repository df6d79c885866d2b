"""The caller's identity: the claims of an id token for this app."""

from typing import Any

import pytest

from chalicelib.errors import NotSignedIn
from chalicelib.identity import claimed_sub, identify

CLAIMS = {"sub": "5f0c", "token_use": "id", "aud": "client", "email": "ada@example.com"}


def context(**claims: Any) -> dict[str, Any]:
    return {"authorizer": {"claims": {**CLAIMS, **claims}}}


def test_a_user_is_identified_by_their_sub() -> None:
    assert identify(context(), ("client",)) == "5f0c"


def test_the_log_names_the_user_of_any_token() -> None:
    assert claimed_sub(context(token_use="access")) == "5f0c"


@pytest.mark.parametrize("request_context", [{}, context(sub=5), context(sub="")])
def test_without_a_sub_the_log_names_nobody(request_context: dict[str, Any]) -> None:
    assert claimed_sub(request_context) is None


@pytest.mark.parametrize(
    "request_context",
    [
        {},
        {"authorizer": None},
        {"authorizer": {}},
        {"authorizer": {"claims": None}},
        {"authorizer": {"claims": {}}},
        context(sub=""),
        context(sub=None),
        context(token_use="access"),
        context(token_use="refresh"),
        context(token_use=None),
        context(aud="another client"),
        context(aud=None),
        context(aud="client other"),
    ],
)
def test_anyone_else_is_not_signed_in(
    request_context: dict[str, Any],
) -> None:
    with pytest.raises(NotSignedIn):
        identify(request_context, ("client",))


def test_several_clients_can_be_configured() -> None:
    assert identify(context(), ("other", "client")) == "5f0c"


def test_without_a_configured_client_all_are_accepted() -> None:
    assert identify(context(aud="whoever"), ()) == "5f0c"
