"""What may go wrong with a request: each has its answer, none is a 500, and a refused write changes nothing."""

import base64
import dataclasses
import json
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chalicelib import schema
from chalicelib.profile import MAX_BYTES
from local.gateway import MAX_BODY
from tests.conftest import Api, Cloud, User, assert_problem


def nested(levels: int) -> str:
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


def sized(size: int) -> str:
    """A profile that takes so many bytes in the database: 3 for the object, 1 for its member, 4 for its name."""
    return '{"text":"' + "x" * (size - 8) + '"}'


BODIES = {
    "nothing": (b"", 400, "malformed-json"),
    "null": (b"null", 422, "invalid-profile"),
    "an array": (b"[]", 422, "invalid-profile"),
    "a string": (b'"x"', 422, "invalid-profile"),
    "an opening brace": (b"{", 400, "malformed-json"),
    "a name twice": (b'{"a":1,"a":2}', 400, "malformed-json"),
    "NaN": (b'{"a": NaN}', 400, "malformed-json"),
    "NaN alone": (b"NaN", 400, "malformed-json"),
    "1e400": (b'{"a": 1e400}', 422, "invalid-profile"),
    "an exponent of 30 digits": (b'{"a": 1e' + b"9" * 30 + b"}", 422, "invalid-profile"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", 422, "invalid-profile"),
    "39 digits": (b'{"a": ' + b"9" * 39 + b"}", 422, "invalid-profile"),
    "100,000 nested arrays": (b"[" * 100_000 + b"]" * 100_000, 422, "invalid-profile"),
    "100,000 nested arrays in an object": (
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        422,
        "invalid-profile",
    ),
    "UTF-8 that is none": (b'{"a": "\xff"}', 400, "malformed-json"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), 400, "malformed-json"),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', 400, "malformed-json"),
    "half a surrogate pair": (b'{"a": "\\ud800"}', 400, "malformed-json"),
    "an empty name": (b'{"": 1}', 422, "invalid-profile"),
    "an empty name deep inside": (b'{"a": [{"": 1}]}', 422, "invalid-profile"),
    "32 levels": (nested(32).encode(), 422, "invalid-profile"),
    "one byte too many": (sized(MAX_BYTES + 1).encode(), 413, "profile-too-large"),
    "2 MB": (sized(2_000_000).encode(), 413, "profile-too-large"),
}


@pytest.fixture
def kept(api: Api, ada: User) -> Iterator[str]:
    """ada has a profile; afterwards she has the same."""
    etag = api.post(ada, '{"kept": true}').headers["ETag"]
    yield etag
    after = api.get(ada)
    assert (after.headers["ETag"], after.json()["profile_data"]) == (etag, {"kept": True})


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_profile_is_refused(api: Api, ada: User, kept: str, name: str) -> None:
    body, status, problem = BODIES[name]
    told = assert_problem(api.post(ada, body), status, problem)
    assert ("errors" in told) == (status == 422)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ('{"a": {"b": 1e400}, "c": [0, {"": 1}]}', ["/a/b", "/c/1/"]),
        (nested(32), ["/a" * 31]),
        ("[]", [""]),
    ],
)
def test_refused_data_is_told_where(
    api: Api, ada: User, kept: str, body: str, pointers: list[str]
) -> None:
    told = assert_problem(api.post(ada, body), 422, "invalid-profile")
    assert [error["pointer"] for error in told["errors"]] == pointers
    assert all(error["detail"] for error in told["errors"])


@pytest.mark.parametrize(
    "body", [nested(31), sized(MAX_BYTES), '{"a": 1e125}', '{"n\\u0000": "\\ud83d\\ude00"}']
)
def test_what_just_fits_is_stored(api: Api, ada: User, body: str) -> None:
    assert api.post(ada, body).json()["profile_data"] == json.loads(body, parse_float=Decimal)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/jsonx", "json", ""]
)
def test_another_content_type_is_a_415(api: Api, ada: User, kept: str, content_type: str) -> None:
    assert_problem(api.post(ada, "{}", content_type), 415)


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"],
)
def test_json_by_any_name_is_taken(api: Api, ada: User, content_type: str | None) -> None:
    assert api.post(ada, '{"é": "😀"}', content_type).json()["profile_data"] == {"é": "😀"}


def test_a_read_has_no_content_type_to_be_wrong(api: Api, ada: User, kept: str) -> None:
    assert api("GET", token=ada.id_token, headers=[("Content-Type", "text/plain")]).status == 200


def test_a_method_that_is_not_offered_is_a_405(api: Api, ada: User) -> None:
    answer = api("HEAD", token=ada.id_token)
    assert (answer.status, answer.body) == (405, b"")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/", "/user", "/user/profile/x", "/user/profiles"])
def test_a_path_that_is_not_offered_is_a_404(api: Api, ada: User, path: str) -> None:
    assert_problem(api("GET", path, token=ada.id_token), 404)


def test_a_slash_too_many_is_forgiven_as_in_aws(api: Api, ada: User, kept: str) -> None:
    assert api("GET", "/user/profile/", token=ada.id_token).status == 200


def test_a_body_cut_short_is_refused(api: Api, ada: User, kept: str) -> None:
    head = f"POST /user/profile HTTP/1.1\r\nHost: a\r\nAuthorization: {ada.id_token}\r\nContent-Length: 50\r\n\r\n"
    assert raw(api, head.encode() + b'{"cut": 1}').startswith(b"HTTP/1.1 400")


def test_two_lengths_are_refused(api: Api, ada: User, kept: str) -> None:
    lengths = [("Content-Length", "2"), ("Content-Length", "9")]
    assert_problem(api("POST", token=ada.id_token, headers=lengths), 400)


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "9" * 5000])
def test_a_length_that_is_none_is_refused(api: Api, ada: User, kept: str, length: str) -> None:
    assert_problem(api("POST", token=ada.id_token, headers=[("Content-Length", length)]), 411)


def test_a_body_of_unknown_length_is_refused(api: Api, ada: User, kept: str) -> None:
    chunked = [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")]
    assert_problem(api("POST", token=ada.id_token, headers=chunked), 411)


def test_a_body_beyond_what_api_gateway_takes_is_refused_and_the_refusal_arrives(
    api: Api, ada: User, kept: str
) -> None:
    assert_problem(api.post(ada, b" " * (MAX_BODY + 1)), 413)


@pytest.mark.parametrize(
    "line",
    [
        b"NONSENSE\r\n\r\n",
        b"BREW /user/profile HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n",
    ],
)
def test_what_is_no_request_is_answered_all_the_same(api: Api, line: bytes) -> None:
    answer = raw(api, line)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ", b"HTTP/1.1 405 "))
    assert b"about:blank" in answer
    assert b"Access-Control-Allow-Origin: *" in answer


def raw(api: Api, sent: bytes) -> bytes:
    """What the server answers to these bytes, before it closes the connection."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_burst_of_clients_is_answered(api: Api, ada: User) -> None:
    with ThreadPoolExecutor(80) as clients:
        answers = list(clients.map(lambda _: api("GET", token=ada.id_token).status, range(80)))
    assert set(answers) <= {200, 404}


# --- the function itself, as API Gateway calls it ---------------------------------------------------------------------


def event(
    cloud: Cloud,
    user: User,
    method: str,
    body: str | None,
    *,
    encoded: bool = False,
    claims: Mapping[str, str] = {},
) -> dict[str, Any]:
    whole = {"sub": user.sub, "token_use": "id", "aud": cloud.outputs["UserPoolClientId"]} | dict(
        claims
    )
    return {
        "requestContext": {
            "httpMethod": method, "resourcePath": "/user/profile", "requestId": "r-1", "authorizer": {"claims": whole},
        },
        "headers": {"Content-Type": "application/json"}, "multiValueQueryStringParameters": None,
        "pathParameters": None, "stageVariables": None, "body": body, "isBase64Encoded": encoded,
    }  # fmt: skip


def test_a_body_in_base64_is_read(function: ModuleType, cloud: Cloud, ada: User) -> None:
    body = base64.b64encode('{"é": "😀"}'.encode()).decode()
    answer = function.app(event(cloud, ada, "POST", body, encoded=True), None)
    assert answer["statusCode"] == 200
    read = function.app(event(cloud, ada, "GET", None), None)
    assert json.loads(read["body"])["profile_data"] == {"é": "😀"}


def test_a_body_in_bad_base64_is_refused(function: ModuleType, cloud: Cloud, ada: User) -> None:
    answer = function.app(event(cloud, ada, "POST", "a", encoded=True), None)
    assert (answer["statusCode"], json.loads(answer["body"])["request_id"]) == (400, "r-1")


@pytest.mark.parametrize(
    "claims", [{"token_use": "access"}, {"aud": "another client"}, {"sub": ""}]
)
def test_claims_that_the_gateway_lets_pass_are_checked_again(
    function: ModuleType, cloud: Cloud, ada: User, claims: dict[str, str]
) -> None:
    answer = function.app(event(cloud, ada, "GET", None, claims=claims), None)
    assert answer["statusCode"] == 401
    assert answer["headers"]["WWW-Authenticate"]


def test_without_a_table_the_answer_is_a_500_and_the_log_names_the_setting(
    function: ModuleType,
    cloud: Cloud,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    function.store.cache_clear()
    monkeypatch.setattr(function, "settings", function.Settings.from_environment({}))
    monkeypatch.setattr(function.app.log, "propagate", True)
    answer = function.app(event(cloud, ada, "GET", None), None)
    assert answer["statusCode"] == 500
    assert "DYNAMODB" not in answer["body"]
    assert "DYNAMODB_TABLE is not set" in caplog.text
    function.store.cache_clear()


def test_with_a_schema_writes_are_checked_and_reads_are_not(
    function: ModuleType, cloud: Cloud, ada: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "person.json").write_text('{"properties": {"age": {"type": "integer"}}}')
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "schema.py"))
    assert function.app(event(cloud, ada, "POST", '{"age": "old"}'), None)["statusCode"] == 200
    strict = dataclasses.replace(function.store(), check=schema.profile_check("person.json"))
    monkeypatch.setattr(function, "store", lambda: strict)
    read = function.app(event(cloud, ada, "GET", None), None)
    assert json.loads(read["body"])["profile_data"] == {"age": "old"}, (
        "what was stored before is served"
    )
    for method in ("POST", "PUT", "PATCH"):
        answer = function.app(event(cloud, ada, method, '{"age": "older"}'), None)
        assert answer["statusCode"] == 422
        assert [error["pointer"] for error in json.loads(answer["body"])["errors"]] == ["/age"]
    assert function.app(event(cloud, ada, "PATCH", '{"age": 36}'), None)["statusCode"] == 200
