"""A quick look at a live deployment, as its users see it: make smoke URL=https://.../api TOKEN=<an id token>

Asks as one signed-in user, prints a line for each thing that must hold, and ends with status 1 if one does not. What it
stores it deletes again; a profile that is there already it does not touch, unless told, and then puts its data back.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from chalicelib.web import dump_json
from deploy import api, chalice_config, cognito, stacks
from deploy.stacks import DeploymentError

ORIGIN = "https://smoke.example.com"
EXACT = (
    '{"tenth":0.1,"long":12345678901234567890.5,"digits":12345678901234567890123456789012345678,"small":1E-130,'
    '"text":"\\u0000 \U0001f600 \\u202e","empty":["",{},[]],"pk":"mine","nothing":null}'
)


class NotAsExpected(Exception):
    """What a check found instead."""


class NotChecked(Exception):
    """What a check would need."""


class Refused(Exception):
    """Why there is nothing to check, or nothing may be."""


@dataclass
class Service:
    """The deployment, asked as one user."""

    url: str
    id_token: str
    access_token: str | None
    http: requests.Session = field(default_factory=requests.Session)

    def __call__(
        self,
        method: str,
        *,
        path: str = "/user/profile",
        token: str | None = None,
        body: str | None = None,
        **headers: str,
    ) -> requests.Response:
        sent = {"Origin": ORIGIN, "Authorization": self.id_token if token is None else token}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        sent = {name: value for name, value in sent.items() if value}
        data = None if body is None else body.encode()
        return self.http.request(method, self.url + path, data=data, headers=sent, timeout=30)


def expect(answer: requests.Response, status: int, **headers: str) -> requests.Response:
    """`answer`, if it has this status and these headers, which contain these texts. Raises NotAsExpected."""
    if answer.status_code != status:
        raise NotAsExpected(f"{answer.status_code} instead of {status}: {answer.text[:200]}")
    for name, value in headers.items():
        found = answer.headers.get(name.replace("_", "-"), "")
        if value.lower() not in found.lower():
            raise NotAsExpected(f"{name.replace('_', '-')} is {found!r}, without {value!r}")
    return answer


def expect_problem(answer: requests.Response, status: int, **headers: str) -> dict[str, Any]:
    """The problem that `answer` tells, if a script in a browser could read it. Raises NotAsExpected."""
    expect(answer, status, Content_Type="application/problem+json", **headers)
    if not answer.headers.get("Access-Control-Allow-Origin"):
        raise NotAsExpected(
            "no Access-Control-Allow-Origin: a browser hides the answer from scripts"
        )
    problem: dict[str, Any] = answer.json()
    if problem.get("status") != status or not problem.get("request_id"):
        raise NotAsExpected(f"the problem is incomplete: {answer.text[:200]}")
    return problem


# --- What must hold, in the order of asking ---------------------------------------------------------------------------


def no_token(service: Service) -> None:
    expect_problem(service("GET", token=""), 401)


def bad_token(service: Service) -> None:
    head, payload, signature = service.id_token.split(".")
    forged = f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    expect_problem(service("GET", token=forged), 401)
    expect_problem(service("GET", token="junk"), 401)


def access_token(service: Service) -> None:
    if service.access_token is None:
        raise NotChecked("needs EMAIL and PASSWORD instead of TOKEN")
    expect_problem(service("GET", token=service.access_token), 401)


def token_bare_and_as_bearer(service: Service) -> None:
    expect_problem(service("GET"), 404)
    expect_problem(service("GET", token=f"Bearer {service.id_token}"), 404)


def preflight(service: Service) -> None:
    asked = {
        "Access_Control_Request_Method": "PATCH",
        "Access_Control_Request_Headers": "authorization,if-match",
    }
    answer = service("OPTIONS", token="", **asked)
    expect(
        answer, 200, Access_Control_Allow_Methods="PATCH", Access_Control_Allow_Headers="If-Match"
    )
    if answer.headers.get("Access-Control-Allow-Origin") not in ("*", ORIGIN):
        raise NotAsExpected(
            f"Access-Control-Allow-Origin is {answer.headers.get('Access-Control-Allow-Origin')}"
        )


def exact_round_trip(service: Service) -> None:
    def data(answer: requests.Response) -> Any:
        return json.loads(answer.content, parse_float=Decimal)["profile_data"]

    sent = json.loads(EXACT, parse_float=Decimal)
    for answer in (service("POST", body=EXACT), service("GET")):
        expect(answer, 200, Content_Type="application/json", Cache_Control="no-store", ETag='"')
        if data(answer) != sent:
            raise NotAsExpected(f"sent {EXACT}, got {answer.text[:300]}")


def etags(service: Service) -> None:
    etag = expect(service("GET"), 200, ETag='"').headers["ETag"]
    expect(service("GET", If_None_Match=etag), 304, ETag=etag)
    expect_problem(service("PUT", body="{}", If_Match='"another"'), 412, ETag=etag)
    expect_problem(service("PUT", body="{}", If_None_Match="*"), 412, ETag=etag)
    expect(
        service(
            "PATCH",
            body='{"text":null}',
            If_Match=etag,
            Content_Type="application/merge-patch+json",
        ),
        200,
    )


def bad_requests(service: Service) -> None:
    expect_problem(service("POST", body="{"), 400)
    expect_problem(service("POST", body="{}", Content_Type="text/plain"), 415)
    if not expect_problem(service("POST", body='{"a":{"":1}}'), 422).get("errors"):
        raise NotAsExpected("422 without errors that say where")


def unknown_path(service: Service) -> None:
    expect_problem(service("GET", path="/user/nobody", token=""), 404)
    # API Gateway takes a token on a path that it does not know for an AWS signature; which error that is, it decides.
    expect_problem(answer := service("GET", path="/user/nobody"), answer.status_code)
    if not 400 <= answer.status_code < 500:
        raise NotAsExpected(f"{answer.status_code} instead of 404")


def delete(service: Service) -> None:
    expect(service("DELETE"), 204)
    expect(service("DELETE"), 204)
    expect_problem(service("GET"), 404)


CHECKS: dict[str, Callable[[Service], None]] = {
    "no token: 401, readable by scripts": no_token,
    "a forged token, and junk: 401, readable by scripts": bad_token,
    "an access token: 401, readable by scripts": access_token,
    "the id token, bare and as Bearer: let in": token_bare_and_as_bearer,
    "preflight: PATCH with If-Match is allowed": preflight,
    "what is stored is read back exactly": exact_round_trip,
    "ETag, If-Match and If-None-Match pass: 304, 412, 200": etags,
    "400, 415 and 422 are told as problems": bad_requests,
    "an unknown path: 404, readable by scripts": unknown_path,
    "DELETE, twice: 204": delete,
}


def run(service: Service, *, overwrite: bool) -> int:
    """Run CHECKS, print what each found, and return how many failed. Raises Refused."""
    failed = 0
    with _nothing_stored(service, overwrite=overwrite):
        for name, check in CHECKS.items():
            try:
                check(service)
                result = "ok"
            except NotChecked as reason:
                result = f"not checked: {reason}"
            except (NotAsExpected, requests.RequestException, ValueError) as reason:
                failed += 1
                result = f"FAILED: {reason}"
            print(f"  {name:<54}{result}", flush=True)
    return failed


@contextmanager
def _nothing_stored(service: Service, *, overwrite: bool) -> Iterator[None]:
    """Begin without a profile, and end with what there was. Raises Refused."""
    try:
        before = service("GET")
    except requests.RequestException as error:
        raise Refused(f"{service.url} does not answer: {error}") from error
    if before.status_code not in (200, 404):
        raise Refused(
            f"{service.url} does not let this user in: {before.status_code} {before.text[:200]}"
        )
    if before.status_code == 200 and not overwrite:
        raise Refused(
            "this user has a profile. Take another user, or say OVERWRITE=yes: it is put back at the end."
        )
    kept = None
    if before.status_code == 200:
        with tempfile.NamedTemporaryFile(
            "w", prefix="profile-", suffix=".json", delete=False
        ) as file:
            file.write(dump_json(json.loads(before.content, parse_float=Decimal)["profile_data"]))
        kept = Path(file.name)
        expect(service("DELETE"), 204)
    try:
        yield
    finally:
        try:
            last = service("PUT", body=kept.read_text()) if kept else service("DELETE")
            expect(last, 200 if kept else 204)
        except (NotAsExpected, requests.RequestException) as error:
            where = (
                f"The profile is in {kept}: PUT it back."
                if kept
                else "A test profile may be left: DELETE it."
            )
            raise Refused(f"could not clean up: {error}. {where}") from error
        if kept:
            kept.unlink()


def _service(options: Mapping[str, str]) -> Service:
    pool = chalice_config.environment(options["stage"]) if options["stage"] else {}
    if pool:
        api.use_region_of(options["stage"])
    url = options["url"].rstrip("/").removesuffix("/user/profile") or _url_of(options["stage"])
    if options["token"]:
        return Service(url, options["token"].removeprefix("Bearer ").strip(), None)
    if not (options["email"] and options["password"] and options["stage"]):
        raise Refused(
            "say who asks: TOKEN=<an id token>, or EMAIL=... PASSWORD=... and the STAGE=... of their pool."
        )
    if "USER_POOL_ARN" not in pool:
        raise Refused(
            f"the stage {options['stage']} has no backend yet. Run: make backend STAGE={options['stage']}"
        )
    client = pool["USER_POOL_CLIENT_ID"].split(",")[0]
    tokens = cognito.sign_in(pool["USER_POOL_ARN"], client, options["email"], options["password"])
    return Service(url, tokens["IdToken"], tokens["AccessToken"])


def _url_of(stage: str) -> str:
    """Where `make deploy` deployed the stage."""
    if not stage:
        raise Refused(
            "say what to look at: make smoke URL=https://.../api TOKEN=... (or STAGE=...)"
        )
    outputs = stacks.outputs(api.stack_name(stage))
    if outputs is None:
        raise Refused(
            f"there is no stack {api.stack_name(stage)}: make deploy STAGE={stage}, or say URL=https://.../api"
        )
    return api.url(outputs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.smoke", description=__doc__)
    for name in ("url", "stage", "overwrite"):
        parser.add_argument(f"--{name}", default="")
    # Secrets come by the environment: an argument list is for everybody on the machine to read.
    secrets = {
        name: os.environ.get(f"USER_{name.upper()}", "") for name in ("email", "password", "token")
    }
    options = {**vars(parser.parse_args()), **secrets}
    try:
        service = _service(options)
        print(f"{service.url}/user/profile")
        failed = run(service, overwrite=options["overwrite"] == "yes")
    except (Refused, cognito.UserError, DeploymentError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    sys.exit(f"{failed} of {len(CHECKS)} failed." if failed else 0)


if __name__ == "__main__":
    main()
