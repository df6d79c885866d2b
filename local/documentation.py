"""The API's description for a stage: in Swagger UI, which `chalice local` serves next to the API,
and as a file (`make openapi`)."""

from __future__ import annotations

import functools
import importlib.resources
import json
import os
from pathlib import Path
from typing import NamedTuple

from deploy import chalice_config, write_description
from deploy.options import check_options
from deploy.stage_description import DescribedStage, stage_description
from deploy.stage_settings import report_invalid_settings
from deploy.write_description import DescriptionRequest
from local import environment

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
START_SCRIPT = """SwaggerUIBundle({url: "/docs/openapi.json", dom_id: "#page"});
"""


class Document(NamedTuple):
    """A document to serve."""

    content_type: str
    content: bytes


class Documentation:
    """The documents of a stage that runs under `chalice local`.

    The description is that of the settings with which the API started.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def find(self, target: str) -> Document | None:
        """The document at a URL path; None if the path is not one of the documentation's.

        target: the path, with or without a query, which is ignored.
        """
        path = target.partition("?")[0]
        match path.rstrip("/"):
            case "/docs":
                return Document("text/html; charset=utf-8", HTML.encode())
            case "/docs/start.js":
                return Document("text/javascript", START_SCRIPT.encode())
            case "/docs/openapi.json":
                return Document("application/json", self._description)
            case "/docs/swagger-ui.css":
                file = SWAGGER_UI / "stylesheets" / "swagger-ui.css"
                return Document("text/css", file.read_bytes())
            case "/docs/swagger-ui-bundle.js":
                file = SWAGGER_UI / "javascripts" / "swagger-ui-bundle.js"
                return Document("text/javascript", file.read_bytes())
        return None

    @functools.cached_property
    def _description(self) -> bytes:
        stage = DescribedStage.read(self._stage, os.environ)
        # The page's own origin: the port of the API, and localhost or 127.0.0.1.
        return json.dumps(stage_description(stage, "/"), ensure_ascii=False).encode()


def write_local_description(file: str, overwrite: str) -> None:
    """`make openapi` for the stage local. Raises CommandError."""
    check_options("openapi", write_description.OPTIONS)
    request = DescriptionRequest.from_options(file, overwrite)
    environment.load()
    variables = {**os.environ, **chalice_config.environment(environment.STAGE)}
    url = f"http://127.0.0.1:{environment.chosen_api_port()}"
    with report_invalid_settings(environment.STAGE):
        stage = DescribedStage.read(environment.STAGE, variables)
    write_description.run(stage, url, request)
