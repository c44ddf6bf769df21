"""Margins from measured times."""

from __future__ import annotations

import pytest

from engine.serve.lane.timing import (
    MARGIN_RANGE_SECONDS,
    MOST_CUSHION_SECONDS,
    START_MARGIN_SECONDS,
    LaneTiming,
    Medians,
)


def test_margin_follows_the_slowest_of_the_last_starts():
    timing = LaneTiming()
    assert timing.margin_seconds == START_MARGIN_SECONDS
    for seconds in (0.1, 0.3, 0.1):
        timing.ready_after(seconds)
    assert timing.margin_seconds - timing.cushion_seconds == pytest.approx(0.39)
    for _ in range(8):
        timing.ready_after(0.001)
    timing.worked(100.0, 1.0)
    assert timing.margin_seconds == MARGIN_RANGE_SECONDS[0]


def test_a_slow_engine_keeps_more():
    cushions = []
    for ratio in (20.0, 3.0, 1.2, 0.5):
        timing = LaneTiming()
        timing.worked(ratio, 1.0)
        cushions.append(timing.cushion_seconds)
    assert cushions == sorted(cushions)
    assert cushions[0] < 0.05
    assert cushions[-1] == MOST_CUSHION_SECONDS


def test_low_water_mark_counts_from_the_first_sound():
    timing = LaneTiming()
    timing.saw_fill(0.0, sounding=False)
    timing.saw_fill(1.0, sounding=True)
    timing.saw_fill(0.4, sounding=True)
    timing.saw_fill(2.0, sounding=True)
    assert timing.fill_low_seconds == 0.4
    timing.restart()
    timing.saw_fill(3.0, sounding=True)
    assert timing.fill_low_seconds == 3.0


def test_figures_are_medians_of_the_last():
    figures = Medians(keep=3)
    assert figures.median("step_ms") == 0.0
    for value in (100.0, 1.0, 2.0, 3.0):
        figures.add("step_ms", value)
    assert figures.median("step_ms") == 2.0


def test_music_that_is_thrown_away_before_a_play_is_in_its_margin_and_in_no_other():
    timing = LaneTiming()
    timing.worked(20.0, 10.0)
    for _ in range(8):
        timing.ready_after(0.8, reads=True, unheard_seconds=1.0)  # half a second of that for a second of music
    assert timing.margin_seconds - timing.cushion_seconds == pytest.approx(1.3 * 0.3)
    assert timing.begin_seconds(True) == timing.margin_seconds
    assert timing.begin_seconds(True, 1.0) - timing.margin_seconds == pytest.approx(1.3 * 0.5)


def test_a_first_play_that_reads_music_is_given_what_the_model_was_measured_to_take():
    timing = LaneTiming()
    timing.expected_seconds = 0.6
    timing.ready_after(0.02)
    assert timing.begin_seconds(False) == timing.margin_seconds
    assert timing.begin_seconds(True) == pytest.approx(1.3 * 0.6 + timing.cushion_seconds)
    timing.ready_after(0.3, reads=True)
    assert timing.begin_seconds(True) == timing.margin_seconds
