"""Small parts of deploy/: waiting, ARNs, and the two ways in which an API may be deployed."""

import pytest

from deploy import api, chalice_cli, polling, stacks
from deploy.arn import UserPoolArn
from deploy.chalice_cli import DeployedApi


def test_waiting_ends_when_it_is_ready() -> None:
    answers = iter([False, False, True, False])
    polling.wait_until(lambda: next(answers))
    assert list(answers) == [False]


def test_waiting_ends_after_the_timeout() -> None:
    with pytest.raises(TimeoutError):
        polling.wait_until(lambda: False, timeout=0)


def test_a_user_pools_arn_has_its_parts() -> None:
    arn = UserPoolArn.parse("arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/pool")
    assert arn == UserPoolArn("aws-cn", "cn-north-1", "123456789012", "pool")
    assert arn.issuer == "https://cognito-idp.cn-north-1.amazonaws.com.cn/pool"


@pytest.mark.parametrize("text", ["", "pool", "arn:aws:sns:us-east-1:1:topic", "arn:aws"])
def test_another_text_is_no_user_pools_arn(text: str) -> None:
    with pytest.raises(ValueError, match="is not the ARN of a user pool"):
        UserPoolArn.parse(text)


@pytest.mark.parametrize("by_cloudformation", [True, False])
@pytest.mark.parametrize("by_chalice", [True, False])
def test_an_api_is_deleted_however_it_was_deployed(
    monkeypatch: pytest.MonkeyPatch, by_cloudformation: bool, by_chalice: bool
) -> None:
    deleted: list[str] = []

    def delete_stack(name: str, _: object) -> bool:
        if by_cloudformation:
            deleted.append(name)
        return by_cloudformation

    def run_chalice(command: str, *_: str) -> None:
        deleted.append(f"chalice {command}")

    deployed = DeployedApi("id", "https://example.com") if by_chalice else None
    monkeypatch.setattr(stacks, "delete", delete_stack)
    monkeypatch.setattr(chalice_cli, "run_chalice", run_chalice)
    monkeypatch.setattr(chalice_cli, "deployed_api", lambda _: deployed)
    assert api.destroy("dev", print) == (by_cloudformation or by_chalice)
    expected = ["user-profile-dev"] * by_cloudformation + ["chalice delete"] * by_chalice
    assert deleted == expected
