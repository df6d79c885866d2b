"""The options of `make smoke`, and addresses that are not this service's."""

from __future__ import annotations

import http.server
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chalicelib.problems import TYPE_PREFIX
from deploy import smoke
from deploy.errors import SmokeError
from deploy.smoke_checks import Client
from tests.support.cloud import Cloud
from tests.support.smoke import NOWHERE, error_of

# --- other services -------------------------------------------------------------------------------


@dataclass
class OtherService:
    """A server that responds to every request with the same status, type and body."""

    status: int
    media_type: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """The requests that it received: method and path."""

    @contextmanager
    def running(self) -> Iterator[Client]:
        """Run the server. Yields a client with its URL."""
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                service.requests.append(f"{self.command} {self.path}")
                self.send_response(service.status)
                self.send_header("Content-Type", service.media_type)
                self.send_header("Content-Length", str(len(service.body)))
                for name, value in service.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(service.body.encode())

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield Client(f"http://127.0.0.1:{server.server_port}", "a.b.c")
            finally:
                server.shutdown()
                thread.join()


JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
NO_PROFILE = json.dumps({"type": f"{TYPE_PREFIX}profile-not-found", "status": 404})
NOT_THIS_SERVICE = "is not one of this service"
OTHER_SERVICES = {
    "a web page": (OtherService(200, "text/html", "<html>\n</html>"), NOT_THIS_SERVICE),
    "another object": (OtherService(200, JSON_TYPE, '{"users": []}'), NOT_THIS_SERVICE),
    "an array": (OtherService(200, JSON_TYPE, '["profile_data"]'), NOT_THIS_SERVICE),
    "no content": (OtherService(200, JSON_TYPE, ""), NOT_THIS_SERVICE),
    "no ETag": (OtherService(200, JSON_TYPE, '{"profile_data": {}}'), NOT_THIS_SERVICE),
    "a page for 404": (OtherService(404, "text/html", "<html>"), NOT_THIS_SERVICE),
    "an object for 404": (OtherService(404, JSON_TYPE, NO_PROFILE), NOT_THIS_SERVICE),
    "an array for 404": (OtherService(404, PROBLEM_TYPE, "[]"), NOT_THIS_SERVICE),
    "another path of an API": (
        OtherService(404, PROBLEM_TYPE, '{"type": "about:blank", "status": 404}'),
        NOT_THIS_SERVICE,
    ),
    "a redirect": (
        OtherService(301, "text/html", "", {"Location": "https://example.com/"}),
        "redirects to https://example.com/",
    ),
    "a refusal": (OtherService(403, JSON_TYPE, '{"message": "no"}'), "does not accept this user"),
}


@pytest.mark.parametrize("name", OTHER_SERVICES)
def test_nothing_is_stored_in_another_service(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, message = OTHER_SERVICES[name]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with service.running() as client, pytest.raises(SmokeError, match=message):
        smoke.run(client, overwrite=True)
    assert service.requests == ["GET /user/profile"]
    assert not list(tmp_path.iterdir())


def test_an_unreadable_token_changes_no_profile() -> None:
    service = OtherService(200, JSON_TYPE, '{"profile_data": {}}', {"ETag": '"1"'})
    with service.running() as client, pytest.raises(SmokeError, match="cannot be read"):
        smoke.run(client, overwrite=True)
    assert service.requests == ["GET /user/profile"]


def test_a_media_type_with_a_parameter_is_accepted() -> None:
    """The run goes on, and fails at its end: this service does not respond to DELETE as it must."""
    service = OtherService(404, f"{PROBLEM_TYPE}; charset=utf-8", NO_PROFILE)
    with service.running() as client, pytest.raises(SmokeError, match="could not be deleted"):
        smoke.run(client, overwrite=False)
    assert len(service.requests) > 1


# --- options --------------------------------------------------------------------------------------


NO_TOKENS = (
    "secret",
    "secret.secret",
    "secret..secret",
    ".secret.secret",
    "secret.secret.",
    "secret.a.b.c",
    "secret.b c.d",
    "secret.b\n.d",
    "secret.\u00e9.d",
    "Basic secret.b.d",
    "Bearer ",
)


@pytest.mark.parametrize("token", NO_TOKENS)
def test_a_token_that_cannot_be_one_is_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    error = error_of(monkeypatch, URL=NOWHERE, TOKEN=token)
    assert "TOKEN is not an id token" in error
    assert "secret" not in error


@pytest.mark.parametrize("token", ["a.b.c", "Bearer a.b.c", " a-_.B9.c "])
def test_a_token_with_three_parts_is_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    assert "does not respond" in error_of(monkeypatch, URL=NOWHERE, TOKEN=token)


def test_overwrite_is_yes_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of(monkeypatch, URL=NOWHERE, TOKEN="a.b.c", OVERWRITE="maybe")
    assert "OVERWRITE=maybe is not understood" in error


def test_an_unknown_option_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of(monkeypatch, URL=NOWHERE, TOKEN="a.b.c", FILES="profile.json")
    assert "make smoke has no option FILES" in error


def test_an_unknown_aws_profile_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    assert "nope" in error_of(monkeypatch, URL=NOWHERE, TOKEN="a.b.c")


def test_a_stage_in_another_account_names_both_accounts(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = cloud.outputs["UserPoolArn"].replace(":000000000000:", ":111111111111:")
    (tmp_path / ".chalice").mkdir()
    config = {"app_name": "a", "stages": {"dev": {"environment_variables": {"USER_POOL_ARN": arn}}}}
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    error = error_of(monkeypatch, "--stage=dev", TOKEN="a.b.c")
    assert "111111111111" in error
    assert "000000000000" in error
