"""The host's session when the engine hangs, dies, comes back, or never comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from engine_rig import Engine, wait_for

from bridge import shm
from bridge.errors import SegmentMissing
from bridge.ring import RingReader
from bridge.transport import Grid
from plugin_host.client import Client
from plugin_host.clock import PacedClock
from plugin_host.headless import HeadlessHost, Host
from plugin_host.processor import Processor, State
from plugin_host.session import LaneSession, Setup
from plugin_host.timeline import Timeline

RATE = 48_000
GRID = Grid(RATE, 240.0)  # a bar a second


class Rig:
    """A paced host and a session on an engine; `lines` is what the session said."""

    def __init__(self, engine: Engine) -> None:
        self.client = Client(engine.port)
        self.client.connect(60)
        self.lines: list[str] = []
        self.processor = Processor(RATE)
        self.host = Host(self.processor, Timeline(GRID))
        self.runner = HeadlessHost(self.host, PacedClock(RATE))
        self.session = LaneSession(self.client, self.processor, Setup(seed=1), self.lines.append)
        self.session.open()
        self.runner.start()
        wait_for(lambda: self.processor.counters.blocks > 0)

    def play(self, bars: int) -> None:
        self.session.play(0.0, bars, 4.0)
        self.host.timeline.play()

    def look_until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        def look() -> object:
            now = self.host.timeline.now
            self.session.look(now.grid, now.position_samples)
            return condition()

        wait_for(look, seconds)

    def said(self, word: str) -> bool:
        return any(word in line for line in self.lines)

    def close(self) -> None:
        self.runner.stop()
        self.session.close()
        self.client.close()


@pytest.fixture
def rig(engine: Engine) -> Iterator[Rig]:
    made = Rig(engine)
    yield made
    made.close()


def test_engine_that_hangs_is_noticed_and_found_again(rig: Rig, engine: Engine) -> None:
    rig.play(0)
    rig.look_until(lambda: rig.processor.counters.played_samples > 2 * RATE)
    ring = engine.segments()
    engine.process.send_signal(signal.SIGSTOP)
    try:
        rig.look_until(lambda: rig.session.lost)
        rig.look_until(lambda: rig.processor.state == State.HOLDING)
    finally:
        engine.process.send_signal(signal.SIGCONT)
    rig.look_until(lambda: not rig.session.lost)
    assert rig.said("no sign of life")
    assert rig.said("only slow")
    assert engine.segments() == ring
    assert rig.processor.counters.muted_samples == 0


def test_engine_on_the_same_port_takes_over(start_engine: Callable[..., Engine]) -> None:
    first = start_engine().wait_ready()
    rig = Rig(first)
    try:
        rig.play(40)
        rig.look_until(lambda: rig.processor.counters.played_samples > 2 * RATE)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        rig.look_until(lambda: rig.session.lost)
        held = rig.processor.counters.played_samples
        second = start_engine(port=first.port)
        rig.look_until(lambda: rig.said("engine back after"), 110)
        rig.look_until(lambda: rig.processor.counters.played_samples > held + RATE)
        assert rig.session.losses == 1
        assert not first.segments()
        assert len(second.segments()) == 1
        assert rig.processor.counters.muted_samples == 0
    finally:
        rig.close()
    wait_for(lambda: not second.segments())


def test_closed_session_gives_the_lane_back(rig: Rig, engine: Engine) -> None:
    (name,) = engine.segments()
    rig.runner.stop()
    rig.session.close()
    rig.session.close()
    wait_for(lambda: name not in shm.existing())
    with pytest.raises(SegmentMissing, match=name):
        RingReader.attach(name)
