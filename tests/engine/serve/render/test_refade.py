"""A change of level while music plays: a host that reaches it at that moment gets the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from lane_rig import NOW, RATE, RigHost

from bridge.ring.form import PlaybackPlan
from engine.serve.lane.command import Command


@pytest.mark.parametrize("loop_beats", [None, (0.0, 8.0)])
def test_what_is_written_once_more_is_there_before_the_plan_says_so(host: RigHost, loop_beats, monkeypatch) -> None:
    host.play()
    host.start(loop_beats)
    host.settle()
    before = host.render(RATE)
    ring, found = host.lane.ring, []
    announce = ring.set_plan

    def set_plan(plan: PlaybackPlan) -> None:
        headers = [ring._slots.header(number) for number in range(max(0, ring._written - 500), ring._written)]
        found.append((plan.from_samples, plan.plan_revision) in [header[:2] for header in headers if header])
        announce(plan)

    monkeypatch.setattr(ring, "set_plan", set_plan)
    host.lane.submit(Command(NOW, update=lambda settings: settings.with_value("level_db", -20.0), arrived_seconds=0.0))
    host.settle()
    after = host.render(RATE // 2)
    assert not np.isnan(after).any()
    assert found == [True]
    assert np.abs(after[RATE // 4 :]).max() < 0.2 * np.abs(before).max()
