"""A web page instead of AWS's response, as from a proxy: each command says so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import api_logs, aws, cognito, gateway_responses, lookup, packaging, stacks
from deploy.errors import CommandError, DeploymentError

ARN = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Abc"
HTML = "<!DOCTYPE html><html><body>Sign in to the network<br></body></html>"
XHTML = "<html><body>Sign in to the network</body></html>"
PAGES = {
    "HTML": HTML,
    "XHTML": XHTML,
    "XHTML with a declaration": f'<?xml version="1.0"?><!DOCTYPE html>{XHTML}',
}
CALLS: dict[str, Callable[[], object]] = {
    "STS": aws.account_id,
    "CloudFormation": lambda: stacks.describe("user-profile-dev"),
    "sign-in": lambda: cognito.sign_in(ARN, "client", "ada@example.com", "password"),
    "Cognito": lambda: lookup.find_user_pool("us-east-1_Abc"),
    "DynamoDB": lambda: lookup.find_table("user-profile-dev"),
    "Lambda": lambda: lookup.find_function_configuration("user-profile-dev"),
    "CloudWatch Logs": lambda: api_logs.existing("user-profile-dev"),
    "S3": lambda: packaging.upload_template("{}"),
    "API Gateway": lambda: gateway_responses.put_gateway_responses("a1b2c3"),
}


@contextmanager
def web_page(status: int, page: str, requests: list[str] | None = None) -> Iterator[str]:
    """A server that answers every request with this page; its URL. It adds to `requests`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if requests is not None:
                requests.append(self.command)
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = respond  # noqa: N815 - names of http.server

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
@pytest.mark.parametrize("status", [200, 302, 403, 404])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_web_page_is_not_taken_for_aws(
    shell: pytest.MonkeyPatch, service: str, status: int, page: str
) -> None:
    with web_page(status, page) as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError) as refused:
            CALLS[service]()
    assert "is not one of AWS" in str(refused.value)
    assert "HTTPS_PROXY" in str(refused.value)
    assert "<" not in str(refused.value)


def test_a_bucket_is_not_taken_for_that_of_a_web_page(shell: pytest.MonkeyPatch) -> None:
    """The first call of S3 is HEAD: its response has no body."""
    shell.setattr(aws, "account_id", lambda: "123456789012")
    with web_page(302, HTML) as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError, match="is not one of AWS"):
            packaging.upload(Path(__file__))


def test_a_profile_that_no_call_uses_may_be_unknown(shell: pytest.MonkeyPatch) -> None:
    """`chalice package --profile` uses its own profile."""
    shell.setenv("AWS_PROFILE", "nope")
    with aws.report_aws_errors("nothing"):
        pass
    with pytest.raises(DeploymentError, match="nope"):
        stacks.describe("user-profile-dev")


def test_a_region_that_is_set_later_is_used(shell: pytest.MonkeyPatch) -> None:
    """The commands use the region of the recorded backend if the shell names none."""
    shell.delenv("AWS_DEFAULT_REGION")
    with aws.report_aws_errors("nothing"):
        pass
    shell.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert boto3.client("dynamodb").meta.region_name == "eu-west-3"


def test_xml_without_a_code_is_not_an_error_of_aws(shell: pytest.MonkeyPatch) -> None:
    with web_page(403, "<denied/>") as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError, match="is not one of AWS"):
            stacks.describe("user-profile-dev")


@pytest.mark.parametrize("page", [HTML, XHTML], ids=["HTML", "XHTML"])
def test_a_failure_of_a_load_balancer_is_tried_again(shell: pytest.MonkeyPatch, page: str) -> None:
    """Load balancers of AWS send web pages with status 503."""
    shell.setenv("AWS_MAX_ATTEMPTS", "2")
    shell.setattr("time.sleep", lambda _: None)
    requests: list[str] = []
    with web_page(503, page, requests) as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError):
            lookup.find_table("user-profile-dev")
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredToken", "no"),
        ("ExpiredTokenException", "no"),
        ("UnrecognizedClientException", "The security token in the request is expired"),
    ],
)
def test_expired_credentials_are_explained(code: str, message: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")
    with (
        pytest.raises(DeploymentError, match=r"have expired.*aws sso login"),
        aws.report_aws_errors("the stack user-profile-dev"),
    ):
        raise error


def test_a_failure_without_a_body_is_reported(shell: pytest.MonkeyPatch) -> None:
    with web_page(503, "") as url:
        shell.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CommandError, match="Service Unavailable"):
            lookup.find_table("user-profile-dev")
