"""API Gateway's role for logs: a new role is accepted only after some seconds."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import chalice_config, gateway_logs_role, ownership, polling
from deploy.errors import DeploymentError

ARN = "arn:aws:iam::000000000000:role/user-profile-api-gateway-logs"


class FakeApiGateway:
    """Refuses a role `refusals` times, as API Gateway does until IAM has propagated the role."""

    exceptions = boto3.client("apigateway", region_name="us-east-1").exceptions

    def __init__(
        self, refusals: int, role: str = "", refused_as: str = "BadRequestException"
    ) -> None:
        self.refusals = refusals
        self.role = role
        self.refused_as = refused_as

    def get_account(self) -> dict[str, str]:
        return {"cloudwatchRoleArn": self.role} if self.role else {}

    def update_account(self, **request: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            error: type[ClientError] = getattr(self.exceptions, self.refused_as)
            raise error({"Error": {}}, "UpdateAccount")
        (operation,) = request["patchOperations"]
        self.role = operation["value"]


class FakeIAM:
    """Has the role if `exists`. The role of an interrupted run has no policy yet."""

    exceptions = boto3.client("iam", region_name="us-east-1").exceptions

    def __init__(self, *, exists: bool, app: str = "user-profile") -> None:
        self.exists = exists
        self.app = app
        self.created: dict[str, object] = {}
        self.policies: list[str] = []

    def get_role(self, **_: str) -> Any:
        if not self.exists:
            raise self.exceptions.NoSuchEntityException({"Error": {}}, "GetRole")
        tags = [{"Key": ownership.APP_TAG, "Value": self.app}]
        return {"Role": {"Arn": ARN, "RoleName": ARN.partition("/")[2], "Tags": tags}}

    def create_role(self, **request: object) -> Any:
        self.exists = True
        self.created = request
        return self.get_role()

    def attach_role_policy(self, **request: str) -> None:
        self.policies.append(request["PolicyArn"])


@pytest.fixture
def steps() -> list[str]:
    """The steps that are reported."""
    return []


def aws_is(monkeypatch: pytest.MonkeyPatch, gateway: FakeApiGateway, iam: FakeIAM) -> None:
    clients = {"apigateway": gateway, "iam": iam}
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    monkeypatch.setattr(chalice_config, "app_name", lambda: "user-profile")
    monkeypatch.setattr(chalice_config, "owner_id", lambda: "me")
    monkeypatch.setattr(polling, "FIRST_PAUSE", 0.001)


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("refused_as", ["BadRequestException", "TooManyRequestsException"])
def test_a_role_is_set_when_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch, steps: list[str], refused_as: str, exists: bool
) -> None:
    """API Gateway allows one UpdateAccount in 20 seconds, and refuses a role that is too new."""
    gateway = FakeApiGateway(refusals=3, refused_as=refused_as)
    iam = FakeIAM(exists=exists)
    aws_is(monkeypatch, gateway, iam)
    gateway_logs_role.ensure(steps.append)
    assert gateway.role == ARN
    assert iam.policies == [f"arn:aws:iam::aws:policy/{gateway_logs_role.MANAGED_POLICY}"]
    assert steps == [f"API Gateway writes logs with the role {ARN}"]


@pytest.mark.parametrize("boundary", ["", "arn:aws:iam::000000000000:policy/boundary"])
def test_a_new_role_has_the_permissions_boundary(
    monkeypatch: pytest.MonkeyPatch, steps: list[str], boundary: str
) -> None:
    """Without one, the request has no such member: IAM refuses an empty text."""
    iam = FakeIAM(exists=False)
    aws_is(monkeypatch, FakeApiGateway(refusals=0), iam)
    gateway_logs_role.ensure(steps.append, boundary)
    assert iam.created["RoleName"] == "user-profile-api-gateway-logs"
    assert iam.created.get("PermissionsBoundary", "") == boundary


def test_a_role_that_another_project_made_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    gateway = FakeApiGateway(refusals=0)
    iam = FakeIAM(exists=True, app="another")
    aws_is(monkeypatch, gateway, iam)
    with pytest.raises(DeploymentError, match="this project did not make it"):
        gateway_logs_role.ensure(steps.append)
    assert iam.policies == []
    assert gateway.role == ""


def test_a_role_of_the_account_stays(monkeypatch: pytest.MonkeyPatch, steps: list[str]) -> None:
    gateway = FakeApiGateway(refusals=0, role="arn:aws:iam::000000000000:role/theirs")
    aws_is(monkeypatch, gateway, FakeIAM(exists=False))
    gateway_logs_role.ensure(steps.append)
    assert gateway.role.endswith("theirs")
    assert steps == []


def test_a_role_that_is_never_accepted_is_reported(
    monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    aws_is(monkeypatch, FakeApiGateway(refusals=1_000_000), FakeIAM(exists=False))
    monkeypatch.setattr(gateway_logs_role, "PROPAGATION_SECONDS", 0.01)
    with pytest.raises(DeploymentError, match=r"does not accept the role .*UpdateAccount"):
        gateway_logs_role.ensure(steps.append)


def test_a_missing_permission_is_reported(
    monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    class Forbidden(FakeIAM):
        def create_role(self, **_: object) -> Any:
            error = {"Code": "AccessDenied", "Message": "not you"}
            raise ClientError({"Error": error}, "CreateRole")  # type: ignore[typeddict-item]

    aws_is(monkeypatch, FakeApiGateway(refusals=0), Forbidden(exists=False))
    with pytest.raises(DeploymentError, match=r"CreateRole .* not you"):
        gateway_logs_role.ensure(steps.append)
