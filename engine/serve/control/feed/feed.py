"""The thread [feed]: sends subscribers what has changed, each at its own rate.

    threads publish values --> looked at every 20 ms --> what a client was not sent yet, if due --> sent
    beats -----------------------------------------------> at once ------------------------------------------^

It sleeps while nobody has subscribed, and looks only at kinds of state that somebody is due. Together all clients get
at most SENT_PER_SECOND messages: more are held until the next turn, beats never.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.control import state_rows as rows
from bridge.control.arguments import Message
from bridge.control.clients import Client, Source
from bridge.control.limits import Bucket
from bridge.control.subscriptions import NEVER, Subscription, Subscriptions, due_again
from bridge.errors import SegueError
from bridge.system.clock import Clock
from bridge.system.turns import run_turns
from engine.serve.control.feed.collector import Collector, Key, States, Values, closed

TURN_SECONDS = 0.02
CLOSED_SECONDS = 5.0  # for which a closed lane is reported
SENT_PER_SECOND, SENT_AT_ONCE = 1000.0, 500.0
_log = logging.getLogger("segue.engine")


@dataclass(slots=True)
class _Delivery:
    """What one subscription was sent of each state, and when.  [feed]"""

    sent: dict[Key, tuple[States, float]] = field(default_factory=dict)

    def due(self, subscription: Subscription, now: float) -> bool:
        """Whether some state may be sent."""
        return subscription.due(min((at for _, at in self.sent.values()), default=NEVER), now)


class Feed:
    """Sends states to subscribers from `start` to `close`; `send` puts a datagram on the wire."""

    def __init__(self, collector: Collector, send: Callable[[bytes, Source], None], clock: Clock) -> None:
        self.subscriptions = Subscriptions(rows.WHAT, rows.ALL_WHAT)
        self.collector = collector
        self.n_sent = self.n_held = 0
        self._send, self._clock = send, clock
        self._known: dict[Key, States] = {}
        self._closed: dict[int, float] = {}  # lanes that were closed, and when
        self._deliveries: dict[Subscription, _Delivery] = {}
        self._packed: dict[tuple[str, Values], bytes] = {}  # in this turn
        self._bucket = Bucket(SENT_PER_SECOND, SENT_AT_ONCE, SENT_AT_ONCE, clock.now_seconds())
        self._first = 0  # number of the subscription that comes first
        self._wake, self._closing = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, name="segue-feed", daemon=True)

    def start(self) -> None:
        """Start the thread.  [main]"""
        self.thread.start()

    def close(self) -> None:
        """End the thread. May be called twice.  [main]"""
        self._closing.set()
        self._wake.set()
        if self.thread.is_alive():
            self.thread.join()

    def wake(self) -> None:
        """Somebody has subscribed.  [any]"""
        self._wake.set()

    def gone(self, client: Client) -> None:
        """A client has left or was removed.  [control]"""
        self.subscriptions.remove(client.address)

    def _run(self) -> None:
        run_turns(self._next, "the subscriptions", _log)
        self.collector.close()

    def _next(self) -> bool:
        self._wake.wait(TURN_SECONDS if self.subscriptions.now else None)
        self._wake.clear()
        if self._closing.is_set():
            return False
        self.turn()
        return True

    # -- one turn, [feed] -----------------------------------------------------------------------------

    def turn(self) -> None:
        """Look, and send what is due.  [feed]"""
        now, subscriptions = self._clock.now_seconds(), self.subscriptions.now
        self._packed = {}
        self._deliveries = {each: self._deliveries.get(each, _Delivery()) for each in subscriptions}
        if not subscriptions:
            self._known, self._closed = {}, {}
            return
        if any(each.what == "beat" for each in subscriptions):
            self._send_beats(subscriptions)
        due = {each for each in subscriptions if self._deliveries[each].due(each, now)}
        self._look({each.what for each in due}, now)
        first = self._first % len(subscriptions)
        for number, each in enumerate((*subscriptions[first:], *subscriptions[:first])):
            if each in due and not self._deliver(each, now):
                self._first = first + number  # the next turn begins with it
                return

    def _send_beats(self, subscriptions: tuple[Subscription, ...]) -> None:
        for lane, values in self.collector.beats():
            for each in subscriptions:
                if each.what == "beat" and each.covers(lane):
                    self._put(rows.STATE_BEAT, values, each.client)

    def _look(self, kinds: set[str], now: float) -> None:
        before = self._known
        self._known = {key: states for key, states in before.items() if key[0] not in kinds}
        for key, states in self.collector.look(kinds).items():
            same = before.get(key) == states
            self._known[key] = before[key] if same else states  # the same object: nothing has changed
        for kind, lane in before.keys() - self._known.keys():
            if kind == "lane":
                self._closed.setdefault(lane, now)
        for lane, since in list(self._closed.items()):
            if ("lane", lane) in self._known or now - since > CLOSED_SECONDS:
                del self._closed[lane]
            else:
                self._known["lane", lane] = before["lane", lane] if now > since else closed(lane)

    def _deliver(self, subscription: Subscription, now: float) -> bool:
        """Send a subscription what is due; False when there is too much to send."""
        sent = self._deliveries[subscription].sent
        for key in sent.keys() - self._known.keys():
            del sent[key]
        for key, states in self._known.items():
            if key[0] != subscription.what or not subscription.covers(key[1]):
                continue
            last, at = sent.get(key, ((), NEVER))
            if not subscription.due(at, now):
                continue
            again = due_again(at, now)
            if states is last and not again:
                continue
            done = () if again else tuple(each for each in last if each in states)
            for each in states:
                if each in done:
                    continue
                if not self._bucket.take(now):
                    self.n_held += 1
                    sent[key] = done, now - 1.0 / subscription.rate_hz  # the next turn goes on here
                    return False
                self._put(*each, subscription.client)
                done = (*done, each)
            sent[key] = states, now
        return True

    def _put(self, row: Message, values: Values, client: Client) -> None:
        key = row.address, values
        datagram = self._packed.get(key)
        if datagram is None:
            try:
                datagram = self._packed[key] = row.pack(*values)
            except (SegueError, ValueError) as fault:  # our fault: the others are sent
                _log.error("%s does not fit the table: %s", row.address, fault)
                datagram = self._packed[key] = b""
        if datagram:
            self.n_sent += 1
            self._send(datagram, client.address)
