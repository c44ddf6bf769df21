"""Who has subscribed to a jam's state and presses, by the rules of the engine's subscriptions (docs/subscriptions.md).

at once, then when it has changed, at most so often; what does not change again every 2 s
silent for 30 s, or its port closed: it is removed, and counted
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.control.answering_port import Source
from bridge.control.clients import TIMEOUT_SECONDS
from bridge.control.jam_rows import JAM_ALL, JAM_WHAT
from bridge.control.state_rows import REFRESH_SECONDS
from bridge.errors import Busy

SUBSCRIBERS_MAX = 16
EARLY_SECONDS = 0.01  # a turn that comes a little early counts


@dataclass(slots=True)
class _Subscriber:
    received_at_seconds: float
    rates_hz: dict[str, float] = field(default_factory=dict)  # by kind
    sent: bytes = b""
    sent_at_seconds: float = float("-inf")

    def due(self, now_seconds: float) -> bool:
        """Whether a state may be sent."""
        rate_hz = self.rates_hz.get("state")
        return rate_hz is not None and now_seconds - self.sent_at_seconds >= 1 / rate_hz - EARLY_SECONDS

    def wants(self, datagram: bytes, now_seconds: float) -> bool:
        """Whether this state is to be sent."""
        again = now_seconds - self.sent_at_seconds >= REFRESH_SECONDS
        return self.due(now_seconds) and (again or datagram != self.sent)


class Subscribers:
    """The register: one entry for each address. Used on [control]; `of_presses` may be asked on any thread."""

    def __init__(self) -> None:
        self._by: dict[Source, _Subscriber] = {}
        self.n_sent = self.n_gone = 0

    def put(self, source: Source, what: str, rate_hz: float, now_seconds: float) -> int:
        """Subscribe to a kind or to `all`, again: with another rate. Its number of subscriptions. Busy when full.

        [control]
        """
        if source not in self._by and len(self._by) >= SUBSCRIBERS_MAX:
            raise Busy(f"{SUBSCRIBERS_MAX} clients have subscribed already and there is room for no more")
        subscriber = self._by.setdefault(source, _Subscriber(now_seconds))
        for each in JAM_WHAT if what == JAM_ALL else (what,):
            subscriber.rates_hz[each] = rate_hz
            if each == "state":
                subscriber.sent_at_seconds = float("-inf")
        return len(subscriber.rates_hz)

    def remove(self, source: Source, what: str = JAM_ALL) -> int:
        """End subscriptions of a kind or `all`; how many are left.  [control]"""
        subscriber = self._by.get(source)
        if subscriber is None:
            return 0
        for each in JAM_WHAT if what == JAM_ALL else (what,):
            subscriber.rates_hz.pop(each, None)
        if not subscriber.rates_hz:
            del self._by[source]
        return len(subscriber.rates_hz)

    def received(self, source: Source, now_seconds: float) -> None:
        """A message came from there: it is not silent.  [control]"""
        if source in self._by:
            self._by[source].received_at_seconds = now_seconds

    def refused(self, source: Source) -> None:
        """The port there is closed.  [control]"""
        if self._by.pop(source, None) is not None:
            self.n_gone += 1

    def drop_silent(self, now_seconds: float) -> None:
        """Remove those who have sent nothing for so long.  [control]"""
        for source, each in list(self._by.items()):
            if now_seconds - each.received_at_seconds > TIMEOUT_SECONDS:
                self.refused(source)

    def any_due(self, now_seconds: float) -> bool:
        """Whether a state may be sent to somebody.  [control]"""
        return any(each.due(now_seconds) for each in self._by.values())

    def take_state(self, datagram: bytes, now_seconds: float) -> list[Source]:
        """Where a state is to be sent now; noted as sent.  [control]"""
        wanting = [source for source, each in self._by.items() if each.wants(datagram, now_seconds)]
        for source in wanting:
            self._by[source].sent, self._by[source].sent_at_seconds = datagram, now_seconds
        self.n_sent += len(wanting)
        return wanting

    def of_presses(self) -> list[Source]:
        """Where presses are sent.  [any]"""
        return [source for source, each in list(self._by.items()) if "press" in each.rates_hz]

    def counts(self, source: Source) -> tuple[str, int, int, int, int]:
        """Of a client its own; clients and subscriptions of all; states sent; clients that are gone.  [control]"""
        own = self._by[source].rates_hz if source in self._by else {}
        text = ", ".join(f"{what} {rate_hz:g}" for what, rate_hz in own.items())
        return text, len(self._by), sum(len(each.rates_hz) for each in self._by.values()), self.n_sent, self.n_gone
