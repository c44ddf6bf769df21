"""process(): every sample at its position, no gap, no click, everything counted."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import plugin_host.playback.fade
import plugin_host.playback.held_bar
import plugin_host.playback.processor
from bridge.ring import shared_memory
from bridge.ring.fader_block import Fader
from bridge.ring.form import Audio, PlaybackPlan, RingForm
from bridge.ring.reader import RingReader
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature, beats_to_samples, nearest
from plugin_host.playback.processor import BlockState, Processor

RATE = 8000
FADE = 40  # samples of 5 ms


class ProcessorRig:
    """A processor, a ring of any size, and a timeline advanced by hand."""

    def __init__(self, grid: Grid, lane: int = 930) -> None:
        form = RingForm(RATE, 2, 64, 4096, lane)
        self.grid = grid
        self.writer = RingWriter(Segment.create(shared_memory.segment_name(lane), form.n_bytes), form)
        self.reader = RingReader.attach(self.writer.name)
        self.processor = Processor(RATE)
        self.processor.offer(self.reader)
        self.position = 0
        self.playing = True
        self.sizes = random.Random(5)

    def plan(self, start: int, end: int, plan_revision: int = 1, seek_id: int = 0) -> None:
        self.writer.set_plan(PlaybackPlan(plan_revision, True, start, start, end, seek_id))

    def write(self, begin: int, end: int, plan_revision: int = 1, seek_id: int = 0, pitch: int = 0) -> None:
        assert self.writer.write(begin, music(begin, end, pitch), plan_revision, seek_id) == end - begin

    def run(self, until: int) -> Audio:
        """Process blocks of random size up to a position; returns the output."""
        outs = []
        while self.position < until:
            n = min(self.sizes.randint(1, 150), until - self.position)
            out = np.full((n, 2), 9, np.float32)
            self.processor.process(out, Transport(self.playing, self.position, self.grid))
            outs.append(out)
            self.position += n
        return np.concatenate(outs)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


def music(begin: int, end: int, pitch: int = 0) -> Audio:
    """A slow tone that differs at each position: its steps are small, so a click stands out."""
    at = np.arange(begin, end)
    left = 0.5 * np.sin(at * (0.05 + 0.02 * pitch)) * (1 + 0.3 * np.sin(at * 0.0007))
    return np.stack([left, -left], axis=1).astype(np.float32)


LOUDEST_STEP = 0.13  # the music itself has 0.046; a mirrored or crossed fade adds a little, a cut gives 1


def steps(out: Audio) -> float:
    return float(np.abs(np.diff(out, axis=0)).max())


@pytest.fixture(params=[(120.0, Signature(4, 4)), (128.1, Signature(7, 8))], ids=["4/4", "7/8"])
def rig(request: pytest.FixtureRequest) -> Iterator[ProcessorRig]:
    made = ProcessorRig(Grid(RATE, request.param[0], request.param[1]))
    yield made
    made.close()


@pytest.fixture
def plain() -> Iterator[ProcessorRig]:
    made = ProcessorRig(Grid(RATE, 120.0))
    yield made
    made.close()


def test_without_a_ring_all_of_out_is_silence() -> None:
    processor, out = Processor(RATE), np.full((64, 2), 9, np.float32)
    processor.process(out, Transport(True, 0, Grid(RATE)))
    assert not out.any()
    assert processor.counters.underruns == 0
    assert processor.state == BlockState.IDLE


def test_a_block_counts_once_the_engine_can_know_where_the_host_is(plain: ProcessorRig, monkeypatch) -> None:
    """Who waits for the first block orders music on the host's tempo."""
    published, counted = RingReader.publish, []

    def publish(reader: RingReader, *args: object) -> None:
        counted.append((plain.processor.counters.blocks, plain.writer.transport()))
        published(reader, *args)

    monkeypatch.setattr(RingReader, "publish", publish)
    plain.run(1)
    assert counted == [(0, None)]
    assert plain.processor.counters.blocks == 1
    assert plain.writer.transport().grid.tempo_bpm == plain.grid.tempo_bpm


def test_phrase_begins_and_ends_to_the_sample(rig: ProcessorRig) -> None:
    start, end = rig.grid.bar_start(1), rig.grid.bar_start(4)
    rig.plan(start, end)
    rig.write(start, end + 500)
    out = rig.run(end + 2000)
    assert not out[:start].any()
    assert np.array_equal(out[start:end], music(start, end))
    assert not out[end + FADE :].any()
    assert steps(out[end - 50 :]) < LOUDEST_STEP
    counters = rig.processor.counters
    assert (counters.underruns, counters.missed_samples, rig.processor.drops.late_blocks) == (0, 0, 0)
    assert counters.played_samples == end - start
    assert counters.samples == len(out)


def test_plan_may_end_within_a_bar(rig: ProcessorRig) -> None:
    end = rig.grid.bar_start(2) + 1234
    rig.plan(0, end)
    rig.write(0, end + 2000)
    out = rig.run(end + 1000)
    assert np.array_equal(out[:end], music(0, end))
    assert not out[end + FADE :].any()
    assert rig.processor.counters.played_samples == end
    assert rig.processor.counters.underruns == 0


def test_a_phrase_that_is_over_is_not_held_when_the_next_one_is_late(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(0, bar(3))
    plain.write(0, bar(3))
    plain.run(bar(4))
    plain.plan(bar(5), bar(9), plan_revision=2)
    assert not plain.run(bar(6)).any()
    assert plain.processor.state == BlockState.MUTED


def test_a_jump_in_the_first_bar_holds_what_was_heard_of_it(plain: ProcessorRig) -> None:
    """Beats 1 and 2 and part of 3 were heard: beats 1 and 2 are held, and again as 3 and 4."""
    bar, beat = plain.grid.bar_start, RATE // 2
    plain.plan(0, bar(40))
    plain.write(0, 9000)
    before = plain.run(9000)
    plain.position = bar(5) + 100
    out = plain.run(bar(7))
    assert plain.processor.state == BlockState.HOLDING
    for number in (4, 5, 7):
        held = out[number * beat - 100 : (number + 1) * beat - 100]
        like = before[number % 2 * beat :][: len(held)]
        assert np.abs(held - like)[2 * FADE :].max() < 1e-6, number
    assert steps(np.concatenate([before[-50:], out])) < LOUDEST_STEP
    assert plain.processor.counters.muted_samples == 0


@pytest.mark.parametrize("heard", [2000, 2001, 3999, 4000, 7000, 15999])
def test_a_stall_in_the_first_bar_holds_the_beats_heard(rig: ProcessorRig, heard: int) -> None:
    """From half a beat on there is no gap: the last 1, 2, 4 .. half beats are repeated in time, without a click."""
    half = nearest(beats_to_samples(Fraction(1, 2), rig.grid.tempo_bpm, RATE))
    bar = rig.grid.bar_start
    rig.plan(0, bar(40))
    rig.write(0, heard)
    out = rig.run(bar(6))
    assert rig.processor.counters.muted_samples == 0
    assert steps(out) < LOUDEST_STEP
    length = half
    while 2 * length <= min(heard, bar(1)):
        length *= 2
    n = min(length, bar(1) - heard, half)
    if n > FADE:
        again = out[heard + FADE : heard + n]
        assert np.abs(again - out[heard + FADE - length : heard + n - length]).max() < 1e-6
    for number in range(2, 6):  # repeated, at the same phase of each bar
        assert np.abs(out[bar(number) : bar(number) + half] - out[bar(5) : bar(5) + half]).max() < 1e-6
    assert np.sqrt(np.mean(out[bar(4) : bar(5)] ** 2)) > 0.2


def test_underrun_holds_the_last_bar_in_phase_and_rejoins_on_a_bar_line(rig: ProcessorRig) -> None:
    bar = rig.grid.bar_start
    rig.plan(0, bar(12))
    under = bar(3) + 777
    rig.write(0, under)
    out = rig.run(bar(5) + 300)
    rig.write(bar(5) + 400, bar(12), pitch=1)  # back in the middle of a bar: waits for bar 6
    out = np.concatenate([out, rig.run(bar(12))])
    assert np.array_equal(out[:under], music(0, under))
    for number in (3, 4, 5):  # each held bar equals the one before, sample by sample
        begin, stop = max(bar(number), under + FADE), bar(number + 1)
        phase = begin - bar(number)
        earlier = out[bar(number - 1) + phase : bar(number - 1) + phase + stop - begin]
        held = out[begin : begin + len(earlier)]
        fresh = np.ones(len(held), bool)
        if number == 4:  # where the stored joint lies, the bars differ
            fresh[max(under - bar(3) - phase, 0) : under - bar(3) + FADE - phase] = False
            assert np.array_equal(held[fresh], out[bar(3) + phase :][: len(held)][fresh])
        assert np.abs(held - earlier)[fresh][: len(held) - 1].max() < 1e-6
    assert np.array_equal(out[bar(6) + FADE :], music(bar(6) + FADE, bar(12), 1))
    assert not np.allclose(out[bar(6) - 200 : bar(6)], music(bar(6) - 200, bar(6), 1), atol=0.01)
    assert steps(out[under - 50 : bar(6) - 5]) < LOUDEST_STEP
    assert steps(out[bar(6) - 50 : bar(6) + FADE]) < 0.3
    counters = rig.processor.counters
    assert (counters.underruns, counters.rejoins) == (1, 1)
    assert counters.missed_samples == bar(5) + 400 - under
    assert counters.held_samples == bar(6) - under
    assert counters.muted_samples == 0
    assert counters.skipped_samples == bar(6) - bar(5) - 400


def test_held_bars_are_the_stored_bar_for_ever(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(0, bar(40))
    plain.write(0, bar(2))
    out = plain.run(bar(30))
    for number in range(3, 30):
        assert np.array_equal(out[bar(number) : bar(number + 1)], out[bar(29) : bar(30)])
    assert np.abs(out[bar(2) + FADE : bar(3)] - music(bar(1) + FADE, bar(2))).max() < 1e-6
    assert np.sqrt(np.mean(out[bar(29) : bar(30)] ** 2)) > 0.3


def test_less_than_half_a_beat_heard_fades_and_comes_back_at_once(plain: ProcessorRig) -> None:
    """There is nothing to hold: the silence ends as soon as enough is ready, not only on a bar line."""
    bar = plain.grid.bar_start
    plain.plan(0, bar(8))
    plain.write(0, 1500)
    out = plain.run(3000)
    plain.write(3100, bar(8))
    out = np.concatenate([out, plain.run(bar(3))])
    assert not out[1500 + FADE : 3100].any()
    assert steps(out) < LOUDEST_STEP
    assert np.array_equal(out[3100 + FADE :], music(3100 + FADE, bar(3)))
    counters = plain.processor.counters
    assert (counters.underruns, counters.held_samples) == (1, 0)
    assert counters.muted_samples == 3100 - 1500


def test_sound_that_comes_too_late_for_its_bar_comes_in_where_it_belongs(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(bar(1), bar(6))
    out = plain.run(bar(1) + 900)
    plain.write(bar(1), bar(6))
    out = np.concatenate([out, plain.run(bar(3))])
    assert not out[: bar(1) + 900].any()
    assert np.array_equal(out[bar(1) + 900 + FADE :], music(bar(1) + 900 + FADE, bar(3)))
    assert plain.processor.counters.underruns == 1
    assert plain.processor.drops.late_blocks == 900 // 64


def test_a_bar_of_forty_seconds_is_held() -> None:
    rig = ProcessorRig(Grid(RATE, 24.0, Signature(16, 4)), lane=935)
    bar = rig.grid.bar_start
    rig.plan(0, bar(40))
    for begin in range(0, bar(1) + 777, 100_000):
        end = min(begin + 100_000, bar(1) + 777)
        rig.write(begin, end)
        rig.run(end)
    out = rig.run(bar(2))
    assert bar(1) == 40 * RATE
    assert rig.processor.counters.muted_samples == 0
    assert np.abs(out[FADE:] - music(777 + FADE, bar(1))).max() < 1e-6
    rig.close()


@pytest.mark.parametrize("slower", [True, False])
def test_tempo_that_moves_while_held_leaves_no_hole_and_no_click(plain: ProcessorRig, slower: bool) -> None:
    """A ramp with another tempo at each block, for more than a bar: music without pauses continues without pauses."""
    bar = plain.grid.bar_start
    plain.plan(0, 10**7)
    plain.write(0, bar(2))
    outs = [plain.run(bar(2))]
    for block in range(600):
        tempo = 120.0 - 0.05 * block if slower else 120.0 + 0.05 * block
        plain.grid = plain.grid.retuned(plain.position, tempo)
        outs.append(plain.run(plain.position + 64))
    out = np.concatenate(outs)
    assert plain.processor.state == BlockState.HOLDING
    assert steps(out[bar(2) - 50 :]) < LOUDEST_STEP
    levels = np.sqrt(np.mean(out[: len(out) // 400 * 400, 0].reshape(-1, 400) ** 2, axis=1))
    assert levels.min() > 0.15


def test_a_trickle_does_not_end_the_hold(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(0, bar(12))
    plain.write(0, bar(2))
    plain.run(bar(3) - 50)
    plain.write(bar(3), bar(3) + 400)  # half of what leaving the hold requires
    plain.run(bar(4) - 50)
    assert plain.processor.state == BlockState.HOLDING
    assert plain.processor.counters.rejoins == 0
    plain.write(bar(4), bar(5))
    plain.run(bar(4) + 50)
    assert plain.processor.state == BlockState.PLAYING
    assert plain.processor.counters.rejoins == 1


def test_jump_drops_what_does_not_fit_and_holds_in_phase(plain: ProcessorRig) -> None:
    bar, step = plain.grid.bar_start, 16000
    plain.plan(0, bar(40))
    plain.write(0, bar(6))
    before = plain.run(bar(3) + 500)
    plain.position = bar(20) + 3000
    after = plain.run(bar(20) + 7000)
    assert plain.processor.counters.jumps == 1
    assert plain.processor.seek_id == 1
    assert np.abs(after[FADE:] - music(bar(2) + 3000 + FADE, bar(2) + 7000)).max() < 1e-6
    assert steps(np.concatenate([before[-50:], after[:100]])) < LOUDEST_STEP
    found = plain.writer.transport()
    assert found is not None
    assert found.seek_id == 1
    plain.plan(bar(20), bar(40), plan_revision=2, seek_id=found.seek_id)
    plain.write(bar(20) + 7000, bar(22), plan_revision=2, seek_id=1)
    out = plain.run(bar(22))
    assert np.array_equal(out[-step + FADE :], music(bar(21) + FADE, bar(22)))
    assert plain.processor.drops.stale_blocks > 0


def test_a_bar_held_after_a_jump_has_no_step_where_the_music_broke_off(plain: ProcessorRig) -> None:
    """The store is new up to the jump and a bar old from there on: the joint between them is in each held bar."""
    bar = plain.grid.bar_start
    plain.plan(0, bar(40))
    plain.write(0, bar(6))
    before = plain.run(bar(3) + 7777)
    plain.position = bar(20)
    out = np.concatenate([before[-50:], plain.run(bar(24))])
    assert plain.processor.state == BlockState.HOLDING
    assert steps(out) < LOUDEST_STEP


def test_loop_written_ahead_plays_through(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(0, bar(40))
    plain.write(0, bar(2))
    plain.write(bar(1), bar(2), seek_id=1, pitch=1)
    first = plain.run(bar(2))
    plain.position = bar(1)
    second = plain.run(bar(2))
    assert np.array_equal(first, music(0, bar(2)))
    assert np.array_equal(second[FADE:], music(bar(1), bar(2), 1)[FADE:])
    assert plain.processor.counters.underruns == 0
    assert plain.processor.drops.late_blocks == 0


def test_newer_plan_takes_over_in_the_middle_of_a_block(plain: ProcessorRig) -> None:
    plain.plan(0, 10**6)
    plain.write(0, 9000)
    first = plain.run(3001)
    plain.writer.set_plan(PlaybackPlan(2, True, 5555, 0, 10**6))
    plain.write(5555, 9000, plan_revision=2, pitch=2)
    out = np.concatenate([first, plain.run(9000)])
    assert np.array_equal(out, np.concatenate([music(0, 5555), music(5555, 9000, 2)]))
    assert plain.processor.counters.underruns == 0


def test_stopped_host_is_silent_and_goes_on_where_it_was(plain: ProcessorRig) -> None:
    plain.plan(0, 10**6)
    plain.write(0, 12000)
    first = plain.run(4000)
    plain.playing = False
    out = np.zeros((256, 2), np.float32)
    plain.processor.process(out, Transport(False, 4000, plain.grid))
    assert steps(np.concatenate([first[-20:], out])) < LOUDEST_STEP
    assert not out[FADE:].any()
    plain.playing = True
    again = plain.run(12000)
    assert np.array_equal(again[FADE:], music(4000 + FADE, 12000))
    assert (plain.processor.counters.jumps, plain.processor.counters.underruns) == (0, 0)


@pytest.mark.parametrize("tempo", [90.0, 150.0])
def test_after_a_tempo_change_held_beats_fall_on_the_new_beats(plain: ProcessorRig, tempo: float) -> None:
    bar, beat = plain.grid.bar_start, RATE // 2
    plain.plan(0, 10**7)
    clicks, hump = np.zeros((bar(2), 2), np.float32), np.sin(np.arange(30) * np.pi / 30)[:, None]
    for number in range(8):
        clicks[number * beat : number * beat + 30] = 0.1 * (number % 4 + 1) * hump
    plain.writer.write(0, clicks, 1)
    plain.run(bar(2))
    plain.grid = plain.grid.retuned(bar(2), tempo)
    start = bar(2)
    out = plain.run(plain.grid.bar_start(5))
    assert plain.processor.counters.tempo_changes == 1
    assert plain.processor.state == BlockState.HOLDING
    for number in range(12):
        at = plain.grid.sample_at(8 + number) - start
        loud = 0.1 * (number % 4 + 1) * hump
        shifts = [np.abs(out[at + shift :][:30] - loud).max() for shift in (-1, 0, 1) if at + shift >= 0]
        assert min(shifts) < 0.01, f"beat {number}: {shifts}"
        assert not out[at + 60 : at + 600].any()


def test_engine_gone_holds_and_another_engine_takes_over(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(0, bar(40))
    plain.write(0, bar(2))
    plain.run(bar(2) + 100)
    plain.processor.offer(None)
    out = plain.run(bar(4))
    assert not plain.processor.in_use(plain.reader)
    assert plain.processor.state == BlockState.HOLDING
    assert np.abs(out[-8000:]).max() > 0.4
    other = ProcessorRig(plain.grid, lane=931)
    plain.processor.offer(other.reader)
    plain.run(bar(4) + 100)
    assert plain.processor.state == BlockState.HOLDING  # it has not planned yet
    other.plan(bar(5), bar(8), plan_revision=1, seek_id=plain.processor.seek_id)
    other.writer.set_plan(PlaybackPlan(1, True, bar(4), bar(4), bar(8)))
    other.write(bar(5), bar(8), pitch=1)
    out = plain.run(bar(8) + 1000)
    assert np.array_equal(out[-1000 - 48000 + FADE : -1000], music(bar(5) + FADE, bar(8), 1))
    assert not out[-1000 + FADE :].any()
    plain.processor.offer(None)
    other.close()


def _held(rig: ProcessorRig, *faders: tuple[int, Fader]) -> Audio:
    """The output of bars 2 to 5, held from 100 samples behind bar 2 on; each fader is published at a position."""
    bar = rig.grid.bar_start
    rig.plan(0, bar(40))
    rig.write(0, bar(2) + 100)
    rig.run(bar(2))
    outs = []
    for position, fader in faders:
        outs.append(rig.run(position))
        rig.writer.set_fader(fader)
    outs.append(rig.run(bar(6)))
    assert rig.processor.state == BlockState.HOLDING
    return np.concatenate(outs) if len(outs) > 1 else outs[0]


@pytest.fixture
def untouched(rig: ProcessorRig) -> Audio:
    other = ProcessorRig(rig.grid, lane=932)
    held = _held(other)
    other.close()
    return held


def test_a_held_bar_obeys_mute_where_it_is_to_begin_and_to_end(rig: ProcessorRig, untouched: Audio) -> None:
    """The fader is published late for a later position, or for two later positions; without a click."""
    start = rig.grid.bar_start(2)
    muted = [3000, 9000, 20_000, 30_001]
    out = _held(
        rig,
        (start + 1000, Fader(1.0, ((start + muted[0], 0.0), (start + muted[1], 1.0)))),
        (start + 15_000, Fader(1.0, ((start + muted[2], 0.0),))),
        (start + 25_000, Fader(0.0, ((start + muted[3], 1.0),))),
    )
    for begin, end in (muted[:2], muted[2:]):
        assert not out[begin + FADE : end].any()
        assert out[begin : begin + FADE].any()
    kept = [(0, muted[0]), (muted[1] + FADE, muted[2]), (muted[3] + FADE, len(out))]
    for begin, end in kept:
        assert np.array_equal(out[begin:end], untouched[begin:end])
    assert steps(out) < LOUDEST_STEP


def test_music_that_was_muted_when_it_ran_dry_is_held_muted(rig: ProcessorRig, untouched: Audio) -> None:
    bar = rig.grid.bar_start
    muted = bar(2) - 300
    rig.writer.set_fader(Fader(1.0, ((muted, 0.0),)))
    rig.plan(0, bar(40))
    rig.write(0, muted)
    glide = np.clip(1 - np.arange(1, 401) / 80, 0, 1).astype(np.float32)[:, None]
    assert rig.writer.write(muted, music(muted, muted + 400) * glide, 1) == 400
    rig.run(bar(2))
    out = rig.run(bar(4))
    assert rig.processor.state == BlockState.HOLDING
    assert not out.any()  # though most of the bar was heard
    rig.writer.set_fader(Fader(1.0))
    out = rig.run(bar(5))
    whole = slice(100 + FADE, bar(3) - bar(2) - 310)
    assert np.array_equal(out[whole], untouched[whole])
    assert steps(out) < LOUDEST_STEP


def test_a_held_bar_is_turned_down_and_never_up(rig: ProcessorRig, untouched: Audio) -> None:
    start = rig.grid.bar_start(2)
    rig.writer.set_fader(Fader(0.5))  # the gain at which it was heard
    out = _held(rig, (start + 2000, Fader(0.125)), (start + 6000, Fader(4.0)))
    assert np.allclose(out[2500:6000], 0.25 * untouched[2500:6000], atol=1e-6)
    assert np.array_equal(out[6500:], untouched[6500:])
    assert steps(out) < LOUDEST_STEP


def test_music_comes_back_from_a_muted_hold_without_a_click(rig: ProcessorRig) -> None:
    bar = rig.grid.bar_start
    _held(rig, (bar(2) + 500, Fader(0.0)))
    rig.write(bar(6), bar(8))
    out = rig.run(bar(8))
    assert rig.processor.state == BlockState.PLAYING
    assert np.array_equal(out[FADE:], music(bar(6) + FADE, bar(8)))
    assert steps(np.concatenate([np.zeros((1, 2), np.float32), out])) < LOUDEST_STEP


def test_a_fader_of_another_stretch_of_time_or_without_sense_is_left_alone(rig: ProcessorRig, untouched: Audio) -> None:
    start = rig.grid.bar_start(2)
    words = rig.writer._words
    outs = [_held(rig, (start + 500, Fader(0.0, (), seek_id=1)))]
    assert np.array_equal(outs[0], untouched)
    for gain in (float("nan"), -1.0, 9.0, float("inf")):
        rig.writer.set_fader(Fader(0.0, (), seek_id=1))
        words.put("fader_timeline", 0)
        words.put("fader_gain", gain)
        words.put("fader_sequence", words.get("fader_sequence") + 2)
        out = rig.run(rig.position + 500)
        assert np.abs(out).max() > 0.1


def test_hold_goes_on_while_a_new_engine_does_not_manage_to_play(plain: ProcessorRig) -> None:
    bar = plain.grid.bar_start
    plain.plan(0, bar(40))
    plain.write(0, bar(2))
    plain.run(bar(2) + 500)
    plain.processor.hold_until_samples = bar(6)
    plain.writer.set_plan(PlaybackPlan(2, False, 0, 0, 0))
    out = plain.run(bar(8))
    held = out[: bar(6) - bar(2) - 500]
    assert np.sqrt(np.mean(held[-8000:] ** 2)) > 0.2
    assert not out[len(held) + FADE :].any()
    assert plain.processor.state == BlockState.IDLE


def test_hold_lasts_over_to_a_new_start(plain: ProcessorRig) -> None:
    """A returned engine plans from a later bar: no silence before it, and no remainder of the old plan."""
    bar = plain.grid.bar_start
    plain.plan(0, bar(40))
    plain.write(0, bar(2))
    plain.run(bar(2) + 500)
    plain.plan(bar(4), bar(6), plan_revision=2)
    plain.write(bar(4), bar(6), plan_revision=2, pitch=1)
    out = plain.run(bar(7))
    held = out[bar(3) - bar(2) - 500 : bar(4) - bar(2) - 500]
    assert np.abs(held[FADE + 600 :] - music(bar(1) + FADE + 600, bar(2))).max() < 1e-6
    played = out[bar(4) - bar(2) - 500 : bar(6) - bar(2) - 500]
    assert np.array_equal(played[FADE:], music(bar(4) + FADE, bar(6), 1))
    assert plain.processor.state == BlockState.IDLE
    assert not out[-8000:].any()
    assert (plain.processor.counters.underruns, plain.processor.counters.rejoins) == (1, 1)


@pytest.mark.parametrize("jumps", [False, True])
def test_music_whose_new_start_comes_as_it_runs_dry_is_held_over_to_it(plain: ProcessorRig, jumps: bool) -> None:
    """A late engine plans from the next bar line: published in the block that finds no audio, or after a jump before
    the host has noticed the lack, this causes no silence."""
    bar, dry = plain.grid.bar_start, plain.grid.bar_start(2) + 700
    plain.plan(0, bar(40))
    plain.write(0, dry)
    plain.run(dry)
    assert plain.processor.state == BlockState.PLAYING
    if jumps:
        plain.position = bar(1) + 300
    start = bar(plain.grid.bar_at(plain.position) + 1)
    plain.plan(start, bar(40), plan_revision=2, seek_id=int(jumps))
    plain.write(start, start + 4000, plan_revision=2, seek_id=int(jumps), pitch=1)
    begun = plain.position
    out = plain.run(start)
    assert plain.processor.state == BlockState.HOLDING
    assert plain.processor.counters.held_samples == start - begun
    assert np.abs(out).max() > 0.3
    assert steps(out[FADE:]) < LOUDEST_STEP
    assert np.array_equal(plain.run(start + 2000)[FADE:], music(start + FADE, start + 2000, 1))


def test_ready_says_when_a_block_can_be_all_it_should_be(plain: ProcessorRig) -> None:
    ready = plain.processor.ready
    assert ready(256)  # nothing planned: nothing to wait for
    plain.plan(1000, 5000)
    plain.run(700)
    assert ready(300)
    assert not ready(301)
    plain.write(1000, 1200)
    plain.run(1000)
    assert ready(200)
    assert not ready(201)
    plain.write(1200, 5000)
    plain.run(4900)
    assert ready(4000)  # only up to the end
    plain.run(5000)
    assert ready(256)
    plain.processor.offer(None)
    assert ready(256)


def test_fill_counts_what_waits_not_the_way_to_it(plain: ProcessorRig) -> None:
    plain.plan(6000, 20000)
    plain.write(6000, 7000)
    plain.run(500)
    assert plain.processor.fill_samples == 1000
    plain.run(6400)
    assert plain.processor.fill_samples == 600


def test_ring_of_another_format_is_refused() -> None:
    form = RingForm(44100, 2, 64, 16, 932)
    writer = RingWriter(Segment.create(shared_memory.segment_name(932), form.n_bytes), form)
    reader = RingReader.attach(writer.name)
    with pytest.raises(ValueError, match="2 channels at 44100 Hz, this host 2 at 8000"):
        Processor(RATE).offer(reader)
    reader.close()
    writer.close()


def test_any_block_sizes_give_the_same() -> None:
    outs = []
    for lane, seed in ((933, 1), (934, 2)):
        rig = ProcessorRig(Grid(RATE, 128.1, Signature(7, 8)), lane)
        rig.sizes = random.Random(seed)
        bar = rig.grid.bar_start
        rig.plan(bar(1), bar(9))
        rig.write(bar(1), bar(3) + 123)
        rig.write(bar(3) + 700, bar(5) + 1)
        rig.write(bar(6) - 1, bar(9))
        outs.append(rig.run(bar(10)))
        assert rig.processor.counters.underruns == 2
        rig.close()
    assert np.array_equal(outs[0], outs[1])


def measure_allocations(plain: ProcessorRig, n: int) -> int:
    """The most memory in bytes that a call of process() needed, over blocks that play, then hold, then rejoin."""
    most, states = 0, set()
    plain.plan(0, 10**7)
    plain.write(0, 9 * n)
    out, grid = np.zeros((n, 2), np.float32), plain.grid
    tracemalloc.start()
    try:
        for turn in range(40):
            if turn == 20:
                plain.write(turn * n, 40 * n)
            transport = Transport(True, turn * n, grid)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            plain.processor.process(out, transport)
            most = max(most, tracemalloc.get_traced_memory()[1] - before)
            states.add(plain.processor.state)
    finally:
        tracemalloc.stop()
    assert states == {BlockState.PLAYING, BlockState.HOLDING}
    assert plain.processor.counters.rejoins == 1
    return most


def print_allocations(n: int) -> None:
    """Run by the test below in its own process: memory is counted for all threads of a process."""
    rig = ProcessorRig(Grid(RATE, 120.0), lane=931)
    try:
        print(measure_allocations(rig, n))
    finally:
        rig.close()


def test_no_array_is_allocated_block_by_block() -> None:
    """A block is 32 kB here; no call may need more than a quarter of it temporarily, nor keep any."""
    n = 4096
    script = f"from tests.plugin_host.playback.test_processor import print_allocations; print_allocations({n})"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < n * 2, f"{done.stdout} bytes"


def test_source_keeps_off_what_the_audio_thread_must_not_do() -> None:
    for module in (plugin_host.playback.processor, plugin_host.playback.held_bar, plugin_host.playback.fade):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", text)
        assert not re.search(r"\b(print|logging|log|Lock|await|async|queue|append|sleep|open|input)\b", code)


def test_music_that_takes_over_too_late_comes_in_without_a_step() -> None:
    """A plan whose position has passed: newer blocks are faded to, not cut to."""
    writer = RingWriter.create(907, RATE)
    reader = RingReader.attach(writer.name)
    processor = Processor(RATE)
    processor.offer(reader)
    try:
        writer.set_plan(PlaybackPlan(1, True, 0, 0))
        writer.write(0, np.full((8192, 2), 0.5, np.float32), 1)
        heard = []
        for number in range(16):
            if number == 8:  # from 1024 on, while the host is at 2048
                writer.set_plan(PlaybackPlan(2, True, 1024, 0))
                writer.write(1024, np.full((8192, 2), -0.5, np.float32), 2)
            out = np.zeros((256, 2), np.float32)
            processor.process(out, Transport(True, number * 256, Grid(RATE, 120.0)))
            heard.append(out)
        audio = np.concatenate(heard)[:, 0]
        assert audio[2047] == pytest.approx(0.5)
        assert audio[-1] == pytest.approx(-0.5)
        assert np.abs(np.diff(audio[1:])).max() < 0.05
    finally:
        reader.close()
        writer.close()
