"""The user profile service: the routes, and who may call them.

Each signed-in user has one JSON profile, at /user/profile. Back ends and operators reach every
user's profile and metadata under /users. To read the code, start here and follow one request:
chalicelib/http.py runs before and after a view, and a view calls chalicelib/store.py.
"""

from __future__ import annotations

from chalicelib import startup

startup.pause_garbage_collection()

import functools
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from chalice import CognitoUserPoolAuthorizer, CORSConfig, IAMAuthorizer
from chalice.app import Request, Response

from chalicelib import http, responses
from chalicelib.dynamodb import database_calls
from chalicelib.http import ProfileApp
from chalicelib.identity import identify, require_operator, require_recent_sign_in
from chalicelib.items import content_revision
from chalicelib.preconditions import Precondition
from chalicelib.profile import ProfileCheck
from chalicelib.schema import profile_check
from chalicelib.settings import (
    ANY_ORIGIN,
    InvalidSetting,
    ProfileSettings,
    RouteSettings,
)
from chalicelib.store import MetadataStore, ProfileStore

if TYPE_CHECKING:
    from chalicelib.erasure import Erasure
    from chalicelib.public_profiles import PublicProfileStore
    from chalicelib.responses import PublicBody
    from chalicelib.user_pool import UserPool

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


def cors_of(routes: RouteSettings) -> CORSConfig:
    """The CORS headers. API Gateway also sends them in preflight responses, as constants.

    With several origins, the constant origin is `*`. A preflight response grants nothing, because
    requests carry no ambient credentials, such as cookies. ProfileApp names the request's origin in
    each response.
    """
    allow_origin = ANY_ORIGIN
    if len(routes.cors_allow_origins) == 1:
        (allow_origin,) = routes.cors_allow_origins
    allow_headers = ["Authorization", "Content-Type", "If-Match", "If-None-Match"]
    return CORSConfig(
        allow_origin=allow_origin,
        allow_headers=[*allow_headers, *routes.cors_allow_headers],
        expose_headers=["ETag", "Retry-After"],
        max_age=600,
    )


@functools.cache
def user_pool_for(user_pool_arn: str) -> UserPool:
    """The user pool with this ARN. Its client is created once."""
    from chalicelib.user_pool import UserPool  # noqa: PLC0415 - only an erasure needs it

    return UserPool.connect(user_pool_arn)


def create_app(
    routes: RouteSettings,
    read_settings: Callable[[], ProfileSettings],
    open_store: Callable[[], ProfileStore],
    open_user_pool: Callable[[str], UserPool] = user_pool_for,
) -> ProfileApp:
    """The Chalice app, with the profiles in the store that `open_store` returns.

    `open_user_pool` returns the user pool with an ARN. It is only needed to erase accounts.
    These functions and `read_settings` are called for each request, not before.
    """
    cors = cors_of(routes)
    app = ProfileApp(
        "user-profile",
        cors,
        database_calls,
        routes.cors_allow_origins,
        configure_logs=not startup.IN_LAMBDA,  # Lambda's runtime configures them
    )
    if not startup.LOG_LEVEL_IS_SET:
        app.log.setLevel(logging.INFO)
    signed_in: dict[str, Any] = {
        "authorizer": ClientAuthorizer(routes.user_pool_arn, routes.client_ids),
        "cors": cors,
    }

    # API Gateway verifies an AWS signature. Without CORS, no web page can be the client.
    signed: dict[str, Any] = {"authorizer": IAMAuthorizer()}

    def current_request() -> Request:
        return cast(Request, app.current_request)  # Chalice sets it before it calls a view

    def current_sub() -> str:
        return identify(current_request().to_original_event(), routes.client_ids)

    def current_precondition() -> Precondition:
        required = read_settings().require_preconditions
        return http.read_precondition(current_request(), required=required)

    def open_metadata() -> MetadataStore:
        return MetadataStore.beside(open_store())

    # --- profiles ---------------------------------------------------------------------------------
    # Each view has two routes. Only `identify` reads the {sub} of a path.

    @app.route("/user/profile", methods=["GET"], **signed_in)
    @app.route("/users/{sub}/profile", methods=["GET"], **signed)
    def get_profile() -> Response:
        sub = current_sub()
        profile = open_store().get(sub)
        if http.has_current_copy(current_request(), profile.revision):
            return responses.not_modified(profile.revision)
        return responses.profile_response(profile)

    @app.route("/user/profile", methods=["POST", "PUT"], content_types=http.JSON_TYPES, **signed_in)
    @app.route(
        "/users/{sub}/profile",
        methods=["POST", "PUT"],
        content_types=http.JSON_TYPES,
        **signed,
    )
    def replace_profile() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        data = http.json_body(current_request())
        profile = open_store().replace(sub, data, precondition)
        return responses.profile_response(profile)

    @app.route("/user/profile", methods=["PATCH"], content_types=http.PATCH_TYPES, **signed_in)
    @app.route("/users/{sub}/profile", methods=["PATCH"], content_types=http.PATCH_TYPES, **signed)
    def patch_profile() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        patch = http.json_body(current_request())
        profile = open_store().patch(sub, patch, precondition)
        return responses.profile_response(profile)

    @app.route("/user/profile", methods=["DELETE"], **signed_in)
    @app.route("/users/{sub}/profile", methods=["DELETE"], **signed)
    def delete_profile() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        open_store().delete(sub, precondition)
        return responses.no_content()

    @app.route("/users", methods=["GET"], **signed)
    def list_users() -> Response:
        require_operator(current_request().to_original_event())
        page = http.read_page_request(current_request())
        return responses.user_list_response(open_store().list_after(page.after, page.limit))

    # --- accounts ---------------------------------------------------------------------------------

    def open_erasure() -> Erasure:
        # A cold start does not wait for these modules: few requests need them.
        from chalicelib.erasure import Erasure  # noqa: PLC0415
        from chalicelib.markers import MarkerStore  # noqa: PLC0415

        markers = MarkerStore.beside(open_store(), read_settings().ttl_attribute)
        return Erasure(markers, open_user_pool(routes.user_pool_arn))

    if routes.erases_accounts:

        @app.route("/user", methods=["DELETE"], **signed_in)
        def erase_own_account() -> Response:
            sub = current_sub()
            event = current_request().to_original_event()
            require_recent_sign_in(event, routes.erasure_max_sign_in_age, time.time())
            http.read_precondition(current_request(), required=False).check_without_etag()
            open_erasure().erase(sub)
            return responses.no_content()

        @app.route("/users/{sub}", methods=["DELETE"], **signed)
        def erase_account() -> Response:
            sub = current_sub()
            http.read_precondition(current_request(), required=False).check_without_etag()
            open_erasure().erase_existing(sub)
            return responses.no_content()

    # --- metadata ---------------------------------------------------------------------------------

    @app.route("/user/metadata", methods=["GET"], **signed_in)
    def get_app_metadata() -> Response:
        sub = current_sub()
        app_metadata = open_metadata().get_app_metadata(sub)
        # The revision of the item would tell the user that the private metadata has changed.
        revision = content_revision(app_metadata)
        if http.has_current_copy(current_request(), revision):
            return responses.not_modified(revision)
        return responses.app_metadata_response(app_metadata, revision)

    @app.route("/users/{sub}/metadata", methods=["GET"], **signed)
    def get_metadata() -> Response:
        sub = current_sub()
        metadata = open_metadata().find(sub)
        revision = metadata.revision if metadata else None
        if http.has_current_copy(current_request(), revision) and metadata:
            return responses.not_modified(metadata.revision)
        return responses.metadata_response(sub, metadata)

    @app.route("/users/{sub}/metadata", methods=["PUT"], content_types=http.JSON_TYPES, **signed)
    def replace_metadata() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        data = http.json_body(current_request())
        metadata = open_metadata().replace(sub, data, precondition)
        return responses.metadata_response(sub, metadata)

    @app.route("/users/{sub}/metadata", methods=["PATCH"], content_types=http.PATCH_TYPES, **signed)
    def patch_metadata() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        patch = http.json_body(current_request())
        metadata = open_metadata().patch(sub, patch, precondition)
        return responses.metadata_response(sub, metadata)

    @app.route("/users/{sub}/metadata", methods=["DELETE"], **signed)
    def delete_metadata() -> Response:
        sub = current_sub()
        precondition = current_precondition()
        open_metadata().delete(sub, precondition)
        return responses.no_content()

    # --- public profiles --------------------------------------------------------------------------
    # `identify` says who the caller is, here too. The subs in path and query only say who is read.

    if routes.public_fields:
        from chalicelib.public_profiles import (  # noqa: PLC0415 - only these stages need it
            PublicProfileStore,
            requested_sub,
            requested_subs,
        )

        def open_public_profiles() -> PublicProfileStore:
            return PublicProfileStore.beside(open_store(), routes.public_fields)

        def public_response(body: PublicBody) -> Response:
            revision = content_revision(body.text)
            if http.has_current_copy(current_request(), revision):
                return responses.public_not_modified(body, revision)
            return responses.public_response(body, revision)

        @app.route("/profiles/{sub}", methods=["GET"], **signed_in)
        def get_public_profile() -> Response:
            current_sub()  # raises NotSignedIn
            sub = requested_sub(current_request().to_original_event())
            fields = open_public_profiles().get(sub)
            return public_response(responses.public_profile_body(sub, fields))

        @app.route("/profiles", methods=["GET"], **signed_in)
        def get_public_profiles() -> Response:
            current_sub()  # raises NotSignedIn
            subs = requested_subs(http.query_parameters(current_request()))
            profiles = open_public_profiles().get_all(subs)
            return public_response(responses.public_profiles_body(profiles))

    return app


def profile_settings() -> ProfileSettings:
    """The stage's settings. Raises InvalidSetting."""
    return ProfileSettings.from_environment(os.environ)


def data_check(settings: ProfileSettings) -> ProfileCheck:
    """The check of profile data in a stage. Raises InvalidSetting if the schema has an error."""
    return profile_check(settings.profile_schema)


@functools.cache
def store_for(settings: ProfileSettings) -> ProfileStore:
    """The store of a stage. A function has one stage; a test process can have several.

    Raises MissingSetting if the stage has no table, or InvalidSetting.
    """
    return ProfileStore.connect(
        settings.table_name(), data_check(settings), settings.max_profile_bytes
    )


def profile_store() -> ProfileStore:
    """The stage's store. Raises MissingSetting or InvalidSetting."""
    return store_for(profile_settings())


try:
    route_settings = RouteSettings.from_environment(os.environ)
    if startup.IN_LAMBDA or startup.IN_CHALICE_COMMAND:
        # A mistake in a setting stops packaging, and a function does not start.
        data_check(profile_settings())
except InvalidSetting as error:
    sys.exit(f"error: {error}")

app = create_app(route_settings, profile_settings, profile_store)

if startup.IN_LAMBDA and profile_settings().table:
    startup.make_first_call(profile_store)

startup.resume_garbage_collection()
