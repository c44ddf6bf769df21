"""Who has subscribed to a jam's state and presses, by the rules of the engine's subscriptions (docs/subscriptions.md).

A jam keeps no register of clients: one that is silent for 30 s, or whose port is closed, is removed and counted.
"""

from __future__ import annotations

from bridge.control.answering_port import Source
from bridge.control.clients import TIMEOUT_SECONDS, Client
from bridge.control.jam_rows import JAM_ALL, JAM_WHAT
from bridge.control.subscriptions import NEVER, Subscription, Subscriptions, due_again

SUBSCRIBERS_MAX = 16
PRESS, STATE = "press", "state"


class Subscribers:
    """The register: one entry for each address. Used on [control]; `of_presses` may be asked on any thread."""

    def __init__(self) -> None:
        self._all = Subscriptions(JAM_WHAT, JAM_ALL, SUBSCRIBERS_MAX)
        self._received_at_seconds: dict[Source, float] = {}
        self._sent: dict[Subscription, tuple[bytes, float]] = {}  # what, and when
        self.n_sent = 0

    @property
    def n_gone(self) -> int:
        """Clients that are gone.  [control]"""
        return self._all.n_gone

    def put(self, source: Source, what: str, rate_hz: float, now_seconds: float) -> int:
        """Subscribe to a kind or to `all`, again: with another rate. Its number of subscriptions. Busy when full.

        [control]
        """
        self._all.put(Client(*source), what, rate_hz)
        self._received_at_seconds.setdefault(source, now_seconds)
        return len(self._all.of(Client(*source)))

    def remove(self, source: Source, what: str = JAM_ALL) -> int:
        """End subscriptions of a kind or `all`; how many are left.  [control]"""
        self._all.remove(source, what)
        return self._left(source)

    def _left(self, source: Source) -> int:
        left = len(self._all.of(Client(*source)))
        if not left:
            self._received_at_seconds.pop(source, None)
        self._sent = {each: sent for each, sent in self._sent.items() if each in self._all.now}
        return left

    def received(self, source: Source, now_seconds: float) -> None:
        """A message came from there: it is not silent.  [control]"""
        if source in self._received_at_seconds:
            self._received_at_seconds[source] = now_seconds

    def refused(self, source: Source) -> None:
        """The port there is closed.  [control]"""
        self._all.refused(source)
        self._left(source)

    def drop_silent(self, now_seconds: float) -> None:
        """Remove those who have sent nothing for so long.  [control]"""
        for source, received_at_seconds in list(self._received_at_seconds.items()):
            if now_seconds - received_at_seconds > TIMEOUT_SECONDS:
                self.refused(source)

    def _due(self, now_seconds: float) -> list[Subscription]:
        states = [each for each in self._all.now if each.what == STATE]
        return [each for each in states if each.due(self._sent.get(each, (b"", NEVER))[1], now_seconds)]

    def any_due(self, now_seconds: float) -> bool:
        """Whether a state may be sent to somebody.  [control]"""
        return bool(self._due(now_seconds))

    def take_state(self, datagram: bytes, now_seconds: float) -> list[Source]:
        """Where a state is to be sent now; noted as sent.  [control]"""
        wanting = []
        for each in self._due(now_seconds):
            sent, at_seconds = self._sent.get(each, (b"", NEVER))
            if datagram != sent or due_again(at_seconds, now_seconds):
                wanting.append(each)
        self._sent |= dict.fromkeys(wanting, (datagram, now_seconds))
        self._sent = {each: sent for each, sent in self._sent.items() if each in self._all.now}
        self.n_sent += len(wanting)
        return [each.client.address for each in wanting]

    def of_presses(self) -> list[Source]:
        """Where presses are sent.  [any]"""
        return [each.client.address for each in self._all.now if each.what == PRESS]

    def counts(self, source: Source) -> tuple[str, int, int, int, int]:
        """Of a client its own; clients and subscriptions of all; states sent; clients that are gone.  [control]"""
        text = ", ".join(f"{each.what} {each.rate_hz:g}" for each in self._all.of(Client(*source)))
        return text, self._all.n_clients, len(self._all.now), self.n_sent, self.n_gone
