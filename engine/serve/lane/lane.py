"""A lane as its threads see it. What crosses from one to another are three frozen values, each replaced whole:

    orders    what it was told: settings, what is wanted, the next seed    any thread, under the lane's lock
    holder    whose it is, and whether it is still wanted                  any thread, under the lane's lock
    view      how it is, for answers                                       [generate] alone

    told "now" ---> wanted, at once; on its way ---> settings, and music, at the next turn of [generate]
    told for later, heard ----------------------------^ and wanted

So nobody ever sees half of one. `controller` and all that hangs on it are [generate]'s; a command told now is, too,
from when `take_told` has handed it over. The rest is set when the lane is opened and stays; ring and clock guard
themselves.
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
from engine.serve.lane.commands import Command, newest
from engine.serve.lane_settings import LaneSettings, Update
from engine.serve.timeline.due import Due, due_at
from engine.serve.timeline.host_clock import HostClock

if TYPE_CHECKING:
    from engine.serve.lane.controller import LaneController
    from engine.serve.lane.events import LaneEvents

SILENT_SECONDS = 5.0  # a host that played no block for so long is not playing
TOLD_MAX = 256  # commands "now" on their way; of more than that the newest of each kind
SEEDS = 2**24  # seeds lie below: whole numbers that every client can send
IDLE, PREPARING, PLAYING, ENDED, FAILED = LANE_STATES


@dataclass(frozen=True)
class LaneOrders:
    """What a lane was told.  [any]"""

    settings: LaneSettings  # that the music follows
    wanted: LaneSettings  # with what was told "now" and is on its way
    changed_seconds: float = 0.0  # when a change "now" was told last
    told: tuple[Command, ...] = ()  # on their way to the scheduler
    next_seed: int | None = None  # the next play's, told in advance


@dataclass(frozen=True)
class LaneHolder:
    """Whose a lane is.  [any]"""

    client: Client
    left: bool = False  # the client is gone, but its host still plays
    freeing: bool = False  # it is on its way out


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
    excerpt_seconds: tuple[float, float] | None = None  # of the style region: where it begins, how long
    beat: tuple[float, float, float] = (0.0, 0.0, 0.0)  # off the host's: in beats and ms, and how sure that is


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
        self.ring = ring
        self.events = events
        self.time = time
        self.clock = HostClock(ring, time)
        settings = LaneSettings(values=MappingProxyType(dict(own)))
        self.orders = LaneOrders(settings, settings)
        self.holder = LaneHolder(client)
        self.view = LaneView()
        self.controller: LaneController | None = None  # [generate]
        self._lock = threading.Lock()

    @property
    def settings(self) -> LaneSettings:
        """Prompt, values and regions that the music follows: see `CommandScheduler`.  [any]"""
        return self.orders.settings

    @property
    def wanted(self) -> LaneSettings:
        """The settings with what was told "now" and is on its way: what [control] shows and checks.  [any]"""
        return self.orders.wanted

    @property
    def client(self) -> Client:
        """Who opened it.  [any]"""
        return self.holder.client

    # -- what it is told ------------------------------------------------------------------------------

    def update(self, change: Update) -> None:
        """Tell a change "now" of which nobody is told when it is heard.  [any]"""
        self.tell(Command(update=change, arrived_seconds=self.time.now_seconds()))

    def tell(self, command: Command) -> Depth:
        """Tell a command "now": wanted at once, and the scheduler gets it; how much is made anew for it.  [any]"""
        assert command.update is not None
        with self._lock:
            before, told = self.orders.wanted, (*self.orders.told, command)
            wanted = command.update(before)
            self.orders = replace(
                self.orders,
                wanted=wanted,
                changed_seconds=self.time.now_seconds(),
                told=told if len(told) <= TOLD_MAX else tuple(newest(list(told))),
            )
            return before.depth(wanted)

    def take_told(self) -> list[Command]:
        """The commands "now" that have come since, for the scheduler, which settles what they change.  [generate]"""
        with self._lock:
            orders = self.orders
            if orders.told:
                self.orders = replace(orders, told=())
            return list(orders.told)

    def settle(self, settings: LaneSettings) -> None:
        """Other settings from now on; what is on its way stays wanted.  [generate]"""
        with self._lock:
            wanted = settings
            for command in self.orders.told:
                wanted = command.changed(wanted)
            self.orders = replace(self.orders, settings=settings, wanted=wanted)

    def place_now(self, depth: Depth) -> Due:
        """About where a change told now will be heard from; it is never late.  [any]"""
        transport = self.clock.or_standing()
        margin = int(self.view.ready_seconds[depth] * transport.sample_rate_hz)
        return due_at(NOW, transport, margin)

    def show(self, view: LaneView) -> None:
        """How it is from now on, for answers.  [generate]"""
        self.view = view

    def driven_by(self, controller: LaneController | None) -> None:
        """Who makes its music; None: nobody any more.  [generate]"""
        self.controller = controller

    def draw_seed(self) -> int:
        """A new seed for the next play.  [control]"""
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
        """A parameter as it is now; a seed or an excerpt's start of -1 is the one drawn.  [control]"""
        orders, view = self.orders, self.view
        value = float(orders.wanted.get(PARAMETERS[name]))
        if name == EXCERPT_START.name and value < 0 and view.excerpt_seconds is not None:
            return view.excerpt_seconds[0]
        if name == SEED.name and value < 0:
            return float(view.seed if orders.next_seed is None else orders.next_seed)
        return value

    # -- whose it is ----------------------------------------------------------------------------------

    def client_left(self, left: bool = True) -> None:
        """Its client is gone, or is back.  [control]"""
        with self._lock:
            self.holder = replace(self.holder, left=left)

    def let_go(self) -> bool:
        """It is on its way out; whether nobody had said so before.  [any]"""
        with self._lock:
            was, self.holder = self.holder.freeing, replace(self.holder, freeing=True)
        return not was

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
