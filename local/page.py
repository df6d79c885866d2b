"""The reference front end, web/, for a browser on this machine: the files that it needs and no others."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from deploy import page_config

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
PAGE = {".html", ".css", ".js", ".svg"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address that the sign-in page sends users to has the code in it
    "Cache-Control": "no-store",
}


class PageError(Exception):
    """The page cannot be served. Its text says why, and what to do."""


def install(folder: Path = page_config.FOLDER) -> None:
    """Have npm install what `folder`/package-lock.json names, unless that is done already. Raises PageError."""
    lock, marker = folder / "package-lock.json", folder / "node_modules" / "installed.txt"
    fingerprint = hashlib.sha256(lock.read_bytes()).hexdigest()
    if marker.exists() and marker.read_text() == fingerprint:
        return
    npm = shutil.which(os.environ.get("NPM") or "npm")
    if npm is None:
        raise PageError("Node's npm is not installed. On Debian and Ubuntu: apt install npm")
    done = subprocess.run([npm, "ci"], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PageError(
            "npm ci failed: " + (done.stderr or done.stdout).strip()[-500:].replace("\n", " ")
        )
    marker.write_text(fingerprint)


def files() -> dict[str, Path]:
    """What is served: web/'s own files, and the modules that its import map names. By path."""
    own = {f"/{file.name}": file for file in page_config.FOLDER.iterdir() if file.suffix in PAGE}
    modules = json.loads(page_config.import_map())["imports"].values()
    return (
        own
        | {"/": own["/index.html"]}
        | {name.removeprefix("."): page_config.FOLDER / name for name in modules}
    )


@contextmanager
def serving(port: int, config: Path = page_config.CONFIG) -> Iterator[None]:
    """Serve the page on 127.0.0.1:`port`, with the file `config` as its config.json, while entered."""

    class Handler(RequestHandler):
        config_file = config

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class RequestHandler(BaseHTTPRequestHandler):
    """Answers GET with a file of the list, or 404."""

    config_file: Path
    timeout = 30  # seconds that a browser may keep us waiting

    def handle(self) -> None:
        with suppress(ConnectionError):  # the browser is gone
            super().handle()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = self.config_file if path == "/config.json" else files().get(path)
        status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", b"There is nothing here.\n"
        if file is not None and file.exists():
            status, kind, body = HTTPStatus.OK, TYPES[file.suffix], file.read_bytes()
        self.send_response(status)
        policy = {"Content-Security-Policy": page_config.content_security_policy(self.config_file)}
        content = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in {**HEADERS, **policy, **content}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name for it
        """The terminal is for what goes wrong."""
