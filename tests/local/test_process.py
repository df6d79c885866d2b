"""Child processes: none outlives its parent, and waiting for one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stop_signals import STOP_SIGNALS
from local import process
from local.emulator import EmulatorError, emulator
from local.process import running, wait_for_any, wait_until
from tests.support.clone import ROOT

RUN_FOREVER = "import signal; signal.pause()"


def python(code: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_a_child_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.1)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    log = tmp_path / "log"
    with running(python(f"{code}; signal.pause()"), os.environ, log) as child:
        assert wait_until(lambda: log.read_text() != "", timeout=10, process=child)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("stop", STOP_SIGNALS)
def test_a_signal_during_the_start_stops_the_child(
    monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    children: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def interrupted(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        child: subprocess.Popen[bytes] = popen(*arguments, **options)  # type: ignore[call-overload]
        children.append(child)
        os.kill(os.getpid(), stop)
        return child

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt), running(python(RUN_FOREVER), os.environ):
        pytest.fail("the signal was lost")
    assert children[0].poll() is not None


@pytest.mark.parametrize("stop", STOP_SIGNALS)
def test_every_stop_signal_raises_keyboard_interrupt(stop: int) -> None:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        process.raise_on_stop_signals()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


PARENT = """
import os, sys
from local.process import running
with running([sys.executable, "-c", *sys.argv[1:]], os.environ) as child:
    child.wait()
"""
CHILD = """
import signal, sys
from pathlib import Path
from local.process import stop_with_parent
file = Path(sys.argv[1])
def stop(*_):
    file.write_text("stopped in order")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
stop_with_parent()
file.write_text("started")
signal.pause()
"""


def test_a_child_stops_in_order_when_its_parent_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with subprocess.Popen(python(PARENT, CHILD, file), cwd=ROOT) as parent:
        assert wait_until(lambda: file.read_text() == "started", timeout=10)
        parent.kill()
    assert wait_until(lambda: file.read_text() == "stopped in order", timeout=10)


def test_waiting_ends_when_the_condition_is_true() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), timeout=10)


def test_waiting_ends_when_the_time_is_over() -> None:
    assert not wait_until(lambda: False, timeout=0)


def test_waiting_ends_when_the_process_does() -> None:
    with running(python(""), os.environ) as child:
        assert not wait_until(lambda: False, timeout=60, process=child)


def test_the_first_process_to_end_is_returned() -> None:
    with (
        running(python(RUN_FOREVER), os.environ) as one,
        running(python("raise SystemExit(3)"), os.environ) as other,
    ):
        assert wait_for_any([one, other]) is other
        assert other.returncode == 3


def test_an_emulator_that_does_not_start_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EmulatorError, match=r"emulator\.log"), emulator(0, tmp_path):
        pytest.fail("it did start")
