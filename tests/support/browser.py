"""The page in Chromium, with its own backend, for tests/browser and docs/screenshots.py."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy import backend, page_config
from local import environment, page
from local.api import serving as serving_api
from local.process import free_ports

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # Chromium's sandbox does not work for root, the user of most containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STAGE = "browser"


class ChromiumNotFoundError(Exception):
    """Chromium is not installed. The message explains how to install it."""


@dataclass(frozen=True)
class Site:
    """A served page, the API that it calls and the stage's backend.

    `folder` has the local cloud's records of this stage (LOCAL_STATE), the page's config.json and
    the API's log.
    """

    url: str
    api_port: int
    emulator_port: int
    folder: Path
    outputs: Mapping[str, str]

    @property
    def config_file(self) -> Path:
        return self.folder / "config.json"

    @property
    def api_log(self) -> Path:
        return self.folder / "api.log"


@contextmanager
def serving_site(
    project: Path, folder: Path, emulator_port: int, api_environment: Mapping[str, str]
) -> Iterator[Site]:
    """Deploy a backend to the running emulator; serve the page, and the API from `project`.

    The page has its own stage, because the stage's user pool must know the page's URL. AWS clients
    of this process must already use the emulator. `api_environment` has additional variables for
    the API.
    """
    page.install()
    api_port, page_port = free_ports(2)
    url = f"http://localhost:{page_port}"
    parameters = {
        "DomainSuffix": "test",
        "DeletionProtection": "false",
        "CallbackUrls": url,
        "LogoutUrls": url,
    }
    outputs = backend.deploy(STAGE, parameters, progress=print)
    site = Site(url, api_port, emulator_port, folder, outputs)
    config = page_config.settings(
        f"http://localhost:{api_port}/user/profile",
        outputs["UserPoolArn"],
        outputs["UserPoolClientId"],
        f"http://localhost:{emulator_port}",
    )
    site.config_file.write_text(json.dumps(config))
    variables = {**api_environment, "LOCAL_STATE": str(folder)}
    with ExitStack() as stack:
        with mock.patch.dict(os.environ, variables), chdir(project):
            environment.record(
                environment.for_endpoint(emulator_port) | backend.chalice_environment(outputs)
            )
            stack.enter_context(serving_api(api_port, site.api_log))
        stack.enter_context(page.serving(page_port, site.config_file))
        yield site


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium without a window. Raises ChromiumNotFoundError."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def find_chromium() -> str:
    """The path of the installed Chromium. Raises ChromiumNotFoundError."""
    for name in CHROMIUM_NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise ChromiumNotFoundError(
        "Chromium is not installed. On Debian and Ubuntu: apt install chromium"
    )


def sign_in(tab: Page, email: str, password: str) -> None:
    """Fill in the sign-in page of the user pool, and wait until it has sent the user back."""
    submit_credentials(tab, email, password)
    expect(tab.get_by_text(email)).to_be_visible()


def submit_credentials(tab: Page, email: str, password: str) -> None:
    """Fill in the sign-in page of the user pool and submit it."""
    tab.get_by_label("Username").fill(email)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()
