"""The parameters of make deploy, and settings that a deployment would replace."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from deploy import api, api_parameters, stacks
from deploy.errors import DeploymentError
from deploy.stacks import Stack

TOPIC = "arn:aws:sns:eu-west-1:000000000000:alarms"
BOUNDARY = "arn:aws:iam::000000000000:policy/boundary"
OPTIONS = {"AlarmTopic": TOPIC, "PermissionsBoundary": ""}


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that records parameters of the API for the stage dev."""

    def write(**parameters: str) -> None:
        folder = tmp_path / ".chalice"
        folder.mkdir()
        stages = {"dev": {"api": {"parameters": parameters}}}
        (folder / "config.json").write_text(json.dumps({"stages": stages}))
        monkeypatch.chdir(tmp_path)

    return write


def test_options_have_precedence_over_the_record(
    record: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    record(ThrottleRate="500", ThrottleBurst="900")
    found = api_parameters.parameters("dev", OPTIONS, "ThrottleRate=600")
    assert found == {"ThrottleRate": "600", "ThrottleBurst": "900", "AlarmTopic": TOPIC}
    assert "The next make deploy without ThrottleRate=600" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ThrotleRate=1",
            r"ThrotleRate is not a parameter of .* Those are: .*ThrottleRate",
        ),
        ("AccountLogsRole=true", "AccountLogsRole is not a parameter"),
        ("ThrottleRate", "not Name=value"),
        ("SilenceHours=1.5", "SilenceHours is '1.5'. It must be a whole number."),
        ("SilenceHours=25", "SilenceHours is '25'. It must be a whole number from 0 to 24."),
        ("ThrottleRate=0", "It must be a whole number from 1."),
        ("LogRetentionDays=2", "It must be one of 1, 3, 5"),
        ("Dashboard=no", "It must be one of true, false."),
        ("PermissionsBoundary=boundary", "It must be the ARN of an IAM policy, or empty."),
        ("ThrottleBurst=", "It must be a whole number."),
        ("AlarmTopic=arn:aws:sns:eu-west-1:000000000000:others", "AlarmTopic is given twice"),
    ],
)
def test_an_unusable_parameter_of_the_api_is_explained(
    record: Callable[..., None], text: str, message: str
) -> None:
    record()
    with pytest.raises(DeploymentError, match=message):
        api_parameters.parameters("dev", OPTIONS, text)


def test_a_permissions_boundary_is_a_parameter_too(record: Callable[..., None]) -> None:
    record()
    boundary = {"PermissionsBoundary": BOUNDARY}
    assert api_parameters.parameters("dev", boundary, "") == boundary
    with pytest.raises(DeploymentError, match="PermissionsBoundary is given twice"):
        api_parameters.parameters("dev", boundary, f"PermissionsBoundary={BOUNDARY}-2")


def test_a_recorded_parameter_must_exist(record: Callable[..., None]) -> None:
    record(Throttle="1")
    with pytest.raises(
        DeploymentError, match=r"Throttle of the stage dev in .* is not a parameter"
    ):
        api_parameters.parameters("dev", {}, "")


def test_a_recorded_parameter_must_have_a_usable_value(record: Callable[..., None]) -> None:
    """The value of an option replaces it."""
    record(ThrottleRate="0")
    with pytest.raises(DeploymentError, match=r"ThrottleRate of the stage dev in .* is '0'"):
        api_parameters.parameters("dev", {}, "")
    assert api_parameters.parameters("dev", {}, "ThrottleRate=1") == {"ThrottleRate": "1"}


def test_a_topic_that_is_no_arn_is_refused(record: Callable[..., None]) -> None:
    record()
    with pytest.raises(DeploymentError, match="It must be the ARN of an SNS topic, or empty"):
        api_parameters.parameters("dev", {"AlarmTopic": "foo"}, "")


@pytest.mark.parametrize("chosen", [{}, {"AlarmTopic": ""}, {"AlarmTopic": TOPIC}])
def test_a_topic_is_in_the_region_of_the_api(chosen: dict[str, str]) -> None:
    api_parameters.check_region_of_topic(chosen, "eu-west-1")


def test_a_topic_of_another_region_is_refused() -> None:
    with pytest.raises(DeploymentError, match=r"in the region eu-west-1, and the API in us-east-1"):
        api_parameters.check_region_of_topic({"AlarmTopic": TOPIC}, "us-east-1")


class FakeApiGateway:
    """Has one stage with these settings of its methods."""

    exceptions = boto3.client("apigateway", region_name="us-east-1").exceptions

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def get_stage(self, **_: str) -> Any:
        return {"methodSettings": self._settings}


STACK = Stack("id", {}, {"RestAPIId": "a1"}, {})
THROTTLED = {"*/*": {"throttlingRateLimit": 5}}


def refuse_lost_settings(
    monkeypatch: pytest.MonkeyPatch,
    deployed: dict[str, Any],
    live: dict[str, Any],
    write: Callable[[Any], str] = json.dumps,
) -> None:
    template = {"Resources": {"RestAPI": {"Properties": deployed}}}
    monkeypatch.setattr(stacks, "deployed_template", lambda _: write(template))
    monkeypatch.setattr(boto3, "client", lambda _: FakeApiGateway(**live))
    api._refuse_lost_method_settings("dev", "user-profile-dev", STACK)


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_throttling_that_somebody_set_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[Any], str]
) -> None:
    """`aws cloudformation package` and `sam deploy` deploy a template in YAML."""
    with pytest.raises(DeploymentError, match=r"those of .* such as throttling") as refusal:
        refuse_lost_settings(monkeypatch, {}, THROTTLED, write)
    assert "make deploy STAGE=dev OVERWRITE=yes" in str(refusal.value)


@pytest.mark.parametrize(("deployed", "live"), [({}, {}), ({"MethodSettings": []}, THROTTLED)])
def test_throttling_of_an_earlier_deployment_is_replaced(
    monkeypatch: pytest.MonkeyPatch, deployed: dict[str, Any], live: dict[str, Any]
) -> None:
    refuse_lost_settings(monkeypatch, deployed, live)
