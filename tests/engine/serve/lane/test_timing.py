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
