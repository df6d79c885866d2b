"""Several users, an operator and a back end, in any order and at the same time.

Hypothesis runs random requests of three users against the function and against a model of it, and
compares the responses. The operator reads and changes their profiles, and the back end their
metadata.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app import create_app
from chalicelib.deadline import Deadline
from chalicelib.settings import ProfileSettings, RouteSettings
from chalicelib.store import ProfileStore, utc_now
from tests.support.events import (
    JSON_HEADERS,
    PROFILE_PATH,
    api_gateway_event,
    id_token_claims,
    operator_event,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RUNS = max(6, int(os.environ.get("FUZZ_EXAMPLES", "0")) // 50)
STEPS_OF_A_RUN = 20

# The service's own names, which have no meaning in profile data.
NAMES = ["pk", "sk", "profile_data", "revision", "created_at", "updated_at", "a", "b"]
TEXTS = st.sampled_from(["USERS#ALL", "USER#0", "", "x", '"'])
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)

USERS = 3
USER_NUMBERS = st.integers(0, USERS - 1)
CALLERS = st.sampled_from(["the user", "the operator"])
METADATA_PATH = "/users/{sub}/metadata"
METADATA_MEMBERS = st.sampled_from(["app_metadata", "private_metadata"])
MAPS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
CONDITIONS = st.sampled_from(
    [
        "none",
        "if current",
        "if an earlier one",
        "if another user's",
        "if anything is stored",
        "if nothing is stored",
        "if not current",
    ]
)


def merge(target: Any, patch: Any) -> Any:
    """MergePatch as RFC 7396, section 2, defines it. Written for the model, without limits."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def no_metadata() -> dict[str, Any]:
    return {"app_metadata": {}, "private_metadata": {}}


def path_of(caller: str) -> str:
    """The resource path on which a caller reaches a user's profile."""
    return PROFILE_PATH if caller == "the user" else "/users/{sub}/profile"


class Accounts:
    """A user pool: the subs of its accounts."""

    def __init__(self, subs: list[str]) -> None:
        self.subs = set(subs)

    def has_user(self, sub: str, _: Deadline) -> bool:
        return sub in self.subs

    def delete_user(self, sub: str, _: Deadline) -> None:
        self.subs.discard(sub)


class ThreeUsers(RuleBasedStateMachine):
    """Three users of one function, and a model of their profiles."""

    # Set by the test, before Hypothesis makes instances.
    client: DynamoDBClient
    table: str

    @initialize()
    def start_without_profiles(self) -> None:
        self.subs = [str(uuid.uuid4()) for _ in range(USERS)]
        # The model: each user's data (None: no profile), and all ETags that it ever had.
        self.data: list[Any] = [None] * USERS
        self.etags: list[list[str]] = [[] for _ in range(USERS)]
        self.metadata: list[dict[str, Any]] = [no_metadata() for _ in range(USERS)]
        self.before_next_write: Callable[[], object] | None = None
        self.store = ProfileStore(self.client, self.table, clock=self.clock, pause=lambda _: None)
        self.accounts: Any = Accounts(self.subs)
        self.erased: list[str] = []
        self.app = create_app(
            RouteSettings(erases_accounts=True),
            ProfileSettings,
            lambda: self.store,
            lambda _: self.accounts,
        )

    def clock(self) -> str:
        """The store reads the time just before it writes. Another write can happen then."""
        interrupt = self.before_next_write
        self.before_next_write = None
        if interrupt is not None:
            interrupt()
        return utc_now()

    def request(
        self,
        user: int,
        method: str,
        data: Any = None,
        path: str = PROFILE_PATH,
        **headers: str,
    ) -> dict[str, Any]:
        """Send a request: signed if the path is one of operators, and by the user otherwise."""
        body = None if data is None else json.dumps(data)
        lines = JSON_HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
        if path.startswith("/users"):
            request = operator_event(method, path, self.subs[user], headers=lines, body=body)
        else:
            signed_in_at = str(int(time.time()))
            claims = id_token_claims(self.subs[user], "client", auth_time=signed_in_at)
            request = api_gateway_event(method, path, claims=claims, headers=lines, body=body)
        return self.app(request, None)

    def current_etag(self, user: int) -> str | None:
        return self.etags[user][-1] if self.data[user] is not None else None

    def condition(self, user: int, kind: str) -> tuple[dict[str, str], bool]:
        """The headers of a condition, and whether it holds.

        If there is no ETag yet for a condition, the request has no condition.
        """
        stored = self.data[user] is not None
        current = self.etags[user][-1:]
        earlier = self.etags[user][:-1]
        others = self.etags[user - 1]
        if kind == "if current" and stored:
            return {"If_Match": current[0]}, True
        if kind == "if an earlier one" and earlier:
            return {"If_Match": ", ".join(earlier)}, False
        if kind == "if another user's" and others:
            return {"If_Match": ", ".join(others)}, False
        if kind == "if anything is stored":
            return {"If_Match": "*"}, stored
        if kind == "if nothing is stored":
            return {"If_None_Match": "*"}, not stored
        if kind == "if not current" and stored:
            return {"If_None_Match": current[0]}, False
        return {}, True

    @rule(
        user=USER_NUMBERS,
        method=st.sampled_from(["PUT", "POST", "PATCH"]),
        body=BODIES,
        kind=CONDITIONS,
        caller=CALLERS,
    )
    def write(self, user: int, method: str, body: Any, kind: str, caller: str = "the user") -> None:
        headers, holds = self.condition(user, kind)
        answer = self.request(user, method, body, path_of(caller), **headers)
        if not holds:
            assert answer["statusCode"] == 412, answer
            assert answer["headers"].get("ETag") == self.current_etag(user)
            return
        data = merge(self.data[user] or {}, body) if method == "PATCH" else body
        self.check_and_note_answer(user, data, answer)

    def check_and_note_answer(self, user: int, data: Any, answer: dict[str, Any]) -> None:
        """The response to a write has the data that the model expects. Update the model."""
        assert answer["statusCode"] == 200, answer
        profile = json.loads(answer["body"])
        assert profile["pk"] == "USERS#ALL"
        assert profile["sk"] == f"USER#{self.subs[user]}"
        assert profile["profile_data"] == data
        self.note_change(user, data, answer["headers"]["ETag"])

    def note_change(self, user: int, data: Any, etag: str) -> None:
        # A patch that changes nothing keeps the ETag. Every other one is new.
        if etag != self.current_etag(user):
            assert not any(etag in etags for etags in self.etags)
            self.etags[user].append(etag)
        self.data[user] = data

    @rule(user=USER_NUMBERS, kind=CONDITIONS, caller=CALLERS)
    def delete(self, user: int, kind: str, caller: str = "the user") -> None:
        headers, holds = self.condition(user, kind)
        answer = self.request(user, "DELETE", path=path_of(caller), **headers)
        if not holds:
            assert answer["statusCode"] == 412, answer
            return
        assert answer["statusCode"] == 204, answer
        self.data[user] = None

    @rule(
        user=USER_NUMBERS,
        other=USER_NUMBERS,
        patch=BODIES,
        body=BODIES,
        method=st.sampled_from(["PUT", "PATCH", "DELETE"]),
        callers=st.tuples(CALLERS, CALLERS),
    )
    def patch_while_another_writes(
        self,
        user: int,
        other: int,
        patch: Any,
        body: Any,
        method: str,
        callers: tuple[str, str],
    ) -> None:
        """The other writer may be the same user, on another device, or an operator."""
        caller, other_caller = callers

        def interrupt() -> None:
            if method == "DELETE":
                self.delete(other, "none", other_caller)
            else:
                self.write(other, method, body, "none", other_caller)

        self.before_next_write = interrupt
        answer = self.request(user, "PATCH", patch, path_of(caller))
        self.before_next_write = None  # a patch that changes nothing does not write
        self.check_and_note_answer(user, merge(self.data[user] or {}, patch), answer)

    @rule(
        user=USER_NUMBERS,
        method=st.sampled_from(["PUT", "PATCH"]),
        name=METADATA_MEMBERS,
        data=MAPS,
    )
    def write_metadata(self, user: int, method: str, name: str, data: Any) -> None:
        answer = self.request(user, method, {name: data}, METADATA_PATH)
        assert answer["statusCode"] == 200, answer
        written = {name: data}
        if method == "PATCH":
            written = merge(self.metadata[user], written)
        self.metadata[user] = no_metadata() | written

    @rule(user=USER_NUMBERS)
    def delete_metadata(self, user: int) -> None:
        assert self.request(user, "DELETE", path=METADATA_PATH)["statusCode"] == 204
        self.metadata[user] = no_metadata()

    @rule(
        user=USER_NUMBERS,
        other=USER_NUMBERS,
        names=st.tuples(METADATA_MEMBERS, METADATA_MEMBERS),
        patches=st.tuples(MAPS, MAPS),
    )
    def patch_metadata_while_another_back_end_does(
        self, user: int, other: int, names: tuple[str, str], patches: tuple[Any, Any]
    ) -> None:
        self.before_next_write = lambda: self.write_metadata(other, "PATCH", names[1], patches[1])
        self.write_metadata(user, "PATCH", names[0], patches[0])
        self.before_next_write = None  # a patch that changes nothing does not write

    @rule(
        user=USER_NUMBERS, body=BODIES, method=st.sampled_from(["PUT", "POST", "PATCH", "DELETE"])
    )
    def try_to_write_metadata_as_a_user(self, user: int, body: Any, method: str) -> None:
        assert self.request(user, method, body, "/user/metadata")["statusCode"] == 405
        claims = id_token_claims(self.subs[user], "client")
        event = api_gateway_event(method, METADATA_PATH, claims=claims, body=json.dumps(body))
        event["pathParameters"] = {"sub": self.subs[user]}
        assert self.app(event, None)["statusCode"] in (403, 405)

    @rule(user=USER_NUMBERS, caller=CALLERS)
    def erase_and_sign_up_again(self, user: int, caller: str) -> None:
        self.erase(user, caller)
        self.sign_up_again(user)

    def erase(self, user: int, caller: str) -> None:
        path = "/user" if caller == "the user" else "/users/{sub}"
        assert self.request(user, "DELETE", path=path)["statusCode"] == 204
        assert self.subs[user] not in self.accounts.subs

    def sign_up_again(self, user: int) -> None:
        """The user gets another sub, and starts without data."""
        self.erased.append(self.subs[user])
        self.subs[user] = str(uuid.uuid4())
        self.accounts.subs.add(self.subs[user])
        self.data[user] = None
        self.metadata[user] = no_metadata()

    @rule(
        user=USER_NUMBERS,
        caller=CALLERS,
        method=st.sampled_from(["PUT", "PATCH"]),
        path=st.sampled_from([PROFILE_PATH, "/users/{sub}/profile", METADATA_PATH]),
    )
    def write_while_the_account_is_erased(
        self, user: int, caller: str, method: str, path: str
    ) -> None:
        self.before_next_write = lambda: self.erase(user, caller)
        written = {"app_metadata": {"plan": str(uuid.uuid4())}}  # a change, so it is written
        answer = self.request(user, method, written, path)
        assert self.before_next_write is None
        assert answer["statusCode"] == 410, answer
        self.sign_up_again(user)

    @rule(method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE"]), body=BODIES, caller=CALLERS)
    def try_to_use_an_erased_account(self, method: str, body: Any, caller: str) -> None:
        for sub in self.erased:
            data = body if method in ("PUT", "PATCH") else None
            current, self.subs[0] = self.subs[0], sub
            answer = self.request(0, method, data, path_of(caller))
            self.subs[0] = current
            assert answer["statusCode"] == 410, answer

    @rule(bodies=st.tuples(*[BODIES] * USERS))
    def all_write_at_the_same_time(self, bodies: tuple[Any, ...]) -> None:
        with ThreadPoolExecutor(USERS) as pool:
            profiles = list(pool.map(self.store.patch, self.subs, bodies))
        for user, profile in enumerate(profiles):
            assert profile.sk == f"USER#{self.subs[user]}"
            assert profile.data == merge(self.data[user] or {}, bodies[user])
            self.note_change(user, profile.data, f'"{profile.revision}"')

    @invariant()
    def each_user_sees_their_own_app_metadata_only(self) -> None:
        for user, metadata in enumerate(self.metadata):
            answer = self.request(user, "GET", path="/user/metadata")
            assert json.loads(answer["body"]) == {"app_metadata": metadata["app_metadata"]}

    @invariant()
    def the_back_end_sees_all_metadata(self) -> None:
        for user, metadata in enumerate(self.metadata):
            seen = json.loads(self.request(user, "GET", path=METADATA_PATH)["body"])
            assert seen["sub"] == self.subs[user]
            assert {name: seen[name] for name in metadata} == metadata

    @invariant()
    def each_user_reads_their_own_profile(self) -> None:
        for user, sub in enumerate(self.subs):
            answer = self.request(user, "GET")
            etag = self.current_etag(user)
            if etag is None:
                assert answer["statusCode"] == 404, answer
                continue
            profile = json.loads(answer["body"])
            assert profile["sk"] == f"USER#{sub}"
            assert profile["profile_data"] == self.data[user]
            assert answer["headers"]["ETag"] == etag
            assert self.request(user, "GET", If_None_Match=etag)["statusCode"] == 304


def test_nobody_reads_or_changes_anothers_profile(dynamodb: DynamoDBClient, table: str) -> None:
    ThreeUsers.client = dynamodb
    ThreeUsers.table = table
    run_state_machine_as_test(
        ThreeUsers, settings=settings(max_examples=RUNS, stateful_step_count=STEPS_OF_A_RUN)
    )
