"""A user pool and a table that a team already has: the checks before a stage uses them.

Every function only reads from AWS. What is attached is never deleted and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from deploy.arn import UserPoolArn
from deploy.aws import report_aws_errors
from deploy.chalice_config import RecordedBackend
from deploy.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

KEYS = {"pk": "HASH", "sk": "RANGE"}
"""The table's key: the partition key pk and the sort key sk, both strings."""


@dataclass(frozen=True)
class AttachedPool:
    """A user pool that passed the checks."""

    arn: str
    sign_in_domain: str
    """The host of its sign-in page. Empty if it has none."""
    limitations: tuple[str, ...]
    """Sentences: what this project's page or commands cannot do with its app clients."""


def check_user_pool(pool_id: str, client_ids: Sequence[str], sign_in_domain: str) -> AttachedPool:
    """Check a user pool, its app clients and its sign-in domain.

    `sign_in_domain` is a host or the prefix of one. Empty: the pool's own domain, if it has one.
    Raises DeploymentError.
    """
    _check_region(pool_id)
    client = boto3.client("cognito-idp")
    with _explained(f"there is no user pool {pool_id} in this account and region"):
        pool = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    arn = UserPoolArn.parse(pool["Arn"])
    limitations: list[str] = []
    for client_id in client_ids:
        limitations += _limitations(_describe_client(pool_id, client_id))
    if sign_in_domain:
        host = _check_domain(client, arn, sign_in_domain)
    elif pool.get("CustomDomain"):
        host = pool["CustomDomain"]
    elif pool.get("Domain"):
        host = arn.sign_in_host(pool["Domain"])
    else:
        host = ""
        limitations.append(
            f"The user pool {pool_id} has no sign-in domain, so the page cannot sign users in."
        )
    return AttachedPool(pool["Arn"], host, tuple(limitations))


def _check_region(pool_id: str) -> None:
    region = boto3.session.Session().region_name
    pool_region, separator, _ = pool_id.partition("_")
    if not separator:
        raise DeploymentError(
            f"{pool_id!r} is not the id of a user pool. An id looks like eu-central-1_AbCdEfGhI."
        )
    if pool_region != region:
        raise DeploymentError(
            f"the user pool {pool_id} is in the region {pool_region}, but this shell uses "
            f"{region}. The API and its user pool must be in the same region. Set "
            f"AWS_DEFAULT_REGION={pool_region}."
        )


def _describe_client(pool_id: str, client_id: str) -> dict[str, Any]:
    """Return an app client as Cognito describes it. Raises DeploymentError if it is another's."""
    client = boto3.client("cognito-idp")
    with _explained(f"the user pool {pool_id} has no app client {client_id}"):
        described: Any = client.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)
    found: dict[str, Any] = described["UserPoolClient"]
    return found


def _limitations(client: dict[str, Any]) -> list[str]:
    """Return what an app client cannot be used for."""
    limitations = []
    page_limitation = _page_limitation(client)
    if page_limitation:
        limitations.append(f"{page_limitation} The API accepts its tokens.")
    # A client without a list has the default, which includes SRP (CreateUserPoolClient).
    flows = client.get("ExplicitAuthFlows") or ["ALLOW_USER_SRP_AUTH"]
    if client.get("ClientSecret") or "ALLOW_USER_SRP_AUTH" not in flows:
        limitations.append(
            f"The app client {client['ClientId']} has a secret, or does not allow "
            "ALLOW_USER_SRP_AUTH, so make token and make smoke cannot sign in with it. Give make "
            "smoke a TOKEN instead."
        )
    return limitations


def _page_limitation(client: dict[str, Any]) -> str:
    """Return why the page cannot use an app client; an empty text if it can."""
    client_id = client["ClientId"]
    if client.get("ClientSecret"):
        return f"The app client {client_id} has a secret, so the page cannot use it."
    allows_flows = client.get("AllowedOAuthFlowsUserPoolClient")
    if not allows_flows or "code" not in client.get("AllowedOAuthFlows", []):
        return (
            f"The app client {client_id} does not allow the authorization code flow, so the page "
            "cannot use it."
        )
    return ""


def _check_domain(client: CognitoIdentityProviderClient, pool: UserPoolArn, domain: str) -> str:
    """Check that the sign-in domain belongs to the pool. Return its host."""
    host = domain.removeprefix("https://").rstrip("/")
    prefix = host.removesuffix(pool.sign_in_host(""))  # a custom domain stays as it is
    with report_aws_errors(f"the sign-in domain {host}"):
        found: Any = client.describe_user_pool_domain(Domain=prefix)
    if found["DomainDescription"].get("UserPoolId") != pool.pool_id:
        raise DeploymentError(
            f"{host} is not a sign-in domain of the user pool {pool.pool_id}. Leave out "
            "SIGN_IN_DOMAIN to use the domain that the pool has."
        )
    if "." in prefix:
        return prefix
    return pool.sign_in_host(prefix)


def check_table(name: str) -> None:
    """Check that a table exists and has the service's key. Raises DeploymentError."""
    with _explained(f"there is no table {name} in this account and region"):
        table = boto3.client("dynamodb").describe_table(TableName=name)["Table"]
    if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        raise DeploymentError(
            f"the table {name} is in the state {table['TableStatus']}. Wait until it is ACTIVE."
        )
    keys = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    types = {
        found["AttributeName"]: found["AttributeType"] for found in table["AttributeDefinitions"]
    }
    if keys != KEYS or any(types[key] != "S" for key in KEYS):
        found = ", ".join(f"{key} ({kind}, {types[key]})" for key, kind in keys.items())
        raise DeploymentError(
            f"the table {name} has the key {found}. The service needs the partition key pk and the "
            "sort key sk, both strings: pk (HASH, S), sk (RANGE, S)."
        )


def check_recorded(recorded: RecordedBackend) -> None:
    """Check that what a stage records still exists and fits. Raises DeploymentError."""
    check_table(recorded.table)
    pool_id = UserPoolArn.parse(recorded.user_pool_arn).pool_id
    check_user_pool(pool_id, split_ids(recorded.client_ids), "")


def check_page_client(recorded: RecordedBackend) -> None:
    """Check that the page can sign users in with the first recorded app client.

    Raises DeploymentError.
    """
    pool_id = UserPoolArn.parse(recorded.user_pool_arn).pool_id
    client = _describe_client(pool_id, recorded.first_client_id)
    problem = _page_limitation(client)
    if problem:
        raise DeploymentError(
            f"{problem} Give the user pool another app client for the page, and record it first in "
            "USER_POOL_CLIENT_ID."
        )


def split_ids(client_ids: str) -> list[str]:
    """Split app client ids that are separated by commas."""
    return [client_id.strip() for client_id in client_ids.split(",") if client_id.strip()]


@contextmanager
def _explained(absence: str) -> Iterator[None]:
    """Raise the errors of AWS calls as DeploymentError; `absence` is the sentence for NotFound."""
    try:
        with report_aws_errors("checking what is attached"):
            yield
    except DeploymentError as error:
        cause = error.__cause__
        if (
            isinstance(cause, ClientError)
            and cause.response["Error"]["Code"] == "ResourceNotFoundException"
        ):
            raise DeploymentError(f"{absence}.") from error
        raise
