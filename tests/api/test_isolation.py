"""Users side by side, in any order and at the same time: each has their own profile, and nobody another's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chalicelib.store import ProfileStore, utc_now
from tests.conftest import Cloud
from tests.support.events import event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAMES = ["pk", "sk", "profile_data", "revision", "created_at", "updated_at", "a", "b"]
"""What the service itself calls things, too: in a body they are data, and name no key."""
TEXTS = st.sampled_from(["USERS#ALL", "USER#0", "", "x", '"'])
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | TEXTS
BODIES = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        LEAVES,
        lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
USERS = st.integers(0, 2)
CONDITIONS = st.sampled_from(
    ["none", "mine", "old", "another's", "anything", "nothing", "not mine"]
)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class Users(RuleBasedStateMachine):
    """Three users of one warm function, and what each must see."""

    function: ModuleType
    client: Any
    table: str
    client_id: str

    @initialize()
    def nobody_has_a_profile(self) -> None:
        self.subs = [str(uuid.uuid4()) for _ in range(3)]
        self.data: list[Any] = [None, None, None]  # None: no profile
        self.etags: list[list[str]] = [[], [], []]  # all that there ever were
        self.meanwhile: list[
            Callable[[], object]
        ] = []  # done when the next write is about to be made
        self.store = ProfileStore(
            self.client, self.table, clock=self.interrupted_clock, pause=lambda _: None
        )
        self.function.store = lambda: self.store  # type: ignore[attr-defined]

    def interrupted_clock(self) -> str:
        if self.meanwhile:
            self.meanwhile.pop()()
        return utc_now()

    def ask(self, user: int, method: str, body: Any = None, **headers: str) -> dict[str, Any]:
        asked = event(
            method, self.subs[user], self.client_id, None if body is None else json.dumps(body)
        )
        asked["multiValueHeaders"] |= {
            name.replace("_", "-"): [value] for name, value in headers.items()
        }
        answer: dict[str, Any] = self.function.app(asked, None)
        return answer

    def condition(self, user: int, kind: str) -> tuple[dict[str, str], bool]:
        """Headers, and whether what they ask for holds."""
        there = self.data[user] is not None
        tags = self.etags[user]
        if kind == "mine" and there:
            return {"If_Match": tags[-1]}, True
        if kind == "old" and tags[:-1]:
            return {"If_Match": ", ".join(tags[:-1])}, False
        if kind == "another's" and self.etags[user - 1]:
            return {"If_Match": ", ".join(self.etags[user - 1])}, False
        if kind == "anything":
            return {"If_Match": "*"}, there
        if kind == "nothing":
            return {"If_None_Match": "*"}, not there
        if kind == "not mine" and there:
            return {"If_None_Match": tags[-1]}, False
        return {}, True

    @rule(
        user=USERS, method=st.sampled_from(["PUT", "POST", "PATCH"]), body=BODIES, kind=CONDITIONS
    )
    def write(self, user: int, method: str, body: Any, kind: str) -> None:
        headers, holds = self.condition(user, kind)
        answer = self.ask(user, method, body, **headers)
        if not holds:
            assert answer["statusCode"] == 412, answer
            assert answer["headers"].get("ETag") == (
                self.etags[user][-1] if self.data[user] is not None else None
            )
            return
        assert answer["statusCode"] == 200, answer
        self.changed(
            user, merged(self.data[user] or {}, body) if method == "PATCH" else body, answer
        )

    def changed(self, user: int, data: Any, answer: dict[str, Any]) -> None:
        profile, etag = json.loads(answer["body"]), answer["headers"]["ETag"]
        assert (profile["pk"], profile["sk"]) == ("USERS#ALL", f"USER#{self.subs[user]}")
        assert profile["profile_data"] == data
        if (
            self.data[user] is None or etag != self.etags[user][-1]
        ):  # a patch that changes nothing writes nothing
            assert not any(etag in tags for tags in self.etags)
            self.etags[user].append(etag)
        self.data[user] = data

    @rule(user=USERS, kind=CONDITIONS)
    def delete(self, user: int, kind: str) -> None:
        headers, holds = self.condition(user, kind)
        assert self.ask(user, "DELETE", **headers)["statusCode"] == (204 if holds else 412)
        if holds:
            self.data[user] = None

    @rule(
        user=USERS,
        other=USERS,
        patch=BODIES,
        body=BODIES,
        method=st.sampled_from(["PUT", "PATCH", "DELETE"]),
    )
    def patch_while_another_writes(
        self, user: int, other: int, patch: Any, body: Any, method: str
    ) -> None:
        """The other may be the same user, on another device."""

        def interrupt() -> None:
            if method == "DELETE":
                self.delete(other, "none")
            else:
                self.write(other, method, body, "none")

        self.meanwhile = [interrupt]
        answer = self.ask(user, "PATCH", patch)
        assert answer["statusCode"] == 200, answer
        self.meanwhile.clear()  # where the patch changed nothing, nobody came between
        self.changed(user, merged(self.data[user] or {}, patch), answer)

    @rule(bodies=st.tuples(BODIES, BODIES, BODIES))
    def all_write_at_the_same_time(self, bodies: tuple[Any, Any, Any]) -> None:
        def write(user: int) -> Any:
            return self.store.patch(self.subs[user], bodies[user])

        with ThreadPoolExecutor(3) as pool:
            profiles = list(pool.map(write, range(3)))
        for user, profile in enumerate(profiles):
            answer = {
                "body": json.dumps(
                    {"pk": profile.pk, "sk": profile.sk, "profile_data": profile.data}
                )
            }
            answer["headers"] = {"ETag": f'"{profile.revision}"'}  # type: ignore[assignment]
            self.changed(user, merged(self.data[user] or {}, bodies[user]), answer)

    @invariant()
    def each_sees_their_own(self) -> None:
        for user, sub in enumerate(self.subs):
            answer = self.ask(user, "GET")
            if self.data[user] is None:
                assert answer["statusCode"] == 404, answer
                continue
            profile = json.loads(answer["body"])
            assert (profile["sk"], profile["profile_data"]) == (f"USER#{sub}", self.data[user])
            assert answer["headers"]["ETag"] == self.etags[user][-1]
            assert self.ask(user, "GET", If_None_Match=self.etags[user][-1])["statusCode"] == 304


def test_nobody_ever_sees_or_changes_anothers_profile(
    function: ModuleType,
    dynamodb: DynamoDBClient,
    table: str,
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(function, "store", function.store)  # and back, at the end
    for name, value in {"function": function, "client": dynamodb, "table": table}.items():
        setattr(Users, name, value)
    Users.client_id = cloud.outputs["UserPoolClientId"]
    run_state_machine_as_test(
        Users,
        settings=settings(max_examples=30, stateful_step_count=20, deadline=None, derandomize=True),
    )
