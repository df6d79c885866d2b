"""Finds the service's calls of AWS in its source."""

from __future__ import annotations

import ast
from pathlib import Path

import botocore.session
from botocore import xform_name

CHALICELIB = Path(__file__).parents[2] / "chalicelib"


def actions_of_the_service(service: str) -> set[str]:
    """Return the IAM actions of chalicelib's calls of an AWS service: dynamodb:GetItem."""
    return {f"{service}:{name}" for name in operations_of_the_service(service)}


def operations_of_the_service(service: str) -> set[str]:
    """Return the operations of an AWS service that chalicelib calls, such as GetItem."""
    model = botocore.session.get_session().get_service_model(service)
    operation_of_method = {xform_name(name): name for name in model.operation_names}
    found = set()
    for file in CHALICELIB.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and _is_client(node.value):
                operation = operation_of_method.get(node.attr)
                if operation is not None:
                    found.add(operation)
    return found


def _is_client(expression: ast.expr) -> bool:
    """Return whether an expression is a client of AWS by its name: self.client."""
    return isinstance(expression, ast.Attribute) and expression.attr == "client"
