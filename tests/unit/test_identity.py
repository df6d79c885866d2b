from typing import Any

import pytest

from chalicelib.errors import NotSignedIn
from chalicelib.identity import identify, subject

CLAIMS = {"sub": "5f0c", "token_use": "id", "aud": "client", "email": "ada@example.com"}


def context(**claims: Any) -> dict[str, Any]:
    return {"authorizer": {"claims": {**CLAIMS, **claims}}}


def test_a_user_is_known_by_the_sub_of_a_verified_id_token() -> None:
    assert identify(context(), ("client",)) == subject(context()) == "5f0c"


def test_the_log_tells_whose_token_of_another_kind_it_was() -> None:
    assert subject(context(token_use="access")) == "5f0c"
    assert subject(context(sub=5)) is subject({}) is None


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
def test_whoever_is_not_proven_to_be_a_user_of_this_app_is_not_let_in(
    request_context: dict[str, Any],
) -> None:
    with pytest.raises(NotSignedIn):
        identify(request_context, ("client",))


def test_several_clients_may_be_configured() -> None:
    assert identify(context(), ("other", "client")) == "5f0c"


def test_any_client_of_the_pool_is_taken_where_none_is_configured() -> None:
    assert identify(context(aud="whoever"), ()) == "5f0c"
