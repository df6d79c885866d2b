from typing import Any

import pytest

from chalicelib.errors import NotSignedIn
from chalicelib.identity import Identity, identify

CLAIMS = {"sub": "5f0c", "token_use": "id", "aud": "client", "email": "ada@example.com"}


def context(**claims: Any) -> dict[str, Any]:
    return {"authorizer": {"claims": {**CLAIMS, **claims}}}


@pytest.mark.parametrize("groups", ["admins,editors", ["admins", "editors"]])
def test_claims_are_read_as_aws_and_as_chalice_local_send_them(groups: object) -> None:
    assert identify(context(**{"cognito:groups": groups}), ("client",)) == Identity("5f0c", ("admins", "editors"))
    assert identify(context(), ("client",)) == Identity("5f0c", ())


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
def test_whoever_is_not_proven_to_be_a_user_of_this_app_is_not_let_in(request_context: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        identify(request_context, ("client",))


def test_several_clients_may_be_configured() -> None:
    assert identify(context(), ("other", "client")).sub == "5f0c"


def test_any_client_of_the_pool_is_taken_where_none_is_configured() -> None:
    assert identify(context(aud="whoever"), ()).sub == "5f0c"
