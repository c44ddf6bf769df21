"""A lane's time from messages: taps give tempo and beat; a host with a shared block keeps its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lane_rig import HandClock

from bridge.ring.reader import RingReader
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from engine.serve.timeline.host_clock import HostClock

RATE = 48_000


class Bench:
    """A real ring, and a clock whose seconds are set by hand."""

    def __init__(self) -> None:
        self.ring = RingWriter.create(9177, RATE, 2, seconds=1)
        self.time = HandClock()
        self.clock = HostClock(self.ring, self.time)

    def taps(self, *instants: float, downbeat: bool = False) -> float:
        found = None
        for instant in instants:
            self.time.seconds = 100 + instant
            found = self.clock.tap(downbeat and instant == instants[-1])
        return found.tempo_bpm if found else 0.0


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.ring.close()


def test_taps_alone_give_a_standing_host_its_tempo(bench: Bench) -> None:
    assert bench.taps(0.0) == 0.0
    assert bench.clock.now() is None
    assert bench.taps(0.5, 1.0, 1.5) == pytest.approx(120)
    transport = bench.clock.now()
    assert transport is not None
    assert (transport.playing, transport.tempo_bpm) == (False, 120.0)
    assert not bench.clock.shared


def test_tap_moves_the_beat_of_a_host_that_plays(bench: Bench) -> None:
    bench.clock.report(True, 0.0, 100.0, Signature(3, 4))
    bench.taps(3.03, 3.53, 4.03, 4.53)
    transport = bench.clock.now()
    assert transport is not None
    assert transport.tempo_bpm == 120.0
    assert transport.position_beats == pytest.approx(round(transport.position_beats), abs=1e-3)
    seek_id = transport.seek_id
    bench.taps(5.03, 5.53, downbeat=True)
    transport = bench.clock.now()
    assert transport is not None
    assert transport.position_beats % 3 == pytest.approx(0, abs=1e-3)
    assert transport.seek_id == seek_id + 1  # beat 10 became 9: what was planned no longer fits
    bench.time.seconds += 10.0
    later = bench.clock.now()
    assert later is not None
    assert later.position_beats == pytest.approx(transport.position_beats + 20, abs=1e-3)


def test_host_with_a_shared_block_only_sends_its_time(bench: Bench) -> None:
    reader = RingReader.attach(bench.ring.name)
    reader.publish(Transport(True, 480, Grid(RATE, 93.0)), 0, 256, 0, 0)
    assert bench.clock.shared
    assert bench.taps(0.0, 0.5, 1.0) == pytest.approx(120)
    transport = bench.clock.now()
    assert transport is not None
    assert transport.tempo_bpm == 93.0
    reader.close()
