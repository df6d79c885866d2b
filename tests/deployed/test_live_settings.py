"""Settings of the user pool: parameters that survive, and changes made outside this project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from deploy import backend
from tests.deployed import existing
from tests.deployed.conftest import Clone

STAGE = "prod"
TRIGGER = "arn:aws:lambda:us-east-1:000000000000:function:trigger"


@pytest.fixture
def deployed(clone: Clone) -> Clone:
    clone.run("backend", STAGE)
    return clone


def ids(clone: Clone) -> dict[str, str]:
    variables = clone.variables(STAGE)
    return {
        "UserPoolId": clone.pool_id(STAGE),
        "ClientId": variables["USER_POOL_CLIENT_ID"],
    }


def pool(clone: Clone) -> Any:
    found = boto3.client("cognito-idp").describe_user_pool(UserPoolId=ids(clone)["UserPoolId"])
    return found["UserPool"]


def app_client(clone: Clone) -> Any:
    found = boto3.client("cognito-idp").describe_user_pool_client(**ids(clone))
    return found["UserPoolClient"]


def set_parameters(clone: Clone, parameters: str, *options: str) -> str:
    return clone.run("backend", STAGE, *options, OPTION_PARAMETERS=parameters)


# --- parameters -----------------------------------------------------------------------------------


def test_every_setting_that_teams_need_is_a_parameter(deployed: Clone) -> None:
    set_parameters(
        deployed,
        "FeaturePlan=PLUS MfaConfiguration=OPTIONAL SelfSignUp=false IdTokenMinutes=15 "
        "AccessTokenMinutes=10 RefreshTokenDays=7 "
        "IdentityProviders=COGNITO,Google ImplicitFlow=false "
        "EmailIdentityArn=arn:aws:ses:us-east-1:000000000000:identity/example.com "
        "EmailFrom='Acme <hello@example.com>' "
        f"PreSignUpTrigger={TRIGGER} PostConfirmationTrigger={TRIGGER}",
        "--callback-urls=https://app.example.com/signed-in",
        "--logout-urls=https://app.example.com/",
    )
    settings = pool(deployed)
    assert settings["UserPoolTier"] == "PLUS"
    assert settings["MfaConfiguration"] == "OPTIONAL"
    assert settings["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert settings["EmailConfiguration"]["From"] == "Acme <hello@example.com>"
    assert settings["EmailConfiguration"]["EmailSendingAccount"] == "DEVELOPER"
    assert settings["LambdaConfig"] == {"PreSignUp": TRIGGER, "PostConfirmation": TRIGGER}
    client = app_client(deployed)
    validity = ("IdTokenValidity", "AccessTokenValidity", "RefreshTokenValidity")
    assert [int(client[name]) for name in validity] == [15, 10, 7]
    assert client["SupportedIdentityProviders"] == ["COGNITO", "Google"]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["CallbackURLs"] == ["https://app.example.com/signed-in"]
    mfa = boto3.client("cognito-idp").get_user_pool_mfa_config(UserPoolId=settings["Id"])
    assert mfa["SoftwareTokenMfaConfiguration"] == {"Enabled": True}

    # They keep their values, and no difference is found.
    output = deployed.run("backend", STAGE, "--callback-urls=https://app.example.com/other")
    assert "Note: settings" not in output
    assert pool(deployed)["LambdaConfig"] == settings["LambdaConfig"]
    assert int(app_client(deployed)["IdTokenValidity"]) == 15


def test_refresh_token_rotation_ends_the_flow_without_it(deployed: Clone) -> None:
    """ministack 1.5.33 does not store RefreshTokenRotation, so only the flows can be seen."""
    set_parameters(deployed, "RefreshTokenRotation=true")
    assert app_client(deployed)["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH"]


OTHER_VALUES = {
    "AccessTokenMinutes": "30",
    "BillingMode": "PROVISIONED",
    "CallbackUrls": "https://app.example.com",
    "CustomMessageTrigger": TRIGGER,
    "DeletionProtection": "false",
    "EmailFrom": "hello@example.com",
    "EmailIdentityArn": "arn:aws:ses:us-east-1:000000000000:identity/example.com",
    "FeaturePlan": "PLUS",
    "IdTokenMinutes": "30",
    "IdentityProviders": "COGNITO,Google",
    "ImplicitFlow": "false",
    "Index": "false",
    "LogoutUrls": "https://app.example.com",
    "MaxReadUnits": "100",
    "MaxWriteUnits": "50",
    "MfaConfiguration": "ON",
    "PasskeyDomain": "auth.example.com",
    "PasskeyFactor": "MULTI_FACTOR_WITH_USER_VERIFICATION",
    "PasskeyUserVerification": "required",
    "Passkeys": "true",
    "PostAuthenticationTrigger": TRIGGER,
    "PostConfirmationTrigger": TRIGGER,
    "PreAuthenticationTrigger": TRIGGER,
    "PreSignUpTrigger": TRIGGER,
    "PreTokenGenerationTrigger": TRIGGER,
    "PreTokenGenerationVersion": "V2_0",
    "RefreshTokenDays": "7",
    "RefreshTokenRotation": "true",
    "SelfSignUp": "false",
    "ThreatProtection": "AUDIT",
    "UserMigrationTrigger": TRIGGER,
}
"""Another value than the default for each parameter that can be changed."""
NOT_IN_MINISTACK = {"ManagedLogin"}
"""ministack 1.5.33 has no AWS::Cognito::ManagedLoginBranding."""


def test_every_parameter_can_be_changed_and_keeps_users_and_data(deployed: Clone) -> None:
    """tests/unit/test_templates.py shows that none is part of a property that replaces."""
    declared = backend.template()["Parameters"]
    fixed = {"AppName", "Stage", "MakeTable", "MakeUserPool", "DomainSuffix"}
    others = set(declared) - fixed - NOT_IN_MINISTACK
    assert others == set(OTHER_VALUES), "add the new parameter to OTHER_VALUES"
    variables = deployed.variables(STAGE)
    boto3.client("cognito-idp").admin_create_user(
        UserPoolId=ids(deployed)["UserPoolId"], Username="kept@example.com"
    )
    for name, value in OTHER_VALUES.items():
        # ministack 1.5.33 does not store RefreshTokenRotation, which looks like a change.
        set_parameters(deployed, f"{name}={value}", "--overwrite=yes")
    stack = deployed.stack(f"{STAGE}-backend")
    assert stack is not None
    assert stack.parameters.items() >= OTHER_VALUES.items()
    assert backend.chalice_environment(stack.outputs).items() <= variables.items()
    listed = boto3.client("cognito-idp").list_users(UserPoolId=ids(deployed)["UserPoolId"])
    assert len(listed["Users"]) == 1


def test_parameters_can_be_committed(clone: Clone) -> None:
    parameters = {"IdTokenMinutes": "15", "CallbackUrls": "https://app.example.com"}
    clone.set_stage(STAGE, backend={"parameters": parameters})
    clone.run("backend", STAGE)
    assert clone.stage(STAGE)["backend"]["parameters"] == parameters
    assert int(app_client(clone)["IdTokenValidity"]) == 15
    output = set_parameters(clone, "IdTokenMinutes=20")
    assert int(app_client(clone)["IdTokenValidity"]) == 20, "the command line has precedence"
    assert "sets IdTokenMinutes to 15. The next make backend" in output
    clone.run("backend", STAGE)
    assert int(app_client(clone)["IdTokenValidity"]) == 15


@pytest.mark.parametrize(
    "urls",
    [
        "https://app.example.com/signed-in",
        "http://localhost:5173, http://127.0.0.1:5173/",
        "com.example.app://signed-in",
    ],
)
def test_urls_that_cognito_accepts(clone: Clone, urls: str) -> None:
    clone.run("backend", STAGE, f"--callback-urls={urls}")
    wanted = [url.strip() for url in urls.split(",")]
    assert [url.strip() for url in app_client(clone)["CallbackURLs"]] == wanted


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("Mfa=ON", "Mfa is not a parameter of resources/backend.yaml that can be set"),
        ("Stage=dev", "Stage is not a parameter"),
        ("MakeTable=false", "MakeTable is not a parameter"),
        ("IdTokenMinutes=1 IdTokenMinutes=2", "IdTokenMinutes twice"),
        ("CallbackUrls=https://", "CallbackUrls has 'https://'"),
        ("CallbackUrls=https://[::1", "CallbackUrls has 'https://[::1'"),
        ("MfaConfiguration", "'MfaConfiguration', which is not Name=value"),
        ("EmailFrom='Acme", "PARAMETERS cannot be read"),
        ("MfaConfiguration=SOMETIMES", "It must be one of OFF, OPTIONAL, ON."),
        ("IdTokenMinutes=4", "It must be a whole number from 5 to 1440."),
        ("IdTokenMinutes=7.5", "IdTokenMinutes is '7.5'. It must be a whole number."),
        ("IdTokenMinutes=", "It must be a whole number."),
        ("MaxReadUnits=0", "It must be a number from 1, or empty."),
        ("PasskeyDomain=https://example.com", "It must be a domain of up to 63"),
        ("Passkeys=true FeaturePlan=LITE", "Passkeys needs the feature plan ESSENTIALS or PLUS"),
        ("ThreatProtection=AUDIT", "ThreatProtection needs the feature plan PLUS"),
        ("CallbackUrls=,", "CallbackUrls has ''"),
        ("CallbackUrls=app.example.com", "CallbackUrls has 'app.example.com'"),
        ("CallbackUrls=http://app.example.com", "CallbackUrls has 'http://app.example.com'"),
        (
            "LogoutUrls='https://app.example.com/a b'",
            "LogoutUrls has 'https://app.example.com/a b'",
        ),
        ("LogoutUrls=https://app.example.com/#x", "LogoutUrls has 'https://app.example.com/#x'"),
    ],
)
def test_an_unusable_parameter_is_explained(deployed: Clone, parameters: str, message: str) -> None:
    before = deployed.snapshot()
    assert message in deployed.error("backend", STAGE, OPTION_PARAMETERS=parameters)
    assert deployed.snapshot() == before


def test_make_passes_parameters_with_quotes_on(deployed: Clone) -> None:
    deployed.account.make(
        "backend", f"STAGE={STAGE}", "PARAMETERS=EmailFrom='Acme \"A\" <a@example.com>'"
    )
    stack = deployed.stack(f"{STAGE}-backend")
    assert stack is not None
    assert stack.parameters["EmailFrom"] == 'Acme "A" <a@example.com>'


def test_the_sign_in_domain_cannot_be_changed(clone: Clone) -> None:
    clone.run("backend", STAGE, "--domain-suffix=first")
    before = clone.stack(f"{STAGE}-backend")
    error = clone.error("backend", STAGE, "--domain-suffix=second")
    assert "the sign-in domain ends with first and cannot be changed to second" in error
    assert clone.stack(f"{STAGE}-backend") == before
    clone.run("backend", STAGE, "--domain-suffix=first")


@pytest.mark.parametrize(
    "value",
    ["$(shell id)", "$(error no)", "a$$b", "$(", "$HOME", "`id`", '"quoted"', "it's", "a b"],
)
def test_make_passes_any_character_on(clone: Clone, value: str) -> None:
    """Nothing is expanded by make or by a shell. The table's name is refused as it was given."""
    done = clone.account.run("make", "-s", "backend", f"STAGE={STAGE}", f"TABLE={value}")
    assert done.returncode != 0
    assert done.stderr.startswith(f"error: {value!r} is not the name of a table")


def test_an_option_and_a_parameter_must_not_differ(deployed: Clone) -> None:
    parameters = "CallbackUrls=https://one.example.com"
    option = "--callback-urls=https://two.example.com"
    error = deployed.error("backend", STAGE, option, OPTION_PARAMETERS=parameters)
    assert "CallbackUrls is given twice" in error


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("backend", "TABEL=profiles"), "make backend has no option TABEL. It has: STAGE, "),
        (("deploy", "TABLE=profiles"), "make deploy has no option TABLE. It has: STAGE, ALARM"),
        (("destroy", "CONFIRM=prod"), "make destroy has no option CONFIRM."),
    ],
)
def test_an_unknown_option_is_refused(clone: Clone, command: tuple[str, ...], message: str) -> None:
    done = clone.account.run("make", "-s", *command, f"STAGE={STAGE}")
    assert done.returncode != 0
    assert message in done.stderr
    assert clone.stack(f"{STAGE}-backend") is None


def test_an_option_without_a_value_is_refused(clone: Clone) -> None:
    """For example TABLE=$UNSET: without this check, a new table would be made."""
    done = clone.account.run("make", "-s", "backend", f"STAGE={STAGE}", "TABLE=")
    assert done.returncode != 0
    assert done.stderr.startswith("error: TABLE is empty.")
    assert clone.stack(f"{STAGE}-backend") is None


def test_an_option_in_the_shells_environment_is_ignored(clone: Clone) -> None:
    clone.account.make("backend", f"STAGE={STAGE}", TABLE="theirs")
    assert clone.variables(STAGE)["DYNAMODB_TABLE"] == f"{clone.app_name}-{STAGE}"


# --- changes made outside -------------------------------------------------------------------------


def change_pool(clone: Clone, **settings: Any) -> None:
    """Change the live user pool, and keep its other settings, as the console does."""
    client = boto3.client("cognito-idp")
    client.update_user_pool(UserPoolId=ids(clone)["UserPoolId"], **settings)


def change_client(clone: Clone, **settings: Any) -> None:
    client: Any = boto3.client("cognito-idp")
    client.update_user_pool_client(**ids(clone), **settings)


def turn_on_mfa(clone: Clone) -> None:
    boto3.client("cognito-idp").set_user_pool_mfa_config(
        UserPoolId=ids(clone)["UserPoolId"],
        SoftwareTokenMfaConfiguration={"Enabled": True},
        MfaConfiguration="OPTIONAL",
    )


def set_passkeys(clone: Clone) -> None:
    boto3.client("cognito-idp").set_user_pool_mfa_config(
        UserPoolId=ids(clone)["UserPoolId"],
        WebAuthnConfiguration={"RelyingPartyId": "example.com"},
    )


CHANGES: dict[str, tuple[Callable[[Clone], None], str]] = {
    "a trigger": (
        lambda clone: change_pool(clone, LambdaConfig={"PreSignUp": TRIGGER}),
        f"UserPool LambdaConfig.PreSignUp is {TRIGGER}, was deployed as empty",
    ),
    "a trigger that is no parameter": (
        lambda clone: change_pool(clone, LambdaConfig={"DefineAuthChallenge": TRIGGER}),
        f"UserPool LambdaConfig.DefineAuthChallenge is {TRIGGER}, was deployed as empty",
    ),
    "MFA": (turn_on_mfa, "UserPool MfaConfiguration is OPTIONAL, was deployed as OFF"),
    "the password policy": (
        lambda clone: change_pool(
            clone, Policies={"PasswordPolicy": {"MinimumLength": 20, "RequireNumbers": True}}
        ),
        "UserPool Policies.PasswordPolicy.MinimumLength is 20, was deployed as 12",
    ),
    "a setting that the template does not declare": (
        lambda clone: change_pool(clone, EmailVerificationSubject="Welcome"),
        "UserPool EmailVerificationSubject is Welcome, was deployed as empty",
    ),
    "threat protection": (
        lambda clone: change_pool(
            clone, UserPoolAddOns={"AdvancedSecurityMode": "ENFORCED"}, UserPoolTier="PLUS"
        ),
        "UserPool UserPoolAddOns.AdvancedSecurityMode is ENFORCED, was deployed as empty",
    ),
    "passkeys": (
        set_passkeys,
        "UserPool WebAuthnRelyingPartyID is example.com, was deployed as empty",
    ),
    "the app client's name": (
        lambda clone: change_client(clone, ClientName="Team web client"),
        "UserPoolClient ClientName is Team web client, was deployed as ",
    ),
    "identity providers": (
        lambda clone: change_client(clone, SupportedIdentityProviders=["COGNITO", "Google"]),
        "UserPoolClient SupportedIdentityProviders is COGNITO,Google, was deployed as COGNITO",
    ),
    "the validity of tokens": (
        lambda clone: change_client(clone, IdTokenValidity=5),
        "UserPoolClient IdTokenValidity is 5, was deployed as 60",
    ),
    "callback URLs": (
        lambda clone: change_client(clone, CallbackURLs=["https://app.example.com"]),
        "UserPoolClient CallbackURLs is https://app.example.com, was deployed as "
        "https://localhost:3000,http://localhost:3000",
    ),
    "attributes that the client may read": (
        lambda clone: change_client(clone, ReadAttributes=["email"]),
        "UserPoolClient ReadAttributes is email, was deployed as empty",
    ),
    "a switched-off protection": (
        lambda clone: change_client(clone, EnableTokenRevocation=False),
        "UserPoolClient EnableTokenRevocation is False, was deployed as True",
    ),
}
UPDATE = {"OPTION_PARAMETERS": "RefreshTokenDays=10"}
"""An update that has nothing to do with the changes."""


@pytest.fixture(params=CHANGES)
def changed(request: pytest.FixtureRequest, deployed: Clone) -> tuple[Clone, str]:
    change, listed = CHANGES[request.param]
    change(deployed)
    return deployed, listed


def test_a_change_made_outside_is_listed_and_kept(changed: tuple[Clone, str]) -> None:
    clone, listed = changed
    before = pool(clone), app_client(clone), clone.stack(f"{STAGE}-backend")
    error = clone.error("backend", STAGE, **UPDATE)
    assert listed in error
    assert "OVERWRITE=yes" in error
    assert (pool(clone), app_client(clone), clone.stack(f"{STAGE}-backend")) == before


def test_an_update_continues_only_on_request(changed: tuple[Clone, str]) -> None:
    clone, listed = changed
    output = clone.run("backend", STAGE, "--overwrite=yes", **UPDATE)
    assert "Overwriting what was changed since the last deployment" in output
    assert listed in output
    assert app_client(clone)["RefreshTokenValidity"] == "10"
    # On AWS, the update resets what is not declared. ministack 1.5.33 keeps it.


def test_without_an_update_it_is_a_note(changed: tuple[Clone, str]) -> None:
    clone, listed = changed
    before = pool(clone), app_client(clone)
    output = clone.run("backend", STAGE)
    assert listed in output
    assert "Nothing is updated" in output
    assert (pool(clone), app_client(clone)) == before


def test_a_change_becomes_a_parameter(deployed: Clone) -> None:
    """The update sets what is set already, so nothing is lost."""
    change_client(deployed, IdTokenValidity=15)
    turn_on_mfa(deployed)
    set_parameters(deployed, "IdTokenMinutes=15 MfaConfiguration=OPTIONAL")
    assert int(app_client(deployed)["IdTokenValidity"]) == 15
    set_parameters(deployed, "RefreshTokenDays=10")
    assert int(app_client(deployed)["IdTokenValidity"]) == 15


def test_tags_alone_are_an_update_too(deployed: Clone) -> None:
    """CloudFormation would update the user pool, and reset the change."""
    stack = deployed.stack(f"{STAGE}-backend")
    assert stack is not None
    existing.set_stack_tags(stack, {})
    change_client(deployed, IdTokenValidity=5)
    assert "OVERWRITE=yes" in deployed.error("backend", STAGE)
    assert int(app_client(deployed)["IdTokenValidity"]) == 5


def test_a_sign_in_domain_that_is_gone_is_a_note(deployed: Clone) -> None:
    pool_id = ids(deployed)["UserPoolId"]
    boto3.client("cognito-idp").delete_user_pool_domain(
        UserPoolId=pool_id, Domain=pool(deployed)["Domain"]
    )
    assert f"Note: The user pool {pool_id} has no sign-in domain" in deployed.run("backend", STAGE)


def test_a_client_that_is_gone_is_named(deployed: Clone) -> None:
    boto3.client("cognito-idp").delete_user_pool_client(**ids(deployed))
    client_id = ids(deployed)["ClientId"]
    assert f"has no app client {client_id}" in deployed.error("backend", STAGE, **UPDATE)


@pytest.mark.parametrize(
    ("variable", "message"),
    [("DYNAMODB_TABLE", "no table nowhere"), ("USER_POOL_CLIENT_ID", "no app client nowhere")],
)
def test_a_value_recorded_by_hand_must_exist(deployed: Clone, variable: str, message: str) -> None:
    variables = {**deployed.variables(STAGE), variable: "nowhere"}
    deployed.set_stage(STAGE, environment_variables=variables)
    assert message in deployed.error("backend", STAGE)


def test_a_pool_that_is_gone_is_named(deployed: Clone) -> None:
    change_pool(deployed, DeletionProtection="INACTIVE")
    pool_id = ids(deployed)["UserPoolId"]
    boto3.client("cognito-idp").delete_user_pool(UserPoolId=pool_id)
    assert pool_id in deployed.error("backend", STAGE, **UPDATE)
    assert pool_id in deployed.error("deploy", STAGE)
