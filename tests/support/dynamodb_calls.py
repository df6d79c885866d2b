"""Finds the service's DynamoDB calls in its source."""

from __future__ import annotations

import ast
from pathlib import Path

import botocore.session
from botocore import xform_name

CHALICELIB = Path(__file__).parents[2] / "chalicelib"


def actions_of_the_service() -> set[str]:
    """Return the IAM actions of the DynamoDB calls that chalicelib makes, such as GetItem's."""
    service = botocore.session.get_session().get_service_model("dynamodb")
    action_of_method = {xform_name(name): f"dynamodb:{name}" for name in service.operation_names}
    found = set()
    for file in CHALICELIB.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                action = action_of_method.get(node.func.attr)
                if action is not None:
                    found.add(action)
    return found
