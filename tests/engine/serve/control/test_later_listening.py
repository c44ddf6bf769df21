"""Which regions are analysed, and when: a region that stays at once, those of a jam only when no other comes."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest
from lane_rig import HandClock

from engine.serve.control.background_analysis import LIVE_SECONDS, STAYS_SECONDS, BackgroundAnalysis


@dataclass(eq=False)
class Numbered:
    """As much of a lane as is needed."""

    number: int


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_a_first_region_is_analysed_at_once_and_one_played_live_when_it_stays(clock) -> None:
    later, lane, found = BackgroundAnalysis(clock), Numbered(3), []
    later.put(lane, "melody", lambda lane: found.append("first"))
    assert later.turn()
    for name in ("second", "third"):
        clock.seconds += 2.0
        later.put(lane, "melody", lambda lane, name=name: found.append(name))
        assert not later.turn()
    clock.seconds += STAYS_SECONDS
    assert later.turn()
    assert found == ["first", "third"]
    clock.seconds += LIVE_SECONDS
    later.put(lane, "melody", lambda lane: found.append("later"))
    assert later.turn()


def test_other_lanes_and_roles_do_not_count(clock) -> None:
    later, lanes, found = BackgroundAnalysis(clock), [Numbered(1), Numbered(2)], []
    for lane in lanes:
        for role in ("melody", "continue"):
            later.put(lane, role, lambda lane: found.append(lane.number))
    while later.turn():
        pass
    assert sorted(found) == [1, 1, 2, 2]


def test_a_lane_that_is_closed_is_not_kept_for_its_analysis(clock) -> None:
    later, found = BackgroundAnalysis(clock), []
    later.put(Numbered(1), "melody", found.append)
    gc.collect()
    assert later.turn()
    assert not found
