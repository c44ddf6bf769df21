"""Processor time: this program's own work does not count as others'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plugin_host.bench import processor_time
from plugin_host.bench.processor_time import ProcessorTime

BUSY = "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass"


def stat(user: int, idle: int, stolen: int) -> str:
    return f"cpu {user} 0 0 {idle} 0 0 0 {stolen} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"


def test_shares_of_what_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(processor_time, "STAT", tmp_path / "stat")
    monkeypatch.setattr(processor_time, "_own_seconds", lambda: 0.0)
    (tmp_path / "stat").write_text(stat(1000, 5000, 100))
    processors = ProcessorTime()
    (tmp_path / "stat").write_text(stat(1300, 5600, 200))
    taken = processors.taken()
    assert taken is not None
    assert (taken.by_others, taken.by_hypervisor) == (pytest.approx(0.3), pytest.approx(0.1))
    (tmp_path / "stat").write_text("nonsense")
    assert processors.taken() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_children_are_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    processors = ProcessorTime()
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    ours = processors.taken()
    monkeypatch.setattr(processor_time, "_own_seconds", lambda: processors._own_seconds)
    anybodys = processors.taken()
    assert ours is not None
    assert anybodys is not None
    assert anybodys.by_others > ours.by_others
