"""Responses to callers when DynamoDB or the network fails, and recovery without a restart.

The function is called as Lambda calls it, with tests/support/faulty_wire.py between its store and
DynamoDB.
"""

from __future__ import annotations

import json
import logging
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
from botocore.config import Config
from chalice.config import Config as ChaliceConfig

from app import create_app
from chalicelib import dynamodb
from chalicelib.dynamodb import CLIENT_CONFIG
from chalicelib.errors import ProfileNotFound
from chalicelib.profile import JSON
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.store import ProfileStore
from tests.support import faulty_wire as wires
from tests.support.clone import ROOT
from tests.support.cloud import Cloud
from tests.support.events import api_gateway_event, id_token_claims
from tests.support.faulty_wire import Fault, Wire
from tests.support.secret_texts import PLANTED

QUICK_CONFIG = CLIENT_CONFIG.merge(Config(read_timeout=0.8))
"""The deployed configuration with a shorter timeout, for faults that end with a timeout."""
CLIENT_ID = "client"
CHALICE_SETTINGS = json.loads((ROOT / ".chalice" / "config.json").read_text())
API_GATEWAY_SECONDS = 29
"""The longest time that API Gateway waits for the function."""


class Call(Protocol):
    """Sends a request to the function. Headers are written with _ for -."""

    def __call__(self, method: str, body: str | None = None, **headers: str) -> dict[str, Any]: ...


@dataclass(frozen=True)
class RequestKind:
    """A kind of request, and the stored data after it."""

    method: str
    stored_after: JSON
    body: str | None = None
    is_conditional: bool = False

    def send(self, call: Call, etag: str) -> dict[str, Any]:
        headers = {"If_Match": etag} if self.is_conditional else {}
        return call(self.method, self.body, **headers)

    def __str__(self) -> str:
        return f"{self.method} if" if self.is_conditional else self.method


BEFORE: JSON = {"kept": PLANTED}
AFTER_PUT: JSON = {"new": PLANTED}
AFTER_PATCH: JSON = {"kept": PLANTED, "new": PLANTED}
BODY = json.dumps({"new": PLANTED})

GET = RequestKind("GET", BEFORE)
PUT = RequestKind("PUT", AFTER_PUT, BODY)
PUT_IF = RequestKind("PUT", AFTER_PUT, BODY, is_conditional=True)
PATCH = RequestKind("PATCH", AFTER_PATCH, BODY)
PATCH_IF = RequestKind("PATCH", AFTER_PATCH, BODY, is_conditional=True)
DELETE = RequestKind("DELETE", None)
DELETE_IF = RequestKind("DELETE", None, is_conditional=True)
REQUESTS = [GET, PUT, PUT_IF, PATCH, PATCH_IF, DELETE, DELETE_IF]

each_request = pytest.mark.parametrize("request_kind", REQUESTS, ids=str)
one_of_each_method = pytest.mark.parametrize("request_kind", [GET, PUT_IF, PATCH, DELETE], ids=str)


@pytest.fixture(scope="module")
def module_wire(cloud: Cloud) -> Iterator[Wire]:
    with wires.wire_to(cloud.port) as wire:
        yield wire


@pytest.fixture
def wire(module_wire: Wire) -> Wire:
    """A wire without faults."""
    module_wire.clear()
    return module_wire


@pytest.fixture(autouse=True)
def _no_retry_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits up to a second before it tries again."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture(scope="module")
def store_on_wire(module_wire: Wire, table: str) -> ProfileStore:
    """One store for all tests, so that each test starts after the fault of another."""
    return connect(module_wire.url, table)


def connect(url: str, table: str) -> ProfileStore:
    """A store whose DynamoDB is at `url`, with the deployed configuration except timeouts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        patch.setattr(dynamodb, "CLIENT_CONFIG", QUICK_CONFIG)
        return ProfileStore.connect(table)


@pytest.fixture
def sub() -> str:
    return str(uuid.uuid4())


def function_with(store: ProfileStore, sub: str) -> Call:
    """The function with this store, called by user `sub`."""
    app = create_app(RouteSettings(client_ids=(CLIENT_ID,)), ProfileSettings, lambda: store)

    def call(method: str, body: str | None = None, **headers: str) -> dict[str, Any]:
        request = api_gateway_event(
            method,
            claims=id_token_claims(sub, CLIENT_ID),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            body=body,
        )
        return app(request, None)

    return call


@pytest.fixture
def call(wire: Wire, store_on_wire: ProfileStore, sub: str) -> Call:
    return function_with(store_on_wire, sub)


@pytest.fixture
def etag(store: ProfileStore, sub: str) -> str:
    """The user has the profile BEFORE; this is its ETag."""
    return f'"{store.replace(sub, BEFORE).revision}"'


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    """The function's log records."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    logger = logging.getLogger("user-profile")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


@dataclass(frozen=True)
class Scenario:
    """A user with the profile BEFORE, who calls the function while faults happen on the wire."""

    wire: Wire
    call: Call
    store: ProfileStore
    sub: str
    etag: str
    """Of the profile BEFORE."""

    def send(self, request_kind: RequestKind) -> dict[str, Any]:
        return request_kind.send(self.call, self.etag)

    def stored(self) -> JSON:
        """The data that are stored now; None if there is no profile."""
        try:
            return self.store.get(self.sub).data
        except ProfileNotFound:
            return None


@pytest.fixture
def scenario(wire: Wire, call: Call, store: ProfileStore, sub: str, etag: str) -> Scenario:
    return Scenario(wire, call, store, sub, etag)


def assert_success(response: dict[str, Any]) -> None:
    assert response["statusCode"] in (200, 204), response


def assert_unavailable(response: dict[str, Any]) -> None:
    assert response["statusCode"] == 503, response
    problem = json.loads(response["body"])
    assert problem["type"] == "urn:problem-type:user-profile:store-unavailable"
    assert problem["request_id"] == "request-1"
    assert response["headers"]["Retry-After"] == "1"
    assert response["headers"]["Access-Control-Allow-Origin"] == "*"


# --- Faults that pass -----------------------------------------------------------------------------

NOT_CARRIED_OUT: dict[str, Fault] = {
    "partition throttled": wires.refuse("ProvisionedThroughputExceededException"),
    "table throttled": wires.refuse("ThrottlingException"),
    "too many requests": wires.refuse("RequestLimitExceeded"),
    "internal error": wires.refuse("InternalServerError", 500),
    "unavailable": wires.refuse("ServiceUnavailable", 503),
    "error page": wires.error_page,
    "reset before": wires.reset_before,
}
CARRIED_OUT: dict[str, Fault] = {
    "reset after": wires.reset_after,
    "reset midway": wires.reset_midway,
    "error after": wires.error_after,
}
FAULTS = NOT_CARRIED_OUT | CARRIED_OUT
TIMEOUTS: dict[str, Fault] = {"silence": wires.silence, "late response": wires.late_response}
"""Faults that end only with a timeout."""


@each_request
@pytest.mark.parametrize("fault", NOT_CARRIED_OUT)
def test_a_lasting_fault_is_a_503_and_changes_nothing(
    scenario: Scenario, fault: str, request_kind: RequestKind
) -> None:
    assert_lasting_fault(scenario, NOT_CARRIED_OUT[fault], request_kind)


@one_of_each_method
def test_lasting_silence_is_a_503_and_changes_nothing(
    scenario: Scenario, request_kind: RequestKind
) -> None:
    assert_lasting_fault(scenario, wires.silence, request_kind)


def assert_lasting_fault(scenario: Scenario, fault: Fault, request_kind: RequestKind) -> None:
    scenario.wire.fault = fault
    assert_unavailable(scenario.send(request_kind))
    assert len(scenario.wire.operations) == 2, "one attempt and one retry"
    assert scenario.stored() == BEFORE
    scenario.wire.fault = wires.pass_on
    assert_success(scenario.send(request_kind))
    assert scenario.stored() == request_kind.stored_after


@each_request
@pytest.mark.parametrize("fault", FAULTS)
def test_a_single_fault_is_not_noticed(
    scenario: Scenario, fault: str, request_kind: RequestKind
) -> None:
    """If the write was carried out and its response lost, the retry finds its own result."""
    assert_unnoticed_fault(scenario, FAULTS[fault], request_kind)


@one_of_each_method
@pytest.mark.parametrize("fault", TIMEOUTS)
def test_a_single_timeout_is_not_noticed(
    scenario: Scenario, fault: str, request_kind: RequestKind
) -> None:
    assert_unnoticed_fault(scenario, TIMEOUTS[fault], request_kind)


def assert_unnoticed_fault(scenario: Scenario, fault: Fault, request_kind: RequestKind) -> None:
    is_patch = request_kind.method == "PATCH"
    if is_patch:
        scenario.wire.next_faults.append(wires.pass_on)  # a patch reads first
    scenario.wire.next_faults.append(fault)
    response = scenario.send(request_kind)
    assert_success(response)
    assert scenario.stored() == request_kind.stored_after
    if request_kind.body:
        assert response["headers"]["ETag"] == f'"{scenario.store.get(scenario.sub).revision}"'
    assert len(scenario.wire.operations) == (3 if is_patch else 2)


def test_a_profile_is_created_once_if_the_response_is_lost(
    wire: Wire, call: Call, store: ProfileStore, sub: str
) -> None:
    wire.next_faults.append(wires.reset_after)
    created = call("PUT", '{"new": 1}', If_None_Match="*")
    assert created["statusCode"] == 200, created
    assert created["headers"]["ETag"] == f'"{store.get(sub).revision}"'


@pytest.mark.parametrize("request_kind", [PUT_IF, PATCH, PATCH_IF, DELETE_IF], ids=str)
def test_an_unknown_outcome_and_another_write_are_a_503(
    scenario: Scenario, request_kind: RequestKind
) -> None:
    """Success and 412 could both be wrong, and a retry could undo the other write."""
    theirs: JSON = {"new": f"{PLANTED} of another"}
    if request_kind.method == "PATCH":
        scenario.wire.next_faults.append(wires.pass_on)
    scenario.wire.next_faults.append(
        wires.reset_after_and_then(lambda: scenario.store.replace(scenario.sub, theirs))
    )
    assert_unavailable(scenario.send(request_kind))
    assert scenario.stored() == theirs


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "TransactionInProgressException",
    ],
)
@pytest.mark.parametrize("request_kind", [PUT_IF, PATCH, DELETE_IF], ids=str)
def test_a_refusal_that_may_pass_is_retried(
    scenario: Scenario, request_kind: RequestKind, code: str
) -> None:
    """The refused call is the write; a PATCH reads first."""
    if request_kind.method == "PATCH":
        scenario.wire.next_faults.append(wires.pass_on)
    scenario.wire.next_faults.append(wires.refuse(code))
    assert_success(scenario.send(request_kind))


def test_another_write_after_throttling_is_a_412(scenario: Scenario) -> None:
    """A throttled attempt was certainly not carried out."""
    scenario.wire.next_faults.append(wires.refuse("ThrottlingException"))
    theirs = scenario.store.replace(scenario.sub, {"new": f"{PLANTED} of another"}).revision
    response = scenario.send(PUT_IF)
    assert response["statusCode"] == 412
    assert response["headers"]["ETag"] == f'"{theirs}"'


@each_request
def test_refused_connections_are_a_503_while_they_last(
    wire: Wire, call: Call, etag: str, request_kind: RequestKind
) -> None:
    assert call("GET")["statusCode"] == 200
    wire.close()
    try:
        assert_unavailable(request_kind.send(call, etag))
    finally:
        wire.open()
    assert_success(request_kind.send(call, etag))


def test_an_unknown_host_name_is_a_503_while_it_lasts(
    wire: Wire, table: str, sub: str, etag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = function_with(connect(f"http://dynamodb.test:{wire.port}", table), sub)
    getaddrinfo = socket.getaddrinfo
    names = {"dynamodb.test": ""}

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        address = names.get(host, host)
        if not address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(address, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert_unavailable(call("GET"))
    names["dynamodb.test"] = "127.0.0.1"
    assert call("GET")["statusCode"] == 200


# --- Timeouts -------------------------------------------------------------------------------------


def longest_call_seconds(config: Any) -> float:
    """Every attempt times out, with botocore's longest pauses in between: 1 s, 2 s, 4 s..."""
    attempts: int = config.retries["total_max_attempts"]
    timeouts: float = attempts * (config.connect_timeout + config.read_timeout)
    pauses: float = sum(2.0**number for number in range(attempts - 1))
    return timeouts + pauses


@pytest.mark.parametrize("stage", CHALICE_SETTINGS["stages"])
def test_the_longest_request_fits_into_the_functions_timeout(stage: str) -> None:
    timeout = ChaliceConfig(stage, config_from_disk=CHALICE_SETTINGS).lambda_timeout
    longest_call = longest_call_seconds(CLIENT_CONFIG)
    longest_request = 2 * longest_call  # a patch; unit/test_store.py shows it for conflicts
    assert timeout is not None
    assert longest_request < timeout < API_GATEWAY_SECONDS, (
        f".chalice/config.json: the stage {stage} needs a lambda_timeout of more than "
        f"{longest_request} and less than {API_GATEWAY_SECONDS} seconds"
    )
    assert longest_call < 10, "Lambda's limit for starting a function, which makes one call"


# --- Faults that do not pass ----------------------------------------------------------------------

MISTAKES: dict[str, Fault] = {
    "no table": wires.refuse("ResourceNotFoundException", message="Requested resource not found"),
    "table being created": wires.refuse("ResourceNotFoundException", message="Not ACTIVE"),
    "no permission": wires.refuse("AccessDeniedException", message="arn:aws:sts::1:secret"),
    "expired credentials": wires.refuse("ExpiredTokenException"),
    "invalid credentials": wires.refuse("UnrecognizedClientException"),
    "wrong clock": wires.refuse("InvalidSignatureException", message="Signature expired: secret"),
    "wrong request": wires.refuse("ValidationException", message="secret"),
}
"""Deployment mistakes: retrying does not help, and the operator must see the reason in the log."""


@each_request
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_deployment_mistake_is_a_500_with_its_reason_logged(
    scenario: Scenario,
    log: list[logging.LogRecord],
    mistake: str,
    request_kind: RequestKind,
) -> None:
    scenario.wire.fault = MISTAKES[mistake]
    response = scenario.send(request_kind)
    assert response["statusCode"] == 500
    problem = json.loads(response["body"])
    assert problem["type"] == "about:blank"
    assert problem["request_id"] == "request-1"
    assert "secret" not in response["body"]
    (record,) = log
    assert record.exc_info
    assert "Exception" in str(record.exc_info[1]), "AWS's error code"
    assert record.__dict__["request_id"] == "request-1"
    assert scenario.stored() == BEFORE
    scenario.wire.fault = wires.pass_on
    assert_success(scenario.send(request_kind))


@each_request
def test_a_missing_table_is_a_500(wire: Wire, sub: str, request_kind: RequestKind) -> None:
    call = function_with(connect(wire.url, "user-profile-nowhere"), sub)
    assert request_kind.send(call, '"r1"')["statusCode"] == 500


def test_missing_credentials_are_a_500(
    wire: Wire, table: str, sub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    call = function_with(connect(wire.url, table), sub)
    assert call("GET")["statusCode"] == 500


# --- The log --------------------------------------------------------------------------------------


def test_each_request_is_logged_with_the_calls_it_made(
    wire: Wire, call: Call, sub: str, etag: str, log: list[logging.LogRecord]
) -> None:
    call("GET")
    wire.next_faults.append(wires.reset_before)
    call("PATCH", '{"a": 1}')
    wire.fault = wires.refuse("ThrottlingException")
    call("PUT", "{}")
    call("PUT", "{")
    facts = [
        (line.__dict__["method"], line.__dict__["status"], line.__dict__["database_calls"])
        for line in log
    ]
    assert facts == [("GET", 200, 1), ("PATCH", 200, 3), ("PUT", 503, 2), ("PUT", 400, 0)]
    assert [line.levelname for line in log] == ["INFO", "INFO", "ERROR", "INFO"]
    assert {line.__dict__["sub"] for line in log} == {sub}
    assert log[2].exc_info
    assert "ThrottlingException" in str(log[2].exc_info[1])
