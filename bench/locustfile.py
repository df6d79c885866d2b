"""The users of the load test: each changes and reads its own profile, and checks every response.

Two environment variables are required: LOAD_TOKENS, a JSON list with an id token for each user, and
LOAD_REQUESTS, the number of requests after which the test ends. Locust runs in an environment of
its own (.tools), so this file imports nothing of the project.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

from locust import HttpUser, constant, events, task

TOKENS: list[str] = json.loads(os.environ["LOAD_TOKENS"])
REQUESTS = int(os.environ["LOAD_REQUESTS"])
TIMEOUT_SECONDS = 60


@events.init.add_listener
def end_after_enough_requests(environment: Any, **_: Any) -> None:
    def count(**_: Any) -> None:
        if environment.runner.stats.total.num_requests >= REQUESTS:
            environment.runner.quit()

    environment.events.request.add_listener(count)


class ProfileUser(HttpUser):
    """A signed-in user. No other client writes the profile, so the result of a GET is known."""

    wait_time = constant(0)

    def on_start(self) -> None:
        self.client.headers["Authorization"] = f"Bearer {TOKENS.pop()}"
        self.stored: dict[str, Any] | None = None  # None: there is no profile
        self.etag = ""

    def send(
        self,
        method: str,
        expected_status: int,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a request, check the response and return it."""
        with self.client.request(
            method,
            "/user/profile",
            json=data,
            headers=headers,
            catch_response=True,
            timeout=TIMEOUT_SECONDS,
        ) as response:
            if response.status_code != expected_status:
                response.failure(
                    f"{method} returned {response.status_code}, expected {expected_status}: "
                    f"{response.text[:200]}"
                )
            elif expected_status == 200 and response.json()["profile_data"] != self.stored:
                response.failure(f"{method} returned a profile other than the one written")
            else:
                response.success()
            return response

    @task(6)
    def read(self) -> None:
        expected_status = 404 if self.stored is None else 200
        response = self.send("GET", expected_status)
        self.etag = response.headers.get("ETag", "")

    @task(2)
    def patch(self) -> None:
        name = f"field{random.randrange(5)}"
        value = None
        if random.random() < 0.8:
            value = {"text": "x" * random.randrange(200), "n": random.random()}
        self.stored = dict(self.stored or {})
        if value is None:
            self.stored.pop(name, None)
        else:
            self.stored[name] = value
        response = self.send("PATCH", 200, {name: value})
        self.etag = response.headers.get("ETag", "")

    @task(2)
    def replace(self) -> None:
        headers = {}
        if self.stored is not None and self.etag:
            headers["If-Match"] = self.etag
        self.stored = {"whole": [random.random() for _ in range(20)]}
        response = self.send("PUT", 200, self.stored, headers)
        self.etag = response.headers.get("ETag", "")

    @task(1)
    def replace_with_wrong_etag(self) -> None:
        self.send("PUT", 412, {"never": True}, {"If-Match": '"another"'})

    @task(1)
    def delete(self) -> None:
        if random.random() < 0.3:
            self.stored = None
            self.etag = ""
            self.send("DELETE", 204)
