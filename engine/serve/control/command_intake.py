"""Limits the rate of commands from [control] to [generate].

    arrives ---> within the limit ---> to its lane at once
            |
            +--> above it: held ---> to its lane in the order of arrival, as the limit allows
                   ^ a newer one that changes the same thing replaces it and is answered for both

Limits are per lane, and for all lanes together: a burst, then a number a second. So a fast dial, or three programs
that send all they can, do not slow the music. Each request is answered. Only lanes with held commands are referenced
strongly: a closed lane is freed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from bridge.control.limits import Bucket
from bridge.control.messages import LANE_COMMANDS_PER_SECOND
from bridge.control.requests import Responder
from bridge.errors import Busy, NoSuchLane, SegueError
from bridge.system.clock import Clock
from engine.serve.faults import Overtaken, wire_fault
from engine.serve.lane.lane import Lane

if TYPE_CHECKING:
    from engine.serve.lane.controller import LaneController
    from engine.serve.lane.generate_loop import GenerateLoop

LANE_PER_SECOND, LANE_AT_ONCE = LANE_COMMANDS_PER_SECOND, 8.0
ALL_PER_SECOND, ALL_AT_ONCE = 120.0, 48.0
HELD_MAX = 64  # different commands per lane
ANSWERS_MAX = 256  # requests answered by one command
OUT_MAX = 16  # commands posted to [generate] and not run yet
LOOK_SECONDS = 0.005  # between two checks of that
OVERTAKEN = "another command took its place"

Values = tuple[object, ...]
Question = Callable[["LaneController"], "Values | None"]
Later = Callable[[float, Callable[[], None]], None]


@dataclass(eq=False)
class IntakeItem:
    """A command, or a question, to a lane's controller; `question` returns the answer, or None if it answers itself.

    Items with one `key` replace each other. `alone`: replaced items get an error, instead of this one's answer.
    [control]
    """

    lane: Lane
    key: Hashable
    question: Question
    responder: Responder
    alone: bool = False
    overtaken: list[Responder] = field(default_factory=list)

    def overtake(self, older: IntakeItem) -> None:
        """Replace an older item."""
        answers = [*older.overtaken, older.responder]
        kept = 0 if self.alone else ANSWERS_MAX
        for responder in answers[: len(answers) - kept]:
            responder.error(wire_fault(Overtaken(OVERTAKEN)))
        self.overtaken = answers[len(answers) - kept :] if kept else []

    def work(self, answers: Executor) -> None:
        """Run the question, and answer.  [generate]"""
        try:
            if self.lane.controller is None:
                raise NoSuchLane(f"lane {self.lane.number} was closed")
            values = self.question(self.lane.controller)
            if values is None:
                return
            if self.overtaken:
                answers.submit(self.responder.ok_with, self.overtaken, *values)
            else:
                self.responder.ok(*values)
        except Exception as fault:
            for responder in (*self.overtaken, self.responder):
                responder.error(wire_fault(fault))


@dataclass
class _Waiting:
    bucket: Bucket
    held: OrderedDict[Hashable, IntakeItem] = field(default_factory=OrderedDict)


class CommandIntake:
    """Passes commands to lanes, in order for each; `later` runs a function on [control] after some seconds."""

    def __init__(self, generate_loop: Callable[[], GenerateLoop], later: Later, clock: Clock) -> None:
        self._generate_loop, self._later, self._clock = generate_loop, later, clock
        self._all = Bucket(ALL_PER_SECOND, ALL_AT_ONCE, ALL_AT_ONCE, clock.now_seconds())
        self._buckets: WeakKeyDictionary[Lane, Bucket] = WeakKeyDictionary()
        self._lanes: OrderedDict[Lane, _Waiting] = OrderedDict()  # lanes with held commands
        self._out: deque[IntakeItem] = deque()  # posted to [generate], not run yet
        self._armed = False
        self._answers = ThreadPoolExecutor(1, "segue-answers")

    def put(self, ask: IntakeItem) -> None:
        """Add a command; Busy if too many different ones wait, NotReady without a generate loop.  [control]"""
        self._generate_loop()
        now = self._clock.now_seconds()
        waiting = self._lanes.get(ask.lane) or _Waiting(self._bucket(ask.lane, now))
        if not waiting.held and self._may(waiting, now):
            self._hand_over(ask)
            return
        older = waiting.held.pop(ask.key, None)
        if older is not None:
            ask.overtake(older)
        elif len(waiting.held) >= HELD_MAX:
            raise Busy(f"{HELD_MAX} commands wait for lane {ask.lane.number} and there is room for no more")
        waiting.held[ask.key] = ask
        self._lanes[ask.lane] = waiting
        self._arm(now)

    def _bucket(self, lane: Lane, now: float) -> Bucket:
        if lane not in self._buckets:
            self._buckets[lane] = Bucket(LANE_PER_SECOND, LANE_AT_ONCE, LANE_AT_ONCE, now)
        return self._buckets[lane]

    def _may(self, waiting: _Waiting, now: float) -> bool:
        if len(self._out) >= OUT_MAX or waiting.bucket.seconds_to_next(now) > 0.0:
            return False
        return self._all.take(now) and waiting.bucket.take(now)

    def _hand_over(self, ask: IntakeItem) -> None:
        try:
            generate_loop = self._generate_loop()
        except SegueError as fault:
            for responder in (*ask.overtaken, ask.responder):
                responder.error(fault)
            return
        self._out.append(ask)
        generate_loop.post(self._next)

    def _next(self) -> None:
        self._out.popleft().work(self._answers)

    def _arm(self, now: float) -> None:
        if not self._armed:
            self._armed = True
            lanes = [waiting.bucket.seconds_to_next(now) for waiting in self._lanes.values()]
            self._later(max(LOOK_SECONDS, self._all.seconds_to_next(now), min(lanes)), self._release)

    def _release(self) -> None:
        """Pass on held commands as the limits allow, lane by lane."""
        self._armed = False
        now, more = self._clock.now_seconds(), True
        while more:
            more = False
            for lane, waiting in list(self._lanes.items()):
                if waiting.held and self._may(waiting, now):
                    self._lanes.move_to_end(lane)
                    self._hand_over(waiting.held.popitem(last=False)[1])
                    more = True
        for lane, waiting in list(self._lanes.items()):
            if not waiting.held:
                del self._lanes[lane]
        if self._lanes:
            self._arm(now)
