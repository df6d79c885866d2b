"""The configuration of the reference front end in web/: config.json and its security policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.settings import RouteSettings
from deploy import chalice_config
from deploy.arn import UserPoolArn

FOLDER = Path(__file__).parents[1] / "web"
CONFIG = FOLDER / "config.json"
WITHOUT_ERASURE = RouteSettings()
"""Settings of a stage whose users cannot erase their accounts."""
IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


def settings(
    api: str,
    user_pool_arn: str,
    client_ids: str,
    sign_in: str,
    routes: RouteSettings = WITHOUT_ERASURE,
) -> dict[str, object]:
    """Return the content of config.json.

    `api` is the profile's URL, and `sign_in` is the URL of the sign-in domain. `client_ids` are
    separated by commas; the page uses the first. `routes` are the stage's settings: if its users
    can erase their accounts, the content has the member `erasure`.
    """
    config: dict[str, object] = {
        "api": api,
        "issuer": UserPoolArn.parse(user_pool_arn).issuer,
        "client_id": chalice_config.first_client_id(client_ids),
        "sign_in": sign_in,
    }
    if routes.erases_accounts:
        config["erasure"] = {
            "url": api.removesuffix("/profile"),
            "max_sign_in_age": routes.erasure_max_sign_in_age,
        }
    return config


def write_config(config: Mapping[str, object]) -> None:
    """Write web/config.json."""
    CONFIG.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def import_map() -> str:
    """Return the text of index.html's import map, which maps module names to files."""
    match = IMPORT_MAP.search((FOLDER / "index.html").read_text(encoding="utf-8"))
    if match is None:
        raise ValueError("web/index.html has no import map")
    return match.group(1)


def content_security_policy(config_file: Path = CONFIG) -> str:
    """Return the page's Content-Security-Policy.

    It allows the page's own files, its import map, and requests to the servers in `config_file`.
    """
    # Browsers read an import map only from an inline script. Its hash allows that script.
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()
    servers = " ".join(["'self'", *_configured_origins(config_file)])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src {servers}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _configured_origins(config_file: Path) -> list[str]:
    """Return the origins of the API and of the sign-in domain; none if there is no file."""
    if not config_file.exists():
        return []
    config = json.loads(config_file.read_text(encoding="utf-8"))
    urls = [urlsplit(config[name]) for name in ("api", "sign_in") if name in config]
    return sorted({f"{url.scheme}://{url.netloc}" for url in urls})
