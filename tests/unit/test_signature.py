"""The verifier of AWS Signature Version 4: accepted and refused requests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from time import tzset
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from local.http11 import HttpRequest
from local.signature import ExpiredSignature, InvalidSignature, MissingSignature, verify

REGION = "eu-central-1"
HOST = "127.0.0.1:8000"
KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION_KEYS = Credentials(KEYS.access_key, KEYS.secret_key, "session token")
NOW = datetime(2030, 1, 31, 12, 30, 15, tzinfo=UTC)
BODY = b'{"data": {"n": "\xc3\xa9"}}'
HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()


def timestamp(time: datetime) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ")


DATE = ("X-Amz-Date", timestamp(NOW))


def scope(
    date: str = "20300131",
    region: str = REGION,
    service: str = "execute-api",
    terminator: str = "aws4_request",
) -> str:
    return f"{date}/{region}/{service}/{terminator}"


def signed(
    method: str = "GET",
    path: str = "/users",
    query: str = "",
    headers: tuple[tuple[str, str], ...] = (DATE,),
    body: bytes = b"",
    *,
    host: str = HOST,
    signed_headers: str = "host;x-amz-date",
    credential_scope: str = scope(),
    time: datetime = NOW,
    canonical_headers: str = "",
    body_hash: str = "",
    keys: Credentials = KEYS,
) -> HttpRequest:
    """A request signed as AWS documents it, without botocore.

    query: already in its canonical form.
    headers: without Host. Of repeated headers, all values are signed.
    canonical_headers: the lines to sign instead of those of the headers.
    body_hash: the hash to sign instead of the body's.
    """
    message = Message()
    for name, value in [("Host", host), *headers]:
        message[name] = value
    lines = [
        f"{name}:{','.join(message.get_all(name, []))}\n"
        for name in sorted(set(signed_headers.split(";")))
        if name in message
    ]
    canonical_request = "\n".join(
        [
            method,
            path.replace("%", "%25"),
            query,
            canonical_headers or "".join(lines),
            signed_headers,
            body_hash or hashlib.sha256(body).hexdigest(),
        ]
    )
    string_to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            timestamp(time),
            credential_scope,
            hashlib.sha256(canonical_request.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{keys.secret_key}".encode()
    for part in credential_scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, string_to_sign.encode(), "sha256").hex()
    message["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{credential_scope}, "
        f"SignedHeaders={signed_headers}, Signature={signature}"
    )
    target = path
    if query:
        target += f"?{query}"
    return HttpRequest(method, target, message, body)


def edited(request: HttpRequest, header: str, old: str, new: str) -> HttpRequest:
    """The request with `old` replaced by `new` in one header after it was signed."""
    value = str(request.headers[header])
    assert value.count(old) == 1, f"{header} must contain {old!r} once"
    headers = Message()
    for name, unchanged in request.headers.items():
        headers[name] = unchanged
    headers.replace_header(header, value.replace(old, new))
    return request._replace(headers=headers)


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    """The request with one more header line, added after it was signed."""
    headers = Message()
    for line in [*request.headers.items(), (name, value)]:
        headers[line[0]] = line[1]
    return request._replace(headers=headers)


def without_header(request: HttpRequest, name: str) -> HttpRequest:
    headers = Message()
    for line in request.headers.items():
        headers[line[0]] = line[1]
    del headers[name]
    return request._replace(headers=headers)


def accept(request: HttpRequest, keys: Credentials = KEYS) -> None:
    """Fail unless the request is accepted."""
    verify(request, keys, REGION, NOW)


def refuse(
    request: HttpRequest,
    error: type[InvalidSignature] = InvalidSignature,
    keys: Credentials = KEYS,
) -> None:
    """Fail unless the request is refused with this very error."""
    with pytest.raises(InvalidSignature) as caught:
        verify(request, keys, REGION, NOW)
    assert type(caught.value) is error
    assert str(caught.value)


def signed_by_botocore(
    method: str,
    path: str = "/users",
    params: Any = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    keys: Credentials = KEYS,
) -> HttpRequest:
    """A request as an application with botocore sends it, signed at this machine's time."""
    request = AWSRequest(
        method, f"http://{HOST}{path}", headers=headers or {}, data=body, params=params
    )
    SigV4Auth(keys, "execute-api", REGION).add_auth(request)
    prepared = request.prepare()
    message = Message()
    message["Host"] = HOST
    for name, value in prepared.headers.items():
        message[name] = value.decode() if isinstance(value, bytes) else value
    return HttpRequest(method, prepared.url.removeprefix(f"http://{HOST}"), message, body)


# The signer of these tests


def test_the_tests_sign_as_in_the_documentation_of_aws() -> None:
    """The example ListUsers of "Signature Version 4" in AWS's General Reference."""
    request = signed(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("X-Amz-Date", "20150830T123600Z"),
        ),
        host="iam.amazonaws.com",
        signed_headers="content-type;host;x-amz-date",
        credential_scope="20150830/us-east-1/iam/aws4_request",
        time=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert request.headers["Authorization"].endswith(
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_a_signed_request_is_accepted() -> None:
    accept(signed("PATCH", "/users/a/profile", "fields=a&version=2", body=BODY))


# botocore


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST", "DELETE"])
@pytest.mark.parametrize("body", [b"", BODY])
def test_botocores_signature_is_accepted(method: str, body: bytes) -> None:
    request = signed_by_botocore(method, "/users/a/profile", body=body)
    verify(request, KEYS, REGION)


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "a b"},
        {"cursor": "a+b/c=="},
        {"cursor": "~-._"},
        {"cursor": "é€😀"},
        {"cursor": "%&=?#:,;@!$'()*[]"},
        {"cursor": ""},
        {"limit": "1", "cursor": "2"},
        {"a/b": "1"},
        {"é": "1", "z": "2", "A": "3"},
        {"a": "1", "a-b": "2", "aB": "3"},
        [("f", "b"), ("f", "a"), ("f", "")],
    ],
)
def test_botocores_signature_of_a_query_is_accepted(params: Any) -> None:
    verify(signed_by_botocore("GET", params=params), KEYS, REGION)


@pytest.mark.parametrize("query", ["limit=1&cursor=2", "flag", "flag=&a=~b", "a=1%3D2", "a=%2B"])
def test_botocores_signature_of_a_url_is_accepted(query: str) -> None:
    request = signed_by_botocore("GET", f"/users?{query}")
    assert request.target.startswith("/users?")
    verify(request, KEYS, REGION)


@pytest.mark.parametrize(
    "path",
    ["/", "/users/", "/users/a%20b", "/users/a%2Fb", "/users/%C3%A9", "/users/~", "/users/%25"],
)
def test_botocores_signature_of_a_path_is_accepted(path: str) -> None:
    verify(signed_by_botocore("GET", path), KEYS, REGION)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"X-Amz-Content-Sha256": hashlib.sha256(BODY).hexdigest()},
        {"x-amz-meta": "a   b"},
        {"If-Match": '"1"', "Accept": "*/*"},
        {"User-Agent": "not signed by botocore"},
        {"Date": "replaced by botocore; then X-Amz-Date is not sent"},
    ],
)
def test_botocores_signature_of_headers_is_accepted(headers: dict[str, str]) -> None:
    request = signed_by_botocore("PUT", headers=headers, body=BODY)
    assert ("Date" in headers) != ("X-Amz-Date" in request.headers)
    verify(request, KEYS, REGION)


def test_botocores_session_token_is_accepted() -> None:
    verify(signed_by_botocore("GET", keys=SESSION_KEYS), SESSION_KEYS, REGION)


# What is signed


def test_without_a_signature_it_is_missing() -> None:
    refuse(without_header(signed(), "Authorization"), MissingSignature)


def test_a_wrong_secret_is_refused() -> None:
    refuse(signed(keys=Credentials(KEYS.access_key, "wrong")))


def test_another_key_id_is_refused() -> None:
    refuse(signed(keys=Credentials("OTHER", KEYS.secret_key)))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"method": "patch"},
        {"target": "/users/b?limit=1"},
        {"target": "/users/a/?limit=1"},
        {"target": "/users/%61?limit=1"},
        {"target": "/users/a?limit=2"},
        {"target": "/users/a?Limit=1"},
        {"target": "/users/a?limit=1&limit=1"},
        {"target": "/users/a?limit=1&cursor=x"},
        {"target": "/users/a?limit=1#x"},
        {"target": "/users/a?limit=1%26"},
        {"target": "/users/a#?limit=1"},
        {"target": "/users/a"},
        {"body": b""},
        {"body": BODY + b" "},
    ],
)
def test_a_request_changed_after_signing_is_refused(change: dict[str, Any]) -> None:
    request = signed("PATCH", "/users/a", "limit=1", body=BODY)
    accept(request)
    refuse(request._replace(**change))


@pytest.mark.parametrize(
    "query", ["b=2&a=1", "a=1&&b=2&", "%61=1&b=%32"], ids=["order", "separators", "encoding"]
)
def test_another_spelling_of_the_same_query_is_accepted(query: str) -> None:
    request = signed(query="a=1&b=2")
    accept(request._replace(target=f"/users?{query}"))


def test_a_plus_in_a_query_is_a_space() -> None:
    accept(signed(query="a=b%20c")._replace(target="/users?a=b+c"))
    refuse(signed(query="a=b%2Bc")._replace(target="/users?a=b+c"))


def test_an_unsorted_query_must_be_signed_sorted() -> None:
    """curl 7.88 signs it as it is: see curl issues 9717 and 11794."""
    refuse(signed(query="limit=1&cursor=2"))


@pytest.mark.parametrize("path", ["//users", "/users//a", "/users/./a", "/x/../users", "/users/.."])
def test_a_path_that_aws_would_shorten_is_refused(path: str) -> None:
    refuse(signed(path=path))
    refuse(signed(path="/users")._replace(target=path))


@pytest.mark.parametrize("old", ["127.0.0.1", "8000"])
def test_another_host_is_refused(old: str) -> None:
    refuse(edited(signed(), "Host", old, "8001"))


# Headers


def test_a_signed_header_is_verified() -> None:
    headers = (DATE, ("If-Match", '"1"'))
    request = signed(headers=headers, signed_headers="host;if-match;x-amz-date")
    accept(request)
    refuse(edited(request, "If-Match", "1", "2"))
    refuse(with_header(request, "If-Match", '"2"'))
    refuse(without_header(request, "If-Match"))


def test_an_unsigned_header_may_be_added() -> None:
    accept(with_header(signed(), "If-Match", '"1"'))


def test_white_space_in_a_signed_header_does_not_count() -> None:
    headers = (DATE, ("X-Amz-Meta", "a b"))
    request = signed(headers=headers, signed_headers="host;x-amz-date;x-amz-meta")
    accept(edited(request, "X-Amz-Meta", "a b", " a \t b "))


def test_all_values_of_a_repeated_header_are_signed() -> None:
    headers = (DATE, ("X-Amz-Meta", "1"), ("x-amz-meta", "2"))
    accept(signed(headers=headers, signed_headers="host;x-amz-date;x-amz-meta"))


def test_an_unsigned_amz_header_is_refused() -> None:
    refuse(with_header(signed(), "X-Amz-Meta", "1"))


def test_an_unsigned_host_is_refused() -> None:
    refuse(signed(signed_headers="x-amz-date"))


def test_an_unsigned_date_is_refused() -> None:
    refuse(signed(signed_headers="host"))
    refuse(signed(headers=(("Date", format_datetime(NOW)),), signed_headers="host"))


def test_a_missing_date_is_refused() -> None:
    refuse(signed(headers=(), signed_headers="host"))


@pytest.mark.parametrize(
    "signed_as", ["x-a;host;x-amz-date", "X-A;host;x-amz-date", "host;x-a;x-a;x-amz-date"]
)
def test_signed_headers_must_be_sorted_unique_and_lower_case(signed_as: str) -> None:
    headers = (DATE, ("X-A", "1"))
    accept(signed(headers=headers, signed_headers="host;x-a;x-amz-date"))
    refuse(signed(headers=headers, signed_headers=signed_as))


def test_a_header_that_was_signed_twice_is_refused() -> None:
    lines = f"host:{HOST}\nx-a:1,1\nx-amz-date:{DATE[1]}\n"
    names = "host;x-a;x-a;x-amz-date"
    refuse(signed(headers=(DATE, ("X-A", "1")), signed_headers=names, canonical_headers=lines))


@pytest.mark.parametrize("name", ["", "absent"])
def test_a_signed_header_that_was_not_sent_is_refused(name: str) -> None:
    names = sorted(["host", "x-amz-date", name])
    refuse(signed(signed_headers=";".join(names)))


# The Authorization header


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI1ZjBjIn0.c2lnbmF0dXJl",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI1ZjBjIn0.c2lnbmF0dXJl",
        "Basic dXNlcjpwYXNzd29yZA==",
        "AWS4-HMAC-SHA256",
        f"AWS4-HMAC-SHA256 Credential=A/{scope()}",
    ],
)
def test_what_is_not_an_aws_signature_is_refused(value: str) -> None:
    refuse(with_header(without_header(signed(), "Authorization"), "Authorization", value))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AWS4-HMAC-SHA256 ", ""),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("Credential=", ""),
        ("Credential=AKIDEXAMPLE", "Credential="),
        (f"/{scope()}", ""),
        ("SignedHeaders=host;x-amz-date, ", ""),
        ("host;x-amz-date", ""),
        ("Signature=", "Signature=0"),
        ("Signature=", "Signature=, Unused="),
        ("Signature=", "Signature=é"),
    ],
)
def test_a_malformed_authorization_header_is_refused(old: str, new: str) -> None:
    refuse(edited(signed(), "Authorization", old, new))


def test_an_altered_or_truncated_signature_is_refused() -> None:
    request = signed()
    signature = str(request.headers["Authorization"]).partition("Signature=")[2]
    other_digit = "1" if signature[-1] == "0" else "0"
    for other in [
        signature[:-1],
        signature[:-1] + other_digit,
        signature.upper(),
        signature + "0",
        "",
    ]:
        refuse(edited(request, "Authorization", signature, other))


def test_the_parts_may_be_separated_by_a_comma_alone() -> None:
    request = edited(signed(), "Authorization", ", SignedHeaders", ",SignedHeaders")
    accept(edited(request, "Authorization", ", Signature", ",Signature"))


def test_several_authorization_headers_are_refused() -> None:
    request = signed()
    refuse(with_header(request, "authorization", request.headers["Authorization"]))


@pytest.mark.parametrize(
    ("canonical", "sent"),
    [
        ("X-Amz-Signature=1", "X-Amz-Signature=1"),
        ("X-Amz-Signature=1", "X-Amz-%53ignature=1"),
        ("x-amz-signature=1", "x-amz-signature=1"),
        ("X-Amz-Signature=", "X-Amz-Signature"),
    ],
)
def test_a_signature_in_the_query_is_refused(canonical: str, sent: str) -> None:
    refuse(signed(query=canonical)._replace(target=f"/users?{sent}"))


def test_a_presigned_url_is_refused() -> None:
    request = AWSRequest("GET", f"http://{HOST}/users")
    SigV4QueryAuth(KEYS, "execute-api", REGION).add_auth(request)
    headers = Message()
    headers["Host"] = HOST
    target = str(request.url).removeprefix(f"http://{HOST}")
    refuse(HttpRequest("GET", target, headers, b""))


# Scope and time

OTHER_SCOPES = [
    scope(date="20300130"),
    scope(date="20300201"),
    scope(region="eu-west-1"),
    scope(service="s3"),
    scope(terminator="aws4"),
    scope() + "/x",
]


@pytest.mark.parametrize("other", OTHER_SCOPES)
def test_a_signature_for_another_scope_is_refused(other: str) -> None:
    refuse(signed(credential_scope=other))


@pytest.mark.parametrize("other", OTHER_SCOPES)
def test_a_scope_that_was_not_signed_is_refused(other: str) -> None:
    refuse(edited(signed(), "Authorization", scope(), other))


def test_a_key_id_that_was_not_signed_is_refused() -> None:
    refuse(edited(signed(), "Authorization", KEYS.access_key, "OTHER"))


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Asia/Tokyo")
        tzset()
        yield
    tzset()


def signed_at(time: datetime) -> HttpRequest:
    headers = (("X-Amz-Date", timestamp(time)),)
    return signed(headers=headers, time=time, credential_scope=scope(date=f"{time:%Y%m%d}"))


def signed_with_date(date: str, time: datetime = NOW) -> HttpRequest:
    return signed(headers=(("Date", date),), signed_headers="date;host", time=time)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_the_clock_may_differ_by_5_minutes(minutes: int) -> None:
    accept(signed_at(NOW + timedelta(minutes=minutes)))


@pytest.mark.parametrize("seconds", [-360, -301, 301, 360, -86_400, 86_400])
def test_a_clock_that_differs_more_is_refused(seconds: int) -> None:
    time = NOW + timedelta(seconds=seconds)
    refuse(signed_at(time), ExpiredSignature)
    refuse(signed_with_date(format_datetime(time), time), ExpiredSignature)


def test_a_changed_date_is_refused() -> None:
    refuse(edited(signed(), "X-Amz-Date", "T123015Z", "T123016Z"))


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 31 Jan 2030 12:30:15 GMT",
        "Thu, 31 Jan 2030 12:30:15 -0000",
        "Thu, 31 Jan 2030 14:30:15 +0200",
    ],
)
@pytest.mark.usefixtures("tokyo")
def test_the_date_header_is_accepted_instead(date: str) -> None:
    accept(signed_with_date(date))


def test_x_amz_date_has_precedence_over_date() -> None:
    headers = (DATE, ("Date", "Tue, 01 Jan 2030 00:00:00 GMT"))
    accept(signed(headers=headers))


@pytest.mark.parametrize("date", ["", "today", "2030-01-31T12:30:15Z", "20300231T123015Z"])
def test_a_malformed_x_amz_date_is_refused(date: str) -> None:
    refuse(signed(headers=(("X-Amz-Date", date),)))


@pytest.mark.parametrize(
    "date",
    [
        "",
        "today",
        "Thu, 32 Jan 2030 12:30:15 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Thu, 31 Jan 2030 12:30:15 +99999999999999",
    ],
)
def test_a_malformed_date_is_refused(date: str) -> None:
    refuse(signed_with_date(date))


def test_several_dates_are_refused() -> None:
    refuse(signed(headers=(DATE, DATE)))
    date = ("Date", format_datetime(NOW))
    refuse(signed(headers=(date, date), signed_headers="date;host"))


# The hash of the body


def signed_with_hash(header: str, body_hash: str = "") -> HttpRequest:
    """A PUT with X-Amz-Content-Sha256.

    body_hash: the hash to sign instead of the body's.
    """
    return signed(
        "PUT",
        headers=(DATE, ("X-Amz-Content-Sha256", header)),
        body=BODY,
        signed_headers="host;x-amz-content-sha256;x-amz-date",
        body_hash=body_hash,
    )


def test_the_hash_of_the_body_may_be_sent() -> None:
    accept(signed_with_hash(hashlib.sha256(BODY).hexdigest()))


@pytest.mark.parametrize(
    "other", [HASH_OF_NOTHING, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ""]
)
def test_another_hash_of_the_body_is_refused(other: str) -> None:
    refuse(signed_with_hash(other))
    refuse(signed_with_hash(other, other))


def test_a_changed_body_with_the_hash_of_the_old_one_is_refused() -> None:
    request = signed_with_hash(hashlib.sha256(BODY).hexdigest())
    refuse(request._replace(body=b"{}"))


def test_several_hashes_of_the_body_are_refused() -> None:
    body_hash = ("X-Amz-Content-Sha256", HASH_OF_NOTHING)
    names = "host;x-amz-content-sha256;x-amz-date"
    refuse(signed(headers=(DATE, body_hash, body_hash), signed_headers=names))


# The session token


def signed_with_token(token: str) -> HttpRequest:
    return signed(
        headers=(DATE, ("X-Amz-Security-Token", token)),
        signed_headers="host;x-amz-date;x-amz-security-token",
    )


def test_the_session_token_of_the_keys_is_accepted() -> None:
    accept(signed_with_token("session token"), SESSION_KEYS)


@pytest.mark.parametrize("token", ["", "another", "é"])
def test_another_session_token_is_refused(token: str) -> None:
    refuse(signed_with_token(token), keys=SESSION_KEYS)


def test_a_missing_session_token_is_refused() -> None:
    refuse(signed(), keys=SESSION_KEYS)


@pytest.mark.parametrize("token", ["", "session token"])
def test_a_session_token_for_keys_without_one_is_refused(token: str) -> None:
    refuse(signed_with_token(token))


def test_several_session_tokens_are_refused() -> None:
    token = ("X-Amz-Security-Token", "session token")
    names = "host;x-amz-date;x-amz-security-token"
    refuse(signed(headers=(DATE, token, token), signed_headers=names), keys=SESSION_KEYS)


# Any input

LATIN_1 = st.text(st.characters(max_codepoint=255))


@given(LATIN_1, LATIN_1, LATIN_1, st.sampled_from(["Date", "X-Amz-Date"]))
def test_any_other_input_is_refused(scope: str, names: str, date: str, date_header: str) -> None:
    headers = Message()
    headers["Host"] = HOST
    headers[date_header] = date
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEYS.access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={HASH_OF_NOTHING}"
    )
    with pytest.raises(InvalidSignature):
        verify(HttpRequest("GET", f"/users?{scope}", headers, b""), KEYS, REGION, NOW)
