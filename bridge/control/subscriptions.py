"""Who has subscribed to what, at the engine's port or a jam's, and when a state may be sent (docs/subscriptions.md).

    subscribed ---> at once ---> when it has changed, at most so often ---> what does not change every REFRESH_SECONDS

Written on [control], read on any thread: replaced as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.control.clients import Client, Source
from bridge.control.state_rows import REFRESH_SECONDS
from bridge.errors import Busy

EARLY_SECONDS = 0.01  # a turn that comes a little early counts
NEVER = float("-inf")  # when a state was sent that was not


@dataclass(frozen=True, eq=False, slots=True)
class Subscription:
    """One client's subscription to a kind of state; `lane` -1: of every lane. Another one replaces it.  [any]"""

    client: Client
    what: str
    rate_hz: float
    lane: int = -1

    def covers(self, lane: int) -> bool:
        """Whether it has a lane, or with -1 the engine as a whole.  [any]"""
        return lane == self.lane or -1 in (lane, self.lane)

    def due(self, sent_at_seconds: float, now_seconds: float) -> bool:
        """Whether a state may be sent that was sent last at that time.  [any]"""
        return now_seconds - sent_at_seconds >= 1.0 / self.rate_hz - EARLY_SECONDS


def due_again(sent_at_seconds: float, now_seconds: float) -> bool:
    """Whether a state is sent once more that has not changed since.  [any]"""
    return now_seconds - sent_at_seconds >= REFRESH_SECONDS


class Subscriptions:
    """The register: at most one of a kind for each client. All of it [any].

    `kinds` of state, `every`: the word for all of them; `clients_max`: how many may subscribe.
    """

    def __init__(self, kinds: Sequence[str], every: str, clients_max: int | None = None) -> None:
        self._kinds, self._every, self._clients_max = tuple(kinds), every, clients_max
        self._lock = threading.Lock()
        self._by: dict[tuple[Source, str], Subscription] = {}
        self.now: tuple[Subscription, ...] = ()
        self.n_gone = 0  # clients whose port was closed

    def put(self, client: Client, what: str, rate_hz: float, lane: int = -1) -> None:
        """Subscribe a client to a kind of state, or to all. Busy when there are as many clients as may be."""
        with self._lock:
            known = {address for address, _ in self._by}
            if self._clients_max is not None and client.address not in known and len(known) >= self._clients_max:
                raise Busy(f"{self._clients_max} clients have subscribed already and there is room for no more")
            for each in self._kinds if what == self._every else (what,):
                self._by[client.address, each] = Subscription(client, each, rate_hz, lane)
            self._publish()

    def remove(self, address: Source, what: str = "") -> bool:
        """End a client's subscriptions of a kind, or all of them; False if there was none."""
        with self._lock:
            before = len(self._by)
            self._by = {
                key: each
                for key, each in self._by.items()
                if key[0] != address or what not in (key[1], self._every, "")
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
