"""A dial that is turned while a lane plays: the newest value sounds soon, and the ring stays filled.

On a machine with a real-time factor of 2 and a prefill of 350 ms: two busy cores, measured.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from busy_rig import BusyHost
from lane_rig import RATE


@pytest.fixture
def busy(monkeypatch):
    host = BusyHost(monkeypatch, ratio=2.0, read_seconds=0.35)
    host.begin()
    host.run(4.0)
    host.fills.clear()
    assert host.missing == 0
    yield host
    host.close()


def test_what_is_made_is_thrown_away_once_for_a_dial_that_is_turned(busy):
    """Later values apply behind the made music, which is no longer than the margin."""
    before, frames = busy.lane.ring.plan.plan_revision, []
    begin = busy.clock.seconds
    for number in range(60):
        busy.set(number + 1, "temperature", 0.5 + number / 100)
        busy.run(0.05)
        frames.append(busy.lane.controller.renderer.stream.n_frames)
    assert busy.lane.ring.plan.plan_revision - before == 1
    assert sum(later < earlier for earlier, later in pairwise(frames)) <= 1
    assert max(busy.fills[-100:]) < 0.7
    assert busy.missing == 0
    busy.run(4.0)
    assert busy.clock.seconds - begin > 7.0
    assert busy.fills[-1] > 1.5  # and the ring is filled again


@pytest.mark.parametrize("per_second", [5, 50])
def test_a_dial_beside_another_program_that_takes_the_processor_away(monkeypatch, per_second):
    """The margin is more than the ring's recent fall while it was being filled."""
    host = BusyHost(monkeypatch, ratio=2.0, read_seconds=0.35, pause_seconds=0.4)
    host.begin()
    host.run(4.0)
    host.fills.clear()
    last = host.dial("temperature", per_second, 5.0, lambda number: 0.5 + number / 2000)
    host.run(2.0)
    assert host.missing == 0
    assert min(host.fills) > 0.05
    assert host.sounded[last] - host.told_seconds[last] < 0.7
    host.close()


@pytest.mark.parametrize("per_second", [5, 20, 50, 200])
def test_the_newest_value_of_a_dial_sounds_soon_at_any_rate(busy, per_second):
    last = busy.dial("temperature", per_second, 4.0, lambda number: 0.5 + number / 2000)
    while_turned = [id for id in busy.sounded if id != last]
    busy.run(2.0)
    assert busy.missing == 0
    assert min(busy.fills) > 0.15
    assert len(while_turned) >= 8  # heard while it is turned, not after
    assert busy.sounded[last] - busy.told_seconds[last] < 0.7
    waited = [busy.sounded[id] - busy.told_seconds[id] for id in busy.sounded]
    assert max(waited) < 0.7
    assert busy.lane.controller.renderer.settings.values["temperature"] == busy.lane.settings.values["temperature"]


def test_what_needs_a_new_window_waits_until_the_ring_is_filled_again(busy):
    """A dial that changes the conditioning: no gap, however often it is turned."""
    last = busy.dial("eval_q", 50, 4.0, lambda number: 1 + number % 6)
    busy.run(3.0)
    assert busy.missing == 0
    assert min(busy.fills) > 0.05
    assert last in busy.sounded


def test_a_level_that_is_turned_quickly_is_written_ten_times_a_second(busy):
    before = busy.lane.ring.plan.plan_revision
    last = busy.dial("level_db", 500, 2.0, lambda number: -number % 12)
    assert busy.lane.ring.plan.plan_revision - before <= 21
    busy.run(0.5)
    assert busy.missing == 0
    assert busy.sounded[last] - busy.told_seconds[last] < 0.25


def test_what_is_turned_for_a_place_is_made_anew_now_and_then(busy):
    """A dial scheduled for the next bar, sent long before it."""
    before = busy.lane.ring.plan.plan_revision
    last = busy.dial("temperature", 50, 1.0, lambda number: 0.5 + number / 2000, "bars 4")
    assert busy.lane.ring.plan.plan_revision - before <= 5
    busy.run(8.0)
    assert busy.missing == 0
    assert last in busy.sounded


def test_a_value_that_was_overtaken_is_not_reported_as_heard(busy):
    for number in range(1, 6):
        busy.set(number, "temperature", 0.5 + number / 10)
    busy.set(6, "cfg", 2.0)
    busy.run(2.0)
    assert sorted(busy.sounded) == [5, 6]
    assert busy.missing == 0
    assert busy.transport.position_samples > RATE
