"""The configuration of the reference front end in web/: config.json and its security policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.schema import FOLDER as SCHEMA_FOLDER
from chalicelib.settings import InvalidSetting, ProfileSettings, RouteSettings
from deploy import chalice_config
from deploy.arn import UserPoolArn

FOLDER = Path(__file__).parents[1] / "web"
CONFIG = FOLDER / "config.json"
IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class StageSettings:
    """The settings of a stage that change the page."""

    routes: RouteSettings
    schema: Mapping[str, object] | None
    """The JSON Schema of profile data, from which the page makes its form."""

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], folder: Path = SCHEMA_FOLDER
    ) -> StageSettings:
        """The settings in `environment`, with the schema's file in `folder`.

        Raises InvalidSetting.
        """
        routes = RouteSettings.from_environment(environment)
        return cls(routes, _read_schema(environment, folder))


def _read_schema(environment: Mapping[str, str], folder: Path) -> dict[str, object] | None:
    """Return the JSON Schema that PROFILE_SCHEMA in `environment` names; None without the setting.

    The schema is not validated: the API refuses to start with an invalid one. Raises InvalidSetting
    if the file cannot be read.
    """
    file_name = ProfileSettings.from_environment(environment).profile_schema
    if not file_name:
        return None
    try:
        content = json.loads((folder / file_name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSetting("PROFILE_SCHEMA", f"chalicelib/{file_name}: {error}") from error
    if not isinstance(content, dict):
        raise InvalidSetting("PROFILE_SCHEMA", f"chalicelib/{file_name} is not a JSON object.")
    return content


def settings(
    api: str,
    user_pool_arn: str,
    client_ids: str,
    sign_in: str,
    stage: StageSettings,
) -> dict[str, object]:
    """Return the content of config.json.

    `api` is the profile's URL, and `sign_in` is the URL of the sign-in domain. `client_ids` are
    separated by commas; the page uses the first. If the stage's users can erase their accounts, the
    content has the member `erasure`; if the stage has a schema, it has the member `schema`.
    """
    issuer = UserPoolArn.parse(user_pool_arn).issuer
    config: dict[str, object] = {
        "api": api,
        "issuer": issuer,
        "client_id": chalice_config.first_client_id(client_ids),
        "sign_in": sign_in,
        "cognito_api": _origin(issuer),
    }
    if stage.routes.erases_accounts:
        config["erasure"] = {
            "url": api.removesuffix("/profile"),
            "max_sign_in_age": stage.routes.erasure_max_sign_in_age,
        }
    if stage.schema is not None:
        config["schema"] = stage.schema
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

    It allows the page's own files, its import map, requests to the servers in `config_file` and,
    if the profile's schema has a picture, images of every https server.
    """
    config = _read_config(config_file)
    # Browsers read an import map only from an inline script. Its hash allows that script.
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()
    servers = " ".join(["'self'", *_configured_origins(config)])
    images = "'self' https:" if _has_picture(config) else "'self'"
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            f"img-src {images}",
            f"connect-src {servers}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _read_config(config_file: Path) -> dict[str, Any]:
    """Return the content of `config_file`; {} if there is no file."""
    if not config_file.exists():
        return {}
    content: dict[str, Any] = json.loads(config_file.read_text(encoding="utf-8"))
    return content


def _configured_origins(config: Mapping[str, Any]) -> list[str]:
    """Return the origins of the API, of the sign-in domain and of Cognito's API."""
    names = ("api", "sign_in", "cognito_api")
    return sorted({_origin(config[name]) for name in names if name in config})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _has_picture(config: Mapping[str, Any]) -> bool:
    """Whether the page shows the profile's picture: if the schema has the member `picture`."""
    properties = config.get("schema", {}).get("properties", {})
    return "picture" in properties
