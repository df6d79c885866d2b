"""Fixtures for the tests of the commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clone import copy_of_the_project


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, as after `git clone` and the installation."""
    return copy_of_the_project(tmp_path_factory.mktemp("clone") / "user-profile")


@pytest.fixture
def restored_environment() -> Iterator[None]:
    """Undo at the end what a test changes in os.environ."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
