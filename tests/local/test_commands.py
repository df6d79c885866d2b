"""`make local` and the other local commands, as a user runs them, in a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import boto3
import pytest

from local import environment
from local.lock import pids_with_open
from local.process import wait_until
from tests.local.make import (
    SHELL,
    RunningTarget,
    assert_refused,
    chosen_ports,
    listens,
    run,
    running,
    token,
)
from tests.support.api_server import running_command
from tests.support.clone import ROOT, copy_of_the_project
from tests.support.cloud import Cloud
from tests.support.commands import output_of
from tests.support.documents import DOCS, README, commands
from tests.support.http_api import Answer, assert_problem

GUIDE = DOCS / "local.md"
CHALICE_LOCAL = ".venv/bin/chalice local --stage local"
KATHERINE = ("EMAIL=katherine@example.com", "PASSWORD=Katherine-Johnson-1918")
ALAN = ("EMAIL=alan@example.com", "PASSWORD=Alan-Turing-1912")

# --- a running `make local` -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy of the project in which `local` runs."""
    return copy_of_the_project(tmp_path_factory.mktemp("shared") / "user-profile")


@pytest.fixture(scope="module")
def local(shared_clone: Path) -> Iterator[RunningTarget]:
    with running(shared_clone) as command:
        yield command


def test_make_local_prints_where_everything_is(local: RunningTarget) -> None:
    table = local.output()
    assert f"http://127.0.0.1:{local.ports['API_PORT']}/user/profile" in table
    assert f"http://127.0.0.1:{local.ports['API_PORT']}/docs" in table
    assert f"http://localhost:{local.ports['WEB_PORT']}\n" in table
    assert "ada@example.com" in table
    assert "Ada-Lovelace-1815" in table
    assert "make -s token" in table
    assert "make users" in table
    settings = local.page()("GET", "/config.json").json()
    for name in ("issuer", "client_id", "sign_in"):
        assert f" {settings[name]}\n" in table
    for name in ("Callback URLs", "Logout URLs"):
        assert re.search(f"{name} +http://localhost:{local.ports['WEB_PORT']}\n", table)


def test_the_page_is_served_for_the_local_cloud(local: RunningTarget) -> None:
    location = local.page()("GET", "/").headers["Location"]
    assert location == f"http://localhost:{local.ports['WEB_PORT']}/"
    assert b"ProfilePage" in local.page()("GET", "/main.js").body
    settings = local.page()("GET", "/config.json").json()
    assert settings["api"] == f"http://127.0.0.1:{local.ports['API_PORT']}/user/profile"
    assert settings["sign_in"] == f"http://127.0.0.1:{local.ports['AWS_PORT']}"
    assert settings["erasure"]["url"] == f"http://127.0.0.1:{local.ports['API_PORT']}/user"
    assert settings["cognito_api"] == settings["sign_in"]


def test_the_sign_in_page_has_links_that_lead_somewhere(local: RunningTarget) -> None:
    page = sign_in_page(local, f"http://localhost:{local.ports['WEB_PORT']}")
    assert page.status == 200
    assert b'type="password"' in page.body
    links = re.findall('<a href="([^"]+)"', page.body.decode())
    assert len(links) == 3
    for link in links:
        answer = local.aws()("GET", unescape(link))
        assert answer.status == 200
        assert b"E-mail address" in answer.body


def sign_in_page(command: RunningTarget, redirect_uri: str) -> Answer:
    """The user pool's sign-in page for a front end at `redirect_uri`."""
    query = {
        "client_id": client_id_of(command),
        "response_type": "code",
        "redirect_uri": redirect_uri,
    }
    return command.aws()("GET", f"/oauth2/authorize?{urlencode(query)}")


def signed_out(command: RunningTarget, logout_uri: str) -> Answer:
    """The response of the user pool's sign-out for a front end at `logout_uri`."""
    query = {"client_id": client_id_of(command), "logout_uri": logout_uri}
    return command.aws()("GET", f"/logout?{urlencode(query)}")


def client_id_of(command: RunningTarget) -> str:
    (client_id,) = re.findall(r"Client id +(\w+)\n", command.output())
    return str(client_id)


def test_a_user_signs_up_and_has_no_profile_yet(local: RunningTarget, shared_clone: Path) -> None:
    signed_up = run(shared_clone, "sign-up", *ALAN)
    assert signed_up.returncode == 0, signed_up.stderr
    answer = local.api()("GET", token=token(shared_clone, *ALAN))
    assert_problem(answer, 404, "profile-not-found")


def test_a_second_make_local_in_the_folder_is_refused(
    local: RunningTarget, shared_clone: Path
) -> None:
    assignments = [f"{name}={port}" for name, port in chosen_ports().items()]
    second = run(shared_clone, "local", *assignments)
    (pid,) = pids_with_open(shared_clone / ".local" / "lock")
    assert_refused(second, f"`kill {pid}`")
    assert local.api()("GET").status == 401


@pytest.mark.parametrize(
    ("document", "heading", "data"),
    [
        (README, "Run it", {"name": "Ada", "born": 1815}),
        (GUIDE, "Users and tokens", {"name": "Grace"}),
    ],
    ids=["README.md", "local.md"],
)
def test_the_commands_of_a_document_store_a_profile(
    local: RunningTarget, shared_clone: Path, document: Path, heading: str, data: object
) -> None:
    api = f"localhost:{local.ports['API_PORT']}"
    for command in commands(document, heading):
        shell_command = command.replace("localhost:8000", api)
        output = output_of(["bash", "-c", shell_command], SHELL, shared_clone)
    body = output[output.index("{") :]  # after the headers, which `curl -i` prints
    assert json.loads(body)["profile_data"] == data


def test_a_newcomer_sees_the_demo_users_metadata(local: RunningTarget, shared_clone: Path) -> None:
    """`make user` finds the API on the port of the running `make local`."""
    make_users, make_user = commands(GUIDE, "Reading users")
    output_of(shlex.split(make_users), SHELL, shared_clone)
    shown = json.loads(output_of(shlex.split(make_user), SHELL, shared_clone))
    assert shown["metadata"]["app_metadata"] == {"plan": "pro"}
    assert_refused(run(shared_clone, "-s", "users", "API_PORT=9"), "API_PORT=")


def test_a_user_erases_the_account(local: RunningTarget, shared_clone: Path) -> None:
    assert run(shared_clone, "sign-up", *KATHERINE).returncode == 0
    id_token = token(shared_clone, *KATHERINE)
    assert local.api()("PUT", token=id_token, body="{}").status == 200
    assert local.api()("DELETE", "/user", token=id_token).status == 204
    assert_problem(local.api()("GET", token=id_token), 410, "account-erased")
    assert_refused(run(shared_clone, "-s", "token", *KATHERINE), "")


def test_markers_of_erased_accounts_expire(local: RunningTarget, shared_clone: Path) -> None:
    variables = json.loads((shared_clone / ".local" / "environment.json").read_text())
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    response = dynamodb.describe_time_to_live(TableName=variables["DYNAMODB_TABLE"])
    assert response["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires_at",
    }


# --- front ends of your own -----------------------------------------------------------------------

APP = "http://localhost:5173"
OTHER_APP = "http://localhost:5174"


def test_an_app_of_your_own_signs_users_in_and_out(clone: Path) -> None:
    """The URLs of local.md are remembered until they change."""
    (make_local,) = commands(GUIDE, "A front end of your own")
    options = dict(word.split("=", 1) for word in shlex.split(make_local)[2:])
    assert options == {"CALLBACK_URLS": APP}
    with running(clone, "cloud", WEB="no", **options) as first:
        page = f"http://localhost:{first.ports['WEB_PORT']}"
        for url in (page, APP, f"{APP}/"):
            assert sign_in_page(first, url).status == 200
            assert signed_out(first, url).headers["Location"] == url
        assert sign_in_page(first, OTHER_APP).status == 400
        assert f"{page}, {APP}\n" in first.output()
        assert_refused(run(clone, "cloud", f"CALLBACK_URLS={OTHER_APP}"), "already running")
    with running(clone, "cloud", WEB="no", LOGOUT_URLS=OTHER_APP) as second:
        assert sign_in_page(second, APP).status == 200
        assert signed_out(second, OTHER_APP).status == 302
        assert signed_out(second, APP).status == 400
    with running(clone, "cloud", WEB="no", CALLBACK_URLS="none", LOGOUT_URLS="none") as third:
        assert sign_in_page(third, APP).status == 400
        assert signed_out(third, OTHER_APP).status == 400


def test_an_interrupted_change_of_the_urls_is_completed(clone: Path) -> None:
    with running(clone, "cloud", until="Deploying", WEB="no", CALLBACK_URLS=APP) as command:
        command.signal(signal.SIGINT)
        assert command.wait() != 0
    with running(clone, "cloud", WEB="no") as command:
        assert sign_in_page(command, APP).status == 200
    with running(clone, "cloud", WEB="no", CALLBACK_URLS="none"):
        pass  # as the other tests expect it


def test_without_the_page_its_port_and_node_are_not_needed(clone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other_program:
        port = str(other_program.getsockname()[1])
        with running(clone, WEB="no", WEB_PORT=port, NPM="no-such-npm") as command:
            assert "not served: WEB=no" in command.output()
            settings = json.loads((clone / "web" / "config.json").read_text())
            assert settings["client_id"] == client_id_of(command)
            assert command.api()("GET").status == 401


@pytest.mark.parametrize("target", ["local", "cloud"])
@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("CALLBACK_URLS=localhost:5173", "Example: http://localhost:5173"),
        ("LOGOUT_URLS=http://app.example.com", "http:// for this machine only"),
        ("CALLBACK_URLS=", "CALLBACK_URLS is empty"),
        ("CALLBACK_URL=http://localhost:5173", "no option CALLBACK_URL. It has: "),
        ("WEB=off", "WEB=off is not understood. Set WEB=no"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_starts(
    clone: Path, target: str, assignment: str, message: str
) -> None:
    refused = run(clone, target, assignment)
    assert_refused(refused, message)
    assert "Starting" not in refused.stdout


# --- starting and stopping ------------------------------------------------------------------------


def test_profiles_survive_kill_and_kill_9(clone: Path) -> None:
    """tests/local/test_crash.py tests the same with Ctrl-C."""
    with running(clone) as command:
        id_token = token(clone)
        assert command.api()("PUT", token=id_token, body='{"before": "kill"}').status == 200
        command.signal(signal.SIGTERM)
        command.wait()
    with running(clone, **command.ports) as second:
        assert "create complete" not in second.output(), "nothing is deployed twice"
        read = second.api()("GET", token=id_token)
        assert read.json()["profile_data"] == {"before": "kill"}
        put = second.api()("PUT", token=id_token, body='{"before": "kill -9"}')
        assert put.status == 200
        second.signal(signal.SIGKILL)
        second.wait()
    with running(clone, **command.ports) as third:
        read = third.api()("GET", token=id_token)
        assert read.json()["profile_data"] == {"before": "kill -9"}
        assert read.headers["ETag"] == put.headers["ETag"]


def test_kill_9_of_make_alone_stops_nothing(clone: Path) -> None:
    with running(clone) as command:
        (pid,) = pids_with_open(clone / ".local" / "lock")
        try:
            command.kill_make()
            assert command.api()("GET").status == 401
            assignments = [f"{name}={port}" for name, port in chosen_ports().items()]
            assert_refused(run(clone, "local", *assignments), f"`kill {pid}`")
        finally:
            os.kill(pid, signal.SIGTERM)
        processes = clone / ".local" / "processes.lock"
        assert wait_until(lambda: not pids_with_open(processes), timeout=60)


@pytest.mark.parametrize("until", ["Starting the AWS emulator", "Deploying", "Starting the API"])
def test_ctrl_c_stops_what_make_local_started_and_only_that(
    clone: Path, cloud: Cloud, until: str
) -> None:
    with running(clone, until=until) as command:
        command.signal(signal.SIGINT)
        assert command.wait() != 0
    assert listens(cloud.port), "an emulator that this command did not start"
    assert "Stopped.\n" in command.output()
    assert "Traceback" not in command.output()
    assert not any(map(listens, command.ports.values()))


def test_when_the_api_dies_make_local_stops_with_an_error(clone: Path) -> None:
    with running(clone) as command:
        for pid in pids_with_open(clone / ".local" / "processes.lock"):
            if "chalice" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        assert command.wait() != 0
    assert "error: the API" in command.output()
    assert not listens(command.ports["AWS_PORT"])


@pytest.mark.parametrize(
    ("number", "is_lost"),
    [(signal.SIGKILL, True), (signal.SIGTERM, False)],
    ids=["kill -9", "kill"],
)
def test_when_the_emulator_dies_make_local_says_what_is_lost(
    clone: Path, number: signal.Signals, *, is_lost: bool
) -> None:
    with running(clone) as command:
        for pid in pids_with_open(clone / ".local" / "processes.lock"):
            if "start_ministack" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, number)
        assert command.wait() != 0
    assert "error: the AWS emulator ended" in command.output()
    assert ("are lost" in command.output()) is is_lost
    assert "saves its state" not in command.output(), "it has ended already"
    assert not listens(command.ports["API_PORT"])


def test_without_node_all_but_the_page_works(clone: Path) -> None:
    node_modules = clone / "web" / "node_modules"
    installed = node_modules.readlink()
    node_modules.unlink()
    try:
        with running(clone, NPM="no-such-npm") as command:
            assert "npm" in command.output()
            assert not listens(command.ports["WEB_PORT"])
            assert command.api()("PUT", token=token(clone), body='{"a": 1}').status == 200
    finally:
        node_modules.symlink_to(installed)


def test_without_python_an_error_says_so(clone: Path) -> None:
    assert_refused(run(clone, "local", "PYTHON=no-such-python"), "no-such-python")


def test_a_port_in_use_is_refused_with_its_variable(clone: Path, cloud: Cloud) -> None:
    ports = chosen_ports() | {"AWS_PORT": str(cloud.port)}
    assignments = [f"{name}={port}" for name, port in ports.items()]
    assert_refused(run(clone, "local", *assignments), "AWS_PORT=")


# --- the other commands ---------------------------------------------------------------------------


def test_make_web_serves_the_page_with_its_settings(clone: Path) -> None:
    config = clone / "web" / "config.json"
    config.unlink(missing_ok=True)
    assert_refused(run(clone, "web"), "make web-config STAGE=")
    config.write_text('{"api": "https://api.example.com/api/user/profile"}')
    with running(clone, "web") as command:
        answer = command.page()("GET", "/config.json")
        assert answer.json() == {"api": "https://api.example.com/api/user/profile"}
        assert_refused(run(clone, "web", f"WEB_PORT={command.ports['WEB_PORT']}"), "WEB_PORT=")
    assert "Stopped." in command.output()
    config.unlink()


MISLEADING_SHELL = {
    "AWS_PROFILE": "none-of-that-name",
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_MAX_ATTEMPTS": "x",
    "http_proxy": "http://127.0.0.1:9",
    "STAGE": "dev",
    "USER_POOL_ARN": "nonsense",
    "EMAIL": "me@here",
}
"""Settings with which AWS clients would not call the local cloud."""


def test_chalice_local_works_beside_make_cloud_in_any_shell(clone: Path, tmp_path: Path) -> None:
    shell = SHELL | MISLEADING_SHELL
    log = tmp_path / "log"
    assert commands(GUIDE, "Working on the API") == ["make cloud", CHALICE_LOCAL]
    with running(clone, "cloud"), running_command(CHALICE_LOCAL, clone, shell, log) as api:
        id_token = token(clone, **MISLEADING_SHELL)
        assert api("PUT", token=id_token, body='{"a": 1}').status == 200
        assert_problem(api("GET"), 401, "not-signed-in")


def test_chalice_local_without_a_cloud_accepts_nobody(clone: Path, tmp_path: Path) -> None:
    shell = SHELL | {"LOCAL_STATE": str(tmp_path)}
    log = tmp_path / "log"
    with running_command(CHALICE_LOCAL, clone, shell, log) as api:
        assert "make local" in log.read_text()
        problem = assert_problem(api("GET", token="any"), 503)
        assert "USER_POOL_ARN is not set" in problem["detail"]


def test_make_token_without_a_local_cloud_is_refused(clone: Path, tmp_path: Path) -> None:
    assert_refused(run(clone, "-s", "token", LOCAL_STATE=str(tmp_path)), "make local")


@pytest.mark.parametrize(("target", "options"), [("local", ()), ("cloud", ()), ("sign-up", ALAN)])
def test_a_local_command_refuses_another_stage(
    clone: Path, target: str, options: tuple[str, ...]
) -> None:
    assert_refused(
        run(clone, target, "STAGE=dev", *options),
        f"make {target} works with the stage local only, not with dev.",
    )


@pytest.mark.parametrize("target", ["local", "cloud", "web", "token", "sign-up"])
def test_a_local_command_refuses_an_unknown_option(clone: Path, target: str) -> None:
    done = run(clone, target, "EMIAL=grace@example.com")
    assert_refused(done, f"make {target} has no option EMIAL. It has: STAGE")


def test_an_option_without_a_value_is_refused(clone: Path) -> None:
    assert_refused(run(clone, "-s", "token", "EMAIL="), "EMAIL is empty.")


def test_a_damaged_state_of_the_emulator_is_kept(clone: Path, tmp_path: Path) -> None:
    """The emulator would start without it, and overwrite it."""
    damaged = tmp_path / "state" / "dynamodb.json"
    damaged.parent.mkdir()
    damaged.write_text('{"tables": {')
    done = run(clone, "cloud", **chosen_ports(), LOCAL_STATE=str(tmp_path))
    assert_refused(done, f"damaged: {damaged} cannot be read.")
    assert f"delete {tmp_path}." in done.stderr
    assert damaged.read_text() == '{"tables": {'


def test_make_sign_up_accepts_the_local_stage(clone: Path, tmp_path: Path) -> None:
    done = run(clone, "sign-up", "STAGE=local", *ALAN, LOCAL_STATE=str(tmp_path))
    assert_refused(done, "the AWS emulator has not run in this folder yet")


def test_make_alone_lists_the_commands(clone: Path) -> None:
    listed = set(re.findall(r"make [\w-]+", run(clone).stdout))
    assert {"make local", "make token", "make test"} <= listed


def test_the_local_cloud_replaces_the_shells_aws_settings(
    monkeypatch: pytest.MonkeyPatch, restored_environment: None
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    environment.enter(environment.for_endpoint(1234))
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1234"
    assert "AWS_PROFILE" not in os.environ
    assert "AWS_SESSION_TOKEN" not in os.environ


NUMBER_AS_VALUE = '{"stages": {"local": {"environment_variables": {"A": 1}}}}'
SETTING_OF_ALL_STAGES = (
    '{"environment_variables": {"MAX_PROFILE_BYTES": "64k"}, "stages": {"local": {}}}'
)
WRONG_ORIGIN = (
    '{"stages": {"local": {"environment_variables": {"CORS_ALLOW_ORIGIN": "https://a.example/"}}}}'
)
MISSING_SCHEMA = (
    '{"stages": {"local": {"environment_variables": {"PROFILE_SCHEMA": "missing.json"}}}}'
)


@pytest.mark.parametrize("command", ["up", "cloud"])
@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("{", ""),
        (NUMBER_AS_VALUE, "A "),
        (SETTING_OF_ALL_STAGES, "MAX_PROFILE_BYTES: "),
        (WRONG_ORIGIN, "CORS_ALLOW_ORIGIN: "),
        (MISSING_SCHEMA, "PROFILE_SCHEMA: "),
    ],
)
def test_make_local_refuses_a_config_that_chalice_cannot_use(
    tmp_path: Path, command: str, config: str, name: str
) -> None:
    """Before it starts anything."""
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(config)
    done = subprocess.run(
        [sys.executable, "-m", "local", command],
        cwd=tmp_path,
        env=SHELL | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert ".chalice/config.json" in line
    assert name in line


def test_make_local_warns_of_a_misspelled_setting(tmp_path: Path) -> None:
    (tmp_path / ".chalice").mkdir()
    config = {"stages": {"local": {"environment_variables": {"MAX_PROFILE_BYTE": "9"}}}}
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(config))
    same = "4566"  # refused, so nothing starts
    done = subprocess.run(
        [sys.executable, "-m", "local", "up", "--aws-port", same, "--api-port", same],
        cwd=tmp_path,
        env=SHELL | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Warning: MAX_PROFILE_BYTE in .chalice/config.json" in done.stderr
    assert "AWS_PORT and API_PORT are both" in done.stderr


def test_chalice_local_names_a_port_that_is_in_use(clone: Path, tmp_path: Path) -> None:
    shell = SHELL | {"LOCAL_STATE": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        chalice = clone / ".venv" / "bin" / "chalice"
        done = subprocess.run(
            [chalice, "local", "--stage", "local", "--port", port, "--no-autoreload"],
            cwd=clone,
            env=shell,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode != 0
    assert f"error: cannot serve on port {port}" in done.stderr
    assert "Traceback" not in done.stderr
