"""Takes made beside a playing lane: it goes first, and they get the remaining time."""

from __future__ import annotations

import numpy as np
import pytest
from busy_rig import BusyHost
from lane_rig import RATE, RigHost

from bridge.control.arguments import At
from bridge.time.transport import Transport


class Waiting(RigHost):
    """A host that takes music as fast as it is made."""

    def begin(self) -> None:
        self.lane.waits = True
        self.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 3))
        self.publish()
        self.play(At(beats=0.0))
        self.transport = Transport(True, 0, self.transport.grid)
        self.publish()

    def take(self) -> None:
        ahead = self.reader.ahead_samples(self.transport.position_samples)
        if ahead > 0:
            out = np.zeros((ahead, 2), np.float32)
            self.reader.read(self.transport.position_samples, out, self.transport.seek_id)
            self.transport = self.transport.advanced(ahead)
        self.publish()


def test_takes_beside_a_lane_that_plays_leave_its_ring_full(monkeypatch):
    busy = BusyHost(monkeypatch, ratio=2.5, read_seconds=0.35)
    busy.begin()
    busy.run(4.0)
    takes = [Waiting(busy.generate_loop) for _ in range(4)]
    for take in takes:
        take.begin()
    busy.fills.clear()
    end = busy.clock.seconds + 12.0
    while busy.clock.seconds < end:
        busy.turn()
        for take in takes:
            take.take()
    assert busy.missing == 0
    assert min(busy.fills) > 0.6
    made = [take.transport.position_samples / RATE for take in takes]
    assert min(made) > 0.5  # they get the remaining time
    assert sum(made) == pytest.approx(12.0, rel=0.6)
    for host in (*takes, busy):
        host.close()


def test_takes_beside_a_lane_with_a_short_lead_are_made(monkeypatch):
    """Its ring never holds a second of music."""
    busy = BusyHost(monkeypatch, ratio=4.0, read_seconds=0.1)
    busy.lane.update(lambda s: s.with_value("lead_seconds", 0.5))
    busy.begin()
    busy.run(4.0)
    take = Waiting(busy.generate_loop)
    take.begin()
    end = busy.clock.seconds + 6.0
    while busy.clock.seconds < end:
        busy.turn()
        take.take()
    assert take.transport.position_samples > 2 * RATE
    assert busy.missing == 0
    take.close()
    busy.close()
