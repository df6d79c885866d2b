"""The role with which CloudFormation changes a stack: the option ROLE_ARN.

Without one, CloudFormation acts with the permissions of the shell. It remembers the role
of a stack and uses it for later changes, until another one is given.
"""

from __future__ import annotations

import re

from deploy import aws
from deploy.errors import DeploymentError

ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::(?P<account>[0-9]{12}):role/[\w+=,.@/-]+", re.ASCII)


def check(role_arn: str) -> None:
    """Check that a text is the ARN of a role in the shell's account. Raises DeploymentError.

    Only CloudFormation knows whether the role exists and may be used.
    """
    match = ROLE_ARN.fullmatch(role_arn)
    if match is None:
        raise DeploymentError(
            f"ROLE_ARN={role_arn} is not the ARN of a role. An ARN looks like "
            "arn:aws:iam::123456789012:role/name."
        )
    account = aws.account_id()
    if match["account"] != account:
        raise DeploymentError(
            f"the role {role_arn} is in another account than this shell, which is signed in to "
            f"{account}. CloudFormation only accepts a role of the stack's account."
        )
