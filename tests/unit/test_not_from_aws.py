"""A web page instead of AWS's response, as from a proxy: each command says so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
import pytest

from deploy import aws, cognito, lookup, stacks
from deploy.errors import CommandError

ARN = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Abc"
HTML = "<!DOCTYPE html><html><body>Sign in to the network<br></body></html>"
XHTML = "<html><body>Sign in to the network</body></html>"
CALLS: dict[str, Callable[[], object]] = {
    "STS": aws.account_id,
    "CloudFormation": lambda: stacks.describe("user-profile-dev"),
    "Cognito": lambda: cognito.sign_in(ARN, "client", "ada@example.com", "password"),
}


@contextmanager
def web_page(status: int, page: str) -> Iterator[str]:
    """A server that answers every request with this page; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A shell with AWS credentials, in which failed calls are not repeated."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("status", [200, 403])
def test_a_web_page_is_not_taken_for_aws(
    shell: pytest.MonkeyPatch, service: str, status: int
) -> None:
    with web_page(status, HTML) as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError) as refused:
            CALLS[service]()
    assert "is not one of AWS" in str(refused.value)
    assert "HTTPS_PROXY" in str(refused.value)
    assert "<" not in str(refused.value)


def test_a_page_that_is_valid_xml_names_no_account(shell: pytest.MonkeyPatch) -> None:
    with web_page(200, XHTML) as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError, match="is not one of AWS"):
            aws.account_id()


def test_a_failure_without_a_body_is_reported(shell: pytest.MonkeyPatch) -> None:
    with web_page(503, "") as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError, match="Service Unavailable"):
            lookup.find_table("user-profile-dev")
