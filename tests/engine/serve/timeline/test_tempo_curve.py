"""Tempo curves: invertible, rising, exact on straight segments, corrected without a jump."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.time.course import Course
from bridge.time.tempo_map import TempoMap, TempoPoint
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from engine.serve.timeline.tempo_curve import MOST_BEND, RAMP_SECONDS, TempoCurve, TempoSegment
from engine.serve.timeline.tempo_predictor import TempoPredictor

RATE = 48_000
tempi = st.floats(20.0, 400.0)
rates = st.sampled_from([44_100, 48_000, 88_200, 96_000, 192_000])
places = st.integers(-(10**6), 10 * 3600 * RATE)
slopes = st.floats(-4.0, 4.0)


@settings(max_examples=60, deadline=None)
@given(tempi, rates, places, st.integers(0, 10 * 3600 * RATE))
def test_a_straight_line_is_exactly_the_grid(bpm, rate, anchor, position):
    grid = Grid(rate, bpm, anchor_samples=anchor, anchor_beats=3.25)
    curve = TempoCurve.straight(grid)
    assert curve.beats_at(position) == grid.beats_at(position)
    beats = grid.beats_at(position)
    assert curve.sample_at(beats) == grid.sample_at(beats) == position
    assert curve.bar_at(position) == grid.bar_at(position)
    assert curve.next_bar(position) == grid.next_bar(position)
    assert curve.quick_beats(position) == pytest.approx(float(beats), abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(tempi, rates, places, slopes, st.lists(st.integers(-10 * RATE, 20 * RATE), min_size=2, max_size=20))
def test_a_ramp_rises_and_is_its_own_inverse(bpm, rate, begin, slope, offsets):
    curve = TempoCurve.ramp(Grid(rate, bpm, anchor_samples=begin - 7, anchor_beats=0.5), begin, slope)
    positions = sorted({begin + offset for offset in offsets})
    beats = [curve.beats_at(position) for position in positions]
    assert beats == sorted(set(beats))
    for position, beat in zip(positions, beats, strict=True):
        assert abs(curve.sample_at(beat) - position) <= 1
        assert abs(curve.quick_beats(position) - float(beat)) < 1e-7
        assert 19.9 <= curve.tempo_at(position) <= 400.1


def test_a_ramp_is_the_tempo_maps_own():
    course = Course(TempoMap([TempoPoint(0, 100), TempoPoint(8, 100, ramp=True), TempoPoint(40, 140)]), RATE)
    here = course.sample_at(12)
    curve = TempoCurve.ramp(course.grid_at(here), here, 40 / 32)
    for after in range(0, int(RAMP_SECONDS * RATE), RATE // 4):
        assert abs(float(curve.beats_at(here + after) - course.beats_at(here + after))) < 1e-6
    end = here + int(RAMP_SECONDS * RATE)  # from there on straight
    assert curve.tempo_at(end + 5 * RATE) == pytest.approx(float(course.tempo_map.tempo_at(course.beats_at(end))))


@settings(max_examples=40, deadline=None)
@given(tempi, slopes, places, st.floats(-0.3, 0.3))
def test_a_line_is_reached_without_a_jump_and_without_a_rest(bpm, slope, position, off):
    curve = TempoCurve.ramp(Grid(RATE, bpm), position, slope)
    here = curve.beats_at(position) + Fraction(off)
    led = curve.reached(position, here)
    assert abs(float(led.beats_at(position) - here)) < 1e-5
    steps = [float(led.beats_at(position + k * 480) - here) for k in range(400)]
    assert steps == sorted(steps)  # never backwards
    later = position + int(3 * 60 / 20 * RATE)  # two beats, at the slowest tempo there is
    assert abs(float(led.beats_at(later) - curve.beats_at(later))) < 1e-6


def test_a_small_difference_bends_little_and_none_is_none():
    curve = TempoCurve.straight(Grid(RATE, 120.0))
    assert curve.reached(RATE, curve.beats_at(RATE)) is curve
    led = curve.reached(RATE, curve.beats_at(RATE) - Fraction(1, 50))  # 10 ms late
    assert led.tempo_at(RATE) == pytest.approx(120.0 * (1 + MOST_BEND), rel=1e-3)
    assert led.tempo_at(3 * RATE) == 120.0
    assert led.off_seconds(curve, RATE) == pytest.approx(0.01)
    assert led.off_seconds(curve, 3 * RATE) == pytest.approx(0.0, abs=1e-9)


def test_ten_hours_of_being_led_do_not_drift():
    """A host changes its tempo a little every twelve seconds; each change is reached smoothly from the stream's
    position."""
    grid, position, beat = Grid(RATE, 128.0), 0, Fraction(0)
    for index in range(3_000):
        bpm = 128.0 * (1 + 0.003 * (-1) ** (index % 7))
        grid = grid.retuned(position, bpm)
        led = TempoCurve.straight(grid).reached(position, float(beat))
        position += 12 * RATE
        beat = led.beats_at(position)
        assert abs(float(beat - grid.beats_at(position))) < 1e-6
    assert position == 10 * 3600 * RATE


def test_segments_must_follow_each_other():
    segment = TempoSegment(5, Grid(RATE))
    for segments in ((), (segment, segment), (segment, replace(segment, from_samples=4))):
        with pytest.raises(ValueError, match="one after the other"):
            TempoCurve(segments)


def foreseen(
    course: Course, seconds: float, every: int, predictor: TempoPredictor | None = None, begin: int = 0
) -> TempoCurve:
    """The curve predicted after a host played `seconds`, with a snapshot every `every` samples."""
    predictor = predictor or TempoPredictor()
    curve = None
    for position in range(begin, begin + int(seconds * RATE), every):
        curve = predictor.curve(Transport(True, position, course.grid_at(position)))
    assert curve is not None
    return curve


def test_a_step_is_foreseen_as_a_step():
    course = Course(TempoMap([TempoPoint(0, 120), TempoPoint(2, 140)]), RATE)
    for seconds in (1.01, 1.05, 1.4):
        curve = foreseen(course, seconds, 960)
        assert len(curve.segments) == 1
        assert curve.grid.tempo_bpm == 140


def test_the_same_line_while_nothing_changes():
    course, predictor = Course(TempoMap.steady(93.7, Signature(7, 8)), RATE), TempoPredictor()
    assert foreseen(course, 1.0, 960, predictor) is foreseen(course, 2.0, 960, predictor, RATE)


@pytest.mark.parametrize("every", [256, 960, 5000])
def test_a_ramp_is_foreseen_and_its_end_is_noticed(every):
    course = Course(TempoMap([TempoPoint(0, 100, ramp=True), TempoPoint(32, 140)]), RATE)
    curve = foreseen(course, 1.0, every)
    assert curve.segments[1].slope == pytest.approx(40 / 32, rel=1e-3)
    end = course.sample_at(32) / RATE
    begin = int((end - 1.5) * RATE)
    assert len(foreseen(course, 1.9, every, begin=begin).segments) == 1


def test_a_wandering_clock_is_no_ramp():
    points = [TempoPoint(4 * k, 120 + 0.3 * (k % 3)) for k in range(8)]
    predictor, course = TempoPredictor(), Course(TempoMap(points), RATE)
    for position in range(0, 14 * RATE, 2000):
        assert len(predictor.curve(Transport(True, position, course.grid_at(position))).segments) == 1
