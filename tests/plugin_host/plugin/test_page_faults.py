"""The audio thread causes no page faults: ring and held bar are mapped before it needs them."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bridge.time.transport import Grid, Transport
from plugin_host.playback.processor import BlockState
from tests.plugin_host.plugin.native_core import NativeLane, repository
from tests.plugin_host.plugin.plugin_rig import environment

RATE, BLOCK = 48_000, 256
MUSIC = 20 * RATE // BLOCK * BLOCK  # more than two times through the ring
WARM_BLOCKS = 8
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="page faults of one thread are counted on Linux")


@pytest.fixture
def ring() -> Iterator[str]:
    """A ring that another process fills as fast as it is read."""
    child = repository() / "tests/bridge/ring/ring_child.py"
    command = [sys.executable, str(child), "music", str(MUSIC)]
    engine = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository(), env=environment())
    assert engine.stdout is not None
    yield engine.stdout.readline().strip()
    engine.kill()
    engine.wait()


def _faults(lane: NativeLane, begin: int, end: int) -> int:
    """Page faults from one position to another, read no faster than it is written."""
    out, found = np.full((BLOCK, 2), 9, np.float32), 0
    while begin < end:
        blocks = min(max(lane.fill_samples // BLOCK, 1), (end - begin) // BLOCK)
        found += lane.faults(out, begin, blocks)
        begin += blocks * BLOCK
        time.sleep(0.001)
    return found


def test_no_page_fault_in_music_a_held_bar_and_a_slower_tempo(core: ctypes.CDLL, ring: str) -> None:
    lane, out, grid = NativeLane(core, RATE), np.full((BLOCK, 2), 9, np.float32), Grid(RATE, 120.0)
    try:
        assert not lane.attach(ring)
        lane.prepare()
        for _ in range(WARM_BLOCKS):
            lane.process(out, Transport(False, 0, grid))
        deadline = time.monotonic() + 30
        while lane.fill_samples < RATE:
            assert time.monotonic() < deadline
            time.sleep(0.001)
            lane.process(out, Transport(False, 0, grid))
        assert _faults(lane, 0, MUSIC) == 0
        assert lane.counted()[0].played_samples == MUSIC
        assert lane.counted()[1].late_blocks == 0
        held = MUSIC + 3 * RATE // BLOCK * BLOCK
        assert _faults(lane, MUSIC, held) == 0
        assert lane.state == BlockState.HOLDING
        lane.grid(grid.retuned(held, 60.0))
        assert _faults(lane, held, held + 8 * RATE // BLOCK * BLOCK) == 0
        assert lane.counted()[0].tempo_changes == 1
    finally:
        lane.close()
