"""A jam's requests to the engine, by OSC as any client's: regions, plays and stops at bar lines, on its lanes.

A region is given in shared memory, as the plugin gives its captures. Each play has a seed of its own, counted from the
jam's: the same jam with the same seed is the same music.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bridge.control import messages
from bridge.errors import RegionSilent, RegionTooShort, SegueError
from bridge.region.capture import Captured, put_capture
from plugin_host.client.lane_session import LaneSession
from plugin_host.jam.orders import Accompany, Answer, Order, Relisten, Stop, Vary

CONTINUE, MELODY, STYLE = "continue", "melody", "style"
BELOW_LU, LOUDNESS_RANGE = -3.0, (-36.0, -12.0)
SEED_STEP = 7919  # between the seeds of two plays
SEEDS = 2**24
FIRST_SEGMENT = 200_000  # number of the first capture: an engine numbers its lanes from 0
READY_SECONDS = 0.03  # between two looks whether music is ready
GIVEN_UP_SECONDS = 8.0  # after which a change counts as slow, and is waited for no longer


@dataclass(frozen=True)
class Result:
    """What came of an order: the bar from which its music is heard, and the seconds it took; or its fault."""

    order: Order
    bar: int
    seconds: float | None = None
    fault: str = ""
    needs_seconds: float = 0.0  # how far ahead of its bar the engine wants such an order
    heard: bool = True  # False: the player's music was too quiet to go on from


@dataclass(frozen=True)
class OrderMusic:
    """The music that an order listens to, None for none, and its loudness, None for silence."""

    region: Captured | None = None
    loudness_lufs: float | None = None


@dataclass(frozen=True)
class _Done:
    """What came of an order on one lane: the bar, whether it heard anything, and seconds that were only waited."""

    bar: int
    heard: bool = True
    waited_seconds: float = 0.0
    needs_seconds: float = 0.0  # from the order on


class JamLanes:
    """Segue's part in a jam, one lane or several that play together, each with a seed of its own.

    `abilities` are those of the model; what it cannot follow is left out. `measured`: wait until a change is ready, and
    tell how long it took; for real time. `do` waits for the engine: it is called on one thread at a time.
    """

    def __init__(
        self,
        sessions: Sequence[LaneSession],
        seed: int,
        reference: str,
        abilities: frozenset[str],
        measured: bool = False,
    ) -> None:
        self.sessions = tuple(sessions)
        self._abilities = abilities
        self._seed, self._reference, self._measured = seed, reference, measured
        self._plays = 0
        self._captures = itertools.count()
        self._has: set[str] = set()  # roles of the lanes' regions
        self._ending = threading.Event()
        self._pool = ThreadPoolExecutor(len(self.sessions)) if len(self.sessions) > 1 else None

    def do(self, order: Order, heard: OrderMusic, beats_per_bar: float) -> Result:
        """Carry out an order; a fault of the engine is a result.  [main]"""
        began = time.monotonic()
        segment = None
        try:
            if heard.region is not None:
                segment = put_capture(FIRST_SEGMENT + next(self._captures) % 1000, heard.region)
            name = "" if segment is None else segment.name
            if isinstance(order, Accompany) and heard.loudness_lufs is not None:
                self._match(heard.loudness_lufs)
            act = lambda number: self._do(order, number, name, beats_per_bar)  # noqa: E731
            numbers = range(len(self.sessions))
            done = list(self._pool.map(act, numbers) if self._pool else map(act, numbers))
        except SegueError as fault:
            return Result(order, order.bar, None, f"{fault}")
        finally:
            if segment is not None:
                segment.close()
                segment.unlink()
        self._note(order, done[0].heard)
        seconds = time.monotonic() - began - max(each.waited_seconds for each in done)
        needs = max(each.needs_seconds for each in done)
        return Result(order, max(each.bar for each in done), seconds, needs_seconds=needs, heard=done[0].heard)

    def _match(self, loudness_lufs: float) -> None:
        """Make an accompaniment a little softer than the player: without an audio prompt the engine knows no level."""
        low, high = LOUDNESS_RANGE
        for session in self.sessions:
            session.set("loudness_lufs", round(min(max(loudness_lufs + BELOW_LU, low), high), 1))

    def _roles(self, order: Order) -> set[str]:
        roles = {CONTINUE} if isinstance(order, Answer) else {self._reference}
        return ({CONTINUE, MELODY} if isinstance(order, Vary) else roles) & self._abilities

    def _note(self, order: Order, heard: bool) -> None:
        if isinstance(order, (Answer, Accompany, Vary)):
            self._has = self._roles(order) if heard else set()
            self._plays += 1

    def _do(self, order: Order, number: int, name: str, beats_per_bar: float) -> _Done:
        began, session, at = time.monotonic(), self.sessions[number], f"bar {order.bar}"
        if isinstance(order, Stop):
            session.client.stop(session.lane, at)
            return _Done(order.bar)
        if isinstance(order, Relisten):
            return self._follow(session, order.bar, name, beats_per_bar)
        gone, heard = set(self._has), False
        for role in sorted(self._roles(order)) if name else ():
            if self._hand(session, role, name, at) is not None:
                gone.discard(role)
                heard = True
        for role in sorted(gone):
            session.client.call(messages.REGION_CLEAR, session.lane, role, at)
        seed = (self._seed + SEED_STEP * (self._plays * len(self.sessions) + number)) % SEEDS
        session.set("seed", seed)
        handed_seconds = time.monotonic() - began
        answer = session.play(at, order.bars if isinstance(order, Answer) else 0, beats_per_bar)
        return _Done(
            round(answer.start_beats / beats_per_bar), heard, needs_seconds=handed_seconds + answer.needs_seconds
        )

    def _follow(self, session: LaneSession, bar: int, name: str, beats_per_bar: float) -> _Done:
        """A new melody or style for the music that plays."""
        before = session.client.lane_status(session.lane).generation
        follows = name and self._reference in self._abilities
        answer = self._hand(session, self._reference, name, f"bar {bar}") if follows else None
        if answer is None:
            return _Done(bar, False)
        beats = float(str(answer[5]))
        waited = self._until_ready(session, beats, before) if self._measured else 0.0
        return _Done(round(beats / beats_per_bar), waited_seconds=waited)

    def _until_ready(self, session: LaneSession, beats: float, generation: int) -> float:
        """Wait until the music behind a beat is made anew; returns the seconds before the engine came to that beat."""
        began, reached = time.monotonic(), 0.0
        while not self._ending.wait(READY_SECONDS):
            status = session.client.lane_status(session.lane)
            if not reached and status.written_beats >= beats:
                reached = time.monotonic()
            remade = status.generation != generation and status.written_beats > beats
            if remade or status.state != "playing" or time.monotonic() - began > GIVEN_UP_SECONDS:
                break
        return reached - began if reached else 0.0

    def _hand(self, session: LaneSession, role: str, name: str, at: str) -> tuple[object, ...] | None:
        """Give a region; None for music that is too quiet, which is left out."""
        try:
            return session.client.call(messages.REGION_CAPTURE, session.lane, role, name, at)
        except (RegionSilent, RegionTooShort):
            return None

    def close(self) -> None:
        """End what waits for the engine. May be called twice.  [any]"""
        self._ending.set()
        if self._pool is not None:
            self._pool.shutdown()
