"""Musical time: inverse pairs, order, bar lines, ramps against integration, no drift, loops."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge.time.course import Course, CourseStretch
from bridge.time.tempo_map import SignaturePoint, TempoMap, TempoPoint
from bridge.time.transport import Grid
from bridge.time.units import Signature

RATES = st.sampled_from([44_100, 48_000, 88_200, 96_000, 176_400, 192_000])
TEMPI = st.integers(2000, 40000).map(lambda n: n / 100)
SIGNATURES = st.sampled_from([Signature(4, 4), Signature(7, 8), Signature(5, 4), Signature(3, 4), Signature(11, 16)])
TEN_HOURS = 36_000
FEW = settings(max_examples=60, deadline=None)


@st.composite
def maps(draw: st.DrawFn, ramps: bool = True) -> TempoMap:
    beats = draw(st.lists(st.integers(-80, 4000), min_size=1, max_size=6, unique=True))
    points = [
        TempoPoint(beat / 4, draw(TEMPI), ramps and index + 1 < len(beats) and draw(st.booleans()))
        for index, beat in enumerate(sorted(beats))
    ]
    bars = draw(st.lists(st.integers(-10, 200), max_size=4, unique=True))
    return TempoMap(points, [SignaturePoint(bar, draw(SIGNATURES)) for bar in bars])


@FEW
@given(maps(), st.fractions(-300, 90_000, max_denominator=96))
def test_beats_and_seconds_are_inverse(tempo_map: TempoMap, beats: Fraction) -> None:
    seconds = tempo_map.seconds_at(beats)
    assert abs(tempo_map.beats_at(seconds) - beats) < Fraction(1, 10**30)
    assert tempo_map.seconds_at(0) == 0


@FEW
@given(maps(ramps=False), st.fractions(-300, 90_000, max_denominator=96))
def test_straight_stretches_are_exact(tempo_map: TempoMap, beats: Fraction) -> None:
    assert tempo_map.beats_at(tempo_map.seconds_at(beats)) == beats


@FEW
@given(maps(), st.lists(st.fractions(-100, 5000, max_denominator=960), min_size=2, unique=True))
def test_time_moves_forward(tempo_map: TempoMap, places: list[Fraction]) -> None:
    seconds = [tempo_map.seconds_at(place) for place in sorted(places)]
    assert all(a < b for a, b in pairwise(seconds))
    for (a, b), (one, other) in zip(pairwise(sorted(places)), pairwise(seconds), strict=True):
        assert Fraction(60, 401) * (b - a) < other - one < Fraction(60, 19) * (b - a)


@FEW
@given(maps(), RATES, st.integers(-(10**7), TEN_HOURS * 192_000))
def test_samples_of_ten_hours_come_back(tempo_map: TempoMap, rate: int, position: int) -> None:
    course = Course(tempo_map, rate)
    assert course.sample_at(course.beats_at(position)) == position


@FEW
@given(maps(), RATES, st.integers(-10_000, 400_000))
def test_bars_own_their_samples(tempo_map: TempoMap, rate: int, bar: int) -> None:
    course = Course(tempo_map, rate)
    begin, end = course.bar_start(bar), course.bar_start(bar + 1)
    assert begin < end
    assert course.bar_at(begin) == course.bar_at(end - 1) == bar
    assert course.bar_at(begin - 1) == bar - 1
    assert course.next_bar(begin) == bar
    assert course.next_bar(begin + 1) == bar + 1
    start = tempo_map.bar_start_beats(bar)
    assert tempo_map.bar_start_beats(bar + 1) - start == tempo_map.signature_at(start).beats_per_bar
    assert tempo_map.bar_at_beats(start) == bar


@FEW
@given(maps(), RATES, st.integers(-(10**6), 10**9))
def test_grid_agrees_up_to_its_end(tempo_map: TempoMap, rate: int, position: int) -> None:
    course = Course(tempo_map, rate)
    half_a_sample = Fraction(400, 2 * 60 * rate)  # in beats, at the fastest tempo
    grid, end = course.grid_at(position), course.grid_ends(position)
    assert abs(grid.beats_at(position) - course.beats_at(position)) < half_a_sample
    if end == position + 1:
        return
    last = position + 10**6 if end is None else end - 1
    middle = (position + last) // 2
    assume(middle > position)
    for place in (middle, last):
        assert abs(grid.beats_at(place) - course.beats_at(place)) < half_a_sample
        assert course.grid_at(place) == grid
    assert abs(grid.bar_start(course.bar_at(middle)) - grid.sample_at(course.tempo_map.bar_start_beats(
        course.bar_at(middle)))) <= 1  # fmt: skip
    assert end is None or course.grid_at(end) != grid or course.grid_ends(end) != end


@pytest.mark.parametrize("rate", [44_100, 192_000])
@pytest.mark.parametrize("tempo", [20, 93.7, 128.0, 400])
def test_steady_map_is_the_grid_for_ten_hours(rate: int, tempo: float) -> None:
    for signature in (Signature(7, 8), Signature(5, 4)):
        course, grid = Course(TempoMap.steady(tempo, signature), rate), Grid(rate, tempo, signature)
        assert course.grid_at(12345) == grid
        last = grid.bar_at(TEN_HOURS * rate)
        for bar in random.Random(1).sample(range(-100, last), 200):
            assert course.bar_start(bar) == grid.bar_start(bar)


def test_ramp_is_the_integral_and_does_not_drift() -> None:
    """Against Gauss-Legendre's rule, and 3000 ramps of ten hours against the sum of their exact lengths."""
    import numpy as np

    ramp = TempoMap([TempoPoint(0, 93.7, True), TempoPoint(32, 174)])
    x, w = np.polynomial.legendre.leggauss(40)
    tempo = 93.7 + (174 - 93.7) / 32 * (16 + 16 * x)
    assert abs(float(ramp.seconds_at(32)) - float(np.sum(w * 16 * 60 / tempo))) < 1e-12
    assert ramp.tempo_at(16) == (Fraction(937, 10) + 174) / 2
    assert ramp.tempo_at(-5) == Fraction(937, 10)
    points = [TempoPoint(24 * n, (100, 150)[n % 2], True) for n in range(3000)] + [TempoPoint(72_000, 100)]
    long = TempoMap(points)
    one = TempoMap([TempoPoint(0, 100, True), TempoPoint(24, 150)]).seconds_at(24)
    assert abs(long.seconds_at(72_000) - 3000 * one) < Fraction(1, 10**30)
    assert 34_000 < long.seconds_at(72_000) < 37_000


def test_signatures_count_through() -> None:
    song = TempoMap([TempoPoint(0, 120)], [SignaturePoint(4, Signature(7, 8)), SignaturePoint(6, Signature(5, 4))])
    assert [song.bar_start_beats(bar) for bar in (-1, 0, 1, 4, 5, 6, 7)] == [-7 / 2, 0, 7 / 2, 14, 17.5, 21, 26]
    song = TempoMap(
        [TempoPoint(0, 120)],
        [SignaturePoint(0, Signature()), SignaturePoint(4, Signature(7, 8)), SignaturePoint(6, Signature(5, 4))],
    )
    assert [song.bar_start_beats(bar) for bar in (-1, 0, 4, 5, 6, 7)] == [-4, 0, 16, 19.5, 23, 28]
    grid = Course(song, 48_000).grid_at(24_000 * 24)
    assert grid.bar_start(7) == 24_000 * 28  # the map's own bar numbers
    assert grid.signature == Signature(5, 4)


@FEW
@given(st.integers(-500, 60_000), st.integers(1, 200_000), RATES)
def test_loop_plays_round(position: int, n_samples: int, rate: int) -> None:
    tempo_map = TempoMap([TempoPoint(0, 300, True), TempoPoint(2, 400)])
    course = Course(tempo_map, rate, (0.5, 1.25))
    begin, end = course.loop_samples or (0, 0)
    whole = list(course.stretches(position, n_samples))
    assert sum(each.n_samples for each in whole) == n_samples
    assert [each.passes for each in whole] == list(range(len(whole)))
    assert course.after(whole[-1].position_samples, whole[-1].n_samples) == course.after(position, n_samples)
    assert all(each.position_samples == begin for each in whole[1:])
    if position >= end:
        assert whole == [CourseStretch(position, n_samples, 0)]


def test_fifty_passes_return_to_the_sample() -> None:
    course = Course(TempoMap.steady(93.7, Signature(7, 8)), 44_100, (7.0, 21.0))
    begin, end = course.loop_samples or (0, 0)
    assert course.after(begin, 50 * (end - begin)) == begin


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"20\.\.400"):
        TempoMap.steady(401)
    with pytest.raises(ValueError, match="needs a tempo"):
        TempoMap([])
    with pytest.raises(ValueError, match="two at beat 1"):
        TempoMap([TempoPoint(1, 100), TempoPoint(1, 120)])
    with pytest.raises(ValueError, match="no tempo to go to"):
        TempoMap([TempoPoint(1, 100, True)])
    with pytest.raises(ValueError, match="one signature a bar"):
        TempoMap([TempoPoint(1, 100)], [SignaturePoint(1, Signature()), SignaturePoint(1, Signature())])
    with pytest.raises(ValueError, match="loop"):
        Course(TempoMap.steady(100), 48_000, (4.0, 4.0))
