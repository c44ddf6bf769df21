"""Simulated farms: service times as they were measured, and what a death and a full farm do."""

from __future__ import annotations

import numpy as np
import pytest

from plugin_host.bench.farm.ear import Ear
from plugin_host.bench.farm.simulate import Farm, frame_ms, lanes_that_fit
from plugin_host.playback.counters import BlockState


def test_times_are_the_measured_ones_and_straight_between() -> None:
    assert [round(frame_ms(n), 2) for n in (0, 1, 2, 4, 8)] == [0.0, 1.75, 2.9, 5.3, 10.1]
    assert frame_ms(3) == pytest.approx((frame_ms(2) + frame_ms(4)) / 2)
    assert frame_ms(12) - frame_ms(8) == pytest.approx(frame_ms(8) - frame_ms(4))
    assert lanes_that_fit(0.7) == 11
    assert frame_ms(11) <= 14.0 < frame_ms(12)


def test_lanes_that_fit_play_on_time_and_more_do_not() -> None:
    fits, more = Farm(4, 11, 0.9, 0.0, 1).run(300), Farm(4, 24, 0.9, 0.0, 1).run(300)
    assert fits.late == 0
    assert more.late > more.lane_seconds / 10
    assert Farm(4, 11, 0.9, 0.0, 1).run(300) == fits, "the seed decides all"


def test_the_players_of_an_engine_that_dies_go_on_elsewhere() -> None:
    farm = Farm(4, 11, 0.5, 0.0, 1)
    farm.run(60)
    players = dict(farm._players)
    name, those = max(players.items(), key=lambda each: len(each[1]))
    assert those
    farm._die(name, 1860.0)
    farm._second(1860.0)
    elsewhere = set().union(*(now for each, now in farm._players.items() if each != name))
    assert len(those & elsewhere) >= len(those) - 1, "at most some have left in that second"
    assert not farm._players[name]


def test_the_ear_counts_holes_and_held_bars_and_where_they_end() -> None:
    ear, loud, quiet = Ear(48_000, 96_000), np.ones((512, 2), np.float32), np.zeros((512, 2), np.float32)
    ear.listen(quiet, 0, BlockState.PLAYING)
    ear.listen(loud, 512, BlockState.PLAYING)
    for at in (1024, 1536, 2048):  # 32 ms
        ear.listen(quiet, at, BlockState.PLAYING)
    ear.listen(loud, 2560, BlockState.HOLDING)
    ear.listen(loud, 96_000 - 500, BlockState.PLAYING)
    ear.listen(loud, 96_012, BlockState.HOLDING)
    ear.listen(loud, 96_524, BlockState.PLAYING)
    assert (ear.holes, [each.on_bar for each in ear.held]) == (1, [True, False])
