"""What `make load` has locust do: each of its users changes and reads a profile of their own, and believes nothing.

LOAD_TOKENS has an id token for each, LOAD_REQUESTS the number of requests after which it ends. Locust runs in an
environment of its own (.tools), so this imports nothing of the project.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

from locust import HttpUser, constant, events, task

TOKENS = json.loads(os.environ.get("LOAD_TOKENS", "[]"))
REQUESTS = json.loads(os.environ.get("LOAD_REQUESTS", "0"))


@events.request.add_listener
def end_after_enough(**_: Any) -> None:
    runner = Profile.environment_runner
    if runner and runner.stats.total.num_requests >= REQUESTS:
        runner.quit()


@events.test_start.add_listener
def remember(environment: Any, **_: Any) -> None:
    Profile.environment_runner = environment.runner


class Profile(HttpUser):
    """A signed-in user, whose profile nobody else writes: what comes back is what they know of."""

    wait_time = constant(0)
    environment_runner: Any = None

    def on_start(self) -> None:
        self.client.headers["Authorization"] = f"Bearer {TOKENS.pop()}"
        self.data: Any = None
        self.etag = ""

    def ask(self, method: str, expected: set[int], data: Any = None, **headers: str) -> Any:
        with self.client.request(
            method, "/user/profile", json=data, headers={k.replace("_", "-"): v for k, v in headers.items()},
            catch_response=True, timeout=60,
        ) as answer:  # fmt: skip
            if answer.status_code not in expected:
                answer.failure(f"{method} answered {answer.status_code}: {answer.text[:200]}")
            elif answer.status_code == 200 and answer.json()["profile_data"] != self.data:
                answer.failure(f"{method} answered another profile than was written")
            else:
                answer.success()
            self.etag = answer.headers.get("ETag", "")
            return answer

    @task(6)
    def read(self) -> None:
        self.ask("GET", {404 if self.data is None else 200})

    @task(2)
    def patch(self) -> None:
        name = f"field{random.randrange(5)}"
        value = (
            None
            if random.random() < 0.2
            else {"text": "x" * random.randrange(200), "n": random.random()}
        )
        self.data = {**(self.data or {}), name: value}
        if value is None:
            del self.data[name]
        self.ask("PATCH", {200}, {name: value})

    @task(2)
    def replace(self) -> None:
        condition = {"If_Match": self.etag} if self.data is not None and self.etag else {}
        self.data = {"whole": [random.random() for _ in range(20)]}
        self.ask("PUT", {200}, self.data, **condition)

    @task(1)
    def refused(self) -> None:
        seen, self.etag = self.etag, ""
        self.ask("PUT", {412}, {"never": True}, If_Match='"another"')
        self.etag = seen

    @task(1)
    def remove(self) -> None:
        if random.random() < 0.3:
            self.data = None
            self.ask("DELETE", {204})
