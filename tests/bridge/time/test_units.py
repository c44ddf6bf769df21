"""Exact conversions: each pair is its own inverse, bars never drift, rounding happens once."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.time import units
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature

tempos = st.one_of(
    st.floats(20, 999, allow_nan=False), st.integers(20, 999), st.fractions(20, 999, max_denominator=1000)
)
rates = st.sampled_from([8000, 22050, 32000, 44100, 48000, 88200, 96000, 192000])
amounts = st.fractions(-(10**6), 10**6, max_denominator=10**6)
signatures = st.builds(Signature, st.integers(1, 32), st.sampled_from([1, 2, 4, 8, 16, 32]))


@given(amounts, tempos, rates)
def test_pairs_are_inverse(amount: Fraction, bpm: units.Exact, rate: int) -> None:
    assert units.seconds_to_beats(units.beats_to_seconds(amount, bpm), bpm) == amount
    assert units.fitting_tempo(units.seconds_to_beats(3, bpm), 3) == units.exact(bpm)
    assert units.samples_to_seconds(units.seconds_to_samples(amount, rate), rate) == amount
    assert units.samples_to_beats(units.beats_to_samples(amount, bpm, rate), bpm, rate) == amount
    assert units.seconds_to_frames(units.frames_to_seconds(amount)) == amount
    assert units.beats_to_frames(units.frames_to_beats(amount, bpm), bpm) == amount


@given(st.integers(0, 10**9))
def test_frames_cover_samples(n: int) -> None:
    frames = units.samples_to_frames(n)
    assert units.frames_to_samples(frames) >= n > units.frames_to_samples(frames) - 640
    assert units.samples_to_frames(units.frames_to_samples(n)) == n


@given(st.fractions(max_denominator=10**6))
def test_nearest_is_within_a_half(value: Fraction) -> None:
    assert -Fraction(1, 2) < units.nearest(value) - value <= Fraction(1, 2)
    assert units.nearest(Fraction(5, 2)) == 3
    assert units.nearest(Fraction(-5, 2)) == -2


@given(st.integers(-(10**6), 10**6), signatures)
def test_bar_starts_and_bars(bar: int, signature: Signature) -> None:
    start = units.bar_start_beats(bar, signature)
    assert units.bar_at_beats(start, signature) == bar
    assert units.bar_at_beats(start - Fraction(1, 10**9), signature) == bar - 1
    assert units.phase_beats(start, signature) == 0


@given(tempos.map(float), rates, signatures, st.integers(-(10**5), 10**6), st.integers(-(10**9), 10**9))
def test_grid_bar_owns_its_samples(bpm: float, rate: int, sign: Signature, bar: int, anchor: int) -> None:
    grid = Grid(rate, bpm, sign, anchor_samples=anchor, anchor_beats=17.25)
    start, after = grid.bar_start(bar), grid.bar_start(bar + 1)
    assert grid.bar_at(start) == bar
    assert grid.bar_at(after - 1) == bar
    assert grid.next_bar(start) == bar
    assert grid.next_bar(start + 1) == bar + 1
    assert abs(grid.beats_at(start) - grid.bar_start_beats(bar)) <= units.samples_to_beats(1, bpm, rate) / 2
    beat = grid.next_beat_start(start + 1)
    assert start < beat <= start + units.beats_to_samples(1, bpm, rate) + 1


@pytest.mark.parametrize(
    ("bpm", "signature"), [(128, Signature(4, 4)), (128, Signature(7, 8)), (97.3, Signature(5, 4))]
)
@pytest.mark.parametrize("rate", [44100, 48000])
def test_no_drift_in_ten_hours(bpm: float, signature: Signature, rate: int) -> None:
    """The last bar of ten hours lies where independent integer arithmetic puts it, and bar lengths never differ by
    2."""
    grid = Grid(rate, float(bpm), signature)
    bars = grid.bar_at(10 * 3600 * rate)
    tenths = round(bpm * 10)
    for bar in (1, 2, bars // 3, bars - 1, bars):
        # bar * (4 n / d) beats * 60 s / bpm * rate, in integers: halves round up
        top = bar * 4 * signature.numerator * 600 * rate
        bottom = signature.denominator * tenths
        assert grid.bar_start(bar) == (2 * top + bottom) // (2 * bottom)
    lengths = {grid.bar_start(bar + 1) - grid.bar_start(bar) for bar in range(bars - 3000, bars)}
    assert max(lengths) - min(lengths) <= 1


def test_walking_block_by_block_is_the_same_as_asking_once() -> None:
    grid = Grid(48000, 128.0, Signature(7, 8))
    starts, position = [], 0
    while position < 48000 * 60:
        bar = grid.next_bar(position)
        if grid.bar_start(bar) < position + 256:
            starts.append(grid.bar_start(bar))
        position += 256
    assert starts == [grid.bar_start(bar) for bar in range(len(starts))]
    assert len(starts) == math.ceil(60 / (3.5 * 60 / 128))


@given(st.floats(20, 999), st.floats(20, 999), rates, st.integers(0, 10**9))
def test_tempo_change_keeps_the_beat(first: float, second: float, rate: int, position: int) -> None:
    grid = Grid(rate, first)
    changed = grid.retuned(position, second)
    assert abs(changed.beats_at(position) - grid.beats_at(position)) < Fraction(1, 10**8)
    step = changed.beats_at(position + rate) - changed.beats_at(position)
    assert step == units.exact(second) / 60


def test_signature_change_begins_a_bar() -> None:
    grid = Grid(48000, 120.0).resigned(48000 * 4, Signature(3, 4))
    assert grid.bar_at(48000 * 4) == 0
    assert grid.bar_start(0) == 48000 * 4
    assert grid.bar_start(1) - grid.bar_start(0) == 3 * 24000


@given(st.decimals("20", "999", places=3))
def test_tempo_survives_a_32_bit_float(bpm: object) -> None:
    meant = float(str(bpm))
    (arrived,) = struct.unpack("<f", struct.pack("<f", meant))
    assert units.shortest_float32(arrived) == meant


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        units.exact(bad)


def test_refusals_name_what_was_got() -> None:
    with pytest.raises(TypeError, match="str"):
        units.exact("120")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        units.exact(True)
    with pytest.raises(ValueError, match="tempo_bpm must be above 0, got 0"):
        Grid(48000, 0.0)
    with pytest.raises(ValueError, match="got 3"):
        Signature(4, 3)
    with pytest.raises(ValueError, match="got 0"):
        Signature(0, 4)
    with pytest.raises(ValueError, match="loop"):
        Transport(True, 0, Grid(48000), loop_beats=(4.0, 4.0))
