"""Processes that a command starts: none outlives it, whatever happens when."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import process
from local.emulator import EmulatorError, emulator
from local.process import free_port, running


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_child_that_will_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    with running(python(deaf), os.environ, tmp_path / "log") as child:
        while "deaf" not in (tmp_path / "log").read_text():
            assert child.poll() is None
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("stop", process.STOPS)
def test_a_stop_while_a_child_is_being_started_stops_the_child(
    monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    children: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def interrupted(*arguments: object, **more: object) -> subprocess.Popen[bytes]:
        child: subprocess.Popen[bytes] = popen(*arguments, **more)  # type: ignore[call-overload]
        children.append(child)
        os.kill(os.getpid(), stop)
        return child

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with (
        pytest.raises(KeyboardInterrupt),
        running(python("import time; time.sleep(60)"), os.environ),
    ):
        pytest.fail("the stop was lost")
    assert children[0].poll() is not None


def test_an_emulator_that_cannot_start_is_told_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EmulatorError, match=r"emulator\.log"), emulator(free_port(), tmp_path):
        pytest.fail("it did start")
