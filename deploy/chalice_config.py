""".chalice/config.json: the app's name and owner, and each stage's variables and backend.

`make backend` records two things for a stage: in `environment_variables`, which the function also
reads, the table, the user pool, the app clients, and if needed ERASURE and TTL_ATTRIBUTE; in
`backend`, where the table and the user pool come from.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from deploy.errors import DeploymentError, NoBackend

FILE = Path(".chalice/config.json")
APP_NAME = re.compile("(?!.*(aws|amazon|cognito))[a-z][a-z0-9-]{0,19}")
"""Every resource is named after the app, so the name must suit the strictest: Cognito's sign-in
domain (no reserved words), and the bucket for packages (63 characters with its other parts)."""
LOCAL_STAGE = "local"
"""The stage of `make local`. Its backend is in the AWS emulator, and it is never deployed."""
FIRST_APP_NAME = "user-profile"
"""The name that backends without a `backend` record have: it was fixed before that record."""
API_GATEWAY_STAGE = "api"
"""The name of API Gateway's stage: api_gateway_stage in FILE. Every Chalice stage has the same."""


class Part(StrEnum):
    """A part of a stage's backend. The stage's stack makes it, or it existed before."""

    TABLE = "table"
    USER_POOL = "user_pool"

    @property
    def text(self) -> str:
        """The part's name in messages."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class RecordedBackend:
    """A stage's table and user pool, as recorded in its environment variables."""

    table: str
    user_pool_arn: str
    client_ids: str
    """App clients whose tokens the API accepts, separated by commas. Empty: all clients."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str], stage: str) -> RecordedBackend:
        """Read the variables of `stage`. Raises DeploymentError if they do not name a backend."""
        table = variables.get("DYNAMODB_TABLE")
        user_pool_arn = variables.get("USER_POOL_ARN")
        if not table or not user_pool_arn:
            refuse_local_stage(stage)
            raise NoBackend(stage)
        return cls(table, user_pool_arn, variables.get("USER_POOL_CLIENT_ID", ""))

    @property
    def first_client_id(self) -> str:
        """The app client that this project's commands use to sign in. Raises DeploymentError."""
        return first_client_id(self.client_ids)


@dataclass(frozen=True)
class BackendRecord:
    """Where a stage's backend comes from: the stage's member `backend`."""

    app_name: str = ""
    """The app's name when the backend was recorded. Empty: `make backend` has not recorded one."""
    attached: tuple[Part, ...] = ()
    """What existed before, and was not made by the stage's stack."""
    sign_in_domain: str = ""
    """The host of the sign-in page. Empty: the user pool has none."""
    adopted_stacks: tuple[str, ...] = ()
    """ARNs of stacks with another owner (or none) that this project may change."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of resources/backend.yaml, written by hand. `make backend` applies them."""

    @classmethod
    def from_json(cls, value: object) -> BackendRecord:
        """Read the member `backend`. Raises ValueError if it has another format."""
        members = known_members(value, cls)
        return cls(
            app_name=text_member(members, "app_name"),
            attached=tuple(_part(name) for name in _list(members, "attached")),
            sign_in_domain=text_member(members, "sign_in_domain"),
            adopted_stacks=tuple(_list(members, "adopted_stacks")),
            parameters=parameters_member(members),
        )

    def to_json(self) -> dict[str, Any]:
        """The member `backend`, without empty members."""
        return {name: value for name, value in asdict(self).items() if value}


def known_members(value: object, record: type) -> dict[str, Any]:
    """The members of a JSON object, which are fields of the dataclass `record`.

    Raises ValueError if the value is not an object, or has another member.
    """
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    known = {member.name for member in fields(record)}
    for name in value:
        if name not in known:
            raise ValueError(f'has the unknown member "{name}"')
    return value


def text_member(record: Mapping[str, Any], name: str) -> str:
    """The text of a member; empty if it is missing. Raises ValueError if it is not a string."""
    text = record.get(name, "")
    if not isinstance(text, str):
        raise ValueError(f'has a "{name}" that is not a string')
    return text


def _list(record: Mapping[str, Any], name: str) -> list[str]:
    members = record.get(name, [])
    if not isinstance(members, list) or not _are_strings(members):
        raise ValueError(f'has a "{name}" that is not a list of strings')
    return members


def _part(name: str) -> Part:
    if name not in list(Part):
        raise ValueError(f'has "{name}" in "attached", where only {" and ".join(Part)} are known')
    return Part(name)


def parameters_member(record: Mapping[str, Any]) -> dict[str, str]:
    """The member `parameters` of a record. Raises ValueError if it is not an object of strings."""
    parameters = record.get("parameters", {})
    if not isinstance(parameters, dict):
        raise ValueError('has "parameters" that are not a JSON object')
    for name, value in parameters.items():
        if not isinstance(value, str):
            raise ValueError(
                f'has {json.dumps(value)} as the parameter {name}, which must be a string: "200" '
                "instead of 200, for example"
            )
    return parameters


def _are_strings(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def refuse_local_stage(stage: str) -> None:
    """Raise DeploymentError if `stage` is LOCAL_STAGE: no command for AWS can help it."""
    if stage == LOCAL_STAGE:
        raise DeploymentError(
            "make local runs the stage local on this machine. Choose another stage, such as dev."
        )


def first_client_id(client_ids: str) -> str:
    """Return the first of several ids that are separated by commas. Raises DeploymentError."""
    first = client_ids.partition(",")[0].strip()
    if not first:
        raise DeploymentError(
            f"no app client is recorded. Set USER_POOL_CLIENT_ID in {FILE} to sign in."
        )
    return first


def recorded_backend(stage: str) -> RecordedBackend:
    """Return the backend recorded for `stage`. Raises DeploymentError, NoBackend."""
    return RecordedBackend.from_environment(environment(stage), stage)


def environment(stage: str) -> dict[str, str]:
    """Return the stage's environment variables, including those set for all stages.

    Raises DeploymentError for an unknown stage or an unreadable file.
    """
    return _environment(_read(), stage)


def app_name() -> str:
    """Return the app's name. Raises DeploymentError if it is missing or unusable."""
    name = _read().get("app_name")
    if not isinstance(name, str) or not APP_NAME.fullmatch(name):
        raise DeploymentError(
            f"app_name in {FILE} is {name!r}. It must have up to 20 lower-case letters, digits and "
            "hyphens, begin with a letter, and not contain aws, amazon or cognito, which Cognito "
            "reserves."
        )
    return name


def resource_name(stage: str) -> str:
    """Return the name of the stage's resources, with which all their names begin.

    It is also the name of the API's stack, the table and the user pool. Raises DeploymentError.
    """
    return f"{app_name()}-{stage}"


def owner_id() -> str:
    """Return the id that marks what this project deploys. Empty before the first `make backend`."""
    owner: str = _read().get("owner_id", "")
    return owner


def create_owner_id() -> None:
    """Write a random owner_id, if there is none. Raises DeploymentError if that is impossible."""
    config = _read()
    if not config.get("owner_id"):
        config["owner_id"] = secrets.token_hex(8)
        _write(config)


def backend_record(stage: str) -> BackendRecord:
    """Return where the stage's backend comes from. Raises DeploymentError."""
    settings = _stage(_read(), stage)
    try:
        return BackendRecord.from_json(settings.get("backend", {}))
    except ValueError as error:
        raise DeploymentError(f'"backend" of the stage {stage} in {FILE} {error}.') from error


def policy_file(stage: str) -> Path:
    """Return the file with the stage's IAM policy. It may not exist yet. Raises DeploymentError."""
    config = _read()
    _stage(config, stage)  # raises if there is no such stage
    names = {
        name: settings.get("iam_policy_file", f"policy-{name}.json")
        for name, settings in config["stages"].items()
    }
    own_name = names[stage]
    if not isinstance(own_name, str):
        raise DeploymentError(f"iam_policy_file of the stage {stage} in {FILE} must be a string.")
    if "iam_policy_file" in config or list(names.values()).count(own_name) > 1:
        raise DeploymentError(
            f"several stages in {FILE} have the same iam_policy_file, but each stage has a table "
            "of its own. Give each stage another file, or leave it out."
        )
    return FILE.parent / own_name


def place(stage: str) -> str:
    """Say that a value is among the stage's settings, for messages."""
    return f" of the stage {stage} in {FILE}"


def setting(stage: str, name: str) -> Any:
    """Return a setting of Chalice's, the stage's own or that for all stages; None if not set."""
    config = _read()
    return _stage(config, stage).get(name, config.get(name))


def function_setting(stage: str, name: str) -> Any:
    """Like `setting`, for a setting that Chalice also reads from the member `lambda_functions`."""
    config = _read()
    own = _stage(config, stage)
    for settings in (_of_the_function(own), own, _of_the_function(config), config):
        value = settings.get(name)
        if value is not None:
            return value
    return None


def _of_the_function(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the member of `lambda_functions` for the function, which Chalice calls api_handler."""
    functions = settings.get("lambda_functions")
    own = functions.get("api_handler") if isinstance(functions, dict) else None
    return own if isinstance(own, dict) else {}


def pool_id_of(variables: Mapping[str, str]) -> str:
    """Return the id of the user pool that environment variables name; empty if there is none."""
    return variables.get("USER_POOL_ARN", "").rpartition("/")[2]


def stages_with(variable: str, value: str, *, other_than: str) -> list[str]:
    """Return the stages whose environment variable has this value, without `other_than`."""
    config = _read()
    others = [name for name in config["stages"] if name != other_than]
    return [name for name in others if _environment(config, name).get(variable) == value]


def record(stage: str, variables: Mapping[str, str | None], backend: BackendRecord) -> bool:
    """Set environment variables of `stage` (None removes one) and its backend record, in one step.

    Return whether the file changed. Raises DeploymentError for an unknown stage, or a file that
    cannot be read or written.
    """
    config = _read()
    settings = _stage(config, stage)
    before = json.dumps(config)
    environment = settings.setdefault("environment_variables", {})
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    if backend == BackendRecord():
        settings.pop("backend", None)
    else:
        settings["backend"] = backend.to_json()
    if json.dumps(config) == before:
        return False
    _write(config)
    return True


def _environment(config: dict[str, Any], stage: str) -> dict[str, str]:
    shared = config.get("environment_variables", {})
    own = _stage(config, stage).get("environment_variables", {})
    return {**shared, **own}


def _stage(config: dict[str, Any], stage: str) -> dict[str, Any]:
    stages: dict[str, dict[str, Any]] = config["stages"]
    if stage not in stages:
        known = ", ".join(sorted(stages))
        raise DeploymentError(
            f"there is no stage {stage!r} in {FILE}, only {known}. To add one, write "
            f'"{stage}": {{}} below "stages".'
        )
    return stages[stage]


def _read() -> dict[str, Any]:
    try:
        text = FILE.read_text(encoding="utf-8")
        config = json.loads(text, object_pairs_hook=_refuse_duplicates)
    except FileNotFoundError as error:
        raise DeploymentError(
            f"there is no {FILE} in this folder. Run the command in the project's folder."
        ) from error
    except (OSError, ValueError) as error:
        raise DeploymentError(f"cannot read {FILE}: {error}") from error
    if not _has_expected_shape(config):
        raise DeploymentError(
            f'{FILE} is not in Chalice\'s format: "stages", each stage and each '
            '"environment_variables" must be a JSON object.'
        )
    _refuse_values_other_than_strings(config)
    shaped: dict[str, Any] = config
    return shaped


def _has_expected_shape(config: object) -> bool:
    if not isinstance(config, dict) or not isinstance(config.get("stages"), dict):
        return False
    for part in (config, *config["stages"].values()):
        if not isinstance(part, dict):
            return False
        if not isinstance(part.get("environment_variables", {}), dict):
            return False
    return True


def _refuse_values_other_than_strings(config: dict[str, Any]) -> None:
    """Raise DeploymentError for an environment variable such as true, which must be "true"."""
    for part in (config, *config["stages"].values()):
        for name, value in part.get("environment_variables", {}).items():
            if not isinstance(value, str):
                raise DeploymentError(
                    f'{name} in {FILE} must be a string: "{json.dumps(value)}" instead of '
                    f"{json.dumps(value)}."
                )


def _refuse_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in members]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'an object has the name "{name}" twice')
    return dict(members)


def _write(config: dict[str, Any]) -> None:
    """Replace the file in one step: an interruption leaves either the old or the new one."""
    replace_file(FILE, json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def require_writable(file: Path) -> None:
    """Raise DeploymentError if a file of this project cannot be written or replaced."""
    with _reported_write_errors(file):
        temporary = _temporary(file)
        temporary.touch()
        temporary.unlink()


def replace_file(file: Path, text: str) -> None:
    """Write a file of this project in one step. Raises DeploymentError if that is impossible."""
    with _reported_write_errors(file):
        temporary = _temporary(file)
        temporary.write_text(text, encoding="utf-8")
        if file.exists():
            shutil.copymode(file, temporary)
        temporary.replace(file.resolve())


def _temporary(file: Path) -> Path:
    if file.exists() and not os.access(file, os.W_OK):  # replacing it would need no permission
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    target = file.resolve()  # the file may be a link
    return target.with_name(f".{target.name}.{os.getpid()}")


@contextmanager
def _reported_write_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeploymentError(
            f"cannot write {file} ({error.strerror}). Make the file and its folder writable."
        ) from error
    except UnicodeError as error:
        raise DeploymentError(f"cannot write {file}: {error}.") from error
