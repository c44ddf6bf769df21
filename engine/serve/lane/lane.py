"""A lane as both threads see it: what it was told, and how it is.

[control] replaces `settings` and tells the clock; [generate] owns everything in `LaneController` and replaces
`view`. Both are whole frozen values, so neither side ever sees half of one.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.control import parameters
from bridge.control.arguments import NOW
from bridge.control.clients import Client
from bridge.ring.writer import RingWriter
from engine.serve.clock import Clock
from engine.serve.lane_settings import Depth, LaneSettings
from engine.serve.timeline.due import due_at
from engine.serve.timeline.host_clock import HostClock

if TYPE_CHECKING:
    from engine.model import HeardExcerpt
    from engine.serve.lane.commands import Command
    from engine.serve.lane.controller import LaneController
    from engine.serve.lane.events import LaneEvents

SILENT_SECONDS = 5.0  # a host that played no block for so long is not playing
BEAT_SECONDS = 1.0  # between two tellings of how far off the beat is
SEEDS = 2**24  # seeds lie below: whole numbers that every client can send
IDLE, PREPARING, PLAYING, ENDED, FAILED = "idle", "preparing", "playing", "ended", "failed"
Update = Callable[[LaneSettings], LaneSettings]


class Overtaken(Exception):
    """A command whose place another one took."""


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
    change_seconds: float = 0.0
    heard: str = ""
    listened: tuple[int, int, int] = (0, 0, 0)  # faults, of these let pass, stretches chosen among candidates
    ready_seconds: tuple[float, float, float] = (0.06, 0.3, 0.4)  # until a change told now is heard, by its `Depth`
    fault: str = ""  # why it is silent, or was lately, and what is done about it


class Lane:
    """One open lane."""

    def __init__(
        self,
        number: int,
        client: Client,
        ring: RingWriter,
        own: Mapping[str, float],
        events: LaneEvents,
        time: Clock,
        waits: bool = False,
    ) -> None:
        """`own` are the model's values of some parameters, in place of the table's; the host of one that `waits` needs
        its music at no certain time.  [control]
        """
        self.waits = waits
        self.number = number
        self.client = client
        self.ring = ring
        self.events = events
        self.time = time
        self.clock = HostClock(ring, time)
        values = {**parameters.defaults(), **own}
        self.settings = LaneSettings(values=MappingProxyType(values))
        self.view = LaneView()
        self.controller: LaneController | None = None  # [generate]
        self.orphaned = False  # its client has left, but its host still plays
        self.excerpt_seconds: tuple[float, float] | None = None  # of the style region: where it begins, how long
        self.beat = (0.0, 0.0, 0.0)  # how far off made music was, in beats and ms, and how sure that is
        self._beat_seconds = 0.0
        self.changed_seconds = 0.0  # when the settings were last replaced, on the monotonic clock
        self._lock = threading.Lock()
        self._news: list[Command] = []  # in the settings, for the controller to tell of
        self._drawn: int | None = None  # the next play's seed, told in advance

    def update(self, change: Update) -> LaneSettings:
        """Replace the settings by what `change` makes of them.  [any]"""
        with self._lock:
            self.settings = change(self.settings)
            self.changed_seconds = self.time.now_seconds()
            return self.settings

    def tell(self, command: Command) -> Depth:
        """Do a command "now": the settings have it at once, the controller makes it heard.  [any]"""
        assert command.update is not None
        with self._lock:
            before, self.settings = self.settings, command.update(self.settings)
            self.changed_seconds = self.time.now_seconds()
            depth = before.depth(self.settings)
            command.settled, command.slow = True, depth > Depth.SOUND
            if command.slow or before.gain != self.settings.gain:
                overtaken = [each for each in self._news if each.about and each.about == command.about]
                self._news = [*(each for each in self._news if each not in overtaken), command]
            return depth

    def place_now(self, depth: Depth) -> tuple[float, int]:
        """About which beat a change told now will be heard from, and 0: not late.  [control]"""
        transport = self.clock.or_standing()
        margin = int(self.view.ready_seconds[depth] * transport.sample_rate_hz)
        return float(due_at(NOW, transport, margin).beats), 0

    def look(self) -> tuple[LaneSettings, list[Command]]:
        """The settings, and the commands in them that were not looked at before.  [generate]"""
        with self._lock:
            news, self._news = self._news, []
            return self.settings, news

    def adopt(self, own: Mapping[str, float]) -> LaneSettings:
        """The settings with another model's own values where nobody asked for others.  [generate]"""
        with self._lock:
            self.settings = self.settings.with_own(own)
            return self.settings

    def note_beat(self, off_beats: float, off_ms: float, sure: float) -> None:
        """Made music is so far off the host's beat; told once a second at most.  [generate]"""
        now = self.time.now_seconds()
        if now - self._beat_seconds >= BEAT_SECONDS:
            self._beat_seconds, self.beat = now, (off_beats, off_ms, sure)
            self.events.beat_measured(self, *self.beat)

    def note_excerpt(self, heard: HeardExcerpt | None, rate_hz: int) -> None:
        """A window listens to this part of the style region; told once.  [generate]"""
        place = None if heard is None else (heard.start_samples / rate_hz, heard.count_samples / rate_hz)
        if place != self.excerpt_seconds:
            self.excerpt_seconds = place
            if place is not None:
                self.events.excerpt_chosen(self, *place)

    def draw_seed(self) -> int:
        """A new seed for the next play.  [control]"""
        self._drawn = secrets.randbelow(SEEDS)
        return self._drawn

    def take_seed(self) -> int:
        """The seed of a play that begins: the one set, the one drawn in advance, or a new one.  [generate]"""
        seed, drawn = int(self.settings.values["seed"]), self._drawn
        self._drawn = None
        if seed >= 0:
            return seed
        return secrets.randbelow(SEEDS) if drawn is None else drawn

    def value(self, name: str) -> float:
        """A parameter as it is now; a seed or an excerpt's start of -1 is the one drawn.  [control]"""
        value = self.settings.values[name]
        if name == "excerpt_start" and value < 0 and self.excerpt_seconds is not None:
            return self.excerpt_seconds[0]
        if name == "seed" and value < 0:
            return float(self.view.seed if self._drawn is None else self._drawn)
        return value

    def host_plays(self) -> bool:
        """Whether a host is attached, lives, and has played a block lately.  [any]"""
        ring = self.ring
        return ring.host_pid != 0 and not ring.host_gone() and ring.host_silent_seconds() < SILENT_SECONDS

    def listener(self) -> str:
        """Who hears it, in words.  [any]"""
        if self.host_plays():
            return f"a host plays it (process {self.ring.host_pid})"
        if self.ring.host_pid and not self.ring.host_gone():
            return f"nobody listens: its host (process {self.ring.host_pid}) plays no blocks"
        return "nobody listens: no host plays its ring; `segue host` opens a lane of its own and plays it"

    def late_blocks(self) -> int:
        """Blocks that the host got too late to play.  [any]"""
        return self.ring.host_counters()["late_blocks"]
