"""Any JSON that can be stored, through HTTP and back."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from chalicelib.json_text import write_json
from chalicelib.profile import JSON
from tests.support.http_api import Api
from tests.support.json_values import json_values, typed
from tests.support.users import User


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values)
def test_any_json_within_the_limits_is_read_back_equal(api: Api, ada: User, value: JSON) -> None:
    data: JSON = {"value": value}
    stored = api.post(ada, write_json(data))
    assert stored.status == 200, stored.body
    assert typed(api.get(ada).json()["profile_data"]) == typed(data)
