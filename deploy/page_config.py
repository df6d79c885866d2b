"""What the reference front end in web/ has to know: its settings, and the policy that it is served under."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy import backend

FOLDER = Path(__file__).parents[1] / "web"
CONFIG = FOLDER / "config.json"
IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


def settings(api: str, user_pool_arn: str, client_ids: str, sign_in: str) -> dict[str, str]:
    """What config.json holds: URLs of the API's profile and of the sign-in domain, and whose tokens they want."""
    client_id = client_ids.partition(",")[0]
    return {
        "api": api,
        "issuer": backend.issuer(user_pool_arn),
        "client_id": client_id,
        "sign_in": sign_in,
    }


def write_config(config: Mapping[str, str]) -> None:
    """Write web/config.json."""
    CONFIG.write_text(json.dumps(config, indent=2) + "\n")


def import_map() -> str:
    """The text of index.html's import map: where the browser finds what the modules import by name."""
    (found,) = IMPORT_MAP.findall((FOLDER / "index.html").read_text())
    return str(found)


def content_security_policy(config_file: Path = CONFIG) -> str:
    """The Content-Security-Policy of the page: its own files, its import map, and the servers in its config.json.

    A browser takes an import map from the page itself alone, as an inline script, which its hash allows (CSP level 2).
    """
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()
    config = json.loads(config_file.read_text()) if config_file.exists() else {}
    urls = [urlsplit(config[name]) for name in ("api", "sign_in") if name in config]
    origins = sorted({"'self'"} | {f"{url.scheme}://{url.netloc}" for url in urls})
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src {' '.join(origins)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
