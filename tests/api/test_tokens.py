"""`chalice local` lets in whom API Gateway would: real tokens of a real sign-in, and everything that only looks so.

These fail when a Chalice to come no longer asks `chalice.local.create_local_server` for its server: by itself it lets
every one of the refused requests through.
"""

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Api, User, assert_problem


def header_of(token: str) -> dict[str, str]:
    return dict(jwt.get_unverified_header(token))


def claims_of(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def resigned(user: User, **changed: object) -> str:
    """ada's token, signed by somebody else under the kid of the pool's own key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(
        claims_of(user.id_token) | changed, key, "RS256", {"kid": header_of(user.id_token)["kid"]}
    )


def with_other_claims(user: User, **changed: object) -> str:
    header, _, signature = user.id_token.split(".")
    payload = (
        base64.urlsafe_b64encode(json.dumps(claims_of(user.id_token) | changed).encode())
        .rstrip(b"=")
        .decode()
    )
    return f"{header}.{payload}.{signature}"


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer ", "BEARER "])
def test_an_id_token_is_taken_bare_and_as_a_bearer_token(api: Api, ada: User, prefix: str) -> None:
    assert api("GET", headers=[("Authorization", prefix + ada.id_token)]).status in (200, 404)


def test_no_token(api: Api) -> None:
    assert_401(api, [])


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "garbage", "Bearer a.b.c", "Basic YTpi", "é", "Bearer ..", "."],
)
def test_what_is_no_token(api: Api, value: str) -> None:
    assert_401(api, [("Authorization", value)])


def test_an_access_token_is_not_for_this(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", ada.access_token)])
    assert "Send the id token" in api("GET", token=ada.access_token).json()["detail"]


def test_a_refresh_token_is_not_for_this(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", ada.refresh_token)])


def test_a_forged_token(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", resigned(ada))])


def test_another_users_sub_under_ones_own_signature(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", with_other_claims(ada, sub="someone-else"))])


def test_an_expired_tokens_life_cannot_be_prolonged(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", with_other_claims(ada, exp=int(time.time()) + 99_999))])


def test_an_unsigned_token(api: Api, ada: User) -> None:
    token = jwt.encode(claims_of(ada.id_token), "", "none", {"kid": header_of(ada.id_token)["kid"]})
    assert_401(api, [("Authorization", token)])


def test_two_authorization_headers(api: Api, ada: User) -> None:
    assert_401(api, [("Authorization", ada.id_token), ("Authorization", ada.id_token)])


def test_an_unknown_key(api: Api, ada: User) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = jwt.encode(claims_of(ada.id_token), key, "RS256", {"kid": "unknown"})
    assert_401(api, [("Authorization", token)])


def assert_401(api: Api, headers: list[tuple[str, str]]) -> None:
    for method, body in (("GET", None), ("POST", "{}")):
        answer = api(method, headers=headers, body=body)
        assert_problem(answer, 401, "not-signed-in")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="user-profile"'
