"""ROLE_ARN: only the ARN of a role in the account of the shell is accepted."""

from __future__ import annotations

import pytest

from deploy import aws, service_role
from deploy.errors import DeploymentError

ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def shell_is_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "account_id", lambda: ACCOUNT)


@pytest.mark.parametrize(
    "role",
    [
        f"arn:aws:iam::{ACCOUNT}:role/cloudformation",
        f"arn:aws-us-gov:iam::{ACCOUNT}:role/deployment/cloudformation-prod",
    ],
)
def test_a_role_of_the_account_is_accepted(role: str) -> None:
    service_role.check(role)


@pytest.mark.parametrize(
    "text",
    [
        "cloudformation",
        f"arn:aws:iam::{ACCOUNT}:user/ada",
        f"arn:aws:iam::{ACCOUNT}:role/",
        f"arn:aws:iam::{ACCOUNT}:role/a b",
        f"arn:aws:iam::{ACCOUNT[1:]}:role/cloudformation",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/session",
        f"arn:aws:iam::{ACCOUNT}:role/cloudformation\n",
    ],
)
def test_another_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DeploymentError, match="arn:aws:iam::123456789012:role/name"):
        service_role.check(text)


def test_a_role_of_another_account_is_refused() -> None:
    with pytest.raises(DeploymentError, match=f"signed in to {ACCOUNT}"):
        service_role.check("arn:aws:iam::999999999999:role/cloudformation")
