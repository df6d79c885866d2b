"""`make smoke` itself: that it passes where all is well, and that none of its checks passes whatever it is told."""

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest
import requests

from deploy import smoke
from tests.conftest import Api, User, assert_problem


def service(port: int, user: User) -> smoke.Service:
    return smoke.Service(f"http://127.0.0.1:{port}", user.id_token, user.access_token)


def test_it_passes_against_chalice_local_and_leaves_nothing(
    api: Api, new_user: Callable[[], User], capsys: pytest.CaptureFixture[str]
) -> None:
    user = new_user()
    assert smoke.run(service(api.port, user), overwrite=False) == 0
    assert capsys.readouterr().out.count("  ok\n") == len(smoke.CHECKS)
    assert_problem(api.get(user), 404, "profile-not-found")


def test_a_profile_that_is_there_is_not_touched_unless_told(
    api: Api, new_user: Callable[[], User]
) -> None:
    user = new_user()
    api.post(user, '{"mine": 0.10}')
    with pytest.raises(smoke.Refused, match="OVERWRITE=yes"):
        smoke.run(service(api.port, user), overwrite=False)
    assert smoke.run(service(api.port, user), overwrite=True) == 0
    assert api.get(user).json()["profile_data"].keys() == {"mine"}


class SaysYes(http.server.BaseHTTPRequestHandler):
    """Answers 200 {} to everything, with CORS."""

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
        pass


@pytest.fixture
def agreeable() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SaysYes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", smoke.CHECKS)
def test_no_check_passes_whatever_it_is_told(agreeable: int, ada: User, name: str) -> None:
    with pytest.raises(smoke.NotAsExpected):
        smoke.CHECKS[name](service(agreeable, ada))


def test_a_profile_that_cannot_be_put_back_is_kept_in_a_file(
    api: Api,
    new_user: Callable[[], User],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    user = new_user()
    api.post(user, '{"mine": 1}')

    def nothing_works(_: smoke.Service) -> None:
        monkeypatch.setattr(requests.Session, "request", refuse)

    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError("the network is gone")

    monkeypatch.setattr(smoke, "CHECKS", {"the last thing that is seen": nothing_works})
    with pytest.raises(smoke.Refused, match=r"The profile is in .*\.json") as refused:
        smoke.run(service(api.port, user), overwrite=True)
    kept = str(refused.value).partition("The profile is in ")[2].partition(": PUT")[0]
    with open(kept) as file:
        assert file.read() == '{"mine":1}'
