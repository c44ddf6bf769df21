"""The music heard last, for a new engine after the old one died: consecutive whole bars on their grid."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.playback.recent_music import RECENT_SECONDS, RecentMusic

RATE = 8000
GRID = Grid(RATE, 121.3)


def music(begin: int, end: int) -> Audio:
    at = np.arange(begin, end, dtype=np.float32)
    return np.stack([at, -at], axis=1)


def keep(recent: RecentMusic, begin: int, end: int, grid: Grid = GRID) -> None:
    sizes = random.Random(begin)
    while begin < end:
        n = min(sizes.randint(1, 700), end - begin)
        recent.keep(music(begin, begin + n), begin, grid)
        begin += n


@pytest.mark.parametrize("grid", [GRID, Grid(RATE, 93.7, Signature(7, 8))])
@pytest.mark.parametrize("over", [0, 1, 5000])
def test_the_newest_whole_bars_are_given_with_their_place(grid: Grid, over: int) -> None:
    recent, bar = RecentMusic(RATE, 2), grid.bar_start
    end = bar(30) + over
    keep(recent, bar(3) - 200, end, grid)
    passage = recent.passage(8.0)
    assert passage is not None
    bars = 1
    while bar(30) - bar(30 - bars - 1) <= 8 * RATE:
        bars += 1
    assert np.array_equal(passage.audio, music(bar(30 - bars), bar(30)))
    assert passage.start_beats == float(grid.bar_start_beats(30 - bars))
    assert passage.grid == grid


def test_less_than_a_bar_is_nothing() -> None:
    recent, bar = RecentMusic(RATE, 2), GRID.bar_start
    assert recent.passage(8.0) is None
    keep(recent, bar(2) + 10, bar(3) + 9000)
    assert recent.passage(8.0) is None
    keep(recent, bar(3) + 9000, bar(4))
    passage = recent.passage(8.0)
    assert passage is not None
    assert np.array_equal(passage.audio, music(bar(3), bar(4)))


def test_another_tempo_and_a_jump_begin_anew_but_a_loop_of_whole_bars_goes_on() -> None:
    recent, bar = RecentMusic(RATE, 2), GRID.bar_start
    keep(recent, bar(0), bar(4))
    keep(recent, bar(2), bar(3))
    passage = recent.passage(RECENT_SECONDS)
    assert passage is not None
    assert np.array_equal(passage.audio, np.concatenate([music(bar(0), bar(4)), music(bar(2), bar(3))]))
    assert passage.start_beats == -8.0  # five bars that end with bar 3
    keep(recent, bar(7) + 3000, bar(8))
    assert recent.passage(8.0) is None
    keep(recent, bar(8), bar(9))
    keep(recent, bar(9), bar(9) + 9000, GRID.retuned(bar(9), 90.0))
    assert recent.passage(8.0) is None
