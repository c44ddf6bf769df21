"""What one musician hears: holes, held bars, and where the music came in again; counted, not recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from bridge.ring.form import Audio
from plugin_host.playback.counters import BlockState

SILENCE = 1e-5


@dataclass
class Held:
    """A stretch of repeated bars: when it began, and how long; `on_bar`: it ended on a bar line."""

    begun_seconds: float
    seconds: float = 0.0
    on_bar: bool = False


@dataclass
class Ear:
    """Listens to blocks of a host at `rate_hz` with bars of `bar_samples`.  [any]"""

    rate_hz: int
    bar_samples: int
    holes: int = 0
    blocks: int = 0
    held: list[Held] = field(default_factory=list)
    heard: bool = False
    _quiet: int = 0
    _holding: bool = False

    def listen(self, block: Audio, position_samples: int, state: int) -> None:
        """A block [n, channels] that was played at a position of the timeline.  [any]"""
        self.blocks += 1
        loud = float(np.abs(block).max()) >= SILENCE
        self.heard |= state == BlockState.PLAYING and loud
        if self.heard:
            before, self._quiet = self._quiet, 0 if loud else self._quiet + len(block)
            hole = self.rate_hz // 50
            self.holes += before < hole <= self._quiet
        holding = state == BlockState.HOLDING
        if holding and not self._holding:
            self.held.append(Held(time.monotonic()))
        elif not holding and self._holding:
            last = self.held[-1]
            last.seconds = time.monotonic() - last.begun_seconds
            last.on_bar = -position_samples % self.bar_samples < len(block) and state == BlockState.PLAYING
        self._holding = holding
