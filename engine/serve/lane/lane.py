"""A lane as its threads share it. Threads exchange three frozen values, each replaced as a whole:

    orders    settings, wanted settings, the next seed       any thread, under the lane's lock
    holder    its client, and whether it is being freed      any thread, under the lane's lock
    view      its state, for answers                         only [generate]

    immediate command ---> wanted, at once; pending ---> settings, and music, at the next turn of [generate]
    scheduled command, heard ------------------------------^ and wanted

`controller` and all it owns belong to [generate]; so does an immediate command once `take_pending` has returned it. The
other fields are set when the lane is opened and stay; ring and clock are thread-safe.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.control.arguments import NOW
from bridge.control.clients import Client
from bridge.control.parameters import EXCERPT_START, PARAMETERS, SEED, Depth
from bridge.control.rows import LANE_STATES
from bridge.ring.writer import RingWriter
from bridge.system.clock import Clock
from engine.serve.lane.command import Command
from engine.serve.lane.commands import newest
from engine.serve.lane.made_codes import NO_CODES, MadeCodes, made_codes
from engine.serve.lane_settings import LaneSettings, Update
from engine.serve.timeline.due import Due, due_at
from engine.serve.timeline.host_clock import HostClock

if TYPE_CHECKING:
    from engine.serve.lane.controller import LaneController
    from engine.serve.lane.events import LaneEvents

SILENT_SECONDS = 5.0  # without a played block, then the host counts as not playing
PENDING_MAX = 256  # pending immediate commands; beyond that only the newest of each kind stays
SEEDS = 2**24  # upper bound of seeds: whole numbers that every client can send
IDLE, PREPARING, PLAYING, ENDED, FAILED = LANE_STATES


@dataclass(frozen=True)
class LaneOrders:
    """A lane's settings and pending commands.  [any]"""

    settings: LaneSettings  # of the music
    wanted: LaneSettings  # with all pending immediate commands
    changed_seconds: float = 0.0  # when the last immediate change was sent
    pending: tuple[Command, ...] = ()  # pending: not yet taken by the scheduler
    next_seed: int | None = None  # for the next play, drawn in advance


@dataclass(frozen=True)
class LaneHolder:
    """The client that holds a lane.  [any]"""

    client: Client
    left: bool = False  # the client is gone, but its host still plays
    freeing: bool = False  # the lane is being freed


@dataclass(frozen=True)
class LaneView:
    """A lane's state for answers; seconds and beats as of the last turn of [generate].  [any]"""

    state: str = IDLE
    written_beats: float = 0.0
    plan_revision: int = 0
    seed: int = 0
    fill_seconds: float = 0.0
    fill_low_seconds: float = 0.0
    first_sound_seconds: float = 0.0
    realtime_ratio: float = 0.0
    rolls: int = 0
    change_seconds: float = 0.0
    heard: str = ""
    guarded: tuple[int, int, int] = (0, 0, 0)  # faults, of these passed, stretches chosen among candidates
    ready_seconds: tuple[float, float, float] = (0.06, 0.3, 0.4)  # until an immediate change is heard, by its `Depth`
    fault: str = ""  # why it is silent, or was recently, and what is done about it
    excerpt_seconds: tuple[float, float] | None = None  # of the style region: start, length
    beat: tuple[float, float, float] = (0.0, 0.0, 0.0)  # off the host's: in beats and ms; confidence
    scheduled: tuple[Command, ...] = ()  # not heard yet
    weights: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # that are heard, of prompts and styles


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
        """`own`: the model's values of some parameters, in place of the table's defaults. `waits`: the host waits for
        its music, which is due at no certain time.  [control]
        """
        self.waits = waits
        self.number = number
        self.ring = ring
        self.events = events
        self.time = time
        self.clock = HostClock(ring, time)
        settings = LaneSettings(values=MappingProxyType(dict(own)))
        self.orders = LaneOrders(settings, settings)
        self.holder = LaneHolder(client)
        self.view = LaneView()
        self.controller: LaneController | None = None  # [generate]
        self.last_codes = NO_CODES  # of music that has ended: [generate]
        self._lock = threading.Lock()

    @property
    def settings(self) -> LaneSettings:
        """Prompt, values and regions of the music: see `CommandScheduler`.  [any]"""
        return self.orders.settings

    @property
    def wanted(self) -> LaneSettings:
        """The settings with pending immediate commands: [control] shows and checks these.  [any]"""
        return self.orders.wanted

    @property
    def client(self) -> Client:
        """The client that opened the lane.  [any]"""
        return self.holder.client

    # -- codes ----------------------------------------------------------------------------------------

    def music_ended(self, codes: MadeCodes) -> None:
        """Store the codes of music that has ended, until the next.  [generate]"""
        self.last_codes = codes

    def codes(self) -> MadeCodes:
        """The codes of the present music, or of the last.  [generate]"""
        renderer = self.controller.renderer if self.controller else None
        return self.last_codes if renderer is None else made_codes(renderer)

    # -- settings and commands ------------------------------------------------------------------------

    def update(self, change: Update) -> None:
        """Make an immediate change that sends no event when it is heard.  [any]"""
        self.submit(Command(update=change, arrived_seconds=self.time.now_seconds()))

    def submit(self, command: Command) -> Depth:
        """Send an immediate command: wanted at once, pending for the scheduler; returns its `Depth`.  [any]"""
        assert command.update is not None
        with self._lock:
            before, pending = self.orders.wanted, (*self.orders.pending, command)
            wanted = command.update(before)
            self.orders = replace(
                self.orders,
                wanted=wanted,
                changed_seconds=self.time.now_seconds(),
                pending=pending if len(pending) <= PENDING_MAX else tuple(newest(list(pending))),
            )
            return before.depth(wanted)

    def take_pending(self) -> list[Command]:
        """Remove and return the pending immediate commands, for the scheduler.  [generate]"""
        with self._lock:
            orders = self.orders
            if orders.pending:
                self.orders = replace(orders, pending=())
            return list(orders.pending)

    def settle(self, settings: LaneSettings) -> None:
        """Set the settings; pending commands stay wanted.  [generate]"""
        with self._lock:
            wanted = settings
            for command in self.orders.pending:
                wanted = command.changed(wanted)
            self.orders = replace(self.orders, settings=settings, wanted=wanted)

    def place_now(self, depth: Depth) -> Due:
        """The estimated beat from which an immediate change is heard; never late.  [any]"""
        transport = self.clock.or_standing()
        margin = int(self.view.ready_seconds[depth] * transport.sample_rate_hz)
        return due_at(NOW, transport, margin)

    def show(self, view: LaneView) -> None:
        """Set the view.  [generate]"""
        self.view = view

    def driven_by(self, controller: LaneController | None) -> None:
        """Set the controller; None when the lane closes.  [generate]"""
        self.controller = controller

    def draw_seed(self) -> int:
        """Draw a new seed for the next play.  [control]"""
        seed = secrets.randbelow(SEEDS)
        with self._lock:
            self.orders = replace(self.orders, next_seed=seed)
        return seed

    def take_seed(self) -> int:
        """The seed of a play that begins: the one set, the one drawn in advance, or a new one.  [generate]"""
        with self._lock:
            seed, drawn = self.orders.settings.get(SEED), self.orders.next_seed
            self.orders = replace(self.orders, next_seed=None)
        if seed >= 0:
            return seed
        return secrets.randbelow(SEEDS) if drawn is None else drawn

    def value(self, name: str) -> float:
        """A parameter's value; for a seed or excerpt start of -1, the one drawn.  [control]"""
        orders, view = self.orders, self.view
        value = float(orders.wanted.get(PARAMETERS[name]))
        if name == EXCERPT_START.name and value < 0 and view.excerpt_seconds is not None:
            return view.excerpt_seconds[0]
        if name == SEED.name and value < 0:
            return float(view.seed if orders.next_seed is None else orders.next_seed)
        return value

    # -- holder and host ------------------------------------------------------------------------------

    def client_left(self, left: bool = True) -> None:
        """Note that the client is gone, or back.  [control]"""
        with self._lock:
            self.holder = replace(self.holder, left=left)

    def let_go(self) -> bool:
        """Mark the lane as being freed; False if it was already.  [any]"""
        with self._lock:
            was, self.holder = self.holder.freeing, replace(self.holder, freeing=True)
        return not was

    def host_plays(self) -> bool:
        """Whether a host is attached, alive, and has played a block recently.  [any]"""
        ring = self.ring
        return ring.host_pid != 0 and not ring.host_gone() and ring.host_silent_seconds() < SILENT_SECONDS

    def listener(self) -> str:
        """Who plays the lane, in words.  [any]"""
        if self.host_plays():
            return f"a host plays it (process {self.ring.host_pid})"
        if self.ring.host_pid and not self.ring.host_gone():
            return f"nobody listens: its host (process {self.ring.host_pid}) plays no blocks"
        return "nobody listens: no host plays its ring; `segue host` opens a lane of its own and plays it"

    def late_blocks(self) -> int:
        """Number of blocks that came too late to play.  [any]"""
        return self.ring.host_counters()["late_blocks"]
