"""Runs the inputs that fuzzing has found, without the fuzzer."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_found_by_fuzzing_still_pass(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs, f"tests/fuzz/corpus/{name} is empty"
    for file in inputs:
        TARGETS[name](file.read_bytes())
