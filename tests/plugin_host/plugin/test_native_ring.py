"""The C++ ring reader against Python's writer: no sample lost or doubled, invalid segments refused."""

from __future__ import annotations

import ctypes
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.ring import shared_memory
from bridge.ring.form import RingForm
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter
from plugin_host.plugin import build
from tests.plugin_host.plugin.native_core import NativeLane, repository

HOUR_SAMPLES = 3600 * 48_000


def _writer(n_samples: int) -> subprocess.Popen[str]:
    """A process that writes counted samples as fast as they are read."""
    child = repository() / "tests/bridge/ring/ring_child.py"
    command = [sys.executable, str(child), "count", str(n_samples), "7"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository(), env=_environment())


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(repository())}


def _name(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    return writer.stdout.readline().strip()


def test_an_hour_between_two_processes_without_one_sample_lost(core: ctypes.CDLL) -> None:
    writer = _writer(HOUR_SAMPLES)
    try:
        assert core.segue_count(_name(writer).encode(), HOUR_SAMPLES, 3) == HOUR_SAMPLES
    finally:
        writer.kill()
        writer.wait()


def test_the_same_under_a_sanitizer(tmp_path: Path) -> None:
    sanitizer = "address,undefined"
    try:
        program = build.build_count(tmp_path, sanitizer)
    except build.PluginBuildError as fault:
        pytest.skip(f"no {sanitizer} sanitizer here: {fault}"[:200])
    samples = 20 * 48_000
    writer = _writer(samples)
    try:
        command = [str(program), _name(writer), str(samples), "11"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    finally:
        writer.kill()
        writer.wait()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) == samples


def _made(lane: int) -> RingWriter:
    form = RingForm(48_000, 2, 64, 64, lane)
    return RingWriter(Segment.create(shared_memory.segment_name(lane), form.n_bytes), form)


@pytest.mark.parametrize(
    ("word", "value"),
    [("magic", 1), ("version", 2), ("sample_rate_hz", 7), ("channels", 9), ("block_samples", 9000),
     ("capacity_blocks", 96), ("capacity_blocks", 65_536), ("slots_offset", 0), ("payload_offset", 2**31),
     ("segment_bytes", 2**40)],
)  # fmt: skip
def test_a_header_that_does_not_fit_is_refused(core: ctypes.CDLL, word: str, value: int) -> None:
    writer = _made(941)
    lane = NativeLane(core, 48_000)
    try:
        writer._words.put(word, value)
        assert lane.attach(writer.name)
    finally:
        lane.close()
        writer.close()


@pytest.mark.parametrize(
    "name", ["", "segue", "segue-1", "../etc/passwd", "segue-1-2/../x", "segue--1", "segue-9999999-3"]
)
def test_only_rings_that_are_there_are_opened(core: ctypes.CDLL, name: str) -> None:
    lane = NativeLane(core, 48_000)
    assert lane.attach(name)
    lane.close()


def test_a_ring_has_one_reader_and_gives_it_back(core: ctypes.CDLL) -> None:
    writer = _made(942)
    lane = NativeLane(core, 48_000)
    try:
        writer._words.put("host_pid", 1)  # any living process
        assert "read by process 1" in lane.attach(writer.name)
        writer._words.put("host_pid", 0)
        assert not lane.attach(writer.name)
        assert writer.host_pid != 0
    finally:
        lane.close()
        assert writer.host_pid == 0
        writer.close()


def test_random_words_in_ring_and_slots_never_reach_outside(core: ctypes.CDLL) -> None:
    import numpy as np

    from bridge.time.transport import Grid, Transport

    writer, rng = _made(943), random.Random(4)
    lane = NativeLane(core, 48_000)
    try:
        assert not lane.attach(writer.name)
        words = writer._words
        out = np.zeros((512, 2), np.float32)
        for turn in range(300):
            for _ in range(20):
                words.u32[rng.randrange(16, words.u32.nbytes // 4)] = rng.choice((0, 1, 2**32 - 1, rng.getrandbits(32)))
            lane.process(out[: rng.randint(1, 512)], Transport(True, turn * 512, Grid(48_000, 133.0)))
            assert not np.isnan(out).any()
    finally:
        words.put("host_pid", 0)
        lane.close()
        writer.close()
