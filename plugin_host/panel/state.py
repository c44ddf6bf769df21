"""The newest state by what it is about, and the sessions that are told of it.

A session that reads slowly gets the newest state, not every one: states wait by their keys, events in a short queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

EVENTS_MAX = 200  # that wait for one session
SESSIONS_MAX = 16
Key = tuple[str, str]
Values = Mapping[str, Any]


class Outbox:
    """What one session has still to send: the newest states, events in order, pictures. `wake` is called from any
    thread when something comes.  [any]
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._states: dict[Key, dict[str, Any]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)
        self._pictures: dict[int, list[bytes]] = {}

    def state(self, key: Key, message: dict[str, Any]) -> None:
        """A state replaces the one that waits."""
        with self._lock:
            self._states[key] = message
        self._wake()

    def event(self, message: dict[str, Any]) -> None:
        """An event waits its turn; the oldest is dropped when too many wait."""
        with self._lock:
            self._events.append(message)
        self._wake()

    def picture(self, lane: int, data: bytes) -> None:
        """A piece of a lane's picture; only the last ones are kept for a slow reader."""
        with self._lock:
            waiting = self._pictures.setdefault(lane, [])
            waiting.append(data)
            del waiting[:-50]
        self._wake()

    def take(self) -> tuple[list[dict[str, Any]], list[bytes]]:
        """All that waits: messages, pictures."""
        with self._lock:
            messages = [*self._states.values(), *self._events]
            pictures = [data for waiting in self._pictures.values() for data in waiting]
            self._states, self._pictures = {}, {}
            self._events.clear()
        return messages, pictures


class PanelState:
    """States by (kind, about), which new sessions get at once. [any]"""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[Key, dict[str, Any]] = {}
        self._outboxes: list[Outbox] = []

    @property
    def watched(self) -> bool:
        """Whether anybody looks."""
        return bool(self._outboxes)

    def put(self, kind: str, values: Values, about: object = "") -> None:
        """Set a state, and tell the sessions if it has changed."""
        key, message = (kind, str(about)), {"state": kind, "about": str(about), "values": dict(values)}
        with self._lock:
            if self._states.get(key) == message:
                return
            self._states[key] = message
            outboxes = list(self._outboxes)
        for outbox in outboxes:
            outbox.state(key, message)

    def get(self, kind: str, about: object = "") -> Values:
        """A state's values; empty if there is none."""
        with self._lock:
            found = self._states.get((kind, str(about)))
        return dict(found["values"]) if found else {}

    def about(self, kind: str) -> list[str]:
        """What there are states of a kind about."""
        with self._lock:
            return [about for found, about in self._states if found == kind]

    def drop(self, about: object, *kinds: str) -> None:
        """Forget states, and tell the sessions."""
        with self._lock:
            gone = [key for key in self._states if key[1] == str(about) and key[0] in kinds]
            for key in gone:
                del self._states[key]
            outboxes = list(self._outboxes)
        for outbox in outboxes:
            for key in gone:
                outbox.state(key, {"state": key[0], "about": key[1], "values": None})

    def tell(self, name: str, values: Values) -> None:
        """Send an event to all sessions."""
        with self._lock:
            outboxes = list(self._outboxes)
        for outbox in outboxes:
            outbox.event({"event": name, "values": dict(values)})

    def picture(self, lane: int, data: bytes) -> None:
        """Send a piece of a lane's picture to all sessions."""
        with self._lock:
            outboxes = list(self._outboxes)
        for outbox in outboxes:
            outbox.picture(lane, data)

    def join(self, outbox: Outbox) -> bool:
        """Tell this session of everything from now on, beginning with all states; False if there are too many."""
        with self._lock:
            if len(self._outboxes) >= SESSIONS_MAX:
                return False
            self._outboxes.append(outbox)
            states = list(self._states.items())
        for key, message in states:
            outbox.state(key, message)
        return True

    def leave(self, outbox: Outbox) -> None:
        """Tell this session no more."""
        with self._lock:
            if outbox in self._outboxes:
                self._outboxes.remove(outbox)
