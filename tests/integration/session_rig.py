"""A paced host with one lane and its session, on an engine in another process."""

from __future__ import annotations

from collections.abc import Callable

from engine_rig import Engine, wait_for

from bridge.time.transport import Grid
from plugin_host.client.client import EngineClient
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.host.clock import PacedClock
from plugin_host.host.headless import HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor

RATE = 48_000
GRID = Grid(RATE, 240.0)  # a bar a second


class SessionRig:
    """A paced host and a session on an engine; `lines` are the session's messages."""

    def __init__(self, engine: Engine) -> None:
        self.client = EngineClient(engine.port)
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
