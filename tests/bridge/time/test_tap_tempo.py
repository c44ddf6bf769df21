"""Tap tempo: human taps, an inaccurate tap, a missing tap, bounces, pauses, another tempo."""

from __future__ import annotations

import random

import pytest

from bridge.time.tap_tempo import Tapped, TapTempo


def tapped(instants: list[float], downbeats: tuple[int, ...] = ()) -> Tapped:
    taps, found = TapTempo(), None
    for n, instant in enumerate(instants):
        found = taps.tap(instant, n in downbeats)
    assert found is not None
    return found


def test_one_tap_is_no_tempo() -> None:
    assert TapTempo().tap(1.0) is None


@pytest.mark.parametrize("tempo", [20.0, 60.0, 93.7, 174.0, 390.0])
def test_steady_taps(tempo: float) -> None:
    found = tapped([n * 60 / tempo for n in range(4)])
    assert found.tempo_bpm == pytest.approx(tempo)
    assert found.beat_seconds == pytest.approx(3 * 60 / tempo)


@pytest.mark.parametrize("seed", range(8))
def test_human_taps_within_two_per_cent(seed: int) -> None:
    spread = random.Random(seed)
    found = tapped([n * 0.5 + spread.gauss(0, 0.012) for n in range(8)])
    assert found.tempo_bpm == pytest.approx(120, rel=0.02)
    assert found.beat_seconds == pytest.approx(3.5, abs=0.025)


def test_a_slip_a_bounce_and_a_tap_left_out_do_no_harm() -> None:
    assert tapped([0, 0.5, 1.0, 1.6, 2.0, 2.5, 3.0]).tempo_bpm == pytest.approx(120, rel=0.01)
    assert tapped([0, 0.5, 0.52, 1.0, 1.5]).tempo_bpm == pytest.approx(120)
    left_out = tapped([0, 0.5, 1.0, 2.0, 2.5], downbeats=(0,))
    assert left_out.tempo_bpm == pytest.approx(120)
    assert left_out.beats_since_downbeat == 5


def test_another_tempo_and_a_pause_begin_anew() -> None:
    assert tapped([0, 0.5, 1.0, 1.5, 2.2, 2.9, 3.6]).tempo_bpm == pytest.approx(60 / 0.7, rel=0.01)
    assert tapped([0, 0.5, 1.0, 9.0, 9.4]).tempo_bpm == pytest.approx(150)
    taps = TapTempo()
    taps.tap(0.0)
    taps.tap(0.5)
    assert taps.tap(60.0) is None


def test_downbeat_is_counted_from() -> None:
    assert tapped([0, 0.5, 1.0, 1.5, 2.0, 2.5], downbeats=(0, 4)).beats_since_downbeat == 1
