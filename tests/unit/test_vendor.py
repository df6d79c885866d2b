"""The SDK that is packaged: what is in it, that it is built the same each time, and that it finds every endpoint."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import botocore.session
import pytest

from deploy import vendor
from tests.support.lambda_runtime import PYTHON


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert vendor.build()
        assert not vendor.build(), "what is up to date is left alone"
        yield folder / "vendor"


def digests(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def test_the_same_packages_give_the_same_bytes(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vendor.build()
    assert digests(tmp_path / "vendor") == digests(built)


def test_a_stale_one_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / ".built").write_text("botocore==1.0")
    (tmp_path / "vendor" / "left-over.py").touch()
    assert vendor.build()
    assert not (tmp_path / "vendor" / "left-over.py").exists()


def test_it_has_dynamodbs_data_alone_and_a_compiled_file_for_each_source(built: Path) -> None:
    data = {
        file.relative_to(built / "botocore/data").parts[0]
        for file in (built / "botocore/data").rglob("*.json*")
    }
    assert data == {
        "_retry.json",
        "dynamodb",
        "endpoints.json",
        "partitions.json",
        "sdk-default-configuration.json",
    }
    sources = list(built.rglob("*.py"))
    assert len(sources) > 100
    for source in sources:
        compiled = (
            source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        )
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", "by hash, and unchecked"


ENDPOINTS = """
import json, sys
import botocore.session
import botocore
assert "/vendor/" in botocore.__file__, botocore.__file__
from botocore.config import Config
session = botocore.session.get_session()
for region, dual_stack, fips in json.load(sys.stdin):
    config = Config(use_dualstack_endpoint=dual_stack, use_fips_endpoint=fips)
    try:
        print(session.create_client("dynamodb", region_name=region, config=config).meta.endpoint_url)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_every_region_of_every_partition_has_its_endpoint(built: Path) -> None:
    session = botocore.session.get_session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition, allow_non_regional=True)
    ]
    assert {
        "us-east-1",
        "cn-north-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "eusc-de-east-1",
        "local",
    } <= set(regions)
    asked = list(product(regions, (False, True), (False, True)))
    answers = {}
    for name, path in (("slim", built), ("full", Path(botocore.__file__).parents[1])):
        code = ENDPOINTS.replace('"/vendor/" in', '"/" in') if name == "full" else ENDPOINTS
        answers[name] = subprocess.run(
            [PYTHON, "-S", "-c", code], input=json.dumps(asked), capture_output=True, text=True, check=True,
            env={"PYTHONPATH": str(path), "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
        ).stdout.splitlines()  # fmt: skip
    assert len(answers["full"]) == len(asked)
    assert answers["slim"] == answers["full"]


def test_the_model_is_the_whole_but_for_its_documentation(built: Path) -> None:
    loader = botocore.session.get_session().get_component("data_loader")
    whole = loader.load_service_model("dynamodb", "service-2")
    slim = json.loads((built / vendor.MODEL / "service-2.json").read_text())
    assert '"documentation":"' not in json.dumps(slim, separators=(",", ":"))
    assert slim["operations"].keys() == whole["operations"].keys()
    assert {name: set(shape.get("members", ())) for name, shape in slim["shapes"].items()} == {
        name: set(shape.get("members", ())) for name, shape in whole["shapes"].items()
    }


VALUES = {
    "M": {
        "n": {"N": "12345678901234567890.5"},
        "b": {"B": "AP8="},
        "l": {"L": [{"NULL": True}, {"S": ""}]},
    }
}
PASS_THROUGH = """
import json, sys
from types import SimpleNamespace
import botocore.session
client = botocore.session.get_session().create_client("dynamodb")
values = json.load(sys.stdin)

def answer(request, **_):
    assert json.loads(request.body)["Item"]["v"] == values
    return SimpleNamespace(status_code=200, headers={}, content=json.dumps({"Attributes": {"v": values}}).encode())

client.meta.events.register("before-send", answer)
assert client.put_item(TableName="t", Item={"v": values})["Attributes"]["v"] == values
"""


def test_attribute_values_pass_as_they_are_both_ways(built: Path) -> None:
    shell = {"PYTHONPATH": str(built), "AWS_DEFAULT_REGION": "us-east-1"}
    shell |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    subprocess.run(
        [PYTHON, "-S", "-c", PASS_THROUGH],
        input=json.dumps(VALUES),
        env=shell,
        check=True,
        text=True,
    )


def test_the_endpoint_can_be_set(built: Path) -> None:
    code = "import botocore.session as s; print(s.get_session().create_client('dynamodb').meta.endpoint_url)"
    shell = {
        "PYTHONPATH": str(built),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://here:1",
    }
    done = subprocess.run(
        [PYTHON, "-S", "-c", code], env=shell, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "http://here:1"
