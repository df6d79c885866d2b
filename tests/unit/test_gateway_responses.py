"""API Gateway's own errors, as resources/api.json declares them."""

import json
from typing import Any

import botocore.session
import pytest

from deploy.gateway_responses import FALLBACKS, MEMBER, RESPONSES, gateway_responses
from deploy.packaging import TEMPLATE

COMMAND = ".venv/bin/python -m deploy.gateway_responses"


def test_api_json_has_the_gateway_responses_of_the_table() -> None:
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    assert definition[MEMBER] == gateway_responses(), (
        f"resources/api.json differs from deploy/gateway_responses.py. Run: {COMMAND}"
    )


def test_api_json_is_as_the_command_writes_it() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    written = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert text == written, f"resources/api.json is not formatted. Run: {COMMAND}"


def test_every_error_of_api_gateway_has_its_response() -> None:
    service = botocore.session.get_session().get_service_model("apigateway")
    response_types: Any = service.shape_for("GatewayResponseType")
    assert set(gateway_responses()) == set(response_types.enum)
    assert not set(RESPONSES) & set(FALLBACKS)


@pytest.mark.parametrize("response_type", FALLBACKS)
def test_other_errors_keep_their_status(response_type: str) -> None:
    """A status of DEFAULT_4XX or DEFAULT_5XX would replace that of each error without its own."""
    response = gateway_responses()[response_type]
    assert "statusCode" not in response
    assert headers_of(response)["Content-Type"] == "'application/problem+json'"
    problem = json.loads(response["responseTemplates"]["application/json"])
    assert set(problem) == {"type", "title", "detail", "request_id"}


def headers_of(response: dict[str, Any]) -> dict[str, str]:
    prefix = "gatewayresponse.header."
    return {
        name.removeprefix(prefix): value for name, value in response["responseParameters"].items()
    }


@pytest.mark.parametrize("response_type", RESPONSES)
def test_an_error_is_a_problem_that_scripts_can_read(response_type: str) -> None:
    response = gateway_responses()[response_type]
    headers = headers_of(response)
    assert headers["Content-Type"] == "'application/problem+json'"
    assert headers["Access-Control-Allow-Origin"] == "'*'"
    assert headers["Access-Control-Expose-Headers"] == "'ETag,Retry-After'"
    assert headers["Cache-Control"] == "'no-store'"
    problem = json.loads(response["responseTemplates"]["application/json"])
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert str(problem["status"]) == response["statusCode"]
    assert problem["request_id"] == "$context.requestId"
    assert ("WWW-Authenticate" in headers) == (problem["status"] == 401)
    assert ("Retry-After" in headers) == (problem["status"] in (429, 504))
