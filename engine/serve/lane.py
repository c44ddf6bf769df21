"""A lane as both threads see it: what it was told, and how it is.

[control] replaces `settings` and tells the clock; [generate] owns everything in `Director` and replaces `view`.
Both are whole frozen values, so neither side ever sees half of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge import params
from bridge.clients import Client
from bridge.ring import RingWriter
from engine.serve.clock import HostClock
from engine.serve.place import LaneSettings

if TYPE_CHECKING:
    from engine.serve.director import Director

IDLE, PREPARING, PLAYING, ENDED, FAILED = "idle", "preparing", "playing", "ended", "failed"
Update = Callable[[LaneSettings], LaneSettings]


@dataclass(frozen=True)
class LaneView:
    """How a lane is, for answers; seconds and beats as of the last turn of [generate].  [any]"""

    state: str = IDLE
    written_beats: float = 0.0
    generation: int = 0
    seed: int = 0
    fill_seconds: float = 0.0
    fill_low_seconds: float = 0.0
    first_sound_seconds: float = 0.0
    realtime_ratio: float = 0.0
    rolls: int = 0


class Lane:
    """One open lane."""

    def __init__(self, number: int, client: Client, ring: RingWriter, cfg_coef: float) -> None:
        self.number = number
        self.client = client
        self.ring = ring
        self.clock = HostClock(ring)
        values = {**params.defaults(), "cfg": cfg_coef}
        self.settings = LaneSettings(values=MappingProxyType(values))
        self.view = LaneView()
        self.director: Director | None = None  # [generate]
        self._lock = threading.Lock()

    def update(self, change: Update) -> LaneSettings:
        """Replace the settings by what `change` makes of them; it may run on any thread but [audio].  [any]"""
        with self._lock:
            self.settings = change(self.settings)
            return self.settings

    def late_blocks(self) -> int:
        """Blocks that the host got too late to play.  [any]"""
        return self.ring.host_counters()["late_blocks"]
