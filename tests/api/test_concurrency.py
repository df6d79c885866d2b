"""Many clients that change one profile at the same time."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

from chalicelib.profile import merge_patch
from tests.support.http_api import Answer, Api
from tests.support.users import User

Change = tuple[str, Any]
"""A method and the data that it sends."""


def send_until_answered(api: Api, user: User, method: str, data: object) -> Answer:
    """Send a change. On 503, wait for the time in Retry-After and send it again."""
    while True:
        answer = api.send(user, method, data)
        if answer.status != 503:
            return answer
        time.sleep(int(answer.headers["Retry-After"]) * random.uniform(0.5, 1.5))


def test_no_patch_of_many_clients_is_lost(api: Api, user: User) -> None:
    clients = 8
    patches = 10

    def patch_often(client: int) -> list[int]:
        answers = [
            send_until_answered(api, user, "PATCH", {f"client-{client}": {f"key-{key}": key}})
            for key in range(patches)
        ]
        return [answer.status for answer in answers]

    with ThreadPoolExecutor(clients) as pool:
        statuses = list(pool.map(patch_often, range(clients)))
    assert statuses == [[200] * patches] * clients
    expected = {f"key-{key}": key for key in range(patches)}
    assert api.get(user).json()["profile_data"] == {
        f"client-{client}": expected for client in range(clients)
    }


def test_one_of_many_changes_under_an_etag_is_made(api: Api, user: User, etag: str) -> None:
    clients = 16
    with ThreadPoolExecutor(clients) as pool:
        answers = list(
            pool.map(
                lambda client: api.send(user, "PUT", {"by": client}, If_Match=etag),
                range(clients),
            )
        )
    assert sorted(answer.status for answer in answers) == [200] + [412] * (clients - 1)
    (winner,) = (answer for answer in answers if answer.status == 200)
    assert api.get(user).body == winner.body


def test_one_of_many_clients_creates_the_profile(api: Api, user: User) -> None:
    clients = 16
    with ThreadPoolExecutor(clients) as pool:
        answers = list(
            pool.map(
                lambda client: api.send(user, "POST", {"by": client}, If_None_Match="*"),
                range(clients),
            )
        )
    assert sorted(answer.status for answer in answers) == [200] + [412] * (clients - 1)


def data_after(data: Any, change: Change) -> Any:
    """The profile data after a change. None stands for no profile."""
    method, body = change
    if method == "DELETE":
        return None
    if method == "POST":
        return body
    return merge_patch(data, body)


def some_order_explains(start: Any, changes: list[Change], results: list[Any], end: Any) -> bool:
    """Whether the changes, one after the other in some order, give these results and this end."""
    return any(
        _order_explains(start, [(changes[number], results[number]) for number in order], end)
        for order in permutations(range(len(changes)))
    )


def _order_explains(start: Any, steps: list[tuple[Change, Any]], end: Any) -> bool:
    data = start
    for change, result in steps:
        data = data_after(data, change)
        if data != result:
            return False
    return bool(data == end)


def test_racing_changes_happen_in_some_order(api: Api, user: User) -> None:
    for number in range(6):
        start = {"old": number}
        assert api.send(user, "PUT", start).status == 200
        changes: list[Change] = [("POST", {"base": number}), ("DELETE", None)]
        changes += [("PATCH", {f"patch-{patch}": number}) for patch in range(4)]
        with ThreadPoolExecutor(len(changes)) as pool:
            answers = list(
                pool.map(lambda change: send_until_answered(api, user, *change), changes)
            )
        assert [answer.status for answer in answers] == [200, 204, 200, 200, 200, 200]
        results = [
            answer.json()["profile_data"] if answer.status == 200 else None for answer in answers
        ]
        end = api.get(user).json().get("profile_data")
        assert some_order_explains(start, changes, results, end), (results, end)
