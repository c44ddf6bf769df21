"""The plugin's audio thread equals plugin_host.playback.processor: the same samples, states and counters."""

from __future__ import annotations

import ctypes
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from bridge.ring import shared_memory
from bridge.ring.fader_block import Fader
from bridge.ring.form import PlaybackPlan, RingForm
from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.ring.reader import RingReader
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from plugin_host.playback.processor import FAR_SAMPLES, BlockState, Processor
from tests.plugin_host.plugin.native_core import NativeLane

RATE = 8000


def _music(begin: int, end: int) -> np.ndarray:
    at = np.arange(begin, end)
    left = 0.5 * np.sin(at * 0.05) * (1 + 0.3 * np.sin(at * 0.0007))
    return np.stack([left, -left], axis=1).astype(np.float32)


class Both:
    """Two rings of equal content: Python's processor reads one, the plugin's the other."""

    def __init__(self, core: ctypes.CDLL) -> None:
        self.writers = []
        for lane in (951, 952):
            form = RingForm(RATE, 2, 64, 1024, lane)
            self.writers.append(RingWriter(Segment.create(shared_memory.segment_name(lane), form.n_bytes), form))
        self.reader = RingReader.attach(self.writers[0].name)
        self.python = Processor(RATE)
        self.python.offer(self.reader)
        self.native = NativeLane(core, RATE)
        self.muted_samples = 0  # of the held bar
        assert not self.native.attach(self.writers[1].name)

    def plan(self, plan: PlaybackPlan) -> None:
        for writer in self.writers:
            writer.set_plan(plan)

    def fade(self, fader: Fader) -> None:
        for writer in self.writers:
            writer.set_fader(fader)

    def hold_until(self, position: int) -> None:
        self.python.hold_until_samples = position
        self.native.hold_until(position)

    def ready(self, n: int, expecting: bool) -> bool:
        """Whether the next block is ready for both; fails if they differ."""
        python = self.python.ready(n, expecting)
        assert self.native.ready(n, self.python._expected, expecting) == python, (n, expecting, self.python.state)
        return python

    def write(self, begin: int, end: int, plan_revision: int, seek_id: int) -> None:
        for writer in self.writers:
            writer.write(begin, _music(begin, end), plan_revision, seek_id)

    def process(self, transport: Transport, n: int) -> None:
        """Process one block in both; fails if they differ."""
        python, native = np.full((n, 2), 9, np.float32), np.full((n, 2), 9, np.float32)
        self.python.process(python, transport)
        self.native.process(native, transport)
        where = f"at {transport.position_samples}, {transport.grid}"
        np.testing.assert_allclose(native, python, atol=2e-6, err_msg=where)
        assert self.native.state == self.python.state, where
        self.muted_samples += n if self.python.state == BlockState.HOLDING and not python.any() else 0
        assert self.native.fill_samples == self.python.fill_samples, where
        assert self.native.counted() == (self.python.counters, self.python.drops), where

    def close(self) -> None:
        self.native.close()
        self.reader.close()
        for writer in self.writers:
            writer.close()


class Story:
    """A random session: blocks of any size, an engine that stalls, a host that jumps."""

    def __init__(self, both: Both, seed: int) -> None:
        self.both, self.rng = both, random.Random(seed)
        self.grid = Grid(RATE, 120.0)
        self.position, self.written, self.seek_id, self.plan_revision = 0, 0, 0, 1
        self.stalled = 0
        self.answers: set[bool] = set()  # of `ready`
        both.plan(PlaybackPlan(1, True, 0, 0, ENDLESS_SAMPLES, 0))

    def turn(self) -> None:
        rng = self.rng
        if rng.random() < 0.0012:
            self._jump()
        if rng.random() < 0.0015:
            self._retempo()
        if rng.random() < 0.002:
            self.stalled = rng.randint(10, 90)
        if rng.random() < 0.001:
            self._plan()
        if rng.random() < 0.01:
            self._fade()
        if rng.random() < 0.002:
            self.both.hold_until(rng.choice((-FAR_SAMPLES, FAR_SAMPLES, self.position + rng.randint(0, 20_000))))
        self.stalled = max(0, self.stalled - 1)
        self._write()
        n = rng.choice((1, 7, 64, 100, 150, 512))
        if rng.random() < 0.3:
            self.answers.add(self.both.ready(n, rng.random() < 0.5))
        playing = rng.random() > 0.01
        self.both.process(Transport(playing, self.position, self.grid), n)
        self.position += n if playing else 0

    def _write(self) -> None:
        lead = self.position + 2000
        self.written = max(self.written, self.position - 100)
        if not self.stalled and self.written < lead:
            self.both.write(self.written, lead, self.plan_revision, self.seek_id)
            self.written = lead

    def _jump(self) -> None:
        to = self.rng.choice((0, self.grid.bar_start(self.rng.randint(0, 9)), self.rng.randint(0, 90_000)))
        self.position = max(0, to)
        self.seek_id = self.both.python.seek_id + 1
        self.plan_revision += 1
        self.written = self.position + self.rng.randint(0, 1500)
        plan = PlaybackPlan(self.plan_revision, True, self.written, self.written, ENDLESS_SAMPLES, self.seek_id)
        self.both.process(Transport(False, self.position, self.grid), 64)
        self.seek_id = self.both.python.seek_id
        self.both.plan(replace(plan, seek_id=self.seek_id))

    def _retempo(self) -> None:
        bpm = self.rng.choice((60.0, 93.7, 120.0, 137.5, 174.03))
        self.grid = self.grid.retuned(self.position, bpm)
        if self.rng.random() < 0.3:
            self.grid = self.grid.resigned(
                self.position, Signature(self.rng.choice((3, 4, 7)), self.rng.choice((4, 8)))
            )

    def _fade(self) -> None:
        rng, at = self.rng, self.position
        changes = []
        for _ in range(rng.randint(0, 3)):
            at += rng.choice((0, 1, rng.randint(0, 700), rng.randint(0, 9000)))
            changes.append((at, rng.choice((0.0, 1.0, 0.25, 2.0))))
        seek_id = self.both.python.seek_id + rng.choice((0, 0, 0, 1))
        self.both.fade(Fader(rng.choice((0.0, 1.0, 1.0, 0.5)), tuple(changes), seek_id))

    def _plan(self) -> None:
        self.plan_revision += 1
        self.written = self.position + self.rng.randint(0, 1000)
        end = self.rng.choice((ENDLESS_SAMPLES, self.position + self.rng.randint(0, 20_000)))
        self.both.plan(
            PlaybackPlan(
                self.plan_revision, self.rng.random() < 0.9, self.written, self.written - 500, end, self.seek_id
            )
        )


@pytest.mark.parametrize("seed", range(6))
def test_a_session_by_chance_sounds_the_same(core: ctypes.CDLL, seed: int) -> None:
    """Random sessions: both processors give the same samples, states and counters."""
    both = Both(core)
    try:
        story = Story(both, seed)
        for _ in range(2500):
            story.turn()
        counters = both.python.counters
        assert counters.played_samples > 0
        assert counters.held_samples + counters.muted_samples > 0
        assert counters.jumps > 0
        assert story.answers == {True, False}
    finally:
        both.close()


@pytest.mark.parametrize("expecting", [False, True])
def test_a_ring_without_a_plan_is_ready_where_nothing_is_to_come(core: ctypes.CDLL, expecting: bool) -> None:
    both, grid = Both(core), Grid(RATE, 120.0)
    try:
        both.process(Transport(False, 0, grid), 64)
        assert both.ready(64, expecting) == (not expecting)
        both.plan(PlaybackPlan(1, True, 0, 0, ENDLESS_SAMPLES, 0))
        assert not both.ready(64, expecting)
        both.write(0, 9000, 1, 0)
        assert both.ready(64, expecting)
        for begin in range(0, 9000, 100):
            both.process(Transport(True, begin, grid), 100)
        both.process(Transport(True, 40_000, grid), 100)  # another timeline, not planned yet
        assert both.python.state == BlockState.HOLDING
        assert not both.ready(64, expecting)
    finally:
        both.close()


def test_a_held_bar_obeys_the_fader(core: ctypes.CDLL) -> None:
    both, grid = Both(core), Grid(RATE, 120.0)
    try:
        both.plan(PlaybackPlan(1, True, 0, 0, ENDLESS_SAMPLES, 0))
        both.write(0, 20_000, 1, 0)
        both.fade(Fader(0.8, ((24_010, 0.0), (31_000, 0.8), (40_000, 0.1))))
        for begin in range(0, 50_000, 50):
            if begin == 45_000:
                both.fade(Fader(4.0, ((47_003, float(1 / 3)),)))
            both.process(Transport(True, begin, grid), 50)
        assert both.python.counters.held_samples == 30_000
        assert both.muted_samples == 31_000 - 24_050  # except for the block with the glide
    finally:
        both.close()


def test_a_bar_is_held_as_long_as_it_is_reported_to(core: ctypes.CDLL) -> None:
    """An engine that cannot play plans silence: the held bar continues nevertheless, up to its end."""
    both, grid = Both(core), Grid(RATE, 120.0)
    try:
        both.plan(PlaybackPlan(1, True, 0, 0, ENDLESS_SAMPLES, 0))
        both.write(0, 20_000, 1, 0)
        both.hold_until(60_000)
        for begin in range(0, 70_000, 100):
            if begin == 30_000:
                both.plan(PlaybackPlan(2, False, 0, 0, 0))
            both.process(Transport(True, begin, grid), 100)
            wanted = BlockState.PLAYING if begin < 20_000 else BlockState.HOLDING if begin < 60_000 else BlockState.IDLE
            assert both.python.state == wanted
    finally:
        both.close()


def test_bars_begin_on_the_same_samples(core: ctypes.CDLL) -> None:
    rng = random.Random(1)
    for rate in (8000, 44_100, 48_000, 96_000, 192_000):
        lane = NativeLane(core, rate)
        for _ in range(300):
            bpm = rng.choice((round(rng.uniform(20, 300), rng.randint(0, 3)), 93.7, 137.5, 160.0))
            signature = Signature(rng.randint(1, 13), rng.choice((2, 4, 8, 16)))
            anchor = rng.choice((0, rng.randint(-(10**6), 10**8)))
            origin, beats = rng.choice((0.0, 3.5)), round(rng.uniform(-8, 3000), rng.randint(0, 4))
            grid = Grid(rate, bpm, signature, anchor, beats, origin)
            lane.grid(grid)
            bar = rng.randint(-3, 20_000)
            assert core.segue_bar_start(lane.pointer, bar) == grid.bar_start(bar), (grid, bar)
            beat = rng.randint(0, 4000)
            assert core.segue_sample_at(lane.pointer, beat) == grid.sample_at(Fraction(beat)), grid
            place = grid.bar_start(bar) + rng.choice((-1, 0, 1, rng.randint(0, 10**6)))
            assert core.segue_bar_at(lane.pointer, place) == grid.bar_at(place), (grid, place)
        lane.close()
