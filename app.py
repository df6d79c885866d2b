"""The user profile service: the routes and their authorizer.

Each signed-in user has one JSON profile, at /user/profile. To read the code, start here and follow
one request: chalicelib/http.py runs before and after a view, and a view calls chalicelib/store.py.
"""

from chalicelib import startup

startup.pause_garbage_collection()

import functools
import logging
import os
import re
from collections.abc import Callable
from typing import Any, cast

from chalice import CognitoUserPoolAuthorizer, CORSConfig
from chalice.app import Request, Response

from chalicelib import http
from chalicelib.dynamodb import database_calls
from chalicelib.http import ProfileApp
from chalicelib.identity import identify
from chalicelib.preconditions import Precondition
from chalicelib.schema import profile_check
from chalicelib.settings import Settings
from chalicelib.store import ProfileStore

if startup.IN_CHALICE_COMMAND:
    # This runs on a developer's machine only. The deployed package does not contain local/.
    from local import chalice_command

    chalice_command.prepare()


class ClientAuthorizer(CognitoUserPoolAuthorizer):
    """API Gateway's Cognito authorizer, restricted to tokens of this stage's app clients."""

    def __init__(self, user_pool_arn: str, client_ids: tuple[str, ...]) -> None:
        super().__init__("user-pool", provider_arns=[user_pool_arn])
        self._client_ids = client_ids

    def to_swagger(self) -> dict[str, Any]:
        definition: dict[str, Any] = super().to_swagger()
        if self._client_ids:
            audiences = "|".join(re.escape(client_id) for client_id in self._client_ids)
            # API Gateway matches this against the token's `aud` before it calls the function.
            extension = definition["x-amazon-apigateway-authorizer"]
            extension["identityValidationExpression"] = f"^({audiences})$"
        return definition


def create_app(settings: Settings, open_store: Callable[[], ProfileStore]) -> ProfileApp:
    """The Chalice app for `settings`, with the profiles in the store that `open_store` returns.

    `open_store` is called for each request and connects on the first call.
    """
    cors = CORSConfig(
        allow_origin=settings.cors_allow_origin,
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match"],
        expose_headers=["ETag", "Retry-After"],
        max_age=600,
    )
    app = ProfileApp(
        "user-profile",
        cors,
        database_calls,
        configure_logs=not startup.IN_LAMBDA,  # Lambda's runtime configures them
    )
    if not startup.LOG_LEVEL_IS_SET:
        app.log.setLevel(logging.INFO)
    signed_in: dict[str, Any] = {
        "authorizer": ClientAuthorizer(settings.user_pool_arn, settings.client_ids),
        "cors": cors,
    }

    def current_request() -> Request:
        return cast(Request, app.current_request)  # Chalice sets it before it calls a view

    def current_sub() -> str:
        return identify(current_request().context, settings.client_ids)

    def current_precondition() -> Precondition:
        return http.read_precondition(current_request(), required=settings.require_preconditions)

    @app.route("/user/profile", methods=["GET"], **signed_in)
    def get_profile() -> Response:
        profile = open_store().get(current_sub())
        precondition = http.read_precondition(current_request(), required=False)
        precondition.require_match(profile.revision)
        if precondition.excludes(profile.revision):
            return http.not_modified(profile)
        return http.profile_response(profile)

    @app.route(
        "/user/profile", methods=["POST", "PUT"], content_types=[http.JSON_TYPE], **signed_in
    )
    def replace_profile() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        data = http.json_body(current_request())
        profile = open_store().replace(sub, data, precondition)
        return http.profile_response(profile)

    @app.route("/user/profile", methods=["PATCH"], content_types=http.PATCH_TYPES, **signed_in)
    def patch_profile() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        patch = http.json_body(current_request())
        profile = open_store().patch(sub, patch, precondition)
        return http.profile_response(profile)

    @app.route("/user/profile", methods=["DELETE"], **signed_in)
    def delete_profile() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        open_store().delete(sub, precondition)
        return http.no_content()

    return app


settings = Settings.from_environment(os.environ)
check_data = profile_check(settings.profile_schema)


@functools.cache
def profile_store() -> ProfileStore:
    """The one store of this process. Raises MissingSetting if the stage has no table."""
    return ProfileStore.connect(settings.table_name(), check_data)


app = create_app(settings, profile_store)

if startup.IN_LAMBDA and settings.table:
    startup.make_first_call(profile_store)

startup.resume_garbage_collection()
