"""docs/openapi.yaml in Swagger UI, which `chalice local` serves next to the API."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import NamedTuple

OPENAPI = Path(__file__).parents[1] / "docs" / "openapi.yaml"
SWAGGER_UI = Path(str(importlib.resources.files("mkdocs_swagger_ui_tag"))) / "swagger-ui"
HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>User Profile Service: the API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
START_SCRIPT = """SwaggerUIBundle({url: "/docs/openapi.yaml", dom_id: "#page"});
"""


class Document(NamedTuple):
    """A document to serve."""

    content_type: str
    content: bytes


def documentation(target: str) -> Document | None:
    """The document at a URL path; None if the path is not one of the documentation's.

    target: the path, with or without a query, which is ignored.
    """
    path = target.partition("?")[0]
    match path.rstrip("/"):
        case "/docs":
            return Document("text/html; charset=utf-8", HTML.encode())
        case "/docs/start.js":
            return Document("text/javascript", START_SCRIPT.encode())
        case "/docs/openapi.yaml":
            return Document("application/yaml", OPENAPI.read_bytes())
        case "/docs/swagger-ui.css":
            file = SWAGGER_UI / "stylesheets" / "swagger-ui.css"
            return Document("text/css", file.read_bytes())
        case "/docs/swagger-ui-bundle.js":
            file = SWAGGER_UI / "javascripts" / "swagger-ui-bundle.js"
            return Document("text/javascript", file.read_bytes())
    return None
