"""Which relay plays where: sticky, the emptiest place first, a queue when all are full. No sockets, no Ray, no clock.

unknown session --room--> the emptiest place        known session --its place lives--> the same place
                --full--> its turn in the queue                    --it is gone----> as an unknown one
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

FORGOTTEN_SECONDS = 90.0  # without a sign of a session; longer than an engine keeps its lanes
WAITING_SECONDS = 5.0  # a relay in the queue asks twice a second


@dataclass(frozen=True)
class Place:
    """One engine: where it listens, how many lanes are open and may be, whether it takes new sessions."""

    name: str
    address: str = ""  # HOST:PORT; empty: it is not up
    lanes: int = 0
    lanes_max: int = 0
    draining: bool = False


@dataclass(frozen=True)
class Full:
    """There is no room: why, and the place in the queue, from 1."""

    text: str
    turn: int


class Placement:
    """All places and sessions."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._sessions: dict[str, tuple[str, float]] = {}  # place and last sign
        self._queue: OrderedDict[str, float] = OrderedDict()

    @property
    def places(self) -> list[Place]:
        """All places, in order.  [any]"""
        return list(self._places.values())

    def sessions_at(self, name: str) -> int:
        """How many sessions a place has.  [any]"""
        return sum(place == name for place, _ in self._sessions.values())

    @property
    def waiting(self) -> int:
        """How many wait in the queue.  [any]"""
        return len(self._queue)

    def set(self, place: Place) -> None:
        """A place is as follows; it stays drained until `drain` says otherwise.  [any]"""
        before = self._places.get(place.name)
        self._places[place.name] = replace(place, draining=before.draining if before else place.draining)
        if not place.address:
            self._sessions = {token: at for token, at in self._sessions.items() if at[0] != place.name}

    def drain(self, name: str, draining: bool = True) -> None:
        """A place takes no new sessions, or does again; KeyError.  [any]"""
        self._places[name] = replace(self._places[name], draining=draining)

    def place(self, token: str, now_seconds: float) -> Place | Full:
        """Where a session plays; `Full` if it has to wait.  [any]"""
        self.tidy(now_seconds)
        known = self._places.get(self._sessions.get(token, ("", 0.0))[0])
        if known is not None and known.address:
            self._sessions[token] = known.name, now_seconds
            return known
        self._queue[token] = now_seconds  # a new one goes last, a known one keeps its turn
        turn, free = list(self._queue).index(token) + 1, sum(map(self._room, self._places.values()))
        if turn > free:
            return Full(self._why(turn), turn)
        del self._queue[token]
        found = max(self._places.values(), key=self._room)
        self._sessions[token] = found.name, now_seconds
        return found

    def _room(self, place: Place) -> int:
        """Lanes that are free; a session counts from the moment it is placed."""
        if not place.address or place.draining:
            return 0
        return max(0, place.lanes_max - max(place.lanes, self.sessions_at(place.name)))

    def _why(self, turn: int) -> str:
        up = [place for place in self._places.values() if place.address]
        lanes = sum(place.lanes_max for place in up)
        drained = sum(place.draining for place in up)
        text = f"all {lanes} lanes of {len(up)} engines are taken" if up else "no engine is up yet"
        return f"{text}{f' or drained ({drained})' if drained else ''}; place {turn} in the queue"

    def seen(self, token: str, now_seconds: float) -> None:
        """A session gave a sign.  [any]"""
        if token in self._sessions:
            self._sessions[token] = self._sessions[token][0], now_seconds

    def tidy(self, now_seconds: float) -> None:
        """Forget sessions of engines without lanes, and those who left the queue.  [any]"""
        for token, since in list(self._queue.items()):
            if now_seconds - since > WAITING_SECONDS:
                del self._queue[token]
        for token, (name, since) in list(self._sessions.items()):
            place = self._places.get(name)
            if place is None or (now_seconds - since > FORGOTTEN_SECONDS and place.lanes == 0):
                del self._sessions[token]
