"""Serves the reference front end, web/, to a browser on this machine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from deploy import page_config
from local.errors import LocalError
from local.ports import require_free
from local.process import raise_on_stop_signals

CONTENT_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
SERVED_SUFFIXES = {".html", ".css", ".js", ".svg"}
"""The files of web/ that are served. config.json has a separate path."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # After sign-in the page's address contains the authorization code.
    "Referrer-Policy": "no-referrer",
}
NO_STORE = "no-store"
"""The Cache-Control of the page itself and of its configuration: the browser's Back button must not
show the page of a user who has signed out."""
REVALIDATE = "no-cache"
"""The Cache-Control of scripts and styles: browsers keep them and ask whether they changed."""
REVALIDATED_SUFFIXES = {".css", ".js", ".svg"}
CLIENT_TIMEOUT_SECONDS = 30
SHUTDOWN_POLL_SECONDS = 0.01
NPM_OUTPUT_CHARACTERS = 500


class PageError(LocalError):
    """The page cannot be served."""


def run(port: int) -> None:
    """`make web`: serve the page with the current web/config.json until Ctrl-C.

    Raises LocalError.
    """
    if not page_config.CONFIG.exists():
        raise LocalError(
            "there is no web/config.json. Run `make local`, or `make web-config STAGE=...`."
        )
    require_free("web", port, "make web")
    install()
    raise_on_stop_signals()
    with serving(port):
        print(f"The page is at http://localhost:{port}. Stop it with Ctrl-C.", flush=True)
        signal.pause()


def install(folder: Path = page_config.FOLDER) -> None:
    """Install the packages in `folder`/package-lock.json, unless they are already installed.

    Two processes that install into one folder would delete each other's files, so the second one
    waits. Raises PageError.
    """
    lock_file = folder / "package-lock.json"
    with lock_file.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = folder / "node_modules" / "installed.txt"
        fingerprint = hashlib.sha256(lock_file.read_bytes()).hexdigest()
        if not marker.exists() or marker.read_text() != fingerprint:
            _run_npm_ci(folder)
            marker.write_text(fingerprint)


def _run_npm_ci(folder: Path) -> None:
    npm = shutil.which(os.environ.get("NPM") or "npm")
    if npm is None:
        raise PageError("Node's npm is not installed. On Debian and Ubuntu: apt install npm")
    done = subprocess.run([npm, "ci"], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip().replace("\n", " ")
        raise PageError(f"npm ci failed: {output[-NPM_OUTPUT_CHARACTERS:]}")


@contextmanager
def serving(port: int, config: Path = page_config.CONFIG) -> Iterator[int]:
    """Serve the page on 127.0.0.1:`port` while entered. Port 0 selects a free port.

    Yields the port. config: the file to serve as /config.json.
    """
    handler = partial(PageHandler, config=config)
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        # A daemon thread: if a second stop signal interrupts the shutdown below, it does not keep
        # this process running.
        thread = Thread(target=server.serve_forever, args=[SHUTDOWN_POLL_SECONDS], daemon=True)
        try:
            thread.start()
            yield server.server_port
        finally:
            if thread.is_alive():
                server.shutdown()
                thread.join()


def served_files() -> dict[str, Path]:
    """The files to serve, by URL path: web/'s own, and the modules that its import map names."""
    files = {
        f"/{file.name}": file
        for file in page_config.FOLDER.iterdir()
        if file.suffix in SERVED_SUFFIXES
    }
    files["/"] = files["/index.html"]
    for module in json.loads(page_config.import_map())["imports"].values():
        files[module.removeprefix(".")] = page_config.FOLDER / module
    return files


class PageHandler(BaseHTTPRequestHandler):
    """Responds to GET with one of the served files, or with 404."""

    timeout = CLIENT_TIMEOUT_SECONDS

    def __init__(self, *arguments: Any, config: Path) -> None:
        self._config = config
        super().__init__(*arguments)

    def handle(self) -> None:
        with suppress(ConnectionError):  # the browser closed the connection
            super().handle()

    def do_GET(self) -> None:
        file = self._requested_file()
        host, colon, port = self.headers.get("Host", "").rpartition(":")
        if file is not None and file.suffix == ".html" and host == "127.0.0.1":
            # The user pool sends users back to localhost only, which is another origin.
            location = f"http://localhost{colon}{port}{self.path}"
            self._send(HTTPStatus.TEMPORARY_REDIRECT, "text/plain", b"", {"Location": location})
        elif file is None or not file.exists():
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"Not found.\n")
        elif file.suffix in REVALIDATED_SUFFIXES:
            self._send_revalidated(file)
        else:
            self._send(HTTPStatus.OK, CONTENT_TYPES[file.suffix], file.read_bytes())

    def _send_revalidated(self, file: Path) -> None:
        """Send a file with its ETag, or 304 if the browser has it already."""
        content = file.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"ETag": etag, "Cache-Control": REVALIDATE}
        if self.headers.get("If-None-Match") == etag:
            self._send(HTTPStatus.NOT_MODIFIED, CONTENT_TYPES[file.suffix], b"", headers)
        else:
            self._send(HTTPStatus.OK, CONTENT_TYPES[file.suffix], content, headers)

    def _requested_file(self) -> Path | None:
        path = self.path.partition("?")[0]
        if path == "/config.json":
            return self._config
        return served_files().get(path)

    def _send(
        self,
        status: HTTPStatus,
        content_type: str,
        body: bytes,
        more_headers: Mapping[str, str] | None = None,
    ) -> None:
        headers = {
            **HEADERS,
            "Cache-Control": NO_STORE,
            "Content-Security-Policy": page_config.content_security_policy(self._config),
            "Content-Type": f"{content_type}; charset=utf-8",
            **(more_headers or {}),
        }
        if status != HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing: the output of `make local` shows only problems."""
