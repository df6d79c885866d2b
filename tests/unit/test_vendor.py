"""The SDK in the package: its content, reproducible builds, and its use."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest

from deploy import vendor
from tests.support.aws_calls import operations_of_the_service
from tests.support.lambda_runtime import PYTHON

SOME_REGIONS = {
    "us-east-1",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "eusc-de-east-1",
    "local",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A vendor/ folder."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert vendor.build()
        assert not vendor.build(), "it is current, and was built again"
        yield folder / "vendor"


def test_an_outdated_folder_is_built_again_with_the_same_bytes(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vendor.FOLDER.mkdir()
    vendor.STAMP.write_text("botocore==1.0")
    (vendor.FOLDER / "left-over.py").touch()
    assert vendor.build()
    assert hashes(vendor.FOLDER) == hashes(built)


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_it_holds_the_data_of_the_apis_services_only(built: Path) -> None:
    folder = built / "botocore" / "data"
    data = {file.relative_to(folder).parts[0] for file in folder.rglob("*.json*")}
    assert data == {
        "_retry.json",
        "cognito-idp",
        "dynamodb",
        "endpoints.json",
        "partitions.json",
        "sdk-default-configuration.json",
    }


def test_every_source_is_compiled_and_never_checked(built: Path) -> None:
    sources = list(built.rglob("*.py"))
    assert len(sources) > 100
    for source in sources:
        name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        compiled = (source.parent / "__pycache__" / name).read_bytes()
        assert compiled[4:8] == b"\x01\0\0\0", "by hash, unchecked (PEP 552)"


def test_dynamodbs_model_lacks_its_documentation_only(built: Path) -> None:
    full = full_model("dynamodb")
    slim = json.loads((built / vendor.MODEL / "service-2.json").read_text())
    assert '"documentation":"' not in json.dumps(slim, separators=(",", ":"))
    assert slim["operations"].keys() == full["operations"].keys()
    assert members_of_shapes(slim) == members_of_shapes(full)


def test_cognitos_model_has_what_the_api_calls_only(built: Path) -> None:
    full = full_model("cognito-idp")
    slim = json.loads((built / vendor.USER_POOL_MODEL / "service-2.json").read_text())
    assert '"documentation":"' not in json.dumps(slim, separators=(",", ":"))
    assert slim["operations"].keys() == operations_of_the_service("cognito-idp"), (
        "update USER_POOL_OPERATIONS in deploy/vendor.py"
    )
    every_shape = members_of_shapes(full)
    assert members_of_shapes(slim) == {name: every_shape[name] for name in slim["shapes"]}
    assert len(slim["shapes"]) < len(full["shapes"]) / 10


def full_model(service: str) -> dict[str, Any]:
    loader = botocore.session.get_session().get_component("data_loader")
    model: dict[str, Any] = loader.load_service_model(service, "service-2")
    return model


def members_of_shapes(model: dict[str, Any]) -> dict[str, set[str]]:
    return {name: set(shape.get("members", ())) for name, shape in model["shapes"].items()}


# --- the SDK in a separate process ----------------------------------------------------------------


def run_with_sdk(sdk: Path, code: str, given: object = None, **variables: str) -> str:
    """Run code without packages other than this SDK, with `given` as JSON; return its output."""
    done = subprocess.run(
        [PYTHON, "-S", "-c", code],
        input=json.dumps(given),
        env={
            "PYTHONPATH": str(sdk),
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            **variables,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


PRINT_ENDPOINTS = """
import json, sys
import botocore.session
from botocore.config import Config
session = botocore.session.get_session()
service, endpoints = json.load(sys.stdin)
for region, dual_stack, fips in endpoints:
    config = Config(use_dualstack_endpoint=dual_stack, use_fips_endpoint=fips)
    try:
        client = session.create_client(service, region_name=region, config=config)
        print(client.meta.endpoint_url)
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize("service", ["dynamodb", "cognito-idp"])
def test_every_region_of_every_partition_has_its_endpoint(built: Path, service: str) -> None:
    session = botocore.session.get_session()
    endpoints = []
    for partition in session.get_available_partitions():
        regions = session.get_available_regions("dynamodb", partition, allow_non_regional=True)
        endpoints += [(region, False, False) for region in regions]
        # Dual-stack and FIPS endpoints follow the same rule in all regions of a partition.
        endpoints += list(product(regions[:1], (False, True), (False, True)))
    assert {region for region, _, _ in endpoints} >= SOME_REGIONS
    full_sdk = Path(botocore.__file__).parents[1]
    expected = run_with_sdk(full_sdk, PRINT_ENDPOINTS, [service, endpoints])
    assert len(expected.splitlines()) == len(endpoints)
    assert run_with_sdk(built, PRINT_ENDPOINTS, [service, endpoints]) == expected


PRINT_SDK = "import botocore; print(botocore.__file__)"


def test_the_sdk_of_these_tests_is_the_built_one(built: Path) -> None:
    assert run_with_sdk(built, PRINT_SDK).startswith(str(built))


VALUES = {
    "M": {
        "n": {"N": "12345678901234567890.5"},
        "b": {"B": "AP8="},
        "l": {"L": [{"NULL": True}, {"S": ""}]},
    }
}
PUT_ITEM = """
import json, sys
from types import SimpleNamespace
import botocore.session
client = botocore.session.get_session().create_client("dynamodb")
values = json.load(sys.stdin)

def answer(request, **_):
    assert json.loads(request.body)["Item"]["v"] == values
    content = json.dumps({"Attributes": {"v": values}}).encode()
    return SimpleNamespace(status_code=200, headers={}, content=content)

client.meta.events.register("before-send", answer)
assert client.put_item(TableName="t", Item={"v": values})["Attributes"]["v"] == values
"""


def test_attribute_values_pass_unchanged_both_ways(built: Path) -> None:
    run_with_sdk(built, PUT_ITEM, VALUES)


PRINT_ENDPOINT = """
import botocore.session
print(botocore.session.get_session().create_client("dynamodb").meta.endpoint_url)
"""


def test_the_endpoint_can_be_set(built: Path) -> None:
    output = run_with_sdk(built, PRINT_ENDPOINT, AWS_ENDPOINT_URL_DYNAMODB="http://here:1")
    assert output.strip() == "http://here:1"


PRINT_FILES_OF_COGNITO = """
import sys
opened = []

def note(event, arguments):
    if event == "open" and "cognito-idp" in str(arguments[0]):
        opened.append(arguments[0])

sys.addaudithook(note)
import botocore.session
from types import SimpleNamespace
session = botocore.session.get_session()
client = session.create_client("dynamodb")
answer = SimpleNamespace(status_code=200, headers={}, content=b"{}")
client.meta.events.register("before-send", lambda **_: answer)
client.get_item(TableName="t", Key={})
print(len(opened))
session.create_client("cognito-idp")
print(len(opened))
"""


def test_cognitos_data_is_read_for_its_client_only(built: Path) -> None:
    """A cold start, and a call of DynamoDB, do not wait for it."""
    before, after = run_with_sdk(built, PRINT_FILES_OF_COGNITO).split()
    assert before == "0"
    assert int(after) > 0


PRINT_ERROR = """
import json, sys
from types import SimpleNamespace
import botocore.session
from botocore.exceptions import ClientError
client = botocore.session.get_session().create_client("cognito-idp")
status, body = json.load(sys.stdin)

def answer(**_):
    return SimpleNamespace(status_code=status, headers={}, content=json.dumps(body).encode())

client.meta.events.register("before-send", answer)
try:
    client.admin_delete_user(UserPoolId="us-east-1_Abc", Username="ada")
except ClientError as error:
    print(error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
"""


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "UserNotFoundException"),
        (400, "ResourceNotFoundException"),
        (400, "NotAuthorizedException"),
        (400, "InvalidParameterException"),
        (400, "TooManyRequestsException"),
        (500, "InternalErrorException"),
        # Errors of every operation, which the model does not name.
        (400, "AccessDeniedException"),
        (400, "ThrottlingException"),
    ],
)
def test_an_error_of_cognito_has_its_code(built: Path, status: int, code: str) -> None:
    answer = [status, {"__type": code, "message": "no"}]
    output = run_with_sdk(built, PRINT_ERROR, answer, AWS_MAX_ATTEMPTS="1")
    assert output.strip() == f"{code} {status}"
