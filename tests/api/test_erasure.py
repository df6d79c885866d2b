"""The end of an account with a real database and user pool: faults, races, and kinds of accounts.

The function is called as Lambda calls it. Between it and each service is a wire, which simulates
faults (tests/support/faulty_wire.py).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from app import create_app
from chalicelib import dynamodb as dynamodb_module
from chalicelib import items, user_pool
from chalicelib.http import ProfileApp
from chalicelib.items import METADATA, PROFILE, Item
from chalicelib.profile import JSON
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.store import MetadataStore, ProfileStore
from chalicelib.user_pool import UserPool
from tests.support import faulty_wire as wires
from tests.support.cloud import Cloud
from tests.support.events import api_gateway_event, id_token_claims, operator_event
from tests.support.faulty_wire import Fault, Wire
from tests.support.secret_texts import PLANTED

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENT = "client"
METADATA_BODY = {"app_metadata": {"plan": "pro"}}
STEPS = ("PutItem", "PutItem", "ListUsers", "AdminDeleteUser", "UpdateItem", "UpdateItem")
"""The requests of an erasure by the user, in this order."""
COGNITO_STEPS = ("ListUsers", "AdminDeleteUser")
WEEK = 7 * 24 * 60 * 60


@pytest.fixture(scope="module")
def database_wire(cloud: Cloud) -> Iterator[Wire]:
    with wires.wire_to(cloud.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def cognito_wire(cloud: Cloud) -> Iterator[Wire]:
    with wires.wire_to(cloud.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def cognito() -> CognitoIdentityProviderClient:
    return boto3.client("cognito-idp")


@pytest.fixture(autouse=True)
def _no_retry_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits up to a second before it tries again."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture(scope="module")
def stores(database_wire: Wire, cognito_wire: Wire, cloud: Cloud) -> tuple[ProfileStore, UserPool]:
    """The deployed configuration, with shorter timeouts and a wire to each service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", database_wire.url)
        patch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", cognito_wire.url)
        for module in (dynamodb_module, user_pool):
            quick = module.CLIENT_CONFIG.merge(Config(read_timeout=0.8))
            patch.setattr(module, "CLIENT_CONFIG", quick)
        store = ProfileStore.connect(cloud.outputs["TableName"])
        return store, UserPool.connect(cloud.outputs["UserPoolArn"])


class FunctionEnded(BaseException):
    """The function's process ended, for example because it was out of time or memory."""


@dataclass
class Account:
    """A user with a profile and metadata, and the function between two wires."""

    sub: str
    email: str
    app: ProfileApp
    database_wire: Wire
    cognito_wire: Wire
    dynamodb: DynamoDBClient
    cognito: CognitoIdentityProviderClient
    table: str
    pool_id: str
    steps: list[str] = field(default_factory=list)

    def call(self, method: str, path: str = "/user", body: Any = None) -> dict[str, Any]:
        """Send a request as the user, who has just signed in."""
        claims = id_token_claims(self.sub, CLIENT, auth_time=str(int(time.time())))
        text = None if body is None else json.dumps(body)
        return self.app(api_gateway_event(method, path, claims=claims, body=text), None)

    def call_as_operator(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        text = None if body is None else json.dumps(body)
        return self.app(operator_event(method, path, self.sub, body=text), None)

    def items(self) -> list[Item]:
        """The profile's item and the metadata's."""
        found = []
        for kind in (PROFILE, METADATA):
            key = kind.key(self.sub)
            response: Any = self.dynamodb.get_item(
                TableName=self.table, Key=key, ConsistentRead=True
            )
            found.append(response.get("Item", {}))
        return found

    def exists_in_the_pool(self) -> bool:
        pages = self.cognito.get_paginator("list_users").paginate(UserPoolId=self.pool_id)
        users = [user for page in pages for user in page["Users"]]
        return any({"Name": "sub", "Value": self.sub} in user["Attributes"] for user in users)

    def assert_erased(self) -> None:
        """Two markers with their expiry, no account, and no way to store anything."""
        for kind, item in zip((PROFILE, METADATA), self.items(), strict=True):
            assert set(item) == {"pk", "sk", "erased_at", "expires_at"}
            assert item == item | kind.key(self.sub)
            expires_in = int(item["expires_at"]["N"]) - time.time()
            assert WEEK - 60 < expires_in <= WEEK
        assert not self.exists_in_the_pool()
        self.assert_closed()

    def assert_closed(self) -> None:
        """Nothing can be stored: one write of each item is refused, as all others are."""
        before = self.items()
        assert_gone(self.call("PUT", "/user/profile", {"a": 1}))
        assert_gone(self.call_as_operator("PATCH", "/users/{sub}/metadata", METADATA_BODY))
        assert self.items() == before

    def clear_wires(self) -> None:
        self.database_wire.clear()
        self.cognito_wire.clear()


def assert_gone(answer: dict[str, Any]) -> None:
    assert answer["statusCode"] == 410, answer
    assert json.loads(answer["body"])["type"].endswith(":account-erased")
    assert answer["headers"]["Cache-Control"] == "no-store"


def sign_up(cognito: CognitoIdentityProviderClient, pool_id: str, email: str) -> str:
    """Create a user of an e-mail pool. Returns the `sub`."""
    user = cognito.admin_create_user(
        UserPoolId=pool_id, Username=email, UserAttributes=[{"Name": "email", "Value": email}]
    )["User"]
    return sub_of(user)


def sub_of(user: Any) -> str:
    attributes: dict[str, str] = {found["Name"]: found["Value"] for found in user["Attributes"]}
    return attributes["sub"]


@pytest.fixture
def account(
    stores: tuple[ProfileStore, UserPool],
    database_wire: Wire,
    cognito_wire: Wire,
    cognito: CognitoIdentityProviderClient,
    dynamodb: DynamoDBClient,
    cloud: Cloud,
) -> Account:
    store, pool = stores
    email = f"user-{uuid.uuid4().hex[:12]}@example.com"
    sub = sign_up(cognito, pool.pool_id, email)
    routes = RouteSettings(client_ids=(CLIENT,), erases_accounts=True)
    app = create_app(routes, ProfileSettings, lambda: store, lambda _: pool)
    account = Account(
        sub,
        email,
        app,
        database_wire,
        cognito_wire,
        dynamodb,
        cognito,
        cloud.outputs["TableName"],
        pool.pool_id,
    )
    account.clear_wires()
    store.replace(sub, {"name": PLANTED})
    MetadataStore.beside(store).replace(sub, {"private_metadata": {"note": PLANTED}})
    account.clear_wires()
    return account


# --- without faults -------------------------------------------------------------------------------


def test_a_user_erases_their_account(account: Account) -> None:
    assert account.call("DELETE")["statusCode"] == 204
    operations = [*account.database_wire.operations, *account.cognito_wire.operations]
    assert sorted(operations) == sorted(STEPS)
    account.assert_erased()


def test_every_request_for_an_erased_account_is_gone(account: Account) -> None:
    """With its own token, which is still valid, and by an operator."""
    account.call("DELETE")
    markers = account.items()
    empty: JSON = {}
    bodies = {"GET": None, "PUT": empty, "POST": empty, "PATCH": empty, "DELETE": None}
    for method, body in bodies.items():
        assert_gone(account.call(method, "/user/profile", body))
        assert_gone(account.call_as_operator(method, "/users/{sub}/profile", body))
    assert_gone(account.call("GET", "/user/metadata"))
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        metadata = METADATA_BODY if method in ("PUT", "PATCH") else None
        assert_gone(account.call_as_operator(method, "/users/{sub}/metadata", metadata))
    assert account.items() == markers


def test_an_operator_erases_an_account(account: Account) -> None:
    answer = account.call_as_operator("DELETE", "/users/{sub}")
    assert answer["statusCode"] == 204
    assert answer["body"] == ""
    account.assert_erased()


def test_a_repeated_erasure_does_not_ask_cognito(account: Account) -> None:
    account.call("DELETE")
    markers = account.items()
    account.clear_wires()
    for _ in range(2):
        assert account.call("DELETE")["statusCode"] == 204
        assert account.call_as_operator("DELETE", "/users/{sub}")["statusCode"] == 204
    assert account.cognito_wire.operations == []
    assert account.items() == markers


def test_an_unknown_sub_is_a_404_and_writes_nothing(account: Account) -> None:
    account.sub = str(uuid.uuid4())
    answer = account.call_as_operator("DELETE", "/users/{sub}")
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["type"].endswith(":user-not-found")
    assert account.items() == [{}, {}]
    assert "PutItem" not in account.database_wire.operations


@pytest.mark.parametrize("kinds", [(PROFILE,), (METADATA,), (PROFILE, METADATA)])
def test_data_without_an_account_is_erased(account: Account, kinds: tuple[Any, ...]) -> None:
    account.cognito.admin_delete_user(UserPoolId=account.pool_id, Username=account.email)
    for kind in {PROFILE, METADATA} - set(kinds):
        account.dynamodb.delete_item(TableName=account.table, Key=kind.key(account.sub))
    assert account.call_as_operator("DELETE", "/users/{sub}")["statusCode"] == 204
    account.assert_erased()


def test_an_account_without_data_is_erased(account: Account) -> None:
    for kind in (PROFILE, METADATA):
        account.dynamodb.delete_item(TableName=account.table, Key=kind.key(account.sub))
    assert account.call_as_operator("DELETE", "/users/{sub}")["statusCode"] == 204
    account.assert_erased()


def test_the_tables_own_ttl_attribute_is_used(account: Account) -> None:
    store = ProfileStore.connect(account.table)
    pool = UserPool(account.cognito, account.pool_id)
    settings = ProfileSettings(ttl_attribute="time.to-live")
    routes = RouteSettings(client_ids=(CLIENT,), erases_accounts=True)
    account.app = create_app(routes, lambda: settings, lambda: store, lambda _: pool)
    assert account.call("DELETE")["statusCode"] == 204
    assert [set(item) for item in account.items()] == [
        {"pk", "sk", "erased_at", "time.to-live"},
        {"pk", "sk", "erased_at", "time.to-live"},
    ]
    account.assert_closed()


# --- faults ---------------------------------------------------------------------------------------

NOT_CARRIED_OUT: dict[str, Fault] = {
    "throttled": wires.refuse("ThrottlingException"),
    "too many requests": wires.refuse("TooManyRequestsException"),
    "internal error": wires.refuse("InternalErrorException", 500),
    "error page": wires.error_page,
    "reset before": wires.reset_before,
    "silence": wires.silence,
}
CARRIED_OUT: dict[str, Fault] = {
    "reset after": wires.reset_after,
    "reset midway": wires.reset_midway,
    "error after": wires.error_after,
    "late response": wires.late_response,
}
FAULTS = NOT_CARRIED_OUT | CARRIED_OUT
OF_COGNITO = ("TooManyRequestsException", "InternalErrorException")


def wire_of(account: Account, step: int) -> tuple[Wire, int]:
    """The wire of a step, and how many requests the wire passes on before."""
    is_cognito = STEPS[step] in COGNITO_STEPS
    before = [name for name in STEPS[:step] if (name in COGNITO_STEPS) == is_cognito]
    return account.cognito_wire if is_cognito else account.database_wire, len(before)


def assert_unfinished(account: Account, step: int, answer: dict[str, Any]) -> None:
    """The response says so, and nothing is stored from the first step on."""
    assert answer["statusCode"] == 503, answer
    assert answer["headers"]["Retry-After"] == "1"
    assert "again" in json.loads(answer["body"])["detail"]
    if step >= 2:
        assert all(items.ERASED_AT in item for item in account.items())
        account.assert_closed()


FAULT_NAMES = [name for name in FAULTS if name != "too many requests"]


@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize("fault", FAULT_NAMES)
def test_after_a_lasting_fault_a_repeated_erasure_ends_alike(
    account: Account, step: int, fault: str
) -> None:
    """The fault lasts from the step on. For a fault after the effect, the step is carried out."""
    wire, before = wire_of(account, step)
    chosen = FAULTS[fault]
    if fault == "throttled" and wire is account.cognito_wire:
        chosen = FAULTS["too many requests"]
    wire.next_faults.extend([wires.pass_on] * before)
    wire.fault = chosen
    answer = account.call("DELETE")
    account.clear_wires()
    assert_unfinished(account, step, answer)
    assert account.call("DELETE")["statusCode"] == 204
    account.assert_erased()


@pytest.mark.parametrize("step", [0, 1, 4, 5])
@pytest.mark.parametrize("fault", FAULT_NAMES)
def test_a_single_fault_of_the_database_is_not_noticed(
    account: Account, step: int, fault: str
) -> None:
    wire, before = wire_of(account, step)
    wire.next_faults.extend([wires.pass_on] * before)
    wire.next_faults.append(FAULTS[fault])
    assert account.call("DELETE")["statusCode"] == 204
    account.clear_wires()
    account.assert_erased()


@pytest.mark.parametrize("service", ["database", "cognito"])
def test_a_service_that_is_down_is_a_503_while_it_lasts(account: Account, service: str) -> None:
    wire = account.cognito_wire if service == "cognito" else account.database_wire
    wire.close()
    try:
        answer = account.call("DELETE")
        assert answer["statusCode"] == 503
    finally:
        wire.open()
    assert account.call("DELETE")["statusCode"] == 204
    account.clear_wires()
    account.assert_erased()


@pytest.mark.parametrize("is_carried_out", [False, True])
@pytest.mark.parametrize("step", range(len(STEPS)))
def test_after_the_function_ended_a_repeated_erasure_ends_alike(
    account: Account,
    stores: tuple[ProfileStore, UserPool],
    step: int,
    *,
    is_carried_out: bool,
) -> None:
    store, pool = stores
    seen = []

    def end_at_the_step(**_: object) -> None:
        seen.append(step)
        if len(seen) == step + 1:
            raise FunctionEnded

    name = "after-call" if is_carried_out else "before-call"
    events = [client.meta.events for client in (store.client, pool.client)]
    for event in events:
        event.register(name, end_at_the_step)
    try:
        with pytest.raises(FunctionEnded):
            account.call("DELETE")
    finally:
        for event in events:
            event.unregister(name, end_at_the_step)
    if step >= 2:
        account.assert_closed()
    assert account.call("DELETE")["statusCode"] == 204
    account.clear_wires()
    account.assert_erased()


MISTAKES: dict[str, Fault] = {
    "no permission": wires.refuse("AccessDeniedException"),
    "no pool": wires.refuse("ResourceNotFoundException"),
    "wrong request": wires.refuse("InvalidParameterException"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("step", [2, 3])
def test_a_deployment_mistake_is_a_500_until_it_is_corrected(
    account: Account, step: int, mistake: str
) -> None:
    wire, before = wire_of(account, step)
    wire.next_faults.extend([wires.pass_on] * before)
    wire.fault = MISTAKES[mistake]
    assert account.call("DELETE")["statusCode"] == 500
    account.clear_wires()
    account.assert_closed()
    assert account.call("DELETE")["statusCode"] == 204
    account.assert_erased()


def test_an_account_that_another_request_deletes_meanwhile_is_erased(account: Account) -> None:
    def delete_first(exchange: Any) -> None:
        account.cognito.admin_delete_user(UserPoolId=account.pool_id, Username=account.email)
        wires.pass_on(exchange)

    account.cognito_wire.next_faults.extend([wires.pass_on, delete_first])
    assert account.call("DELETE")["statusCode"] == 204
    account.clear_wires()
    account.assert_erased()


def test_a_marker_that_disappears_is_written_again(account: Account) -> None:
    """Somebody deletes it by hand. The erasure does not report success."""

    def delete_markers(exchange: Any) -> None:
        for kind in (PROFILE, METADATA):
            account.dynamodb.delete_item(TableName=account.table, Key=kind.key(account.sub))
        wires.pass_on(exchange)

    account.cognito_wire.next_faults.extend([wires.pass_on, delete_markers])
    answer = account.call("DELETE")
    assert answer["statusCode"] == 503
    account.clear_wires()
    assert account.call("DELETE")["statusCode"] == 204
    account.assert_erased()


@pytest.mark.parametrize("kinds", [(PROFILE,), (METADATA,), (PROFILE, METADATA)])
def test_a_marker_without_expiry_is_an_unfinished_erasure(
    account: Account, kinds: tuple[Any, ...]
) -> None:
    for kind in kinds:
        marker = kind.key(account.sub) | {items.ERASED_AT: {"S": "2026-11-29T10:00:00.000000Z"}}
        account.dynamodb.put_item(TableName=account.table, Item=marker)
    assert account.call("DELETE")["statusCode"] == 204
    account.assert_erased()


# --- races ----------------------------------------------------------------------------------------

CLIENTS: list[Callable[[Account, int], dict[str, Any]]] = [
    lambda account, number: account.call("PUT", "/user/profile", {"n": number}),
    lambda account, number: account.call("PATCH", "/user/profile", {f"n{number}": number}),
    lambda account, _: account.call("DELETE", "/user/profile"),
    lambda account, number: account.call_as_operator(
        "PUT", "/users/{sub}/profile", {"operator": number}
    ),
    lambda account, number: account.call_as_operator(
        "PATCH", "/users/{sub}/metadata", {"app_metadata": {f"n{number}": number}}
    ),
    lambda account, number: account.call_as_operator(
        "PUT", "/users/{sub}/metadata", {"private_metadata": {"n": number}}
    ),
]


def test_no_write_gets_through_after_the_first_step(account: Account) -> None:
    """Six clients write and two erase, all at the same time, for several rounds each."""
    rounds = 6

    def write(client: Callable[[Account, int], dict[str, Any]]) -> list[int]:
        return [client(account, number)["statusCode"] for number in range(rounds)]

    def erase(call: Callable[[], dict[str, Any]]) -> list[int]:
        time.sleep(0.05)
        return [call()["statusCode"] for _ in range(2)]

    erasers: list[Callable[[], dict[str, Any]]] = [
        lambda: account.call("DELETE"),
        lambda: account.call_as_operator("DELETE", "/users/{sub}"),
    ]
    with ThreadPoolExecutor(len(CLIENTS) + len(erasers)) as pool:
        writing = [pool.submit(write, client) for client in CLIENTS]
        erasing = [pool.submit(erase, call) for call in erasers]
        written = [future.result() for future in writing]
        erased = [future.result() for future in erasing]
    for statuses in written:
        assert set(statuses) <= {200, 204, 410}, statuses
        if 410 in statuses:
            assert set(statuses[statuses.index(410) :]) == {410}, "a write got through"
    assert erased == [[204, 204], [204, 204]]
    account.clear_wires()
    account.assert_erased()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_write_in_flight_during_an_erasure_is_refused(
    account: Account, client: Callable[[Account, int], dict[str, Any]]
) -> None:
    """The write's request has left the function before the erasure, and arrives after it."""
    account.database_wire.next_faults.append(erase_first(account))
    assert client(account, 1)["statusCode"] == 410
    account.clear_wires()
    account.assert_erased()


def erase_first(account: Account) -> Fault:
    def fault(exchange: Any) -> None:
        assert account.call("DELETE")["statusCode"] == 204
        wires.pass_on(exchange)

    return fault


# --- kinds of accounts ----------------------------------------------------------------------------


@pytest.fixture
def name_pool(cognito: CognitoIdentityProviderClient) -> Iterator[str]:
    """A pool whose users choose a name. E-mail is an alias."""
    pool = cognito.create_user_pool(PoolName="names", AliasAttributes=["email"])["UserPool"]
    yield pool["Id"]
    cognito.delete_user_pool(UserPoolId=pool["Id"])


@pytest.fixture
def erase_in(account: Account, name_pool: str) -> Callable[[str], int]:
    """A function that erases a user of that pool by `sub`, and returns the status."""
    store = ProfileStore.connect(account.table)
    pool = UserPool(account.cognito, name_pool)
    routes = RouteSettings(client_ids=(CLIENT,), erases_accounts=True)
    app = create_app(routes, ProfileSettings, lambda: store, lambda _: pool)

    def erase(sub: str) -> int:
        status: int = app(operator_event("DELETE", "/users/{sub}", sub), None)["statusCode"]
        return status

    return erase


def create(cognito: CognitoIdentityProviderClient, pool_id: str, name: str) -> str:
    return sub_of(cognito.admin_create_user(UserPoolId=pool_id, Username=name)["User"])


def names_in(cognito: CognitoIdentityProviderClient, pool_id: str) -> list[str]:
    users = cognito.list_users(UserPoolId=pool_id)["Users"]
    return sorted(user["Username"] for user in users)


@pytest.mark.parametrize("name", ["ada", "google_1234567890", "Ada Lovelace", "ada+1@example"])
def test_a_user_with_a_name_of_their_own_is_erased(
    cognito: CognitoIdentityProviderClient,
    name_pool: str,
    erase_in: Callable[[str], int],
    name: str,
) -> None:
    sub = create(cognito, name_pool, name)
    create(cognito, name_pool, "grace")
    assert erase_in(sub) == 204
    assert names_in(cognito, name_pool) == ["grace"]


def test_a_user_named_by_anothers_sub_is_not_confused_with_them(
    cognito: CognitoIdentityProviderClient, name_pool: str, erase_in: Callable[[str], int]
) -> None:
    """AdminDeleteUser accepts a name or a sub: for the first user, nothing is deleted."""
    ada = create(cognito, name_pool, "ada")
    impostor = create(cognito, name_pool, ada)
    assert erase_in(impostor) == 500
    assert names_in(cognito, name_pool) == sorted([ada, "ada"])
    assert erase_in(ada) == 204
    assert names_in(cognito, name_pool) == [ada]
    assert erase_in(impostor) == 204, "the name is no longer anybody's sub"
    assert names_in(cognito, name_pool) == []


def test_a_new_sign_up_with_the_same_address_is_another_account(account: Account) -> None:
    assert account.call("DELETE")["statusCode"] == 204
    old_sub = account.sub
    account.sub = sign_up(account.cognito, account.pool_id, account.email)
    assert account.sub != old_sub
    assert account.call("GET", "/user/profile")["statusCode"] == 404
    assert account.call("PUT", "/user/profile", {"new": 1})["statusCode"] == 200
    new_sub, account.sub = account.sub, old_sub
    assert account.call("DELETE")["statusCode"] == 204
    account.assert_closed()
    account.sub = new_sub
    assert account.exists_in_the_pool()
    assert account.call("GET", "/user/profile")["statusCode"] == 200


def test_a_federated_user_who_signed_up_again_keeps_the_new_account(
    cognito: CognitoIdentityProviderClient, name_pool: str, erase_in: Callable[[str], int]
) -> None:
    """The name of a federated user returns with the next sign-up, with another sub."""
    old = create(cognito, name_pool, "google_1")
    cognito.admin_delete_user(UserPoolId=name_pool, Username="google_1")
    new = create(cognito, name_pool, "google_1")
    assert new != old
    assert erase_in(old) == 404, "nothing of the old account is left"
    assert names_in(cognito, name_pool) == ["google_1"]
