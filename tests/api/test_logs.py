"""What `chalice local` logs, and what it never does. tests/conftest.py looks once more at all that was logged."""

from pathlib import Path

import pytest

from tests.conftest import PLANTED, Api, Cloud, User


@pytest.fixture
def log(cloud: Cloud, api: Api) -> Path:
    return cloud.folder / "api.log"


def test_each_request_is_a_line_that_a_person_can_read(api: Api, ada: User, log: Path) -> None:
    before = log.read_text()
    answer = api("PUT", token=ada.id_token, body="{")
    (line,) = (
        line
        for line in log.read_text().removeprefix(before).splitlines()
        if "user-profile - " in line
    )
    assert line.startswith("user-profile - INFO - PUT /user/profile: 400 in ")
    assert line.endswith(f" ms (request_id {answer.json()['request_id']})")


def test_no_log_has_a_token_a_claim_a_header_or_profile_data(
    api: Api, ada: User, log: Path
) -> None:
    before = log.read_text()
    planted, deep = f'{{"{PLANTED}": "{PLANTED}"}}', f'{{"{PLANTED}":' * 40 + "1" + "}" * 40
    bodies = [
        planted,
        planted[:-1],
        f"{planted} {PLANTED}",
        f'{{"{PLANTED}":1,"{PLANTED}":2}}',
        deep,
    ]
    bodies += [f'{{"{PLANTED}": 1e999}}', f'{{"{PLANTED}": "\\ud800"}}', f'"{PLANTED}"']
    statuses = set()
    for body in bodies:
        for method in ("PUT", "POST", "PATCH"):
            statuses.add(api(method, token=ada.id_token, body=body).status)
    for name, value in (
        ("If-Match", f'"{PLANTED}"'), ("If-Match", PLANTED), ("If-None-Match", f'"{PLANTED}"'),
        ("Content-Type", f"text/{PLANTED}"), ("X-Planted", PLANTED), ("Cookie", PLANTED),
    ):  # fmt: skip
        statuses.add(api("PUT", token=ada.id_token, body="{}", headers=[(name, value)]).status)
    for token in (PLANTED, f"{ada.id_token}{PLANTED}", ada.access_token, ada.refresh_token):
        statuses.add(api("GET", token=token).status)
    api("GET", f"/user/profile?id_token={PLANTED}")
    api("GET", f"/nowhere?email={PLANTED}")
    assert statuses >= {200, 400, 401, 412, 415, 422}
    told = log.read_text().removeprefix(before)
    assert told.count("user-profile - ") == 30, "a line for each that reached the function"
    for secret in (
        PLANTED,
        ada.email,
        ada.id_token,
        ada.id_token.split(".")[1],
        ada.access_token,
        ada.refresh_token,
    ):
        assert secret not in told
