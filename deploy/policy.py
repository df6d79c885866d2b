"""The IAM policy of a stage's function, in .chalice/policy-<stage>.json.

`make backend` writes the statements below, which name the stage's own table, user pool and logs.
Some depend on the stage's settings, and are removed when they are not needed any more. Statements
with other Sids belong to the team: they are kept.
"""

from __future__ import annotations

import json
import sys
from typing import Any, TypeAlias

from deploy import chalice_config, erasure
from deploy.arn import UserPoolArn
from deploy.chalice_config import RecordedBackend
from deploy.errors import DeploymentError

Statement: TypeAlias = dict[str, Any]

VERSION = "2012-10-17"

OWN_IDS = (
    "ReadAndWriteProfiles",
    "ReadPublicProfiles",
    "MarkErasedAccounts",
    "EraseAccounts",
    "CreateLogGroup",
    "WriteLogs",
    "WriteOwnLogs",  # of earlier versions of the project
)
"""The Sids of this project's statements."""


def statements(stage: str, recorded: RecordedBackend) -> list[Statement]:
    """Return the statements that the function needs with the stage's settings."""
    variables = chalice_config.environment(stage)
    pool = UserPoolArn.parse(recorded.user_pool_arn)
    place = f"{pool.region}:{pool.account}"
    table = f"arn:{pool.partition}:dynamodb:{place}:table/{recorded.table}"
    name = chalice_config.resource_name(stage)
    log_group = f"arn:{pool.partition}:logs:{place}:log-group:/aws/lambda/{name}"
    needed = [
        _statement(
            "ReadAndWriteProfiles",
            ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"],
            table,
        )
    ]
    if variables.get("PUBLIC_FIELDS", "").strip(", "):
        needed.append(_statement("ReadPublicProfiles", ["dynamodb:BatchGetItem"], table))
    if erasure.is_on(variables):
        needed += [
            _statement("MarkErasedAccounts", ["dynamodb:PutItem"], table),
            _statement(
                "EraseAccounts",
                ["cognito-idp:AdminDeleteUser", "cognito-idp:ListUsers"],
                recorded.user_pool_arn,
            ),
        ]
    return [
        *needed,
        # The group of `chalice deploy`. That of `make deploy` belongs to its stack: if the function
        # could create it, a late log line after a deletion would block the next deployment.
        _statement("CreateLogGroup", ["logs:CreateLogGroup"], [log_group, f"{log_group}:*"]),
        _statement(
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"{log_group}:*", f"{log_group}-api:*"],
        ),
    ]


def _statement(sid: str, actions: list[str], resource: str | list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def check(stage: str, recorded: RecordedBackend) -> None:
    """Raise DeploymentError if the stage's policy file lacks one of the statements.

    A stage whose role Chalice does not manage needs no policy file.
    """
    if not _is_managed(stage):
        return
    present = _statements(_read(stage))
    missing = [
        statement["Sid"] for statement in statements(stage, recorded) if statement not in present
    ]
    if missing:
        pool_id = UserPoolArn.parse(recorded.user_pool_arn).pool_id
        noun = "statement" if len(missing) == 1 else "statements"
        listed = ", ".join(missing)
        file = chalice_config.policy_file(stage)
        problem = f"{file} lacks the {noun} {listed}"
        if not file.exists():
            problem = f"there is no {file} with the {noun} {listed}"
        raise DeploymentError(
            f"{problem}, which the function needs for the table {recorded.table} and the user pool "
            f"{pool_id} with the settings of the stage. To write the file, run: make backend "
            f"STAGE={stage}"
        )


def warn_of_unneeded_rights(stage: str, recorded: RecordedBackend) -> None:
    """Print a warning for each statement of this project that the stage's settings do not need.

    Example: the function may delete users although ERASURE is off. Raises DeploymentError.
    """
    if not _is_managed(stage):
        return
    needed = [statement["Sid"] for statement in statements(stage, recorded)]
    for statement in _statements(_read(stage)):
        sid = statement.get("Sid")
        if sid in OWN_IDS and sid not in needed:
            print(
                f"Warning: {chalice_config.policy_file(stage)} has the statement {sid}, so the "
                f"function may call {_actions(statement)}, which the settings of the stage do not "
                f"need. To remove it, run: make backend STAGE={stage}",
                file=sys.stderr,
                flush=True,
            )


def _is_managed(stage: str) -> bool:
    """Return whether Chalice makes the function's role from the policy file."""
    return chalice_config.setting(stage, "manage_iam_role") is not False


def _actions(statement: Statement) -> str:
    actions = statement.get("Action", [])
    return actions if isinstance(actions, str) else " and ".join(map(str, actions))


def write(stage: str, recorded: RecordedBackend) -> bool:
    """Write the statements into the stage's policy file. Return whether the file changed.

    Raises DeploymentError for a file that cannot be read or written.
    """
    required = statements(stage, recorded)
    document = _read(stage)
    present = _statements(document)
    others = [statement for statement in present if statement.get("Sid") not in OWN_IDS]
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
