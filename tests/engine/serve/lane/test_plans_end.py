"""The host is told where the music ends, also when its tempo comes, or moves, after the play."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lane_rig import RATE, RigHost

from bridge.time.transport import Grid


@pytest.fixture
def host():
    made = RigHost()
    made.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7))
    yield made
    made.close()


@pytest.mark.parametrize("bpm", [114.0, 126.0])
def test_a_tempo_that_comes_after_the_play_moves_its_end(host, bpm):
    """The play is placed on 120 bpm as long as the host has said nothing."""
    host.play(bars=2)
    host.transport = replace(host.transport, grid=Grid(RATE, bpm))
    host.settle()
    end = host.transport.grid.sample_at(8.0)
    assert host.lane.ring.plan.end_samples == end
    host.start()
    heard = host.render(end + RATE)
    assert np.isfinite(heard[:end]).all()
    assert np.isnan(heard[end:]).all()


def test_a_tempo_that_moves_a_little_moves_the_end(host):
    """By less than what is regenerated at once."""
    host.play(bars=8)
    host.settle()
    host.start()
    host.render(RATE)
    here = host.transport.position_samples
    host.transport = replace(host.transport, grid=host.transport.grid.retuned(here, 119.9))
    host.render(RATE)
    assert host.lane.ring.plan.end_samples == host.transport.grid.sample_at(32.0)
