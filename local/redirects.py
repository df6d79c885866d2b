"""The URLs to which the local user pool may redirect users: after sign-in and after sign-out.

The demo page's URL is always one of them. `make local CALLBACK_URLS=... LOGOUT_URLS=...` adds those
of other front ends, and remembers them in `.local/redirects.json` until they are changed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from chalicelib.settings import ANY_ORIGIN
from deploy import chalice_config
from deploy.backend_parameters import LOCAL_HOSTS
from deploy.options import option
from local.errors import LocalError

CALLBACK_URLS = "CALLBACK_URLS"
LOGOUT_URLS = "LOGOUT_URLS"
DEFAULT = "none"
"""The value of an option that removes what is remembered of it."""
FILE = "redirects.json"


class Redirects(NamedTuple):
    """The URLs of front ends other than the demo page, as the user wrote them."""

    callback_urls: tuple[str, ...] = ()
    own_logout_urls: tuple[str, ...] = ()
    """Empty: the same as `callback_urls`."""

    @property
    def logout_urls(self) -> tuple[str, ...]:
        return self.own_logout_urls or self.callback_urls


class RequestedRedirects(NamedTuple):
    """What make's command line says. None: nothing, so the remembered URLs stay."""

    callback_urls: tuple[str, ...] | None = None
    own_logout_urls: tuple[str, ...] | None = None


def requested() -> RequestedRedirects:
    """The URLs on make's command line. Raises LocalError if one of them cannot be used."""
    return RequestedRedirects(_urls_of_option(CALLBACK_URLS), _urls_of_option(LOGOUT_URLS))


def _urls_of_option(name: str) -> tuple[str, ...] | None:
    text = option(name).strip()
    if not text:
        return None
    if text == DEFAULT:
        return ()
    urls = tuple(url.strip() for url in text.split(","))
    for url in urls:
        _check(name, url)
    return urls


def choose(folder: Path, request: RequestedRedirects) -> Redirects:
    """The requested and, where nothing is requested, the remembered URLs. Remembers them.

    Raises LocalError, and DeploymentError if the file cannot be written.
    """
    file = folder / FILE
    requested_urls = {name: urls for name, urls in request._asdict().items() if urls is not None}
    chosen = _remembered(file)._replace(**requested_urls)
    if requested_urls:
        content = json.dumps(chosen._asdict(), indent=2) + "\n"
        chalice_config.replace_file(file, content)
    return chosen


def _remembered(file: Path) -> Redirects:
    if not file.exists():
        return Redirects()
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        return Redirects(**{name: _checked_urls(saved[name]) for name in Redirects._fields})
    except (OSError, ValueError, KeyError, TypeError, LocalError) as error:
        raise LocalError(
            f"{file} cannot be read. Delete it, and name the URLs of your front end again: "
            f"make local {CALLBACK_URLS}=..."
        ) from error


def _checked_urls(urls: Any) -> tuple[str, ...]:
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise TypeError(urls)
    for url in urls:
        _check(FILE, url)
    return tuple(urls)


def _check(name: str, url: str) -> None:
    """Raise LocalError if Cognito would refuse a URL. Source: its API, CreateUserPoolClient."""
    parts = _parts_of(url)
    if parts is None:
        raise LocalError(
            f"{name} has {url!r}, which is not a URL. Write the scheme too, and a comma between "
            "two URLs. Example: http://localhost:5173"
        )
    if "#" in url:
        raise LocalError(
            f"{name} has {url!r}. Cognito accepts no URL with a fragment. Leave out what follows "
            "the URL's path: #..."
        )
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise LocalError(
            f"{name} has {url!r}. Cognito accepts http:// for this machine only. Use localhost, or "
            "https://."
        )


def _parts_of(url: str) -> SplitResult | None:
    """The parts of an absolute URL; None if the text is not one."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is not a number up to 65535
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or re.search(r"\s", url):
        return None
    return parts


def to_register(page_url: str, urls: Iterable[str]) -> list[str]:
    """The URLs to register in the user pool: the demo page's, and those of other front ends.

    Cognito compares whole strings. http://localhost:5173 and http://localhost:5173/ are the same
    page, and front ends send either, so both are registered.
    """
    registered = [page_url]
    for url in urls:
        registered.append(url)
        parts = urlsplit(url)
        if parts.path in ("", "/") and not parts.query:
            origin = url.removesuffix("/")
            registered += [origin, f"{origin}/"]
    return list(dict.fromkeys(registered))


def warn_of_refused_origins(urls: Iterable[str], allowed: Collection[str]) -> None:
    """Print a warning for each front end whose browser could not read the API's responses.

    allowed: the value of the setting CORS_ALLOW_ORIGIN.
    """
    if ANY_ORIGIN in allowed:
        return
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, urls)}
    for origin in sorted(origins - set(allowed)):
        print(
            f"Warning: CORS_ALLOW_ORIGIN in {chalice_config.FILE} does not have {origin}. "
            "A front end there can sign users in, but cannot read the API's responses.",
            file=sys.stderr,
        )
