"""A stage on a user pool and a table that a team already has: every command, every combination."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from deploy import api as api_stack
from deploy import gateway_responses, ownership
from deploy.smoke_checks import CHECKS
from tests.deployed import existing
from tests.deployed.conftest import Clone
from tests.deployed.existing import ExistingPool
from tests.local.make import running
from tests.support.api_server import running_command
from tests.support.chalice_adapter import chalice_endpoint
from tests.support.cloud import Cloud
from tests.support.http_api import Api, assert_problem
from tests.support.users import PASSWORD, User, sign_up_user

STAGE = "dev"


@dataclass(frozen=True)
class Attached:
    """A clone whose stage uses existing things. An attribute is None if the stack made it."""

    clone: Clone
    cloud: Cloud
    pool: ExistingPool | None
    table: str | None

    @property
    def table_name(self) -> str:
        return self.clone.variables(STAGE)["DYNAMODB_TABLE"]

    def sign_up(self) -> User:
        variables = self.clone.variables(STAGE)
        outputs = {
            "UserPoolArn": variables["USER_POOL_ARN"],
            "UserPoolClientId": variables["USER_POOL_CLIENT_ID"],
        }
        return sign_up_user(Cloud(self.cloud.port, self.cloud.folder, outputs))

    def deployed_api(self) -> Api:
        """The API of the stage after `make deploy`."""
        stack = self.clone.stack(STAGE)
        assert stack is not None
        url = api_stack.url(stack.outputs)
        # AWS reads the gateway responses from the API's definition; ministack 1.5.33 does not.
        gateway_responses.put_gateway_responses(stack.outputs["RestAPIId"])
        return Api(self.cloud.port, url.partition(f":{self.cloud.port}")[2])


COMBINATIONS = {
    "pool": (True, False, True),
    "pool without a sign-in domain": (True, False, False),
    "table": (False, True, True),
    "pool and table": (True, True, True),
    "pool without a sign-in domain, and table": (True, True, False),
}
"""Whether the user pool and the table exist already, and whether there is a sign-in domain."""


@pytest.fixture(params=COMBINATIONS)
def attached(request: pytest.FixtureRequest, clone: Clone, cloud: Cloud) -> Attached:
    has_pool, has_table, has_domain = COMBINATIONS[request.param]
    pool = existing.create_pool(with_domain=has_domain) if has_pool else None
    table = existing.create_table() if has_table else None
    options = pool.options if pool else []
    if table:
        options = [*options, f"--table={table}"]
    clone.run("backend", STAGE, *options)
    return Attached(clone, cloud, pool, table)


def test_what_exists_is_recorded_and_the_stack_makes_the_rest(attached: Attached) -> None:
    clone, pool, table = attached.clone, attached.pool, attached.table
    variables = clone.variables(STAGE)
    stack = clone.stack(f"{STAGE}-backend")
    if pool is not None:
        assert variables["USER_POOL_ARN"] == pool.arn
        assert variables["USER_POOL_CLIENT_ID"] == pool.client_id
    if table is not None:
        assert variables["DYNAMODB_TABLE"] == table
    if pool and table:
        assert stack is None
        return
    assert stack is not None
    made = {name for name in ("TableName", "UserPoolId") if name in stack.outputs}
    assert made == ({"TableName"} if pool else {"UserPoolId"})


def test_every_command_works_from_deployment_to_deletion(attached: Attached) -> None:
    clone = attached.clone
    user = attached.sign_up()
    existing.put_example_item(attached.table_name, user.sub)

    # make deploy: an item of the original example is read and patched.
    clone.run("deploy", STAGE)
    api = attached.deployed_api()
    assert api.get(user).json()["profile_data"] == {"name": "Ada", "theme": "dark"}
    patched = api("PATCH", body='{"theme": null}', token=user.id_token)
    assert patched.json()["profile_data"] == {"name": "Ada"}
    assert_problem(api("GET"), 401, "not-signed-in")

    # make token, make smoke
    credentials = {"OPTION_EMAIL": user.email, "OPTION_PASSWORD": PASSWORD}
    user_options = (f"EMAIL={user.email}", f"PASSWORD={PASSWORD}")
    token = clone.account.make("token", f"STAGE={STAGE}", *user_options)
    assert api("GET", token=token.strip()).json()["profile_data"] == {"name": "Ada"}
    result = clone.outcome("smoke", f"--stage={STAGE}", "--overwrite=yes", **credentials)
    assert result == f"1 of {len(CHECKS)} failed.", "ministack 1.5.33 responds to preflights itself"
    assert api.get(user).json()["profile_data"] == {"name": "Ada"}

    # chalice local --stage, on the stage's own table and user pool
    command = f".venv/bin/chalice local --stage {STAGE}"
    log = clone.folder / "chalice-local.log"
    with running_command(command, clone.folder, clone.account.variables, log) as local:
        assert local.get(user).json()["profile_data"] == {"name": "Ada"}

    # make web-config, make web
    assert_page(attached)

    # make destroy, make destroy-backend
    clone.run("destroy", STAGE)
    assert clone.stack(STAGE) is None
    assert_only_the_stacks_own_things_are_deleted(attached, user)


def assert_page(attached: Attached) -> None:
    clone, pool = attached.clone, attached.pool
    if pool is not None and not pool.domain:
        assert "sign-in domain" in clone.error("web-config", STAGE)
        return
    clone.account.make("web-config", f"STAGE={STAGE}")
    settings = json.loads((clone.folder / "web" / "config.json").read_text())
    assert settings["client_id"] == clone.variables(STAGE)["USER_POOL_CLIENT_ID"]
    if pool is not None:
        host = f"{pool.domain}.auth.us-east-1.amazoncognito.com"
        assert settings["sign_in"] == f"https://{host}"
    with running(clone.folder, "web") as command:
        assert command.page()("GET", "/config.json").json() == settings


def assert_only_the_stacks_own_things_are_deleted(attached: Attached, user: User) -> None:
    clone, pool, table = attached.clone, attached.pool, attached.table
    before = clone.variables(STAGE)
    own_pool = clone.pool_id(STAGE)
    if pool and table:
        error = clone.error("destroy-backend", STAGE, f"--confirm={STAGE}")
        assert table in error
        assert pool.pool_id in error
        assert clone.variables(STAGE) == before
    else:
        output = clone.run("destroy-backend", STAGE, f"--confirm={STAGE}")
        assert "Kept" in output
        assert clone.stack(f"{STAGE}-backend") is None
    assert existing.table_exists(before["DYNAMODB_TABLE"]) == (table is not None)
    assert existing.pool_exists(own_pool) == (pool is not None)
    if pool is not None:
        assert pool.describe()["DeletionProtection"] == "ACTIVE"
        assert clone.variables(STAGE)["USER_POOL_ARN"] == pool.arn
    if table is not None:
        description = boto3.client("dynamodb").describe_table(TableName=table)["Table"]
        assert description["DeletionProtectionEnabled"]
        assert clone.variables(STAGE)["DYNAMODB_TABLE"] == table


def test_chalice_deploys_on_it(attached: Attached) -> None:
    clone = attached.clone
    user = attached.sign_up()
    existing.put_example_item(attached.table_name, user.sub)
    stack_of_api: dict[str, str] = {}
    with chalice_endpoint(attached.cloud.port, stack_of_api) as endpoint:
        done = clone.chalice("deploy", AWS_ENDPOINT_URL=endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        record = json.loads((clone.folder / f".chalice/deployed/{STAGE}.json").read_text())
        (deployed,) = (row for row in record["resources"] if row["resource_type"] == "rest_api")
        url = api_stack.url({"RestAPIId": deployed["rest_api_id"]})
        api = Api(attached.cloud.port, url.partition(f":{attached.cloud.port}")[2])
        assert api.get(user).json()["profile_data"] == {"name": "Ada", "theme": "dark"}
        assert "make destroy" in clone.error("destroy-backend", STAGE, f"--confirm={STAGE}")
        clone.run("destroy", STAGE, AWS_ENDPOINT_URL=endpoint)
    assert api("GET").status in (403, 404)
    assert existing.table_exists(attached.table_name)


def test_a_second_make_backend_changes_nothing(attached: Attached) -> None:
    clone = attached.clone
    before = clone.snapshot()
    output = clone.run("backend", STAGE)
    assert "Nothing to record" in output
    assert "complete" not in output
    assert clone.snapshot() == before


# --- limitations of app clients -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "limitation"),
    [
        ({"GenerateSecret": True}, "has a secret"),
        ({"AllowedOAuthFlows": ["implicit"]}, "authorization code flow"),
        ({"AllowedOAuthScopes": ["openid"]}, "the scopes email and openid"),
        ({"AllowedOAuthFlows": [], "AllowedOAuthFlowsUserPoolClient": False}, "code flow"),
    ],
)
def test_a_client_unfit_for_the_page_is_fit_for_the_api(
    clone: Clone, settings: dict[str, Any], limitation: str
) -> None:
    pool = existing.create_pool()
    client_id = existing.create_client(pool.pool_id, **settings)
    options = [f"--user-pool-id={pool.pool_id}", f"--user-pool-client-id={client_id}"]
    output = clone.run("backend", STAGE, *options)
    (note,) = (line for line in output.splitlines() if "cannot be used by the page" in line)
    assert limitation in note
    assert "The API accepts its tokens." in note
    assert limitation in clone.error("web-config", STAGE)


def test_a_client_without_srp_cannot_sign_in_by_command(clone: Clone) -> None:
    pool = existing.create_pool()
    client_id = existing.create_client(pool.pool_id, ExplicitAuthFlows=["ALLOW_CUSTOM_AUTH"])
    options = [f"--user-pool-id={pool.pool_id}", f"--user-pool-client-id={client_id}"]
    output = clone.run("backend", STAGE, *options)
    assert "does not allow ALLOW_USER_SRP_AUTH, so it cannot be used by make token" in output


def test_several_clients_are_checked_and_recorded(clone: Clone) -> None:
    pool = existing.create_pool()
    second = existing.create_client(pool.pool_id)
    ids = f"{pool.client_id}, {second}"
    clone.run("backend", STAGE, f"--user-pool-id={pool.pool_id}", f"--user-pool-client-id={ids}")
    assert clone.variables(STAGE)["USER_POOL_CLIENT_ID"] == f"{pool.client_id},{second}"


@pytest.mark.parametrize("form", ["{prefix}", "{prefix}.auth.us-east-1.amazoncognito.com"])
def test_a_sign_in_domain_can_be_named(clone: Clone, form: str) -> None:
    pool = existing.create_pool()
    domain = form.format(prefix=pool.domain)
    clone.run("backend", STAGE, *pool.options, f"--sign-in-domain={domain}")
    host = f"{pool.domain}.auth.us-east-1.amazoncognito.com"
    assert clone.stage(STAGE)["backend"]["sign_in_domain"] == host


def test_a_custom_domain_is_the_sign_in_domain(clone: Clone) -> None:
    pool = existing.create_pool(with_domain=False)
    domain = f"{existing.unique('auth')}.example.com"
    boto3.client("cognito-idp").create_user_pool_domain(
        Domain=domain,
        UserPoolId=pool.pool_id,
        CustomDomainConfig={"CertificateArn": existing.CERTIFICATE},
    )
    clone.run("backend", STAGE, *pool.options)
    assert clone.stage(STAGE)["backend"]["sign_in_domain"] == domain
    clone.run("backend", STAGE, f"--sign-in-domain=https://{domain}/")
    assert clone.stage(STAGE)["backend"]["sign_in_domain"] == domain


# --- what is refused ------------------------------------------------------------------------------


@pytest.fixture
def nothing_changes(clone: Clone) -> Iterator[None]:
    """The refused command leaves no trace, neither in the clone nor in AWS."""
    before = clone.snapshot()
    yield
    assert clone.snapshot() == before
    assert clone.stack(f"{STAGE}-backend") is None


def other_pools_client(pool: ExistingPool) -> list[str]:
    other = existing.create_pool()
    return [f"--user-pool-id={pool.pool_id}", f"--user-pool-client-id={other.client_id}"]


def other_pools_domain(pool: ExistingPool) -> list[str]:
    other = existing.create_pool()
    return [*pool.options, f"--sign-in-domain={other.domain}"]


def table_with(**options: Any) -> Callable[[ExistingPool], list[str]]:
    return lambda _: [f"--table={existing.create_table(**options)}"]


REFUSALS: dict[str, tuple[Callable[[ExistingPool], list[str]], str]] = {
    "a pool of another region": (
        lambda _: ["--user-pool-id=eu-west-1_AbCdEfGhI", "--user-pool-client-id=x"],
        "is in the region eu-west-1, but this shell uses us-east-1",
    ),
    "a pool that does not exist": (
        lambda _: ["--user-pool-id=us-east-1_AbCdEfGhI", "--user-pool-client-id=x"],
        "there is no user pool us-east-1_AbCdEfGhI in this account and region",
    ),
    "no id of a pool": (
        lambda _: ["--user-pool-id=theirs", "--user-pool-client-id=x"],
        "'theirs' is not the id of a user pool",
    ),
    "a client of another pool": (other_pools_client, "has no app client"),
    "a pool without a client": (
        lambda pool: [f"--user-pool-id={pool.pool_id}"],
        "USER_POOL_CLIENT_ID is required",
    ),
    "an empty list of clients": (
        lambda pool: [f"--user-pool-id={pool.pool_id}", "--user-pool-client-id= , "],
        "USER_POOL_CLIENT_ID is required",
    ),
    "a client without a pool": (lambda _: ["--user-pool-client-id=x"], "USER_POOL_ID"),
    "a domain without a pool": (lambda _: ["--sign-in-domain=x"], "USER_POOL_ID"),
    "a domain of another pool": (other_pools_domain, "is not a sign-in domain of the user pool"),
    "a domain that does not exist": (
        lambda pool: [*pool.options, "--sign-in-domain=nowhere.example.com"],
        "is not a sign-in domain of the user pool",
    ),
    "callback URLs of an attached pool": (
        lambda pool: [*pool.options, "--callback-urls=https://example.com"],
        "CallbackUrls is a setting of what this command makes",
    ),
    "an ARN of a table": (
        lambda _: ["--table=arn:aws:dynamodb:us-east-1:000000000000:table/theirs"],
        "is not the name of a table",
    ),
    "a parameter of an attached pool": (
        lambda pool: [*pool.options, "PARAMETERS=MfaConfiguration=ON"],
        "MfaConfiguration is a setting of what this command makes, but the user pool",
    ),
    "a parameter of an attached table": (
        lambda _: [f"--table={existing.create_table()}", "PARAMETERS=Index=false"],
        "Index is a setting of what this command makes, but the table",
    ),
    "a parameter of nothing": (
        lambda pool: [
            *pool.options,
            f"--table={existing.create_table()}",
            "PARAMETERS=DeletionProtection=false",
        ],
        "DeletionProtection is a setting of what this command makes",
    ),
    "a table that does not exist": (
        lambda _: ["--table=nowhere"],
        "there is no table nowhere in this account and region",
    ),
    "a table with other keys": (table_with(keys={"id": "HASH"}), "has the key id (HASH, S)"),
    "a table with the keys exchanged": (
        table_with(keys={"sk": "HASH", "pk": "RANGE"}),
        "has the key sk (HASH, S), pk (RANGE, S)",
    ),
    "a table with a number as sort key": (table_with(sk_type="N"), "sk (RANGE, N)"),
    "a table without a sort key": (table_with(keys={"pk": "HASH"}), "has the key pk (HASH, S)"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_fit_is_refused(clone: Clone, nothing_changes: None, name: str) -> None:
    make_options, message = REFUSALS[name]
    options = make_options(existing.create_pool())
    arguments = [option for option in options if not option.startswith("PARAMETERS=")]
    parameters = "".join(
        option.removeprefix("PARAMETERS=") for option in options if option not in arguments
    )
    error = clone.error("backend", STAGE, *arguments, OPTION_PARAMETERS=parameters)
    assert message in error


def test_a_table_of_another_stage_is_refused(clone: Clone) -> None:
    pool = existing.create_pool()
    table = existing.create_table()
    clone.run("backend", STAGE, *pool.options, f"--table={table}")
    error = clone.error("backend", "prod", *pool.options, f"--table={table}")
    assert f"already that of the stage {STAGE}" in error
    assert clone.variables("prod") == {}


def test_a_table_that_another_stage_made_is_refused(clone: Clone) -> None:
    """Its tags show it, also if no stage of this clone records it."""
    clone.run("backend", STAGE)
    table = clone.variables(STAGE)["DYNAMODB_TABLE"]
    clone.set_stage(STAGE, environment_variables={}, backend={})
    before = clone.snapshot()
    error = clone.error("backend", "prod", f"--table={table}")
    assert f"{ownership.STAGE_TAG}={STAGE}" in error
    assert clone.snapshot() == before
    assert clone.stack("prod-backend") is None
    arn = boto3.client("dynamodb").describe_table(TableName=table)["Table"]["TableArn"]
    assert f"untag-resource --resource-arn {arn} --tag-keys {ownership.STAGE_TAG}" in error
    boto3.client("dynamodb").untag_resource(ResourceArn=arn, TagKeys=[ownership.STAGE_TAG])
    clone.run("backend", "prod", f"--table={table}")


def test_a_table_of_another_owner_is_refused(clone: Clone, new_clone: Callable[..., Clone]) -> None:
    clone.run("backend", STAGE)
    table = clone.variables(STAGE)["DYNAMODB_TABLE"]
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    rival = new_clone(clone.app_name)
    before = rival.snapshot()
    error = rival.error("backend", STAGE, f"--table={table}")
    assert f"{ownership.OWNER_TAG}={clone.config['owner_id']}" in error
    assert rival.snapshot() == before
    assert rival.stack(f"{STAGE}-backend") is None


def test_a_pool_of_another_stage_is_attached(clone: Clone) -> None:
    clone.run("backend", STAGE)
    pool_id = clone.pool_id(STAGE)
    client_id = clone.variables(STAGE)["USER_POOL_CLIENT_ID"]
    clone.run("backend", "prod", f"--user-pool-id={pool_id}", f"--user-pool-client-id={client_id}")
    assert clone.pool_id("prod") == pool_id


def test_an_attached_stage_keeps_its_pool_and_table(clone: Clone) -> None:
    pool, other = existing.create_pool(), existing.create_pool()
    table, other_table = existing.create_table(), existing.create_table()
    clone.run("backend", STAGE, *pool.options, f"--table={table}")
    before = clone.snapshot()
    assert pool.pool_id in clone.error("backend", STAGE, *other.options)
    assert table in clone.error("backend", STAGE, f"--table={other_table}")
    assert clone.snapshot() == before


def test_a_stage_with_its_own_backend_is_not_switched(clone: Clone) -> None:
    clone.run("backend", STAGE)
    before = clone.snapshot()
    pool = existing.create_pool()
    error = clone.error("backend", STAGE, *pool.options)
    assert "uses us-east-1_" in error
    error = clone.error("backend", STAGE, f"--table={existing.create_table()}")
    assert f"uses {clone.app_name}-{STAGE} already" in error
    # Also not if the options name what the stack has made.
    own_pool = clone.pool_id(STAGE)
    options = [f"--user-pool-id={own_pool}", "--user-pool-client-id=x"]
    assert "has its own user pool" in clone.error("backend", STAGE, *options)
    assert clone.snapshot() == before


def test_recorded_names_are_not_replaced_by_others(clone: Clone) -> None:
    """Somebody has deleted the stack, which has retained the table and the user pool."""
    clone.run("backend", STAGE)
    existing.delete_stack(f"{clone.app_name}-{STAGE}-backend")
    before = clone.snapshot()
    assert "already, so" in clone.error("backend", STAGE, *existing.create_pool().options)
    assert "already, so" in clone.error("backend", STAGE, f"--table={existing.create_table()}")
    assert clone.snapshot() == before


def test_a_table_that_has_the_name_already_is_left_alone(clone: Clone) -> None:
    name = f"{clone.app_name}-{STAGE}"
    existing.create_table(name=name)
    assert f"there is a table {name} already" in clone.error("backend", STAGE)
    assert clone.stack(f"{STAGE}-backend") is None
    clone.run("backend", STAGE, f"--table={name}")


def test_an_attached_stage_is_not_switched_to_its_own(clone: Clone) -> None:
    """Somebody has removed the record of what is attached."""
    pool = existing.create_pool()
    clone.run("backend", STAGE, *pool.options, f"--table={existing.create_table()}")
    clone.set_stage(STAGE, backend={})
    before = clone.snapshot()
    error = clone.error("backend", STAGE)
    assert pool.pool_id in error
    assert "USER_POOL_ID=" in error
    assert clone.snapshot() == before
    assert clone.stack(f"{STAGE}-backend") is None


@pytest.mark.parametrize("option", ["--table", "--user-pool-id"])
def test_an_attached_stage_without_its_names_is_explained(clone: Clone, option: str) -> None:
    """Somebody has emptied the environment_variables, as other messages advise."""
    pool = existing.create_pool()
    table = existing.create_table()
    options = [f"--table={table}"] if option == "--table" else pool.options
    clone.run("backend", STAGE, *options)
    clone.set_stage(STAGE, environment_variables={})
    before = clone.snapshot()
    error = clone.error("backend", STAGE)
    assert "do not name it" in error
    assert clone.snapshot() == before
    clone.run("backend", STAGE, *options)


@pytest.mark.parametrize("option", ["--table", "--user-pool-id"])
def test_a_stack_made_for_an_attached_part_does_not_make_it(clone: Clone, option: str) -> None:
    """The record is missing: the command was interrupted, or a colleague has not pulled it."""
    pool = existing.create_pool()
    options = [f"--table={existing.create_table()}"] if option == "--table" else pool.options
    clone.run("backend", STAGE, *options)
    config = clone.config
    config["stages"][STAGE] = {}
    clone.config_file.write_text(json.dumps(config))
    before = clone.stack(f"{STAGE}-backend")
    assert "that you already have, so it does not make one" in clone.error("backend", STAGE)
    assert clone.stack(f"{STAGE}-backend") == before
    clone.run("backend", STAGE, *options)


def test_values_recorded_by_hand_can_be_attached(clone: Clone) -> None:
    pool = existing.create_pool()
    table = existing.create_table()
    by_hand = {"USER_POOL_ARN": pool.arn, "DYNAMODB_TABLE": table, "LOG": "kept"}
    clone.set_stage(STAGE, environment_variables=by_hand)
    clone.error("backend", STAGE)
    clone.run("backend", STAGE, *pool.options, f"--table={table}")
    recorded = {"USER_POOL_CLIENT_ID": pool.client_id, "ERASURE": "off"}
    assert clone.variables(STAGE) == {**by_hand, **recorded}
    assert clone.stack(f"{STAGE}-backend") is None


@pytest.mark.parametrize("command", ["backend", "deploy"])
def test_a_recorded_pool_that_is_gone_is_named(clone: Clone, command: str) -> None:
    pool = existing.create_pool()
    clone.run("backend", STAGE, *pool.options, f"--table={existing.create_table()}")
    client = boto3.client("cognito-idp")
    client.update_user_pool(UserPoolId=pool.pool_id, DeletionProtection="INACTIVE")
    client.delete_user_pool(UserPoolId=pool.pool_id)
    assert f"there is no user pool {pool.pool_id}" in clone.error(command, STAGE)


def test_a_recorded_table_that_is_gone_is_named(clone: Clone) -> None:
    pool = existing.create_pool()
    table = existing.create_table()
    clone.run("backend", STAGE, *pool.options, f"--table={table}")
    client = boto3.client("dynamodb")
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    client.delete_table(TableName=table)
    for command in ("backend", "deploy"):
        assert f"there is no table {table}" in clone.error(command, STAGE)
