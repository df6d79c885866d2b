"""Settings, from the environment."""

import pytest

from chalicelib.profile import MAX_BYTES
from chalicelib.settings import InvalidSetting, MissingSetting, ProfileSettings, RouteSettings


def test_the_settings_of_routes_are_read_from_the_environment() -> None:
    settings = RouteSettings.from_environment(
        {
            "USER_POOL_ARN": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc",
            "USER_POOL_CLIENT_ID": "one, two,",
            "CORS_ALLOW_ORIGIN": "https://app.example.com, http://localhost:5173",
            "CORS_ALLOW_HEADERS": "traceparent, X-Request-Id",
            "PUBLIC_FIELDS": "name, first name, a.b,",
        }
    )
    assert settings.user_pool_arn.endswith("eu-west-1_abc")
    assert settings.client_ids == ("one", "two")
    assert settings.cors_allow_origins == ("https://app.example.com", "http://localhost:5173")
    assert settings.cors_allow_headers == ("traceparent", "X-Request-Id")
    assert settings.public_fields == ("name", "first name", "a.b")


def test_by_default_any_origin_and_client_are_allowed() -> None:
    empty = {"CORS_ALLOW_ORIGIN": "", "USER_POOL_CLIENT_ID": "", "CORS_ALLOW_HEADERS": ""}
    assert RouteSettings.from_environment(empty) == RouteSettings()
    assert RouteSettings().cors_allow_origins == ("*",)
    assert RouteSettings().client_ids == ()


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://app.example.com",
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "capacitor://localhost",
        "https://a-b.example:8443",
    ],
)
def test_an_origin_is_accepted(origin: str) -> None:
    settings = RouteSettings.from_environment({"CORS_ALLOW_ORIGIN": origin})
    assert settings.cors_allow_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://*.example.com",
        "https://App.example.com",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "https://app.example.com:port",
        "https://user@app.example.com",
        "https://",
        "null",
        "**",
        "*, https://app.example.com",
        "https://one.example https://two.example",
        "https://one.example;https://two.example",
    ],
)
def test_a_value_that_no_browser_sends_as_origin_is_refused(origin: str) -> None:
    """RFC 6454, section 6.2. Browsers would hide every response, and nobody would know why."""
    with pytest.raises(InvalidSetting, match="CORS_ALLOW_ORIGIN"):
        RouteSettings.from_environment({"CORS_ALLOW_ORIGIN": origin})


@pytest.mark.parametrize("name", ["x y", "x:", "é", "*", '"x"', "x;y"])
def test_a_name_that_is_no_headers_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="CORS_ALLOW_HEADERS"):
        RouteSettings.from_environment({"CORS_ALLOW_HEADERS": name})


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_by_default_no_field_is_public(text: str) -> None:
    assert RouteSettings().public_fields == ()
    assert RouteSettings.from_environment({"PUBLIC_FIELDS": text}).public_fields == ()


def test_a_public_field_that_is_named_twice_counts_once() -> None:
    """DynamoDB refuses an expression that names a field twice."""
    settings = RouteSettings.from_environment({"PUBLIC_FIELDS": "name,bio, name ,Name"})
    assert settings.public_fields == ("name", "bio", "Name")


def test_fifty_fields_can_be_public() -> None:
    names = [f"field{number}" for number in range(51)]
    fifty = RouteSettings.from_environment({"PUBLIC_FIELDS": ",".join([*names[:50], names[0]])})
    assert fifty.public_fields == tuple(names[:50])
    with pytest.raises(InvalidSetting, match="PUBLIC_FIELDS"):
        RouteSettings.from_environment({"PUBLIC_FIELDS": ",".join(names)})


def test_a_missing_table_is_named_when_it_is_needed() -> None:
    settings = ProfileSettings.from_environment({})
    with pytest.raises(MissingSetting, match="DYNAMODB_TABLE"):
        settings.table_name()
    assert ProfileSettings.from_environment({"DYNAMODB_TABLE": "t"}).table_name() == "t"


@pytest.mark.parametrize(
    ("text", "required"), [("true", True), ("True", True), ("false", False), ("", False)]
)
def test_preconditions_are_required_if_set_to_true(text: str, *, required: bool) -> None:
    settings = ProfileSettings.from_environment({"REQUIRE_PRECONDITIONS": text})
    assert settings.require_preconditions is required


@pytest.mark.parametrize("text", ["yes", "1", "on", " true"])
def test_another_word_than_true_or_false_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="REQUIRE_PRECONDITIONS"):
        ProfileSettings.from_environment({"REQUIRE_PRECONDITIONS": text})


@pytest.mark.parametrize(
    ("text", "limit"), [("", MAX_BYTES), ("1", 1), ("65536", 65_536), ("409300", MAX_BYTES)]
)
def test_the_largest_profile_can_be_set(text: str, limit: int) -> None:
    settings = ProfileSettings.from_environment({"MAX_PROFILE_BYTES": text})
    assert settings.max_profile_bytes == limit


@pytest.mark.parametrize(
    "text", ["0", "409301", "-1", "+5", "64k", "1e5", "65_536", "65,536", "\u0665", "9" * 5000, " "]
)
def test_a_limit_that_is_no_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="MAX_PROFILE_BYTES"):
        ProfileSettings.from_environment({"MAX_PROFILE_BYTES": text})


# --- the end of an account ------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "erases"), [("", False), ("off", False), ("account", True)])
def test_accounts_are_only_erased_if_that_is_chosen(text: str, *, erases: bool) -> None:
    assert RouteSettings.from_environment({"ERASURE": text}).erases_accounts == erases


@pytest.mark.parametrize("text", ["Account", "on", "true", "account ", "data"])
def test_another_word_for_erasure_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="ERASURE"):
        RouteSettings.from_environment({"ERASURE": text})


@pytest.mark.parametrize(("text", "seconds"), [("", 600), ("1", 1), ("86400", 86400)])
def test_the_age_of_a_sign_in_can_be_set(text: str, seconds: int) -> None:
    settings = RouteSettings.from_environment({"ERASURE_MAX_SIGN_IN_AGE": text})
    assert settings.erasure_max_sign_in_age == seconds


@pytest.mark.parametrize("text", ["0", "86401", "-1", "10m", "1.5", "\u0661", " 5"])
def test_an_age_that_is_no_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="ERASURE_MAX_SIGN_IN_AGE"):
        RouteSettings.from_environment({"ERASURE_MAX_SIGN_IN_AGE": text})


@pytest.mark.parametrize(("text", "name"), [("", "expires_at"), ("ttl", "ttl"), ("a.b", "a.b")])
def test_the_tables_ttl_attribute_can_be_set(text: str, name: str) -> None:
    assert ProfileSettings.from_environment({"TTL_ATTRIBUTE": text}).ttl_attribute == name


@pytest.mark.parametrize("text", ["erased_at", "pk", "profile_data", "app_metadata", "a b", " "])
def test_an_attribute_with_another_use_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="TTL_ATTRIBUTE"):
        ProfileSettings.from_environment({"TTL_ATTRIBUTE": text})
