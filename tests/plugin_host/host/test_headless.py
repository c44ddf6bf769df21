"""The headless DAW: timeline, clips, clocks, recording."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from bridge.ring.form import Audio
from bridge.system.clock import Clock
from bridge.time.course import Course
from bridge.time.tempo_map import SignaturePoint, TempoMap, TempoPoint
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from plugin_host.host.clip import Clip, fit, place_before_bar, resample, tempo_of
from plugin_host.host.clock import OfflineClock, PacedClock
from plugin_host.host.headless import Column, HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import BlockState, Processor

RATE = 48_000


def tone(n: int, hz: float, rate: int = RATE) -> Audio:
    return np.sin(2 * np.pi * hz * np.arange(n) / rate).astype(np.float32)[:, None].repeat(2, axis=1)


# -- timeline -----------------------------------------------------------------------------------------


def walk(timeline: Timeline, sizes: list[int]) -> list[tuple[int, int]]:
    """(position, samples) of each part played."""
    parts = []
    for size in sizes:
        timeline.take_changes()
        left = size
        while left:
            now, n = timeline.block(left)
            parts.append((now.position_samples, n))
            timeline.advance(n)
            left -= n
    return parts


def test_timeline_stands_until_it_is_reported_to_run() -> None:
    timeline = Timeline(Grid(RATE))
    assert walk(timeline, [256, 256]) == [(0, 256), (0, 256)]
    timeline.play()
    assert walk(timeline, [256, 100]) == [(0, 256), (256, 100)]
    timeline.stop()
    timeline.locate(99)
    assert walk(timeline, [256, 1]) == [(99, 256), (99, 1)]


def test_loop_returns_to_the_sample_and_no_block_crosses_it() -> None:
    timeline = Timeline(Grid(RATE, 120.0), position_samples=RATE - 300, playing=True)
    timeline.set_loop((1.0, 2.0))
    assert walk(timeline, [256, 256, 256]) == [(47700, 256), (47956, 44), (24000, 212), (24212, 256)]


def test_loop_of_odd_tempo_repeats_exactly() -> None:
    grid = Grid(RATE, 128.3, Signature(7, 8))
    timeline = Timeline(grid, grid.bar_start(1), playing=True)
    timeline.set_loop((3.5, 7.0))
    length = grid.bar_start(2) - grid.bar_start(1)
    sizes = random.Random(1)
    played = 0
    for _ in range(4000):
        for position, n in walk(timeline, [sizes.randint(1, 700)]):
            assert position == grid.bar_start(1) + played % length
            played += n


def test_tempo_and_signature_change_at_the_next_block() -> None:
    timeline = Timeline(Grid(RATE, 120.0), playing=True)
    walk(timeline, [RATE])
    timeline.set_tempo(60.0)
    walk(timeline, [RATE])
    assert timeline.now.position_beats == 3.0
    timeline.set_signature(Signature(3, 4))
    walk(timeline, [1])
    assert timeline.now.grid.bar_at(2 * RATE) == 0
    assert timeline.now.grid.bar_start(0) == 2 * RATE
    with pytest.raises(ValueError, match="tempo_bpm"):
        timeline.set_tempo(0)
    with pytest.raises(ValueError, match="loop"):
        timeline.set_loop((4.0, 2.0))


def test_timeline_follows_a_tempo_map() -> None:
    """A ramp of 4 beats, then a step to 7/8: split at the sample, each block on the map's beat, bars counted
    through."""
    tempi = [TempoPoint(0, 120), TempoPoint(4, 120, True), TempoPoint(8, 90), TempoPoint(16, 140)]
    signatures = [SignaturePoint(0, Signature()), SignaturePoint(3, Signature(7, 8))]
    course = Course(TempoMap(tempi, signatures), RATE, (8.0, 19.0))
    timeline = Timeline(Grid(RATE), playing=True, course=course)
    tempos, steps = [], set()
    for _ in range(3000):
        timeline.take_changes()
        now, n = timeline.block(256)
        assert abs(now.grid.beats_at(now.position_samples) - course.beats_at(now.position_samples)) < 1e-9
        assert n == 256 or now.position_samples + n in {course.sample_at(b) for b in (4, 8, 12, 16, 19)}
        steps.add(now.position_samples + n)
        tempos.append(now.tempo_bpm)
        timeline.advance(n)
    assert steps >= {course.sample_at(beats) for beats in (4, 8, 12, 16, 19)}
    ramp = [tempo for tempo in tempos if 90 < tempo < 120]
    assert len(ramp) > 400
    assert ramp == sorted(ramp, reverse=True)
    assert timeline.now.position_samples < course.sample_at(19)
    assert course.grid_at(course.sample_at(16)).bar_start(5) == course.sample_at(19)
    timeline.set_tempo(100.0)
    walk(timeline, [RATE])
    assert timeline.now.tempo_bpm == 100.0
    with pytest.raises(ValueError, match="44100"):
        Timeline(Grid(44_100), course=course)


# -- clips --------------------------------------------------------------------------------------------


def test_clip_lands_on_its_samples_in_any_blocks() -> None:
    clip = Clip(tone(1000, 440.0), 300)
    sizes, position, out = random.Random(2), 0, np.zeros((2000, 2), np.float32)
    while position < 2000:
        n = min(sizes.randint(1, 400), 2000 - position)
        clip.add_to(out[position : position + n], position)
        position += n
    assert np.array_equal(out[300:1300], clip.audio)
    assert not out[:300].any()
    assert not out[1300:].any()


@pytest.mark.parametrize(
    ("name", "seconds", "bpm"),
    [
        ("house-124bpm", 3.0, 124.0), ("My Riff 97.5 BPM", 3.0, 97.5), ("riff", 8.0, 120.0),
        ("riff", 7.0, 137.143), ("song_2024", 2.0, 120.0), ("riff", 1.0, 120.0), ("5bpm", 8.0, 120.0),
    ],
)  # fmt: skip
def test_tempo_of_a_file(name: str, seconds: float, bpm: float) -> None:
    found, how = tempo_of(Path(f"/x/{name}.wav"), seconds)
    assert found == bpm
    assert how


@pytest.mark.parametrize("ratio", [48000 / 44100, 0.5, 1.037, 48000 / 32000, 44100 / 48000])
def test_resampled_tone_is_the_tone(ratio: float) -> None:
    hz, n = 1000.0, 20000
    found = resample(tone(n, hz), ratio)
    assert len(found) == pytest.approx(n * ratio, abs=1)
    wanted = tone(len(found), hz / ratio)
    error = (found - wanted)[200:-200]
    assert 20 * np.log10(np.sqrt(np.mean(error**2)) / 0.707) < -70


def test_resampling_down_takes_out_what_would_fold() -> None:
    found = resample(tone(20000, 20_000.0), 0.5)
    assert np.sqrt(np.mean(found[200:-200] ** 2)) < 0.001


def test_region_ends_on_a_bar_line() -> None:
    grid = Grid(RATE, 124.0)
    for bars in (1, 4, 8):
        for off in (-300, -1, 0, 1, 300):  # an inexact cut or encoder
            clip, bar = place_before_bar(np.ones((grid.bar_start(bars) + off, 2), np.float32), grid)
            assert (bar, clip.start_samples, clip.end_samples) == (bars, 0, grid.bar_start(bars))
    clip, bar = place_before_bar(np.ones((grid.bar_start(2) + 30_000, 2), np.float32), grid)
    assert (bar, clip.end_samples) == (3, grid.bar_start(3))
    assert clip.start_samples > 0
    assert (clip.audio == 1).all()
    faded, _ = place_before_bar(np.ones((grid.bar_start(2), 2), np.float32), grid, fade_out=True)
    assert faded.audio[-1].max() < 0.01
    assert faded.audio[-300].min() == 1


@pytest.mark.parametrize(("beats", "start", "bar"), [(8.8, 0, 2), (6.8, 2, 2), (2.3, 2, 1), (12.1, 0, 3)])
def test_a_tail_is_no_shift(beats: float, start: int, bar: int) -> None:
    grid = Grid(RATE, 120.0)
    audio = np.ones((round(beats * RATE / 2), 2), np.float32)
    clip, found = place_before_bar(audio, grid)
    assert (found, clip.start_samples, clip.end_samples) == (bar, grid.sample_at(start), grid.bar_start(bar))
    rings, found = place_before_bar(audio, grid, fade_out=True)
    assert (found, rings.start_samples, len(rings.audio)) == (bar, grid.sample_at(start), len(audio))
    assert rings.audio[-1].max() < 0.01


def test_fit_changes_nothing_that_fits() -> None:
    audio = tone(5000, 440.0)
    assert np.array_equal(fit(audio, RATE, 120.0, Grid(RATE, 120.0), 2), audio)
    assert fit(audio[:, :1], RATE, 120.0, Grid(RATE, 120.0), 2).shape == (5000, 2)
    assert len(fit(audio, RATE, 120.0, Grid(RATE, 60.0), 2)) == 10000


@pytest.mark.parametrize("bpm", [96.0, 137.5, 300.0])
def test_another_tempo_keeps_the_pitch(bpm: float) -> None:
    """300 bpm is more than twice as fast: the pitch changes with it."""
    audio = tone(3 * RATE, 440.0)
    found = fit(audio, RATE, 120.0, Grid(RATE, bpm), 2)
    assert len(found) == pytest.approx(3 * RATE * 120.0 / bpm, abs=1)
    middle = found[len(found) // 2 - 8192 : len(found) // 2 + 8192, 0] * np.hanning(16384)
    heard_hz = float(np.argmax(np.abs(np.fft.rfft(middle))) * RATE / 16384)
    assert heard_hz == pytest.approx(440.0 if bpm < 240 else 440.0 * 2.5, abs=4)


# -- clocks and host ----------------------------------------------------------------------------------


class HandHostClock(Clock):
    """A clock that advances only by waits and by hand."""

    seconds = 10.0

    def now_seconds(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_paced_clock_keeps_the_average_and_counts_what_is_late() -> None:
    time = HandHostClock()
    clock = PacedClock(RATE, time)
    for _ in range(100):
        assert clock.wait(480)
    assert time.seconds == pytest.approx(10.0 + 0.99)
    time.seconds += 0.035
    assert [clock.wait(480) for _ in range(4)] == [False, False, True, True]
    assert clock.late == 2
    assert clock.worst_seconds == pytest.approx(0.025)
    for _ in range(100):
        clock.wait(480)
    assert time.seconds == pytest.approx(10.0 + 2.03)  # it caught up


def test_offline_clock_waits_for_audio_and_gives_up_once() -> None:
    time = HandHostClock()
    clock = OfflineClock(lambda n: time.seconds >= 20.0, patience_seconds=0.02, time=time)
    assert [clock.wait(256), clock.wait(256)] == [False, False]
    assert time.seconds == pytest.approx(10.02, abs=0.002)  # the second one did not wait
    assert clock.late == 2
    time.seconds = 20.0
    assert clock.wait(256)
    assert clock.wait(256)


def test_host_records_to_the_sample_and_then_ends() -> None:
    clip = Clip(tone(3000, 300.0), 500)
    host = Host(Processor(RATE), Timeline(Grid(RATE), playing=True), clip, record_samples=4001)
    runner = HeadlessHost(host, OfflineClock(lambda n: True), block_samples=250)
    runner.start()
    while runner.running:
        pass
    runner.stop()
    take = host.take()
    assert len(take.audio) == 4001
    assert np.array_equal(take.audio[500:3500], clip.audio)
    assert take.blocks[:, Column.N_SAMPLES].sum() == 4001
    assert list(take.blocks[:3, Column.POSITION]) == [0, 250, 500]
    assert set(take.blocks[:, Column.STATE]) == {BlockState.IDLE}
    out = np.ones((64, 2), np.float32)
    host.render(out)
    assert not out.any()


def test_standing_host_records_nothing() -> None:
    host = Host(Processor(RATE), Timeline(Grid(RATE)), record_samples=1000)
    host.render(np.zeros((256, 2), np.float32))
    assert host.recorded_samples == 0
    assert not host.finished


def test_fault_on_the_audio_thread_reaches_the_main_thread() -> None:
    class Broken(Processor):
        def process(self, out: Audio, transport: Transport) -> None:
            raise RuntimeError("broken on purpose")

    runner = HeadlessHost(Host(Broken(RATE), Timeline(Grid(RATE))), OfflineClock(lambda n: True))
    runner.start()
    while runner.running:
        pass
    with pytest.raises(RuntimeError, match="on purpose"):
        runner.stop()
