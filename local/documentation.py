"""docs/openapi.yaml to be read in a browser: Swagger UI from its package, served beside the API by `chalice local`."""

from __future__ import annotations

import importlib.resources
from http import HTTPStatus
from pathlib import Path

PATH = "/docs"
DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.yaml"
SWAGGER_UI = importlib.resources.files("mkdocs_swagger_ui_tag") / "swagger-ui"
PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>User Profile Service: the API</title>
<link rel="stylesheet" href="{PATH}/swagger-ui.css">
<div id="page"></div>
<script src="{PATH}/swagger-ui-bundle.js"></script>
<script src="{PATH}/start.js"></script>
</html>
"""
START = f"""SwaggerUIBundle({{url: "{PATH}/openapi.yaml", dom_id: "#page"}});
"""
FILES = {
    PATH: ("text/html; charset=utf-8", PAGE),
    f"{PATH}/start.js": ("text/javascript", START),
    f"{PATH}/openapi.yaml": ("application/yaml", DOCUMENT),
    f"{PATH}/swagger-ui.css": ("text/css", SWAGGER_UI / "stylesheets" / "swagger-ui.css"),
    f"{PATH}/swagger-ui-bundle.js": (
        "text/javascript",
        SWAGGER_UI / "javascripts" / "swagger-ui-bundle.js",
    ),
}


def documentation(path: str) -> tuple[int, dict[str, str], bytes] | None:
    """The answer (status, headers, body) to a GET of one of the documentation's files; None for other paths."""
    if path.rstrip("/") not in FILES:
        return None
    content_type, content = FILES[path.rstrip("/")]
    body = content.encode() if isinstance(content, str) else Path(str(content)).read_bytes()
    return HTTPStatus.OK, {"Content-Type": content_type}, body
