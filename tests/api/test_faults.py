"""What the service answers when the database does not do what it is asked, on the wire; and that it recovers by itself.

The function is called as Lambda calls it, with a proxy between its store and DynamoDB (tests/support/faulty_wire.py).
"""

from __future__ import annotations

import json
import logging
import socket
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config

from chalicelib import store as database
from chalicelib.errors import ProfileNotFound
from chalicelib.profile import JSON
from chalicelib.store import CLIENT_CONFIG, PATIENCE, ProfileStore
from tests.conftest import PLANTED, ROOT, Cloud
from tests.support import faulty_wire as wires
from tests.support.events import event
from tests.support.faulty_wire import Fault, Wire

QUICK = CLIENT_CONFIG.merge(Config(connect_timeout=0.3, read_timeout=0.4))
"""The same, for who has many faults to wait for."""


def worst_call(config: Any) -> float:
    """Seconds: every try just fails to time out, with botocore's longest pauses (standard mode: 1 s, then 2 s...)."""
    tries: int = config.retries["total_max_attempts"]
    seconds: float = tries * (config.connect_timeout + config.read_timeout) + sum(
        2**n for n in range(tries - 1)
    )
    return seconds


def worst_request(config: Any) -> float:
    """Seconds: a patch, which is a read and a write, or writes that are overtaken until patience ends, and one more."""
    return max(2 * worst_call(config), PATIENCE + 1 + worst_call(config))


def quick(request_name: str) -> float:
    """Seconds that a request takes at worst with QUICK's timeouts, its pauses left out; one more for a busy machine."""
    return 1 + (worst_call(QUICK) - 1) * (2 if request_name.startswith("PATCH") else 1)


@pytest.fixture(scope="module")
def wire(cloud: Cloud) -> Iterator[Wire]:
    with wires.wire_to(cloud.port) as wire:
        yield wire


@pytest.fixture
def config() -> Config:
    return QUICK


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's pauses before it tries again are left out: a second in each of a hundred tests."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture(scope="module")
def connected() -> dict[str, ProfileStore]:
    """The store of each test, one for all its cases: what one fault leaves is the next one's start."""
    return {}


@pytest.fixture
def through(
    wire: Wire, config: Config, table: str, connected: dict[str, ProfileStore],
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
) -> ProfileStore:  # fmt: skip
    """A store that reaches the database through the wire."""
    wire.next.clear()
    wire.seen.clear()
    wire.always = wires.passed_on
    name: str = request.node.originalname
    if name not in connected:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", wire.url)
        monkeypatch.setattr(database, "CLIENT_CONFIG", config)
        connected[name] = ProfileStore.connect(table)
    return connected[name]


@pytest.fixture
def sub() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def call(
    pauses: None,
    function: ModuleType,
    through: ProfileStore,
    cloud: Cloud,
    sub: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    """Ask the function: method, body, headers with _ for -."""
    monkeypatch.setattr(function, "store", lambda: through)
    client_id = cloud.outputs["UserPoolClientId"]

    def ask(method: str, body: str | None = None, **headers: str) -> dict[str, Any]:
        asked = event(method, sub, client_id, body)
        asked["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
        asked["multiValueHeaders"] = {name: [value] for name, value in asked["headers"].items()}
        answer: dict[str, Any] = function.app(asked, None)
        return answer

    return ask


@pytest.fixture
def before(store: ProfileStore, sub: str) -> str:
    """The user has a profile; its ETag."""
    return f'"{store.replace(sub, KEPT).revision}"'


@pytest.fixture
def logged(function: ModuleType) -> Iterator[list[logging.LogRecord]]:
    """What the function logs."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    function.app.log.addHandler(handler)
    yield records
    function.app.log.removeHandler(handler)


def data_of(store: ProfileStore, sub: str) -> JSON:
    """What is stored, None for nothing."""
    try:
        return store.get(sub).data
    except ProfileNotFound:
        return None


NEW = json.dumps({"new": PLANTED})
REQUESTS: dict[str, tuple[str, str | None, bool]] = {
    "GET": ("GET", None, False),
    "PUT": ("PUT", NEW, False),
    "PUT if": ("PUT", NEW, True),
    "PATCH": ("PATCH", NEW, False),
    "PATCH if": ("PATCH", NEW, True),
    "DELETE": ("DELETE", None, False),
    "DELETE if": ("DELETE", None, True),
}
"""Method, body, and whether it is made a condition that the profile is as it was."""
KEPT: JSON = {"kept": PLANTED}
AFTER: dict[str, JSON] = {
    "GET": KEPT, "PUT": {"new": PLANTED}, "PATCH": {"kept": PLANTED, "new": PLANTED}, "DELETE": None,
}  # fmt: skip


def send(call: Callable[..., dict[str, Any]], request: str, etag: str) -> dict[str, Any]:
    method, body, conditional = REQUESTS[request]
    return call(method, body, **({"If_Match": etag} if conditional else {}))


NOT_CARRIED_OUT: dict[str, Fault] = {
    "a partition's throughput is used up": wires.refused("ProvisionedThroughputExceededException"),
    "the table's or the account's is": wires.refused("ThrottlingException"),
    "too many requests": wires.refused("RequestLimitExceeded"),
    "an error of its own": wires.refused("InternalServerError", 500),
    "not there at the moment": wires.refused("ServiceUnavailable", 503),
    "an error page": lambda exchange: exchange.send(502, b"<html>Bad gateway</html>"),
    "cut before": wires.cut_before,
    "silent": wires.silent,
}
CARRIED_OUT: dict[str, Fault] = {
    "cut after": wires.cut_after,
    "cut midway": wires.cut_midway,
    "late": wires.late,
    "an error after the fact": lambda exchange: (
        exchange.forward(),
        wires.refused("InternalServerError", 500)(exchange),
    )[1],
}
DAMAGED: dict[str, Fault] = {
    "a page": wires.answered(b"<html>Sign in to this network</html>"),
    "half": wires.answered(b'{"Item": {"pk": '),
    "nothing": wires.answered(b""),
    "changed": wires.answered(b'{"Item":{}}', checksum=str(zlib.crc32(b'{"Item":{"pk":1}}'))),
    "with a checksum that is none": wires.answered(b'{"Item":{}}', checksum="x"),
}
PASSING = NOT_CARRIED_OUT | CARRIED_OUT | DAMAGED


def assert_unavailable(answer: dict[str, Any]) -> None:
    assert answer["statusCode"] == 503, answer
    problem = json.loads(answer["body"])
    assert problem["type"] == "urn:problem-type:user-profile:store-unavailable"
    assert problem["request_id"] == "request-1"
    assert answer["headers"]["Retry-After"] == "1"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("fault", NOT_CARRIED_OUT)
def test_what_the_database_does_not_do_is_a_503_that_changes_nothing(
    wire: Wire, call: Callable[..., dict[str, Any]], store: ProfileStore, sub: str, before: str,
    fault: str, request_name: str,
) -> None:  # fmt: skip
    wire.always = NOT_CARRIED_OUT[fault]
    started = time.monotonic()
    assert_unavailable(send(call, request_name, before))
    assert time.monotonic() - started <= quick(request_name)
    assert len(wire.seen) == 2, "tried once more, no oftener"
    assert data_of(store, sub) == KEPT
    wire.always = wires.passed_on
    assert send(call, request_name, before)["statusCode"] in (200, 204), "without a new start"
    assert data_of(store, sub) == AFTER[request_name.partition(" ")[0]]


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_not_noticed(
    wire: Wire, call: Callable[..., dict[str, Any]], store: ProfileStore, sub: str, before: str,
    fault: str, request_name: str,
) -> None:  # fmt: skip
    """Not even where the write was carried out and the answer lost: sent again, it meets its own work, which is no
    reason for a 412."""
    method = request_name.partition(" ")[0]
    if method == "PATCH":
        wire.next.append(wires.passed_on)  # its read
    wire.next.append(PASSING[fault])
    answer = send(call, request_name, before)
    assert answer["statusCode"] in (200, 204), answer
    assert data_of(store, sub) == AFTER[method]
    if method in ("PUT", "PATCH"):
        assert answer["headers"]["ETag"] == f'"{store.get(sub).revision}"'
    assert len(wire.seen) == (3 if method == "PATCH" else 2)


def test_a_profile_that_was_created_without_our_being_told_is_created_once(
    wire: Wire, call: Callable[..., dict[str, Any]], store: ProfileStore, sub: str
) -> None:
    wire.next.append(wires.cut_after)
    created = call("PUT", '{"new": 1}', If_None_Match="*")
    assert created["statusCode"] == 200, created
    assert created["headers"]["ETag"] == f'"{store.get(sub).revision}"'


@pytest.mark.parametrize("request_name", ["PUT if", "PATCH", "PATCH if", "DELETE if"])
def test_a_write_whose_answer_was_lost_is_not_made_twice_over_what_another_wrote_since(
    wire: Wire,
    call: Callable[..., dict[str, Any]],
    store: ProfileStore,
    sub: str,
    before: str,
    request_name: str,
) -> None:
    """Whether the first try was carried out cannot be known then: neither a success nor a 412 would be honest."""
    if request_name.startswith("PATCH"):
        wire.next.append(wires.passed_on)
    wire.next.append(
        wires.cut_after_and_then(lambda: store.replace(sub, {"new": f"{PLANTED} of another"}))
    )
    assert_unavailable(send(call, request_name, before))
    assert data_of(store, sub) == {"new": f"{PLANTED} of another"}


def test_a_write_that_was_throttled_at_first_is_told_truly_that_another_was_quicker(
    wire: Wire, call: Callable[..., dict[str, Any]], store: ProfileStore, sub: str, before: str
) -> None:
    wire.next.append(wires.refused("ThrottlingException"))
    theirs = store.replace(sub, {"new": f"{PLANTED} of another"}).revision
    answer = send(call, "PUT if", before)
    assert (answer["statusCode"], answer["headers"]["ETag"]) == (412, f'"{theirs}"')


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("fault", DAMAGED)
def test_an_answer_that_was_damaged_is_not_taken_for_one(
    wire: Wire, call: Callable[..., dict[str, Any]], before: str, fault: str, request_name: str
) -> None:
    """Above all not for "nothing is stored": a front end would show an empty form, and its user save it."""
    wire.always = DAMAGED[fault]
    assert_unavailable(send(call, request_name, before))
    assert len(wire.seen) == 2
    wire.always = wires.passed_on
    changed = not request_name.startswith(("GET", "PATCH"))  # a patch has not got beyond its read
    if changed and request_name != "PUT":
        assert send(call, request_name, before)["statusCode"] == (
            204 if request_name == "DELETE" else 412
        )


def test_a_checksum_that_is_right_is_no_trouble(
    wire: Wire, call: Callable[..., dict[str, Any]], before: str
) -> None:
    def with_checksum(exchange: wires.Exchange) -> None:
        status, body = exchange.forward()
        exchange.send(status, body, checksum=str(zlib.crc32(body)))

    wire.always = with_checksum
    assert call("GET")["statusCode"] == 200


@pytest.mark.parametrize("request_name", REQUESTS)
def test_connections_that_are_refused_are_a_503_until_they_are_not(
    wire: Wire,
    call: Callable[..., dict[str, Any]],
    store: ProfileStore,
    sub: str,
    before: str,
    request_name: str,
) -> None:
    assert call("GET")["statusCode"] == 200
    wire.close()
    try:
        started = time.monotonic()
        assert_unavailable(send(call, request_name, before))
        assert time.monotonic() - started <= quick(request_name)
    finally:
        wire.open()
    assert send(call, request_name, before)["statusCode"] in (200, 204)


def test_a_name_that_is_not_found_is_a_503_until_it_is(
    wire: Wire, function: ModuleType, call: Callable[..., dict[str, Any]], table: str, before: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://dynamodb.test:{wire.port}")
    by_name = ProfileStore.connect(table)
    monkeypatch.setattr(function, "store", lambda: by_name)
    found, known = socket.getaddrinfo, [False]

    def resolver(host: str, *rest: Any, **more: Any) -> Any:
        if host == "dynamodb.test" and not known[0]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found("127.0.0.1" if host == "dynamodb.test" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    assert_unavailable(call("GET"))
    known[0] = True
    assert call("GET")["statusCode"] == 200


@pytest.mark.parametrize(("config", "pauses"), [(CLIENT_CONFIG, None)])
def test_a_database_that_is_silent_is_given_up_in_time(
    wire: Wire, pauses: None, call: Callable[..., dict[str, Any]], config: Config, before: str
) -> None:
    """With the timeouts and pauses that are deployed."""
    wire.always = wires.silent
    started = time.monotonic()
    assert_unavailable(call("GET"))
    assert time.monotonic() - started <= worst_call(config)


def test_the_worst_case_ends_inside_the_functions_timeout_and_that_inside_api_gateways() -> None:
    timeout = json.loads((ROOT / ".chalice/config.json").read_text())["lambda_timeout"]
    assert worst_request(CLIENT_CONFIG) <= 14 < timeout < 29
    assert worst_call(CLIENT_CONFIG) < 10, (
        "which Lambda gives a function to start, and it makes a call then"
    )


MISTAKES: dict[str, Fault] = {
    "the table is not there": wires.refused(
        "ResourceNotFoundException", message="Requested resource not found"
    ),
    "the table is being made": wires.refused(
        "ResourceNotFoundException", message="Table is not ACTIVE"
    ),
    "no permission": wires.refused(
        "AccessDeniedException", message="User: arn:aws:sts::1:secret is not authorized"
    ),
    "credentials that have expired": wires.refused("ExpiredTokenException"),
    "credentials that are none": wires.refused("UnrecognizedClientException"),
    "a clock that is wrong": wires.refused(
        "InvalidSignatureException", message="Signature expired: secret"
    ),
    "a request that is wrong": wires.refused("ValidationException", message="secret"),
}
"""What nobody mends by trying again: whoever deployed this must look, and the log tells them at what."""


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_deployment_is_a_500_that_is_logged_and_not_told(
    wire: Wire, call: Callable[..., dict[str, Any]], store: ProfileStore, sub: str, before: str,
    mistake: str, request_name: str, logged: list[logging.LogRecord],
) -> None:  # fmt: skip
    wire.always = MISTAKES[mistake]
    answer = send(call, request_name, before)
    assert answer["statusCode"] == 500
    problem = json.loads(answer["body"])
    assert (problem["type"], problem["request_id"]) == ("about:blank", "request-1")
    assert "secret" not in answer["body"]
    (record,) = logged
    assert record.exc_info
    assert "Exception" in str(record.exc_info[1]), "AWS's own code"
    assert record.__dict__["request_id"] == "request-1"
    assert data_of(store, sub) == KEPT
    wire.always = wires.passed_on
    assert send(call, request_name, before)["statusCode"] in (200, 204)


def test_a_table_that_is_not_there_is_a_500(
    function: ModuleType,
    call: Callable[..., dict[str, Any]],
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the database's own word."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", wire.url)
    nowhere = ProfileStore.connect("user-profile-nowhere")
    monkeypatch.setattr(function, "store", lambda: nowhere)
    assert [call(method, body)["statusCode"] for method, body, _ in REQUESTS.values()] == [
        500
    ] * len(REQUESTS)


def test_without_credentials_it_is_a_500(
    function: ModuleType,
    call: Callable[..., dict[str, Any]],
    table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    without = ProfileStore.connect(table)
    monkeypatch.setattr(function, "store", lambda: without)
    assert call("GET")["statusCode"] == 500


def test_each_request_is_logged_in_a_line_with_the_calls_it_made(
    wire: Wire,
    call: Callable[..., dict[str, Any]],
    sub: str,
    before: str,
    logged: list[logging.LogRecord],
) -> None:
    call("GET")
    wire.next.append(wires.cut_before)
    call("PATCH", '{"a": 1}')
    wire.always = wires.refused("ThrottlingException")
    call("PUT", "{}")
    call("PUT", "{")
    facts = [record.__dict__ for record in logged]
    assert [
        (line["method"], line["status"], line["database_calls"], line["error"]) for line in facts
    ] == [
        ("GET", 200, 1, None),
        ("PATCH", 200, 3, None),
        ("PUT", 503, 2, "StoreUnavailable"),
        ("PUT", 400, 0, "MalformedJSON"),
    ]
    assert {(line["route"], line["sub"], line["request_id"]) for line in facts} == {
        ("/user/profile", sub, "request-1")
    }
    assert [line["levelname"] for line in facts] == ["INFO", "INFO", "ERROR", "INFO"]
    assert "ThrottlingException" in str(facts[2]["exc_info"][1])
    assert all(line["duration_ms"] > 0 for line in facts)
