"""A lane as both threads see it: what it was told, and how it is.

[control] tells commands and the clock; [generate] owns everything in `LaneController` and replaces `settings` and
`view`. Both are whole frozen values, so neither side ever sees half of one.

    told "now" ---> wanted, at once; on its way ---> settings, and music, at the next turn of [generate]
    told for later, heard ----------------------------^ and wanted
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.control import parameters
from bridge.control.arguments import NOW
from bridge.control.clients import Client
from bridge.ring.writer import RingWriter
from engine.serve.lane.commands import Command, newest
from engine.serve.lane_settings import Depth, LaneSettings, Update
from engine.serve.timeline.due import Due, due_at
from engine.serve.timeline.host_clock import HostClock

if TYPE_CHECKING:
    from engine.model import HeardExcerpt
    from engine.serve.lane.controller import LaneController

SILENT_SECONDS = 5.0  # a host that played no block for so long is not playing
BEAT_SECONDS = 1.0  # between two tellings of how far off the beat is
TOLD_MAX = 256  # commands "now" on their way; of more than that the newest of each kind
SEEDS = 2**24  # seeds lie below: whole numbers that every client can send
IDLE, PREPARING, PLAYING, ENDED, FAILED = "idle", "preparing", "playing", "ended", "failed"


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
        self, number: int, client: Client, ring: RingWriter, own: Mapping[str, float], waits: bool = False
    ) -> None:
        """`own` are the model's values of some parameters, in place of the table's; the host of one that `waits` needs
        its music at no certain time.  [control]
        """
        self.waits = waits
        self.number = number
        self.client = client
        self.ring = ring
        self.clock = HostClock(ring)
        values = {**parameters.defaults(), **own}
        self.settings = LaneSettings(values=MappingProxyType(values))  # that the music follows: see `CommandScheduler`
        self.wanted = self.settings  # with what was told "now" and is on its way: what [control] shows and checks
        self.view = LaneView()
        self.controller: LaneController | None = None  # [generate]
        self.freeing = False  # its host has ended and it is on its way out
        self.orphaned = False  # its client has left, but its host still plays
        self.excerpt_seconds: tuple[float, float] | None = None  # of the style region: where it begins, how long
        self.on_excerpt: Callable[[Lane, float, float], None] = lambda lane, start, length: None
        self.on_heard: Callable[[Lane, int, str, float, float], None] = lambda lane, *heard: None
        self.on_guard: Callable[[Lane, float, str, str, float], None] = lambda lane, *fault: None
        self.on_grid: Callable[[Lane, float, float, float], None] = lambda lane, *off: None
        self.beat = (0.0, 0.0, 0.0)  # how far off made music was, in beats and ms, and how sure that is
        self._beat_seconds = 0.0
        self.changed_seconds = 0.0  # when a change "now" was told last, on the monotonic clock
        self._lock = threading.Lock()
        self._told: list[Command] = []  # on their way to the scheduler
        self._drawn: int | None = None  # the next play's seed, told in advance

    def update(self, change: Update) -> None:
        """Tell a change "now" of which nobody is told when it is heard.  [any]"""
        self.tell(Command(update=change))

    def tell(self, command: Command) -> Depth:
        """Tell a command "now": wanted at once, and the scheduler gets it; how much is made anew for it.  [any]"""
        assert command.update is not None
        with self._lock:
            before, self.wanted = self.wanted, command.update(self.wanted)
            self.changed_seconds = time.monotonic()
            self._told = [*self._told, command] if len(self._told) < TOLD_MAX else newest([*self._told, command])
            return before.depth(self.wanted)

    def take_told(self) -> list[Command]:
        """The commands "now" that have come since, for the scheduler, which settles what they change.  [generate]"""
        with self._lock:
            told, self._told = self._told, []
            return told

    def settle(self, settings: LaneSettings) -> None:
        """Other settings from now on; what is on its way stays wanted.  [generate]"""
        with self._lock:
            self.settings = self.wanted = settings
            for command in self._told:
                self.wanted = command.changed(self.wanted)

    def place_now(self, depth: Depth) -> Due:
        """About where a change told now will be heard from; it is never late.  [any]"""
        transport = self.clock.or_standing()
        margin = int(self.view.ready_seconds[depth] * transport.sample_rate_hz)
        return due_at(NOW, transport, margin)

    def note_beat(self, off_beats: float, off_ms: float, sure: float) -> None:
        """Made music is so far off the host's beat; told once a second at most.  [generate]"""
        now = time.monotonic()
        if now - self._beat_seconds >= BEAT_SECONDS:
            self._beat_seconds, self.beat = now, (off_beats, off_ms, sure)
            self.on_grid(self, *self.beat)

    def note_excerpt(self, heard: HeardExcerpt | None, rate_hz: int) -> None:
        """A window listens to this part of the style region; told once.  [generate]"""
        place = None if heard is None else (heard.start_samples / rate_hz, heard.count_samples / rate_hz)
        if place != self.excerpt_seconds:
            self.excerpt_seconds = place
            if place is not None:
                self.on_excerpt(self, *place)

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
        value = self.wanted.values[name]
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
