"""A user pool and a table that a team already has: the checks before a stage uses them.

Every function only reads from AWS. What is attached is never deleted, and changed only by TTL=yes:
see time_to_live.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from deploy import chalice_config, lookup
from deploy.arn import UserPoolArn
from deploy.aws import report_aws_errors
from deploy.chalice_config import RecordedBackend
from deploy.errors import DeploymentError
from deploy.lookup import AppClient, NotFound, UserPool

KEYS = {"pk": "HASH", "sk": "RANGE"}
"""The table's key: the partition key pk and the sort key sk, both strings."""
TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""Source: API reference of DynamoDB, CreateTable. DescribeTable also accepts an ARN."""

PAGE_SCOPES = frozenset({"openid", "email"})
"""The scopes that web/session.js requests."""
POOL_ID = re.compile(r"(?P<region>[a-z0-9-]+)_[A-Za-z0-9]+")
"""Source: API reference of Cognito, DescribeUserPool."""


@dataclass(frozen=True)
class AttachedPool:
    """A user pool that passed the checks."""

    arn: str
    sign_in_domain: str
    """The host of its sign-in page. Empty if it has none."""
    limitations: tuple[str, ...]
    """Sentences: what this project's page or commands cannot do with it and its app clients."""


def check_user_pool(
    pool_id: str, client_ids: Sequence[str], sign_in_domain: str, recorded_domain: str = ""
) -> AttachedPool:
    """Check a user pool, its app clients and its sign-in domain.

    `sign_in_domain` is a host or the prefix of one. If it is empty, the domain is the recorded one,
    as long as the pool still has it, or else the pool's own. Raises DeploymentError.
    """
    _check_region(pool_id)
    pool = lookup.user_pool(pool_id)
    limitations: list[str] = []
    for client_id in client_ids:
        limitations += _limitations(lookup.app_client(pool_id, client_id))
    if sign_in_domain:
        host = _named_host(pool, sign_in_domain)
    else:
        host = sign_in_host(pool, recorded_domain)
    if not host:
        limitations.append(
            f"The user pool {pool_id} has no sign-in domain, so the page cannot sign users in."
        )
    return AttachedPool(pool["Arn"], host, tuple(limitations))


def sign_in_host(pool: UserPool, recorded_host: str) -> str:
    """The host of a pool's sign-in page: the recorded one, if the pool still has it, or else the
    pool's own; empty if the pool has none."""
    hosts = _sign_in_hosts(pool)
    if recorded_host in hosts:
        return recorded_host
    return hosts[0] if hosts else ""


def _check_region(pool_id: str) -> None:
    region = boto3.session.Session().region_name
    match = POOL_ID.fullmatch(pool_id)
    if match is None:
        raise DeploymentError(
            f"{pool_id!r} is not the id of a user pool. An id looks like eu-central-1_AbCdEfGhI."
        )
    pool_region = match["region"]
    if pool_region != region:
        raise DeploymentError(
            f"the user pool {pool_id} is in the region {pool_region}, but this shell uses "
            f"{region}. The API and its user pool must be in the same region. Set "
            f"AWS_DEFAULT_REGION={pool_region}."
        )


def _limitations(client: AppClient) -> list[str]:
    """Return what an app client cannot be used for."""
    limitations = []
    for problem, user in (
        (_page_problem(client), "the page"),
        (_sign_in_problem(client), "make token and make smoke with EMAIL and PASSWORD"),
    ):
        if problem:
            limitations.append(
                f"The app client {client['ClientId']} {problem}, so it cannot be used by {user}. "
                "The API accepts its tokens."
            )
    return limitations


def _page_problem(client: AppClient) -> str:
    """Return why the page cannot use an app client; an empty text if it can."""
    if client.get("ClientSecret"):
        return "has a secret"
    allows_flows = client.get("AllowedOAuthFlowsUserPoolClient")
    if not allows_flows or "code" not in client.get("AllowedOAuthFlows", []):
        return "does not allow the authorization code flow"
    if not set(client.get("AllowedOAuthScopes", [])) >= PAGE_SCOPES:
        return f"does not allow the scopes {' and '.join(sorted(PAGE_SCOPES))}"
    return ""


def _sign_in_problem(client: AppClient) -> str:
    """Return why the commands cannot sign in with an app client; an empty text if they can."""
    if client.get("ClientSecret"):
        return "has a secret"
    flows = client.get("ExplicitAuthFlows", [])
    # SRP is allowed by default, and together with the flows' older names, without ALLOW_
    # (API reference of Cognito, CreateUserPoolClient).
    names_are_new = all(flow.startswith("ALLOW_") for flow in flows)
    if flows and names_are_new and "ALLOW_USER_SRP_AUTH" not in flows:
        return "does not allow ALLOW_USER_SRP_AUTH"
    return ""


def _sign_in_hosts(pool: UserPool) -> list[str]:
    """Return the hosts of the pool's sign-in page: the custom domain first."""
    hosts = []
    if pool.get("CustomDomain"):
        hosts.append(pool["CustomDomain"])
    if pool.get("Domain"):
        hosts.append(UserPoolArn.parse(pool["Arn"]).sign_in_host(pool["Domain"]))
    return hosts


def _named_host(pool: UserPool, domain: str) -> str:
    """Return the host of a sign-in domain. Raises DeploymentError if it is not the pool's."""
    arn = UserPoolArn.parse(pool["Arn"])
    host = domain.removeprefix("https://").rstrip("/")
    prefix = host.removesuffix(arn.sign_in_host(""))  # a custom domain stays as it is
    with report_aws_errors(f"the sign-in domain {host}"):
        found: Any = boto3.client("cognito-idp").describe_user_pool_domain(Domain=prefix)
    if found["DomainDescription"].get("UserPoolId") != arn.pool_id:
        raise DeploymentError(
            f"{host} is not a sign-in domain of the user pool {arn.pool_id}. Leave out "
            "SIGN_IN_DOMAIN to use the domain that the pool has."
        )
    if "." in prefix:
        return prefix
    return arn.sign_in_host(prefix)


def check_table(name: str) -> list[str]:
    """Check that a table exists and has the service's key. Return its limitations, in sentences.

    Raises DeploymentError.
    """
    if not TABLE_NAME.fullmatch(name):
        raise DeploymentError(
            f"{name!r} is not the name of a table: 3 to 255 letters, digits, '_', '-' and '.'."
        )
    table = lookup.table(name)
    if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        raise DeploymentError(
            f"the table {name} is in the state {table['TableStatus']}, so it cannot be used yet. "
            "Make it ACTIVE, and run this command again."
        )
    keys = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    types = {
        attribute["AttributeName"]: attribute["AttributeType"]
        for attribute in table["AttributeDefinitions"]
    }
    if keys != KEYS or any(types[key] != "S" for key in KEYS):
        key_text = ", ".join(f"{key} ({kind}, {types[key]})" for key, kind in keys.items())
        raise DeploymentError(
            f"the table {name} has the key {key_text}. The service needs the partition key pk and "
            "the sort key sk, both strings: pk (HASH, S), sk (RANGE, S)."
        )
    key_arn = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    if not key_arn:
        return []
    return [
        f"The table {name} is encrypted with the KMS key {key_arn}. If the key is your own, allow "
        "the function kms:Decrypt on it: add a statement to its policy file."
    ]


def check_recorded(stage: str, table: str, pool_id: str, client_ids: str) -> list[str]:
    """Check that what the stage records exists and fits. An empty text stands for nothing.

    Returns limitations, in sentences. Raises DeploymentError.
    """
    limitations: list[str] = []
    try:
        if table:
            limitations += check_table(table)
        if pool_id:
            limitations += check_user_pool(pool_id, split_ids(client_ids), "").limitations
    except NotFound as error:
        raise DeploymentError(
            f"{error} The stage {stage} records it in {chalice_config.FILE}. Correct the record, "
            "or restore what was deleted."
        ) from error
    return limitations


def check_page_client(recorded: RecordedBackend) -> None:
    """Check that the page can sign users in with the first recorded app client.

    Raises DeploymentError.
    """
    pool_id = UserPoolArn.parse(recorded.user_pool_arn).pool_id
    client_id = recorded.first_client_id
    problem = _page_problem(lookup.app_client(pool_id, client_id))
    if problem:
        raise DeploymentError(
            f"the app client {client_id} {problem}, so the page cannot use it. Give the user pool "
            "another app client for the page, and record it first in USER_POOL_CLIENT_ID."
        )


def split_ids(client_ids: str) -> list[str]:
    """Split app client ids that are separated by commas, without repeated ones."""
    stripped = [client_id.strip() for client_id in client_ids.split(",")]
    return list(dict.fromkeys(client_id for client_id in stripped if client_id))
