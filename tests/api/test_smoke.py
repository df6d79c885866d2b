"""The checks of `make smoke`: they pass for a correct service, and fail for others.

The service is `chalice local`. Unlike the emulated API Gateway, it sends preflight headers.
"""

import http.server
import re
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import requests
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from deploy import smoke
from deploy.errors import SmokeError
from deploy.smoke_checks import (
    CHECKS,
    CheckFailed,
    Client,
    tls_1_1_is_refused,
)
from deploy.users_api import UsersApi
from tests.support.http_api import Api, assert_problem
from tests.support.operators import operator_of
from tests.support.users import User


def client_of(api: Api, user: User) -> Client:
    url = f"http://127.0.0.1:{api.port}"
    return Client(url, user.id_token, user.access_token, operator_of(api))


def test_all_checks_pass_and_leave_nothing(
    api: Api, new_user: Callable[[], User], capsys: pytest.CaptureFixture[str]
) -> None:
    user = new_user()
    assert smoke.run(client_of(api, user), overwrite=False) == 0
    output = capsys.readouterr().out
    # The local API has no TLS.
    assert output.count("  ok\n") == len(CHECKS) - 1
    assert "not checked: needs an https URL" in output
    assert re.search(r"a body of 7 MB +413 .*6 MB", output)
    assert re.search(r"a token on /user/nobody +4\d\d ", output)
    statuses = [line.split()[-1] for line in output.splitlines() if line.startswith("  GET ")]
    assert statuses == ["200", "404", "404"], "as docs/local.md says"
    assert_problem(api.get(user), 404, "profile-not-found")


def test_a_profile_is_replaced_only_if_told_to_and_restored(
    api: Api, new_user: Callable[[], User]
) -> None:
    user = new_user()
    api.post(user, '{"mine": 0.10}')
    with pytest.raises(SmokeError, match="OVERWRITE=yes"):
        smoke.run(client_of(api, user), overwrite=False)
    assert smoke.run(client_of(api, user), overwrite=True) == 0
    assert api.get(user).json()["profile_data"].keys() == {"mine"}


def test_a_profile_that_cannot_be_restored_is_in_a_file(
    api: Api, new_user: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = new_user()
    api.post(user, '{"mine": 1}')
    client = client_of(api, user)

    def fail(*_: object, **__: object) -> None:
        raise requests.ConnectionError("the network is gone")

    def lose_the_network(_: Client) -> None:
        monkeypatch.setattr(client.session, "request", fail)

    monkeypatch.setattr(smoke, "CHECKS", {"the last check": lose_the_network})
    with pytest.raises(SmokeError, match=r"The profile is in .*\.json") as refused:
        smoke.run(client, overwrite=True)
    file = Path(str(refused.value).partition("The profile is in ")[2].partition(": PUT")[0])
    assert file.read_text() == '{"mine":1}'
    file.unlink()


def test_a_service_that_refuses_the_user_is_not_checked(api: Api) -> None:
    client = Client(f"http://127.0.0.1:{api.port}", "not.a.token")
    with pytest.raises(SmokeError, match="401"):
        smoke.run(client, overwrite=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for 127.0.0.1."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def tls_server(certificate: Path, minimum: ssl.TLSVersion) -> Iterator[Client]:
    """A client of a server that accepts this version of TLS and newer ones."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = minimum
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as accepted:
            accepted.recv(1)

    thread = threading.Thread(target=accept)
    thread.start()
    with listener:
        yield Client(f"https://127.0.0.1:{listener.getsockname()[1]}/api", "")
        thread.join()


def test_a_server_that_requires_tls_1_2_is_correct(certificate: Path) -> None:
    with tls_server(certificate, ssl.TLSVersion.TLSv1_2) as client:
        tls_1_1_is_refused(client)


def test_a_server_that_accepts_tls_1_1_is_reported(certificate: Path) -> None:
    with (
        tls_server(certificate, ssl.TLSVersion.TLSv1_1) as client,
        pytest.raises(CheckFailed, match=r"accepts TLS 1\.1"),
    ):
        tls_1_1_is_refused(client)


def test_a_server_that_does_not_answer_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CheckFailed, match=r"no connection to 127\.0\.0\.1"):
        tls_1_1_is_refused(Client(f"https://127.0.0.1:{port}/api", ""))


class AgreeableHandler(http.server.BaseHTTPRequestHandler):
    """Responds to every request with 200 and {}, readable by scripts."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def agreeable() -> Iterator[Client]:
    """A client of a service that accepts every request."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), AgreeableHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        id_token = jwt.encode({"sub": "5f0c"}, "x" * 32)
        operator = UsersApi(url, Credentials("id", "secret"), "us-east-1")
        yield Client(url, id_token, "an.access.token", operator)
        server.shutdown()
        thread.join()


WITHOUT_TLS = [name for name, check in CHECKS.items() if check is not tls_1_1_is_refused]


@pytest.mark.parametrize("name", WITHOUT_TLS)
def test_no_check_passes_whatever_the_answer(agreeable: Client, name: str) -> None:
    with pytest.raises(CheckFailed):
        CHECKS[name](agreeable)


@pytest.mark.parametrize(
    ("operator_key", "reason"),
    [(None, "needs AWS credentials"), ("unknown", "may not call it")],
)
def test_what_the_shell_may_not_do_is_not_checked(
    api: Api,
    new_user: Callable[[], User],
    capsys: pytest.CaptureFixture[str],
    operator_key: str | None,
    reason: str,
) -> None:
    client = client_of(api, new_user())
    client.operator = None
    if operator_key is not None:
        client.operator = UsersApi(client.url, Credentials(operator_key, "secret"), "us-east-1")
    assert smoke.run(client, overwrite=False) == 0
    output = capsys.readouterr().out
    assert output.count(reason) == 2
    assert output.count("not checked: ") == 3, "and TLS, which the local API has not"


def test_a_netrc_file_replaces_no_token_and_no_signature(
    api: Api, new_user: Callable[[], User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert smoke.run(client_of(api, new_user()), overwrite=False) == 0
