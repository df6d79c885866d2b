"""`chalice local` accepts the tokens that API Gateway accepts, and no others.

Chalice itself accepts any token. These tests fail if a new version of Chalice no longer uses
`chalice.local.create_local_server`, which local/server.py replaces.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.http_api import Api, assert_problem
from tests.support.users import User


def header_of(token: str) -> dict[str, str]:
    return dict(jwt.get_unverified_header(token))


def claims_of(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def signed_with_another_key(user: User, kid: str) -> str:
    """The user's claims, signed with a key that is not the user pool's, under the id `kid`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims_of(user.id_token), key, "RS256", {"kid": kid})


def with_other_claims(user: User, **changes: object) -> str:
    """The user's token with some claims changed, under the signature of the original."""
    header, _, signature = user.id_token.split(".")
    claims = json.dumps(claims_of(user.id_token) | changes)
    payload = base64.urlsafe_b64encode(claims.encode()).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"


def forged(user: User) -> str:
    return signed_with_another_key(user, header_of(user.id_token)["kid"])


def with_an_unknown_key(user: User) -> str:
    return signed_with_another_key(user, "unknown")


def with_another_sub(user: User) -> str:
    return with_other_claims(user, sub="someone-else")


def with_a_later_expiry(user: User) -> str:
    return with_other_claims(user, exp=int(time.time()) + 99_999)


def unsigned(user: User) -> str:
    kid = header_of(user.id_token)["kid"]
    return jwt.encode(claims_of(user.id_token), "", "none", {"kid": kid})


def access_token(user: User) -> str:
    return user.access_token


def refresh_token(user: User) -> str:
    return user.refresh_token


def assert_401(api: Api, headers: list[tuple[str, str]]) -> None:
    """Assert that neither a read nor a write is accepted with these headers."""
    for method, body in (("GET", None), ("POST", "{}")):
        answer = api(method, headers=headers, body=body)
        assert_problem(answer, 401, "not-signed-in")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="user-profile"'


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer ", "BEARER "])
def test_an_id_token_is_accepted(api: Api, ada: User, prefix: str) -> None:
    assert api("GET", headers=[("Authorization", prefix + ada.id_token)]).status in (200, 404)


def test_a_request_without_a_token_is_a_401(api: Api) -> None:
    assert_401(api, [])


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "garbage", "Bearer a.b.c", "Basic YTpi", "é", "Bearer ..", "."],
)
def test_a_malformed_token_is_a_401(api: Api, value: str) -> None:
    assert_401(api, [("Authorization", value)])


@pytest.mark.parametrize(
    "make_token",
    [
        access_token,
        refresh_token,
        forged,
        with_an_unknown_key,
        with_another_sub,
        with_a_later_expiry,
        unsigned,
    ],
)
def test_a_token_that_is_not_valid_is_a_401(
    api: Api, ada: User, make_token: Callable[[User], str]
) -> None:
    assert_401(api, [("Authorization", make_token(ada))])


def test_two_authorization_headers_are_a_401(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", ada.id_token), ("Authorization", ada.id_token)])


def test_an_access_tokens_refusal_names_the_right_token(api: Api, ada: User) -> None:
    assert "id token" in api("GET", token=ada.access_token).json()["detail"]
