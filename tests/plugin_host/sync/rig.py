"""A host rendered in simulated time: a sound card with a drifting clock and jittering callbacks."""

from __future__ import annotations

import random
from collections.abc import Callable

from bridge.time.transport import Grid
from plugin_host.host.timeline import Timeline
from plugin_host.sync.follower import ClockFollower
from plugin_host.sync.host_time import HostTime, HostWatch
from plugin_host.sync.leader import Leader
from plugin_host.sync.reading import Reading

RATE, BLOCK = 48_000, 256


class SimulatedHost:
    """Renders the card's blocks; `drift` of its clock; callbacks up to `jitter_seconds` late."""

    def __init__(self, tempo_bpm: float = 120.0, drift: float = 80e-6, jitter_seconds: float = 0.002, seed: int = 1):
        self.now = 0.0
        self.timeline = Timeline(Grid(RATE, tempo_bpm), now_seconds=lambda: self.now)
        self.watch = HostWatch(self.timeline)
        self.follower = ClockFollower(self.timeline)
        self.rendered = 0
        self._block_seconds = BLOCK / RATE * (1 + drift)
        self._jitter, self._spread = jitter_seconds, random.Random(seed)
        self._next = 0.0

    def until(self, seconds: float, each_10_ms: Callable[[float, HostTime], None]) -> None:
        """Run up to an instant."""
        looks = int(self.now * 100)
        while self.now < seconds:
            due = self._next + self._spread.random() * self._jitter
            self.now = max(self.now, due)
            self.timeline.take_changes()
            left = BLOCK
            while left:
                _, n = self.timeline.block(left)
                self.timeline.advance(n)
                left -= n
            self._next += self._block_seconds
            while looks < int(self.now * 100):
                looks += 1
                host = self.watch.look()
                if host is not None:
                    each_10_ms(self.now, host)

    def true_beats(self, seconds: float) -> float:
        """Beat at an instant, by the card's true clock."""
        now = self.timeline.now
        ahead = (self._next - seconds) / self._block_seconds * BLOCK
        return float(now.grid.beats_at(now.position_samples)) - ahead * now.tempo_bpm / 60 / RATE


class StubSource:
    """A source with a given reading."""

    def __init__(self, name: str = "leader") -> None:
        self.name = name
        self.says: Callable[[float], Reading | None] = lambda now: None
        self.closed = False

    def reading(self, now_seconds: float) -> Reading | None:
        return self.says(now_seconds)

    def close(self) -> None:
        self.closed = True


def follow(host: SimulatedHost, leader: Leader) -> Callable[[float, HostTime], None]:
    """The sync thread's work, for `SimulatedHost.until`."""

    def step(now: float, there: HostTime) -> None:
        host.follower.step(now, leader.reading(now), there)

    return step
