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
from local import page
from local.api import serving as serving_api
from tests.support.cloud import DEFAULT_SETTINGS, Cloud, record_environment

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
CONFIG_NAME = "config.json"
API_LOG_NAME = "api.log"


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
        return self.folder / CONFIG_NAME

    @property
    def api_log(self) -> Path:
        return self.folder / API_LOG_NAME


@contextmanager
def serving_site(
    project: Path, folder: Path, emulator_port: int, settings: Mapping[str, str]
) -> Iterator[Site]:
    """Deploy a backend to the running emulator; serve the page, and the API from `project`.

    The page has its own stage, because the stage's user pool must know the page's URL. AWS clients
    of this process must already use the emulator. `settings` are the API's settings that differ
    from the defaults.
    """
    page.install()
    with ExitStack() as stack:
        page_port = stack.enter_context(page.serving(0, folder / CONFIG_NAME))
        url = f"http://localhost:{page_port}"
        parameters = {
            "DomainSuffix": "test",
            "DeletionProtection": "false",
            "CallbackUrls": url,
            "LogoutUrls": url,
        }
        outputs = backend.deploy(STAGE, parameters, progress=print)
        with mock.patch.dict(os.environ, {"LOCAL_STATE": str(folder)}), chdir(project):
            cloud = Cloud(emulator_port, folder, outputs)
            record_environment(cloud, **settings)
            _, api_port = stack.enter_context(serving_api(0, folder / API_LOG_NAME))
        config = page_config.settings(
            f"http://127.0.0.1:{api_port}/user/profile",
            outputs["UserPoolArn"],
            outputs["UserPoolClientId"],
            f"http://127.0.0.1:{emulator_port}",
            page_config.StageSettings.from_environment(
                {**DEFAULT_SETTINGS, **settings}, project / "chalicelib"
            ),
        )
        config["cognito_api"] = f"http://127.0.0.1:{emulator_port}"
        site = Site(url, api_port, emulator_port, folder, outputs)
        site.config_file.write_text(json.dumps(config))
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
    expect(tab.locator("#email").get_by_text(email)).to_be_visible()


def submit_credentials(tab: Page, email: str, password: str) -> None:
    """Fill in the sign-in page of the user pool and submit it."""
    tab.get_by_label("Username").fill(email)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()
