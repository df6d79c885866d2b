"""The user profile service: a signed-in user's own JSON profile under /user/profile. README.md tells how to run it."""

import gc

# Until all is imported: nothing that a module makes is garbage, and looking for some is a twentieth of a cold start.
gc.disable()

import contextlib
import functools
import logging
import os
import re
from typing import Any

from chalice import CognitoUserPoolAuthorizer, CORSConfig
from chalice.app import Request, Response

from chalicelib import web
from chalicelib.identity import identify
from chalicelib.schema import profile_check
from chalicelib.settings import Settings
from chalicelib.store import ProfileStore, database_calls

if os.environ.get("AWS_CHALICE_CLI_MODE"):
    # Set by the `chalice` command on a developer's machine, never in Lambda, where local/ does not exist either.
    from local import chalice_command

    chalice_command.prepare()

settings = Settings.from_environment(os.environ)


class ClientAuthorizer(CognitoUserPoolAuthorizer):
    """API Gateway's Cognito authorizer, which refuses the tokens of other apps too: their `aud` does not match."""

    def to_swagger(self) -> dict[str, Any]:
        definition: dict[str, Any] = super().to_swagger()
        if settings.client_ids:
            expression = f"^({'|'.join(map(re.escape, settings.client_ids))})$"
            definition["x-amazon-apigateway-authorizer"]["identityValidationExpression"] = (
                expression
            )
        return definition


# In Lambda the runtime has configured logging: one JSON object a line, where the function's log format is JSON.
app = web.API(app_name="user-profile", configure_logs="AWS_LAMBDA_FUNCTION_NAME" not in os.environ)
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    app.log.setLevel(logging.INFO)
cors = CORSConfig(
    allow_origin=settings.cors_allow_origin,
    allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match"],
    expose_headers=["ETag", "Retry-After"],
    max_age=600,
)
authorizer = ClientAuthorizer("user-pool", provider_arns=[settings.user_pool_arn])
app.register_middleware(web.outer_edge(app, cors, database_calls), "http")


check = profile_check(settings.profile_schema)
precondition = functools.partial(web.precondition, required=settings.require_preconditions)


@functools.cache
def store() -> ProfileStore:
    return ProfileStore.connect(settings.table_name(), check)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and settings.table:
    # While the function starts, and not when its first caller waits. A function that does not start tells nobody why:
    # whatever goes wrong here will go wrong for a caller too, and be told then.
    with contextlib.suppress(Exception):
        store().warm_up()

gc.freeze()  # what is there by now stays: no later look for garbage need walk through it
gc.enable()

PROFILE = "/user/profile"
MINE = {"authorizer": authorizer, "cors": cors}


@app.route(PROFILE, methods=["GET"], content_types=[], **MINE)
@web.answers(app)
def get_profile(request: Request) -> Response:
    sub = identify(request.context, settings.client_ids)
    return web.read_response(store().get(sub), web.precondition(request))


@app.route(PROFILE, methods=["POST", "PUT"], content_types=[web.JSON_TYPE], **MINE)
@web.answers(app)
def replace_profile(request: Request) -> Response:
    sub, condition = identify(request.context, settings.client_ids), precondition(request)
    return web.profile_response(store().replace(sub, web.json_body(request), condition))


@app.route(PROFILE, methods=["PATCH"], content_types=web.PATCH_TYPES, **MINE)
@web.answers(app)
def patch_profile(request: Request) -> Response:
    sub, condition = identify(request.context, settings.client_ids), precondition(request)
    return web.profile_response(store().patch(sub, web.json_body(request), condition))


@app.route(PROFILE, methods=["DELETE"], content_types=[], **MINE)
@web.answers(app)
def delete_profile(request: Request) -> Response:
    sub, condition = identify(request.context, settings.client_ids), precondition(request)
    store().delete(sub, condition)
    return web.no_content()
