"""/users of a deployed API: IAM decides who may call it.

This emulator runs with AUTH=true. Only then does it verify signatures, evaluate IAM policies by
method and path, and restrict the function to its own role.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import jwt
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy import gateway_responses
from deploy.cognito import sign_in
from deploy.users_api import UsersApi
from local import environment
from local.emulator import emulator
from tests.deployed.conftest import Account
from tests.support.clone import copy_of_the_project
from tests.support.documents import DOCS, example
from tests.support.http_api import Api, assert_problem
from tests.support.users import PASSWORD

STAGE = "dev"
ADMINISTRATOR = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""ministack lets this key do everything, like a user with the policy AdministratorAccess."""
SUB = str(uuid.uuid4())


@dataclass(frozen=True)
class StrictCloud:
    """An emulator that evaluates IAM policies, with the stage dev deployed."""

    session: boto3.session.Session
    variables: dict[str, str]
    """With which AWS clients call the emulator, as an administrator."""
    outputs: dict[str, str]
    """Of the API's stack."""

    @property
    def endpoint(self) -> str:
        return self.variables["AWS_ENDPOINT_URL"]

    @property
    def url(self) -> str:
        return f"{self.endpoint}{self.api.prefix}"

    def client(self, service: str) -> Any:
        """A client of the emulator with an administrator's credentials."""
        any_session: Any = self.session  # its type has an overload for each service
        return any_session.client(service, endpoint_url=self.endpoint)

    def outputs_of(self, stack_name: str) -> dict[str, str]:
        """The outputs of a stack."""
        stacks = self.client("cloudformation")
        (stack,) = stacks.describe_stacks(StackName=stack_name)["Stacks"]
        return {row["OutputKey"]: row["OutputValue"] for row in stack["Outputs"]}

    @property
    def api(self) -> Api:
        port = urlsplit(self.endpoint).port
        assert port is not None
        return Api(port, f"/_aws/execute-api/{self.outputs['RestAPIId']}/api")

    def caller(self, credentials: Credentials) -> UsersApi:
        return UsersApi(self.url, credentials, "us-east-1")


@pytest.fixture(scope="module")
def strict_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictCloud]:
    folder = tmp_path_factory.mktemp("strict")
    project = copy_of_the_project(folder / "user-profile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTH", "true")
        with emulator(0, folder / "state") as running:
            variables = environment.for_endpoint(running.port) | ADMINISTRATOR
            inherited = {
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("AWS_", "MAKE", "MFLAGS", "LOCAL_STATE", "OPTION_"))
            }
            set_public_fields(project, "name")
            account = Account(project, inherited | variables)
            account.make("backend", f"STAGE={STAGE}")
            account.make("deploy", f"STAGE={STAGE}")
            session = boto3.session.Session("test", "test", region_name="us-east-1")
            cloud = StrictCloud(session, variables, {})
            cloud.outputs.update(cloud.outputs_of(f"user-profile-{STAGE}"))
            put_gateway_responses(cloud)
            yield cloud


def set_public_fields(project: Path, fields: str) -> None:
    """Set PUBLIC_FIELDS for the stage, as its team would before `make backend`."""
    config = project / ".chalice" / "config.json"
    settings = json.loads(config.read_text())
    settings["stages"][STAGE]["environment_variables"]["PUBLIC_FIELDS"] = fields
    config.write_text(json.dumps(settings))


def put_gateway_responses(cloud: StrictCloud) -> None:
    """AWS reads the gateway responses from the API's definition; ministack 1.5.33 does not."""
    apigateway = cloud.client("apigateway")
    api_id = cloud.outputs["RestAPIId"]
    for response_type, response in gateway_responses.gateway_responses().items():
        apigateway.put_gateway_response(restApiId=api_id, responseType=response_type, **response)
    apigateway.create_deployment(restApiId=api_id, stageName="api")


@dataclass(frozen=True)
class SignedInUser:
    """A user of the strict cloud's pool."""

    sub: str
    id_token: str


@pytest.fixture(scope="module")
def user(strict_cloud: StrictCloud) -> SignedInUser:
    return sign_up(strict_cloud, "ada@example.com")


def sign_up(cloud: StrictCloud, email: str) -> SignedInUser:
    outputs = cloud.outputs_of(f"user-profile-{STAGE}-backend")
    cognito = cloud.client("cognito-idp")
    name = {"UserPoolId": outputs["UserPoolId"], "Username": email}
    cognito.admin_create_user(**name, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**name, Password=PASSWORD, Permanent=True)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in cloud.variables.items():
            patch.setenv(variable, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        tokens = sign_in(outputs["UserPoolArn"], outputs["UserPoolClientId"], email, PASSWORD)
    claims = jwt.decode(tokens["IdToken"], options={"verify_signature": False})
    return SignedInUser(claims["sub"], tokens["IdToken"])


@pytest.fixture
def new_caller(strict_cloud: StrictCloud) -> Callable[..., UsersApi]:
    """A function that makes an IAM user who may call these methods and paths, and no others."""

    def make(*allowed: str) -> UsersApi:
        iam = strict_cloud.client("iam")
        name = f"caller-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        if allowed:
            iam.put_user_policy(
                UserName=name,
                PolicyName="call",
                PolicyDocument=json.dumps(policy_for(strict_cloud, *allowed)),
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return strict_cloud.caller(Credentials(key["AccessKeyId"], key["SecretAccessKey"]))

    return make


def policy_for(cloud: StrictCloud, *allowed: str) -> dict[str, Any]:
    """An IAM policy for methods and paths of the API, such as GET/users/*/profile."""
    api = f"arn:aws:execute-api:us-east-1:000000000000:{cloud.outputs['RestAPIId']}/api"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "execute-api:Invoke",
                "Resource": [f"{api}/{path}" for path in allowed],
            }
        ],
    }


PROFILE = f"/users/{SUB}/profile"
METADATA = f"/users/{SUB}/metadata"
ALL_CALLS = {
    "GET/users": ("GET", "/users", None),
    "PUT/users/*/profile": ("PUT", PROFILE, '{"a": 1.10}'),
    "GET/users/*/profile": ("GET", PROFILE, None),
    "POST/users/*/profile": ("POST", PROFILE, "{}"),
    "PATCH/users/*/profile": ("PATCH", PROFILE, "{}"),
    "PUT/users/*/metadata": ("PUT", METADATA, '{"app_metadata": {}}'),
    "GET/users/*/metadata": ("GET", METADATA, None),
    "PATCH/users/*/metadata": ("PATCH", METADATA, "{}"),
    "DELETE/users/*/metadata": ("DELETE", METADATA, None),
    "DELETE/users/*/profile": ("DELETE", PROFILE, None),
}
"""A call for each right, in an order in which all of them succeed."""


def test_the_functions_role_suffices_for_every_call(new_caller: Callable[..., UsersApi]) -> None:
    caller = new_caller(*ALL_CALLS)
    for right, (method, path, body) in ALL_CALLS.items():
        response = caller.send(method, path, body=body)
        assert response.ok, f"{right}: {response.status_code} {response.text}"
        assert not [name for name in response.headers if name.lower().startswith("access-")]


@pytest.mark.parametrize("right", ["GET/users", "GET/users/*/profile", "PUT/users/*/metadata"])
def test_a_caller_can_do_only_what_iam_allows(
    new_caller: Callable[..., UsersApi], right: str
) -> None:
    everything = new_caller("*")
    everything.send("PUT", PROFILE, body='{"mine": 1}')
    caller = new_caller(right)
    for name, (method, path, body) in ALL_CALLS.items():
        response = caller.send(method, path, body=body)
        if name == right:
            assert response.ok, response.text
        else:
            assert response.status_code == 403, name
    assert everything.send("GET", PROFILE).json()["profile_data"] == {"mine": 1}


def test_a_star_in_a_path_spans_slashes(new_caller: Callable[..., UsersApi]) -> None:
    """docs/operating.md says so: GET/users/* includes metadata."""
    caller = new_caller("GET/users/*")
    assert caller.send("GET", METADATA).ok
    assert caller.send("GET", "/users").status_code == 403


def test_who_has_no_right_is_refused(
    strict_cloud: StrictCloud, new_caller: Callable[..., UsersApi]
) -> None:
    response = new_caller().send("GET", "/users")
    assert response.status_code == 403
    # On AWS, both have the gateway responses of resources/api.json. ministack has an own
    # text for the first, and uses DEFAULT_4XX for the second, which keeps the status.
    unknown = strict_cloud.caller(Credentials("AKIAUNKNOWN", "secret")).send("GET", "/users")
    assert unknown.status_code == 403


def test_a_changed_request_is_refused(
    strict_cloud: StrictCloud, new_caller: Callable[..., UsersApi]
) -> None:
    caller = new_caller("*")

    def send(path: str, body: bytes, sent_path: str, sent_body: bytes) -> int:
        url = caller.url + path
        request = AWSRequest("PUT", url, data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(caller.credentials, "execute-api", caller.region).add_auth(request)
        headers = dict(request.headers.items())
        url = caller.url + sent_path
        return requests.put(url, data=sent_body, headers=headers, timeout=30).status_code

    assert send(PROFILE, b"{}", PROFILE, b"{}") == 200
    assert send(PROFILE, b"{}", PROFILE, b'{"a": 1}') == 403
    assert send(PROFILE, b"{}", METADATA, b"{}") == 403
    assert send(PROFILE, b"{}", PROFILE + "?a=1", b"{}") == 403


def test_an_id_token_or_nothing_gives_no_access(
    strict_cloud: StrictCloud, user: SignedInUser
) -> None:
    api = strict_cloud.api
    for path in ("/users", f"/users/{user.sub}/profile", f"/users/{user.sub}/metadata"):
        assert_problem(api("GET", path), 404)
        # ministack uses the gateway response DEFAULT_4XX for a token, which keeps the status.
        refused = api("GET", path, token=user.id_token)
        assert refused.status == 403
        assert refused.json()["title"] == "Request refused"


def test_a_signature_is_no_id_token(new_caller: Callable[..., UsersApi]) -> None:
    caller = new_caller("*")
    assert caller.send("GET", "/user/profile").status_code == 401
    assert caller.send("GET", "/user/metadata").status_code == 401


def test_a_function_of_another_stack_sets_what_the_user_sees(
    strict_cloud: StrictCloud, user: SignedInUser
) -> None:
    """The first example of docs/operating.md, with a role and nothing else."""
    code = example(DOCS / "operating.md", "Write metadata from a back end", "python")
    right = "PATCH/users/*/metadata"
    template = back_end_template(code, policy_for(strict_cloud, right), strict_cloud)
    stacks = strict_cloud.client("cloudformation")
    stacks.create_stack(
        StackName="billing", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    stacks.get_waiter("stack_create_complete").wait(StackName="billing")
    invoked = strict_cloud.client("lambda").invoke(
        FunctionName=strict_cloud.outputs_of("billing")["Name"],
        Payload=json.dumps({"sub": user.sub, "plan": "pro"}).encode(),
    )
    assert "FunctionError" not in invoked, invoked["Payload"].read()
    seen = strict_cloud.api("GET", "/user/metadata", token=user.id_token)
    assert seen.json() == {"app_metadata": {"plan": "pro"}}


def back_end_template(code: str, policy: dict[str, Any], cloud: StrictCloud) -> dict[str, Any]:
    """A stack with a function that may call the API, as another team would deploy it."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [{"PolicyName": "call", "PolicyDocument": policy}],
        },
    }
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Timeout": 30,
            "Code": {"ZipFile": code},
            "Environment": {"Variables": {"API_URL": cloud.url}},
        },
    }
    return {
        "Resources": {"Role": role, "Function": function},
        "Outputs": {"Name": {"Value": {"Ref": "Function"}}},
    }


# --- the end of an account, and public profiles ---------------------------------------------------


def has_account(cloud: StrictCloud, sub: str) -> bool:
    outputs = cloud.outputs_of(f"user-profile-{STAGE}-backend")
    users = cloud.client("cognito-idp").list_users(UserPoolId=outputs["UserPoolId"])["Users"]
    return any({"Name": "sub", "Value": sub} in user["Attributes"] for user in users)


def test_the_functions_role_suffices_for_the_end_of_an_account(
    strict_cloud: StrictCloud, new_caller: Callable[..., UsersApi]
) -> None:
    """By the user, and by a caller with that right only."""
    api = strict_cloud.api
    grace = sign_up(strict_cloud, "grace@example.com")
    assert api("PUT", token=grace.id_token, body='{"name": "Grace"}').status == 200
    assert api("DELETE", "/user", token=grace.id_token).status == 204
    assert not has_account(strict_cloud, grace.sub)
    assert_problem(api("GET", token=grace.id_token), 410, "account-erased")

    alan = sign_up(strict_cloud, "alan@example.com")
    caller = new_caller("DELETE/users/*")
    assert caller.send("DELETE", f"/users/{alan.sub}").status_code == 204
    assert not has_account(strict_cloud, alan.sub)
    assert caller.send("DELETE", f"/users/{uuid.uuid4()}").status_code == 404


def test_who_has_no_right_erases_nobody(
    strict_cloud: StrictCloud, new_caller: Callable[..., UsersApi]
) -> None:
    user = sign_up(strict_cloud, "joan@example.com")
    assert new_caller("GET/users/*").send("DELETE", f"/users/{user.sub}").status_code == 403
    refused = strict_cloud.api("DELETE", f"/users/{user.sub}", token=user.id_token)
    assert refused.status >= 400
    assert has_account(strict_cloud, user.sub)


def test_the_functions_role_suffices_for_public_profiles(
    strict_cloud: StrictCloud, user: SignedInUser
) -> None:
    api = strict_cloud.api
    edsger = sign_up(strict_cloud, "edsger@example.com")
    body = '{"name": "Edsger", "secret": 1}'
    assert api("PUT", token=edsger.id_token, body=body).status == 200
    one = api("GET", f"/profiles/{edsger.sub}", token=user.id_token)
    assert one.json() == {"sub": edsger.sub, "profile_data": {"name": "Edsger"}}
    several = api("GET", f"/profiles?sub={edsger.sub}&sub={uuid.uuid4()}", token=user.id_token)
    assert several.json() == {"profiles": [one.json()], "unread": []}
