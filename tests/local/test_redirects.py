"""CALLBACK_URLS and LOGOUT_URLS of `make local`: what is accepted, remembered and registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import redirects
from local.errors import LocalError
from local.redirects import Redirects, RequestedRedirects, choose, requested, to_register

PAGE = "http://localhost:3000"
APP = "http://localhost:5173"
OTHER_APP = "https://app.example.com/signed-in"


def request(
    monkeypatch: pytest.MonkeyPatch, callback_urls: str = "", logout_urls: str = ""
) -> RequestedRedirects:
    """What `make local CALLBACK_URLS=... LOGOUT_URLS=...` asks for; empty: without the option."""
    monkeypatch.setenv("OPTION_CALLBACK_URLS", callback_urls)
    monkeypatch.setenv("OPTION_LOGOUT_URLS", logout_urls)
    return requested()


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (APP, (APP,)),
        (f" {APP} , {OTHER_APP} ", (APP, OTHER_APP)),
        ("http://127.0.0.1:5173/", ("http://127.0.0.1:5173/",)),
        ("http://localhost:65535", ("http://localhost:65535",)),
        ("http://[::1]:5173", ("http://[::1]:5173",)),
        ("com.example.app://signed-in", ("com.example.app://signed-in",)),
        ("https://app.example.com/?from=sign-in", ("https://app.example.com/?from=sign-in",)),
    ],
)
def test_urls_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, urls: tuple[str, ...]
) -> None:
    assert request(monkeypatch, text).callback_urls == urls
    assert request(monkeypatch, logout_urls=text).own_logout_urls == urls


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5173", "'5173', which is not a URL"),
        ("localhost:5173", "not a URL"),
        ("http://", "not a URL"),
        ("http://localhost:5173 http://localhost:5174", "a comma between two URLs"),
        ("http://localhost:65536", "not a URL"),
        ("http://localhost:*", "not a URL"),
        ("http://[::1", "not a URL"),
        (f"{APP},", "'', which is not a URL"),
        (f"none,{APP}", "'none', which is not a URL"),
        ("http://app.example.com", "http:// for this machine only"),
        ("http://192.168.1.2:5173", "http:// for this machine only"),
        ("http://localhost.example.com", "http:// for this machine only"),
        (f"{APP}/#/profile", "no URL with a fragment"),
        (f"{APP}#", "no URL with a fragment"),
    ],
)
def test_a_url_that_cognito_refuses_is_refused_first(
    monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    with pytest.raises(LocalError, match=rf"^CALLBACK_URLS has .*{reason}"):
        request(monkeypatch, text)
    with pytest.raises(LocalError, match=rf"^LOGOUT_URLS has .*{reason}"):
        request(monkeypatch, APP, text)


def test_urls_are_remembered_until_they_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert choose(tmp_path, request(monkeypatch)) == Redirects()
    assert choose(tmp_path, request(monkeypatch, APP)).callback_urls == (APP,)
    assert choose(tmp_path, request(monkeypatch)).callback_urls == (APP,)
    assert choose(tmp_path, request(monkeypatch, OTHER_APP)).callback_urls == (OTHER_APP,)
    assert choose(tmp_path, request(monkeypatch, "none")) == Redirects()
    assert choose(tmp_path, request(monkeypatch)) == Redirects()


def test_logout_urls_follow_the_callback_urls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert choose(tmp_path, request(monkeypatch, APP)).logout_urls == (APP,)
    assert choose(tmp_path, request(monkeypatch, OTHER_APP)).logout_urls == (OTHER_APP,)


def test_logout_urls_of_their_own_are_remembered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose(tmp_path, request(monkeypatch, APP, OTHER_APP))
    chosen = choose(tmp_path, request(monkeypatch, f"{APP}/callback"))
    assert chosen.callback_urls == (f"{APP}/callback",)
    assert chosen.logout_urls == (OTHER_APP,)
    followed = choose(tmp_path, request(monkeypatch, logout_urls="none"))
    assert followed.logout_urls == (f"{APP}/callback",)


def test_two_copies_of_the_project_are_independent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    choose(tmp_path / "one", request(monkeypatch, APP))
    assert choose(tmp_path / "two", request(monkeypatch)) == Redirects()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"callback_urls": []}',
        b'{"callback_urls": "http://localhost:5173", "own_logout_urls": []}',
        b'{"callback_urls": [5173], "own_logout_urls": []}',
        b'{"callback_urls": ["http://app.example.com"], "own_logout_urls": []}',
    ],
)
def test_a_damaged_file_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / redirects.FILE
    file.write_bytes(content)
    with pytest.raises(LocalError, match="Delete it, and name the URLs") as error:
        choose(tmp_path, request(monkeypatch, APP))
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("urls", "registered"),
    [
        ([], [PAGE]),
        ([APP], [PAGE, APP, f"{APP}/"]),
        ([f"{APP}/"], [PAGE, f"{APP}/", APP]),
        ([APP, f"{APP}/"], [PAGE, APP, f"{APP}/"]),
        ([OTHER_APP], [PAGE, OTHER_APP]),
        ([f"{APP}/callback/"], [PAGE, f"{APP}/callback/"]),
        ([f"{APP}/?a=1", f"{APP}?a=1"], [PAGE, f"{APP}/?a=1", f"{APP}?a=1"]),
        ([PAGE], [PAGE, f"{PAGE}/"]),
    ],
)
def test_an_origin_is_registered_with_and_without_a_slash(
    urls: list[str], registered: list[str]
) -> None:
    """Cognito compares whole strings, and front ends send either."""
    assert to_register(PAGE, urls) == registered


def test_an_origin_that_cors_refuses_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    urls = [f"{APP}/callback", f"{APP}/", OTHER_APP]
    redirects.warn_of_refused_origins(urls, ["https://app.example.com"])
    (warning,) = capsys.readouterr().err.splitlines()
    assert f"CORS_ALLOW_ORIGIN in .chalice/config.json does not have {APP}." in warning


@pytest.mark.parametrize("allowed", [["*"], [APP, "https://app.example.com"]])
def test_origins_that_cors_accepts_are_not_reported(
    capsys: pytest.CaptureFixture[str], allowed: list[str]
) -> None:
    redirects.warn_of_refused_origins([APP, OTHER_APP], allowed)
    assert capsys.readouterr().err == ""
