"""What fuzzing found worth keeping, once more, without the fuzzer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    import app  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "store", app.store)  # which a target replaces
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_holds(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for file in inputs:
        TARGETS[name](file.read_bytes())
