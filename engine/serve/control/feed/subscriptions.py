"""Who has subscribed to what: written on [control], read on [feed], replaced as a whole."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from bridge.control.clients import Client, Source
from bridge.control.state_rows import ALL_WHAT, WHAT


@dataclass(frozen=True, eq=False, slots=True)
class Subscription:
    """One client's subscription to a kind of state; `lane` -1: of every lane. Another one replaces it.  [any]"""

    client: Client
    what: str
    rate_hz: float
    lane: int

    def covers(self, lane: int) -> bool:
        """Whether it has a lane, or with -1 the engine as a whole.  [any]"""
        return lane == self.lane or -1 in (lane, self.lane)


class Subscriptions:
    """The register: at most one of a kind for each client. All of it [any]."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by: dict[tuple[Source, str], Subscription] = {}
        self.now: tuple[Subscription, ...] = ()
        self.n_gone = 0  # clients whose port was closed

    def put(self, client: Client, what: str, rate_hz: float, lane: int) -> None:
        """Subscribe a client to a kind of state, or to `all`."""
        with self._lock:
            for each in WHAT if what == ALL_WHAT else (what,):
                self._by[client.address, each] = Subscription(client, each, rate_hz, lane)
            self._publish()

    def remove(self, address: Source, what: str = ALL_WHAT) -> bool:
        """End a client's subscriptions of a kind, or `all`; False if there was none."""
        with self._lock:
            before = len(self._by)
            self._by = {
                key: each for key, each in self._by.items() if key[0] != address or what not in (key[1], ALL_WHAT)
            }
            self._publish()
            return len(self._by) < before

    def refused(self, address: Source) -> None:
        """The port of a client is closed: its subscriptions end, and it is counted."""
        if any(each.client.address == address for each in self.now) and self.remove(address):
            self.n_gone += 1

    def of(self, client: Client) -> list[Subscription]:
        """A client's subscriptions."""
        return [each for each in self.now if each.client == client]

    @property
    def n_clients(self) -> int:
        """How many clients have subscribed."""
        return len({each.client.address for each in self.now})

    def _publish(self) -> None:
        self.now = tuple(self._by.values())
