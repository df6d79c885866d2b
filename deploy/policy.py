"""The IAM policy of a stage's function, in .chalice/policy-<stage>.json.

`make backend` writes the statements below, which name the stage's own table and logs. Statements
with other Sids belong to the team: they are kept.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from deploy import chalice_config
from deploy.arn import UserPoolArn
from deploy.chalice_config import RecordedBackend
from deploy.errors import DeploymentError

Statement: TypeAlias = dict[str, Any]

VERSION = "2012-10-17"


def statements(stage: str, recorded: RecordedBackend) -> list[Statement]:
    """Return the statements that the function needs."""
    pool = UserPoolArn.parse(recorded.user_pool_arn)
    place = f"{pool.region}:{pool.account}"
    name = chalice_config.resource_name(stage)
    log_group = f"arn:{pool.partition}:logs:{place}:log-group:/aws/lambda/{name}"
    return [
        {
            "Sid": "ReadAndWriteProfiles",
            "Effect": "Allow",
            "Action": [
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            "Resource": f"arn:{pool.partition}:dynamodb:{place}:table/{recorded.table}",
        },
        {
            # The group of `chalice deploy`. That of `make deploy` belongs to its stack: if the
            # function could create it, a late log line after a deletion would block the next
            # deployment.
            "Sid": "CreateLogGroup",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup"],
            "Resource": [log_group, f"{log_group}:*"],
        },
        {
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"{log_group}:*", f"{log_group}-api:*"],
        },
    ]


EARLIER_IDS = ("WriteOwnLogs",)
"""Statements that earlier versions of the project had, and that the statements above replace."""


def check(stage: str, recorded: RecordedBackend) -> None:
    """Raise DeploymentError if the stage's policy file lacks one of the statements.

    A stage whose role Chalice does not manage needs no policy file.
    """
    if chalice_config.setting(stage, "manage_iam_role") is False:
        return
    present = _statements(_read(stage))
    missing = [
        statement["Sid"] for statement in statements(stage, recorded) if statement not in present
    ]
    if missing:
        raise DeploymentError(
            f"{chalice_config.policy_file(stage)} lacks the statement {', '.join(missing)} for the "
            f"table {recorded.table}. To write it, run: make backend STAGE={stage}"
        )


def write(stage: str, recorded: RecordedBackend) -> bool:
    """Write the statements into the stage's policy file. Return whether the file changed.

    Raises DeploymentError for a file that cannot be read or written.
    """
    required = statements(stage, recorded)
    own_ids = [*(statement["Sid"] for statement in required), *EARLIER_IDS]
    document = _read(stage)
    present = _statements(document)
    others = [statement for statement in present if statement.get("Sid") not in own_ids]
    wanted = [*required, *others]
    if present == wanted:
        return False
    changed = {"Version": VERSION, **document, "Statement": wanted}
    text = json.dumps(changed, indent=2, ensure_ascii=False) + "\n"
    chalice_config.replace_file(chalice_config.policy_file(stage), text)
    return True


def require_readable(stage: str) -> None:
    """Raise DeploymentError if the stage has a policy file that `write` could not extend."""
    _read(stage)


def _read(stage: str) -> dict[str, Any]:
    """Return the stage's policy; an empty object if there is no file. Raises DeploymentError."""
    file = chalice_config.policy_file(stage)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DeploymentError(f"cannot read {file}: {error}") from error
    found = document.get("Statement") if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(member, dict) for member in found):
        raise DeploymentError(
            f'{file} is not an IAM policy: "Statement" must be a list of objects.'
        )
    policy: dict[str, Any] = document
    return policy


def _statements(document: dict[str, Any]) -> list[Statement]:
    found: list[Statement] = document.get("Statement", [])
    return found
