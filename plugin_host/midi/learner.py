"""Which control the player means: the one that is moved while learning is on.

A note, a program, the pitch wheel are taken at once. A control change is taken when it has rested for a moment, since
it may be half of a pair: then a CC and its partner 32 above are one cc14, and CC 99, 98, 6 and 38 one nrpn.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from plugin_host.midi.controls import Control
from plugin_host.midi.decoder import Move

SETTLE_SECONDS = 0.25
_AT_ONCE = ("note", "program", "bend", "aftertouch")


class Learner:
    """Calls `learned` with the control, on the thread of `look`. Thread-safe."""

    def __init__(self, learned: Callable[[Control], None]) -> None:
        self._learned = learned
        self._lock = threading.Lock()
        self._on = False
        self._first_at = 0.0
        self._seen: Counter[Control] = Counter()

    @property
    def on(self) -> bool:
        """Whether a control is learned.  [any]"""
        return self._on

    def begin(self) -> None:
        """Take the next control that moves.  [any]"""
        with self._lock:
            self._on = True
            self._seen.clear()

    def leave(self) -> bool:
        """Learn nothing; whether something was to be learned.  [any]"""
        with self._lock:
            was, self._on = self._on, False
            return was

    def take(self, moves: Sequence[Move], seconds: float) -> bool:
        """What a message may mean; whether it is taken for learning, and has no other effect.  [any]"""
        with self._lock:
            if not self._on:
                return False
            if not self._seen:
                self._first_at = seconds
            self._seen.update(move.control for move in moves if move.down is not False)
            return True

    def look(self, seconds: float) -> None:
        """Decide, once it is clear; called a hundred times a second.  [any]"""
        with self._lock:
            if not self._on or not self._seen:
                return
            clear = any(control.kind in _AT_ONCE for control in self._seen)
            if not clear and seconds - self._first_at < SETTLE_SECONDS:
                return
            self._on = False
            found = chosen(self._seen)
        self._learned(found)


def chosen(seen: Counter[Control]) -> Control:
    """The control that these moves are of.  [any]"""
    for kind in _AT_ONCE:
        numbered = [each for each in seen if each.kind == kind and (each.number >= 0 or kind in ("bend", "aftertouch"))]
        if numbered:
            return numbered[0]
    nrpns = [each for each in seen if each.kind == "nrpn"]
    if nrpns:
        return max(nrpns, key=lambda each: seen[each])
    for control in seen:
        halves = [Control("cc", control.number + more, control.channel) for more in (0, 32)]
        if control.kind == "cc14" and all(half in seen for half in halves):
            return control
    others = [each for each in seen if each.kind in ("cc", "keytouch")]
    return max(others, key=lambda each: seen[each])
