"""Settings, from the environment."""

import pytest

from chalicelib.settings import MissingSetting, Settings


def test_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_environment(
        {
            "DYNAMODB_TABLE": "user-profile-dev",
            "USER_POOL_ARN": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc",
            "USER_POOL_CLIENT_ID": "one, two,",
            "CORS_ALLOW_ORIGIN": "https://app.example.com",
        }
    )
    assert settings.table_name() == "user-profile-dev"
    assert settings.user_pool_arn.endswith("eu-west-1_abc")
    assert settings.client_ids == ("one", "two")
    assert settings.cors_allow_origin == "https://app.example.com"


def test_by_default_any_origin_and_client_are_allowed() -> None:
    settings = Settings.from_environment({"CORS_ALLOW_ORIGIN": "", "USER_POOL_CLIENT_ID": ""})
    assert settings.cors_allow_origin == "*"
    assert settings.client_ids == ()


def test_a_missing_table_is_named_when_it_is_needed() -> None:
    settings = Settings.from_environment({})
    with pytest.raises(MissingSetting, match="DYNAMODB_TABLE"):
        settings.table_name()


@pytest.mark.parametrize(("text", "required"), [("true", True), ("True", True), ("no", False)])
def test_preconditions_are_required_if_set_to_true(text: str, *, required: bool) -> None:
    settings = Settings.from_environment({"REQUIRE_PRECONDITIONS": text})
    assert settings.require_preconditions is required
