"""Regions that stay in use are analysed, on a thread of their own, [analysis]: no region waits for an analysis.

A jam gives its lane another region every few bars: each replaces the one before, and none of them is analysed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from weakref import ref

from bridge.system.clock import Clock
from bridge.system.turns import run_turns
from engine.serve.lane.lane import Lane
from engine.system.priority import lower_priority

LIVE_SECONDS = 20.0  # after another region of this lane and role, one may soon be replaced too
STAYS_SECONDS = 5.0  # in use, before such a region is analysed
LOOK_SECONDS = 0.1
Analyse = Callable[[Lane], None]
_Key = tuple[int, str]
_log = logging.getLogger("segue.engine")


class BackgroundAnalysis:
    """Analyses by lane and role; the newest one replaces one that waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[_Key, tuple[ref[Lane], float, Analyse]] = {}
        self._came: dict[_Key, float] = {}  # when the newest one came, of LIVE_SECONDS
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-analysis", daemon=True)

    def start(self) -> None:
        """Start the thread.  [main]"""
        self._thread.start()

    def put(self, lane: Lane, role: str, analyse: Analyse) -> None:
        """Analyse a region, if no other of its lane and role comes first.  [regions]"""
        now, key = self._clock.now_seconds(), (lane.number, role)
        with self._lock:
            self._came = {each: at for each, at in self._came.items() if now - at < LIVE_SECONDS}
            live = key in self._came
            self._came[key] = now
            self._waiting[key] = (ref(lane), now + STAYS_SECONDS * live, analyse)

    def close(self) -> None:
        """Stop after the present analysis.  [main]"""
        self._ending.set()

    def turn(self) -> bool:
        """Analyse one region, if one is due; returns whether it did.  [analysis]"""
        with self._lock:
            due = [key for key, (_, at, _) in self._waiting.items() if at <= self._clock.now_seconds()]
            if not due:
                return False
            found, _, analyse = self._waiting.pop(due[0])
        lane = found()
        if lane is not None:
            analyse(lane)
        return True

    def _run(self) -> None:
        lower_priority()
        run_turns(self._next, "the analysis", _log)

    def _next(self) -> bool:
        if self._ending.wait(LOOK_SECONDS):
            return False
        self.turn()
        return True
