"""Which relay plays where: sticky, the emptiest place first, a queue when all are full. No sockets, no Ray, no clock.

unknown session --room--> the emptiest place        known session --its place lives--> the same place
                --full--> its turn in the queue                    --it is gone----> as an unknown one, before all
                                                                                     who have not played yet
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

FORGOTTEN_SECONDS = 90.0  # after its placing: then a session counts by its open lanes alone
LEFT_SECONDS = 86_400.0  # after which nobody comes back to his place
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


@dataclass(frozen=True)
class Session:
    """A relay's session: where it plays (empty: its place is gone), how many lanes are then open there, when."""

    place: str
    occupied: int
    seen_seconds: float


@dataclass(frozen=True)
class Turn:
    """A turn in the queue: how many lanes are wanted, the last sign."""

    lanes: int
    seen_seconds: float


class Placement:
    """All places and sessions."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._sessions: dict[str, Session] = {}
        self._queue: OrderedDict[str, Turn] = OrderedDict()
        self._now_seconds = 0.0

    @property
    def places(self) -> list[Place]:
        """All places, in order.  [any]"""
        return list(self._places.values())

    def sessions_at(self, name: str) -> int:
        """How many sessions a place has.  [any]"""
        return sum(session.place == name for session in self._sessions.values())

    @property
    def waiting(self) -> int:
        """How many wait in the queue.  [any]"""
        return len(self._queue)

    def set(self, place: Place) -> None:
        """A place is as follows; it stays drained until `drain` says otherwise.  [any]"""
        before = self._places.get(place.name)
        self._places[place.name] = replace(place, draining=before.draining if before else place.draining)
        if not place.address:
            for token, session in self._sessions.items():
                if session.place == place.name:
                    self._sessions[token] = replace(session, place="")

    def drain(self, name: str, draining: bool = True) -> None:
        """A place takes no new sessions, or does again; KeyError.  [any]"""
        self._places[name] = replace(self._places[name], draining=draining)

    def place(self, token: str, now_seconds: float, lanes: int = 1) -> Place | Full:
        """Where a session with so many lanes plays; `Full` if it has to wait.  [any]"""
        self.tidy(now_seconds)
        session = self._sessions.get(token)
        known = self._places.get(session.place) if session else None
        if session is not None and known is not None and known.address:
            self._sessions[token] = replace(session, seen_seconds=now_seconds)
            return known
        self._wait(token, Turn(max(lanes, 1), now_seconds))
        found, turn = self._turn(token)
        if found is None:
            return Full(self._why(turn), turn)
        del self._queue[token]
        occupied = found.lanes_max - self._rooms()[found.name] + max(lanes, 1)
        self._sessions[token] = Session(found.name, occupied, now_seconds)
        return found

    def _wait(self, token: str, turn: Turn) -> None:
        """Into the queue: a known one keeps its turn; one that has played goes before those who have not."""
        if token not in self._queue and token in self._sessions:
            played = [each for each in self._queue if each in self._sessions]
            others = [each for each in self._queue if each not in self._sessions]
            order = [*played, token, *others]
            self._queue = OrderedDict((each, self._queue.get(each, turn)) for each in order)
        self._queue[token] = turn

    def _turn(self, token: str) -> tuple[Place | None, int]:
        """The emptiest place, once all before a session have one too; None if it waits. And its turn, from 1."""
        rooms = self._rooms()
        most = max((place.lanes_max for place in self._places.values() if place.address), default=0)
        for turn, (each, wanted) in enumerate(self._queue.items(), 1):
            name = max(rooms, key=rooms.__getitem__, default="")
            lanes = min(wanted.lanes, most)
            if not lanes or not name or rooms[name] < lanes:
                break
            if each == token:
                return self._places[name], turn
            rooms[name] -= lanes
        return None, list(self._queue).index(token) + 1

    def _rooms(self) -> dict[str, int]:
        """Lanes that are free at each place; those of a session count from the moment it is placed."""
        taken = {name: place.lanes for name, place in self._places.items()}
        for each in self._sessions.values():
            if each.place in taken and self._now_seconds - each.seen_seconds <= FORGOTTEN_SECONDS:
                taken[each.place] = max(taken[each.place], each.occupied)
        return {name: max(0, place.lanes_max - taken[name]) if place.address and not place.draining else 0
                for name, place in self._places.items()}  # fmt: skip

    def _why(self, turn: int) -> str:
        up = [place for place in self._places.values() if place.address]
        lanes = sum(place.lanes_max for place in up)
        drained = sum(place.draining for place in up)
        text = f"all {lanes} lanes of {len(up)} engines are taken" if up else "no engine is up yet"
        return f"{text}{f' or drained ({drained})' if drained else ''}; place {turn} in the queue"

    def tidy(self, now_seconds: float) -> None:
        """Forget sessions of engines without lanes, and those who left the queue.  [any]"""
        self._now_seconds = now_seconds
        for token, turn in list(self._queue.items()):
            if now_seconds - turn.seen_seconds > WAITING_SECONDS:
                del self._queue[token]
        for token, session in list(self._sessions.items()):
            place, silent_seconds = self._places.get(session.place), now_seconds - session.seen_seconds
            empty = place is None or place.lanes == 0
            if silent_seconds > LEFT_SECONDS or (empty and silent_seconds > FORGOTTEN_SECONDS):
                del self._sessions[token]
