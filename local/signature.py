"""Verifies AWS Signature Version 4 as API Gateway's IAM authorization does, for `chalice local`.

On AWS, API Gateway does this before it calls the function.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

from local.http11 import HttpRequest

SERVICE = "execute-api"
"""The service name of every API in API Gateway."""
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
"""Between the signing time and this machine's clock, in either direction."""
PRESIGNED = b"x-amz-signature"
"""The query parameter that holds the signature of a presigned URL, in lower case."""
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +"
    r"Credential=(?P<key_id>[^/,\s]+)/(?P<scope>[^,\s]+), *"
    r"SignedHeaders=(?P<signed_headers>[^,\s]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
"""The Authorization header, in the order in which AWS documents its parts."""


class InvalidSignature(Exception):
    """The signature does not prove who sent the request. The text is for the caller."""


class MissingSignature(InvalidSignature):
    """The request has no Authorization header."""


class ExpiredSignature(InvalidSignature):
    """The request was signed too long ago, or in the future."""


def verify(
    request: HttpRequest, credentials: Credentials, region: str, now: datetime | None = None
) -> None:
    """Return if the request was signed with these credentials, for `region` and `SERVICE`.

    request: its target is the path with the query as sent, still percent-encoded.
    credentials: with a session token, if the caller must send one.
    now: the time, with a time zone; by default this machine's.

    Raises MissingSignature, ExpiredSignature, InvalidSignature.
    """
    path, _, query = request.target.partition("?")
    _refuse_presigned(query)
    _refuse_ambiguous_path(path)
    authorization = _authorization(request.headers)
    if authorization["key_id"] != credentials.access_key:
        raise InvalidSignature(f"The access key ID {authorization['key_id']} is not known here.")
    date_header = _date_header(request.headers)
    signing_time = _signing_time(request.headers, date_header)
    if now is None:
        now = datetime.now(UTC)
    _check_clock(signing_time, now)
    signer = SigV4Auth(credentials, SERVICE, region)
    context = AWSRequest()
    context.context["timestamp"] = signing_time.strftime(SIGV4_TIMESTAMP)
    _check_scope(authorization["scope"], signer.credential_scope(context))
    _check_signed_headers(authorization["signed_headers"], request.headers, date_header)
    _check_session_token(request.headers, credentials.token)
    _check_body_hash(request)
    canonical_request = _canonical_request(request, authorization["signed_headers"], signer)
    expected = signer.signature(signer.string_to_sign(context, canonical_request), context)
    if not hmac.compare_digest(authorization["signature"], expected):
        raise InvalidSignature(
            "The signature does not match the request. Check the secret access key, and whether "
            "anything changed the request after it was signed."
        )


def _canonical_request(request: HttpRequest, signed_headers: str, signer: SigV4Auth) -> str:
    """The text that is signed, after "Create a canonical request" of the source."""
    path, _, query = request.target.partition("?")
    selected = Message()
    for name in signed_headers.split(";"):
        for value in request.headers.get_all(name, []):
            selected[name] = value
    return "\n".join(
        [
            request.method,
            quote(path, safe="/~"),  # encoded twice, as for every service but S3
            _canonical_query(query),
            signer.canonical_headers(selected) + "\n",
            signed_headers,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def _canonical_query(query: str) -> str:
    """The query, encoded and sorted by name and value."""
    encoded = [
        (quote(name, safe="~"), quote(value, safe="~")) for name, value in _parameters(query)
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _parameters(query: str) -> list[tuple[bytes, bytes]]:
    """The decoded names and values of a query. A plus sign is a space, as for the function."""
    parameters = []
    for pair in query.replace("+", " ").split("&"):
        name, _, value = pair.partition("=")
        if pair:
            parameters.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return parameters


def _refuse_presigned(query: str) -> None:
    """Raise InvalidSignature if the query has a signature: the service refuses it on AWS too."""
    if PRESIGNED in [name.lower() for name, _ in _parameters(query)]:
        raise InvalidSignature(
            "Presigned URLs are not accepted. Send the signature in the Authorization header."
        )


def _refuse_ambiguous_path(path: str) -> None:
    """Raise InvalidSignature if the path has empty or relative segments.

    AWS signs a path without them. A signature would then be valid for other paths as well.
    """
    if normalize_url_path(path) != path:
        raise InvalidSignature(
            "The path has an empty or relative segment (//, /./ or /../). Send it without."
        )


def _authorization(headers: Message) -> re.Match[str]:
    """The parts of the Authorization header. Raises MissingSignature, InvalidSignature."""
    value = _single_value(headers, "authorization")
    if value is None:
        raise MissingSignature(
            "The request is not signed. Sign it with AWS Signature Version 4, for the service "
            f"{SERVICE}."
        )
    authorization = AUTHORIZATION.fullmatch(value)
    if not authorization:
        raise InvalidSignature(
            "This route takes AWS signatures and not id tokens. The Authorization header must be: "
            "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..."
        )
    return authorization


def _single_value(headers: Message, name: str) -> str | None:
    """The value of a header; None without it. Raises InvalidSignature if there are several."""
    values: list[str] = headers.get_all(name, [])
    if not values:
        return None
    if len(values) > 1:
        raise InvalidSignature(f"The request has more than one {name} header. Send one.")
    return values[0]


def _date_header(headers: Message) -> str:
    """The name of the header with the signing time."""
    if "x-amz-date" in headers:
        return "x-amz-date"
    return "date"


def _signing_time(headers: Message, date_header: str) -> datetime:
    """The time in the header, in UTC. Raises InvalidSignature."""
    text = _single_value(headers, date_header)
    if text is None:
        raise InvalidSignature("The request has no X-Amz-Date header. Send one and sign it.")
    try:
        if date_header == "x-amz-date":
            return datetime.strptime(text, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
        time = parsedate_to_datetime(text)
        if time.tzinfo is None:  # -0000 instead of GMT: botocore writes it
            return time.replace(tzinfo=UTC)
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidSignature(
            f"The {date_header} header is not a time. Send X-Amz-Date, such as 20300131T235959Z."
        ) from error


def _check_clock(signing_time: datetime, now: datetime) -> None:
    """Raise ExpiredSignature if the times are too far apart."""
    if abs(now - signing_time) > MAX_CLOCK_DIFFERENCE:
        raise ExpiredSignature(
            f"The request was signed at {signing_time:%Y-%m-%dT%H:%M:%SZ}, more than 5 minutes "
            f"from {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}. Check the clock and sign it again."
        )


def _check_scope(scope: str, expected: str) -> None:
    """Raise InvalidSignature if the date, region, service or terminator is another one."""
    if scope != expected:
        raise InvalidSignature(f"The request was signed for {scope}. Sign it for {expected}.")


def _check_signed_headers(signed_headers: str, headers: Message, date_header: str) -> None:
    """Raise InvalidSignature if a required header is not signed, or the list is malformed."""
    names = signed_headers.split(";")
    if names != sorted({name.lower() for name in names}):
        raise InvalidSignature("SignedHeaders must be sorted, in lower case, with no repetition.")
    for name in names:
        if name not in headers:
            raise InvalidSignature(f"SignedHeaders contains {name}, but the request lacks it.")
    sent = [name.lower() for name in headers]
    required = ["host", date_header, *(name for name in sent if name.startswith("x-amz-"))]
    for name in required:
        if name not in names:
            raise InvalidSignature(f"The header {name} must be sent, and be in SignedHeaders.")


def _check_session_token(headers: Message, expected: str | None) -> None:
    """Raise InvalidSignature unless the request has the expected session token, if any."""
    token = _single_value(headers, "x-amz-security-token")
    if expected is None and token is None:
        return
    if expected is None:
        raise InvalidSignature("These credentials have no session token. Send none.")
    if token is None or not hmac.compare_digest(token.encode(), expected.encode()):
        raise InvalidSignature("The session token in X-Amz-Security-Token is missing or wrong.")


def _check_body_hash(request: HttpRequest) -> None:
    """Raise InvalidSignature if the request names another hash of its body.

    UNSIGNED-PAYLOAD is refused too. AWS does not document it for API Gateway, and the body would
    not be covered by the signature.
    """
    named = _single_value(request.headers, "x-amz-content-sha256")
    if named is not None and named != hashlib.sha256(request.body).hexdigest():
        raise InvalidSignature(
            "X-Amz-Content-Sha256 is not the SHA-256 of the body. Send the right one, or none."
        )
