"""The token verifier: accepted and refused tokens, and fetches of the user pool's keys."""

import hashlib
import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.tokens import (
    REFETCH_AFTER_SECONDS,
    RETRY_AFTER_SECONDS,
    InvalidToken,
    KeysUnavailable,
    TokenVerifier,
)

POOL = "eu-west-1_abc"
ARN = f"arn:aws:cognito-idp:eu-west-1:123456789012:userpool/{POOL}"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


class Pool:
    """A user pool's keys, served over HTTP, and the number of fetches."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {"known": KEY}
        self.broken_answer = b""
        """The response instead of the keys, unless it is empty."""
        self.fetches = 0
        pool = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pool.fetches += 1
                assert self.path == f"/{POOL}/.well-known/jwks.json"
                self.send_response(200)
                self.end_headers()
                self.wfile.write(pool.broken_answer or pool.jwks())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def jwks(self) -> bytes:
        return json.dumps({"keys": [self.jwk(kid) for kid in self.keys]}).encode()

    def jwk(self, kid: str) -> dict[str, Any]:
        jwk: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.keys[kid].public_key()))
        return {**jwk, "kid": kid, "use": "sig", "alg": "RS256"}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def pool() -> Iterator[Pool]:
    served = Pool()
    yield served
    served.close()


@pytest.fixture
def advance_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that advances time.monotonic, which otherwise stands still, by some seconds."""
    now = time.monotonic()

    def advance(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    return advance


@pytest.fixture
def verifier(pool: Pool) -> TokenVerifier:
    return TokenVerifier(ARN, ("client", "second-client"), pool.url + "/")


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of an id token, with some changed, or left out where the value is None."""
    now = int(time.time())
    whole = {
        "sub": "5f0c",
        "iss": ISSUER,
        "aud": "client",
        "token_use": "id",
        "iat": now,
        "exp": now + 3600,
        "cognito:username": "5f0c",
        "email": "ada@example.com",
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def signed(
    key: Any = KEY, kid: str | None = "known", algorithm: str = "RS256", **changed: Any
) -> str:
    headers = {"kid": kid} if kid is not None else {}
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers=headers)


def hs256_with_the_public_key() -> str:
    """A token that is signed with the public key as an HMAC secret. PyJWT refuses to make one."""

    def encode(part: bytes) -> bytes:
        return urlsafe_b64encode(part).rstrip(b"=")

    header = {"alg": "HS256", "typ": "JWT", "kid": "known"}
    content = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(claims()).encode())
    signature = hmac.new(PUBLIC_PEM, content, hashlib.sha256).digest()
    return (content + b"." + encode(signature)).decode()


def test_an_id_token_of_the_pool_and_client_is_accepted(verifier: TokenVerifier) -> None:
    assert verifier.claims(signed())["sub"] == "5f0c"
    assert verifier.claims(signed(aud="second-client"))["email"] == "ada@example.com"


def test_without_configured_clients_all_are_accepted(pool: Pool) -> None:
    assert TokenVerifier(ARN, (), pool.url).claims(signed(aud="whoever"))["aud"] == "whoever"


@pytest.mark.parametrize(
    ("partition", "region", "issuer"),
    [
        ("aws", "eu-west-1", f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"),
        ("aws-us-gov", "us-gov-west-1", f"https://cognito-idp.us-gov-west-1.amazonaws.com/{POOL}"),
        ("aws-cn", "cn-north-1", f"https://cognito-idp.cn-north-1.amazonaws.com.cn/{POOL}"),
    ],
)
def test_keys_come_from_the_issuer_by_default(partition: str, region: str, issuer: str) -> None:
    verifier = TokenVerifier(
        f"arn:{partition}:cognito-idp:{region}:123456789012:userpool/{POOL}", ()
    )
    assert verifier.issuer == issuer
    assert verifier.jwks_url == f"{issuer}/.well-known/jwks.json"


NOW = int(time.time())


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("garbage", id="garbage"),
        pytest.param("a.b.c", id="three parts of nothing"),
        pytest.param("é.ü.ö", id="not ASCII"),
        pytest.param("..", id="three empty parts"),
        pytest.param(signed()[:-8], id="signature cut short"),
        pytest.param(signed() + ".x", id="a part too many"),
        pytest.param(signed(None, algorithm="none"), id="alg none"),
        pytest.param(hs256_with_the_public_key(), id="HS256 with the public key"),
        pytest.param(signed(KEY, algorithm="RS512"), id="RS512"),
        pytest.param(signed(OTHER_KEY), id="another key under a known kid"),
        pytest.param(signed(OTHER_KEY, kid="unknown"), id="unknown kid"),
        pytest.param(signed(kid=None), id="no kid"),
        pytest.param(signed(exp=NOW - 3600, iat=NOW - 7200), id="expired"),
        pytest.param(signed(exp=None), id="never expires"),
        pytest.param(signed(nbf=NOW + 3600), id="not yet valid"),
        pytest.param(signed(iat=NOW + 3600, exp=NOW + 7200), id="issued in the future"),
        pytest.param(signed(iss=ISSUER.replace("abc", "other")), id="another pool's"),
        pytest.param(signed(iss="https://evil.example"), id="wrong issuer"),
        pytest.param(signed(iss=None), id="no issuer"),
        pytest.param(signed(aud="other"), id="wrong audience"),
        pytest.param(signed(aud=None), id="no audience"),
        pytest.param(signed(sub=None), id="no subject"),
        pytest.param(signed(token_use="access"), id="access token"),
        pytest.param(signed(token_use=None), id="no use"),
    ],
)
def test_a_token_that_proves_no_identity_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        verifier.claims(token)


def token_with_payload(payload: str) -> str:
    """A token whose payload is any text. Its signature is not valid."""
    head, _, signature = signed().split(".")
    return ".".join([head, urlsafe_b64encode(payload.encode()).rstrip(b"=").decode(), signature])


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(exp=NOW - 3600, iat=NOW - 7200), "The token has expired."),
        (signed(iat=NOW + 3600, exp=NOW + 7200), "is this machine's clock right?"),
        (signed(nbf=NOW + 3600), "is this machine's clock right?"),
        (signed(iss=ISSUER + "x"), "another user pool"),
        (signed(aud="other"), "another app"),
        (signed(sub=None), "lacks a claim"),
        (signed()[:-8] + "AAAAAAAA", "signature is not valid"),
        (signed(None, algorithm="none") + "AA", "RS256"),
        (signed(token_use="access"), "Send the id token"),
        (signed() + "==", "This is not a token"),
        (signed().replace(".", "=.", 1), "This is not a token"),
        (signed() + "\x0b", "This is not a token"),
        ("a.b.c", "cannot be read"),
        (token_with_payload("["), "cannot be read"),
        (token_with_payload("[]"), "cannot be read"),
        (token_with_payload('{"token_use": "id", "exp": ' + "9" * 5000 + "}"), "cannot be read"),
        (token_with_payload("[" * 100_000), "cannot be read"),
    ],
)
def test_the_reason_of_a_refusal_is_a_sentence_of_ours(
    verifier: TokenVerifier, token: str, reason: str
) -> None:
    """RFC 7515, section 2: base64url without padding. No text of PyJWT or Python is quoted."""
    with pytest.raises(InvalidToken) as caught:
        verifier.claims(token)
    text = str(caught.value)
    assert reason in text
    assert not text.endswith("..")
    for foreign in ("sys.", "recursion", "segments", "Signature", "audience", "Invalid"):
        assert foreign not in text


def test_keys_are_fetched_once(verifier: TokenVerifier, pool: Pool) -> None:
    for _ in range(5):
        verifier.claims(signed())
    assert pool.fetches == 1


def test_unknown_kids_do_not_have_the_keys_fetched_again(
    verifier: TokenVerifier, pool: Pool
) -> None:
    for number in range(20):
        with pytest.raises(InvalidToken):
            verifier.claims(signed(OTHER_KEY, kid=f"made-up-{number}"))
    assert pool.fetches == 1


def test_a_new_key_is_found_when_the_keys_are_old(
    verifier: TokenVerifier, pool: Pool, advance_clock: Callable[[float], None]
) -> None:
    verifier.claims(signed())
    pool.keys["rotated"] = OTHER_KEY
    advance_clock(REFETCH_AFTER_SECONDS - 1)
    with pytest.raises(InvalidToken):
        verifier.claims(signed(OTHER_KEY, kid="rotated"))
    advance_clock(1)
    assert verifier.claims(signed(OTHER_KEY, kid="rotated"))["sub"] == "5f0c"


def test_without_the_keys_no_token_is_accepted(verifier: TokenVerifier, pool: Pool) -> None:
    pool.close()
    with pytest.raises(KeysUnavailable, match=pool.url):
        verifier.claims(signed())


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"keys": []}', b"[]", b"<html>", b'{"keys": [{"kty": "?"}]}']
)
def test_unusable_keys_accept_no_token_and_are_remembered(
    verifier: TokenVerifier,
    pool: Pool,
    advance_clock: Callable[[float], None],
    answer: bytes,
) -> None:
    pool.broken_answer = answer
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            verifier.claims(signed())
    assert pool.fetches == 1
    pool.broken_answer = b""
    advance_clock(RETRY_AFTER_SECONDS)
    assert verifier.claims(signed())["sub"] == "5f0c"


def test_a_failing_refetch_accepts_no_token(
    verifier: TokenVerifier, pool: Pool, advance_clock: Callable[[float], None]
) -> None:
    verifier.claims(signed())
    pool.close()
    advance_clock(REFETCH_AFTER_SECONDS)
    with pytest.raises(KeysUnavailable):
        verifier.claims(signed(kid="unknown"))
