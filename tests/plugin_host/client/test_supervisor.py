"""The engine is restarted if it crashes, and only then. Small real processes stand in for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugin_host.client import supervisor
from plugin_host.client.supervisor import Supervisor

CRASH_TWICE = """
import os, pathlib, signal, sys
path = pathlib.Path(sys.argv[1])
starts = len(path.read_text()) if path.exists() else 0
path.write_text("x" * (starts + 1))
if starts < 2:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(7)
"""


def supervised(code: str, *arguments: str) -> tuple[int, list[str]]:
    said: list[str] = []
    return Supervisor([sys.executable, "-c", code, *arguments], said.append).run(), said


@pytest.mark.skipif(os.name != "posix", reason="kills a process by a POSIX signal")
def test_a_killed_engine_is_started_again(tmp_path: Path) -> None:
    code, said = supervised(CRASH_TWICE, str(tmp_path / "starts"))
    assert code == 7
    assert (tmp_path / "starts").read_text() == "xxx"
    assert said == ["the engine ended with signal SIGKILL: it is started again"] * 2


@pytest.mark.parametrize("code", [0, 2, 3, 4])
def test_an_engine_that_ended_by_itself_stays_ended(code: int) -> None:
    assert supervised(f"raise SystemExit({code})") == (code, [])


def test_one_that_crashes_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = supervised("raise RuntimeError")
    assert code == 1
    assert len(said) == supervisor.RESTARTS_MAX + 1
    assert "not started again" in said[-1]


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_segue_engine_comes_back_and_ends_when_stopped(tmp_path: Path) -> None:
    """The command itself: a killed engine is back on its port; SIGTERM ends both, and no ring is left."""
    command = [sys.executable, "-m", "plugin_host.cli", "engine", "--model", "none", "--port", "0"]
    log = tmp_path / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            first = engine_pid(log, 1)
            os.kill(first, signal.SIGKILL)
            second = engine_pid(log, 2)
            assert second != first
            assert "ended with signal SIGKILL: it is started again" in log.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def engine_pid(log: Path, count: int) -> int:
    """The newest engine's process id, once this many engines have reported that they listen."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.findall(r"listening on .*, pid (\d+)", log.read_text())
        if len(found) == count:
            return int(found[-1])
        time.sleep(0.05)
    raise AssertionError(log.read_text())
