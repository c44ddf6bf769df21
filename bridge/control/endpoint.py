"""The engine's UDP endpoint, which answers the messages of the table.

    datagrams -> in turn of senders -> size, ration -> packet.parse -> (its time) -> Dispatcher -> answer to the host

All of it runs on one thread, [control]; handlers run there and must not block. Longer work is answered from another
thread through the request's responder, see `bridge.control.requests`. Each message uses up some of its sender's
ration, an expensive one more: under any load the thread leaves the processor to the music. All that has arrived is read
before the next message is served, and senders take turns: nobody waits behind another's flood.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from bridge.control.arguments import Message
from bridge.control.clients import PORT_MIN, Client, Source
from bridge.control.dispatch import ROWS, Counts, Dispatcher, Watch
from bridge.control.fair_queue import FairQueue
from bridge.control.limits import RateLimiter
from bridge.control.packet import DATAGRAM_BYTES_MAX, Packet, is_bundle, parse, salvage
from bridge.control.requests import Handler
from bridge.control.udp_socket import check_secret, hear_refusals, open_socket, refusals
from bridge.errors import Busy, OutOfRange, PacketError
from bridge.system.turns import run_turns

MESSAGES_PER_SECOND = 4000.0  # of one sender; more are dropped unread, with an error once a second
STRANGERS_PER_SECOND = 50.0  # messages of one machine that has not proved the secret
STRANGERS_FACTOR = 20.0  # times that for all such machines together: many addresses do not block others
ALL_FACTOR = 1.25  # times the limit of one sender, for all together
SENDER_SHARE = 0.24  # of a processor for one sender: a message that takes more than its part counts as several
SHUT_SECONDS = 0.002  # pause for a sender over its ration; SHUT_MAX such senders
SHUT_MAX = 256
READ_MAX = 1024  # datagrams that are read in one go
SERVED_MAX = 16  # that are served before more are read
WAIT_SECONDS = 0.2  # the thread's longest sleep: how late an expiry or a close is noticed
AHEAD_SECONDS_MAX = 60.0  # of a bundle's timetag
SCHEDULED_MAX = 256
_log = logging.getLogger("segue.bridge")


class Endpoint:
    """Answers requests on a UDP port from `start` to `close`; also a context manager.

    `handlers` maps addresses of the table's requests to functions; a request without one is `unsupported`.
    Port 0 takes a free one (see `port`). `on_gone` is called on [control] for clients that left or were removed.
    `on_refused` likewise for addresses of this machine that nobody listens at (Linux tells). With `plain_secret` other
    machines may send the secret itself. Raises PortInUse, UnsafeBind (more than this machine
    without `allow_network` and a `secret`) and ValueError for handlers of unknown addresses.
    """

    def __init__(
        self,
        port: int,
        handlers: Mapping[str, Handler],
        *,
        host: str = "127.0.0.1",
        engine: str = "segue",
        secret: str = "",
        allow_network: bool = False,
        on_gone: Callable[[Client], None] | None = None,
        messages_per_second: float = MESSAGES_PER_SECOND,
        plain_secret: bool = False,
        on_refused: Callable[[Source], None] | None = None,
    ) -> None:
        check_secret(host, secret, allow_network)
        self._dispatcher = Dispatcher(handlers, self._send, engine, secret, on_gone, time.monotonic(), plain_secret)
        self._limiter = RateLimiter(messages_per_second, messages_per_second / 2, ALL_FACTOR)
        self._strangers = RateLimiter(STRANGERS_PER_SECOND, STRANGERS_PER_SECOND, STRANGERS_FACTOR)
        self._shed_notices = RateLimiter(1.0, 1.0, all_factor=8.0)
        self._scheduled: list[tuple[float, int, Packet, Source, int]] = []
        self._arrived = FairQueue(self._dispatcher.clients.knows)
        self._room = memoryview(bytearray(65535))  # one for all: objects of this size, cut to a datagram, leave holes
        self._shut: dict[Source, float] = {}  # senders over their ration, and until when they pause
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._tidied_seconds = 0.0
        self._socket = open_socket(host, port)
        self._socket.setblocking(False)
        self._on_refused = on_refused
        if on_refused is not None:
            hear_refusals(self._socket)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._port = int(self._socket.getsockname()[1])
        self._wake_address = ("127.0.0.1" if host == "0.0.0.0" else host, self._port)  # noqa: S104 - not a bind
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-control", daemon=True)

    @property
    def port(self) -> int:
        """The UDP port.  [any]"""
        return self._port

    @property
    def counts(self) -> Counts:
        """Counts so far, a copy.  [any]"""
        return replace(self._dispatcher.counts)

    @property
    def clients(self) -> list[Client]:
        """The registered clients.  [any]"""
        return self._dispatcher.clients.all()

    def handle(self, handlers: Mapping[str, Handler]) -> None:
        """Answer more of the table's requests, from `start` on; ValueError for addresses that it does not have.

        For handlers that send events themselves, and so must know their endpoint first.  [main]
        """
        self._dispatcher.handle(handlers)

    def start(self) -> None:
        """Start answering, on the thread [control].  [main]"""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port; waits for the running handler. May be called twice.  [main]"""
        self._closing.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._send(b"", self._wake_address)  # wakes the thread
            self._thread.join()
        self._selector.close()
        self._socket.close()

    def notify(self, event: Message, *values: object, but: Client | None = None) -> None:
        """Send an event to all registered clients (except `but`); WireError if the values do not fit its row.  [any]"""
        datagram = event.pack(*values)
        for client in self.clients:
            if client != but:
                self._send(datagram, client.address)

    def watch(self, watch: Watch | None) -> None:
        """Set who sees each message that arrives, after it was handled; None for nobody.  [control]"""
        self._dispatcher.watch(watch)

    def send(self, datagram: bytes, where: Source) -> None:
        """Send a datagram; never waits, and a full buffer loses it.  [any]"""
        self._send(datagram, where)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` on [control] after `seconds`.  [control]"""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), act))

    def __enter__(self) -> Endpoint:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        run_turns(self._turn, "the endpoint", _log)

    def _turn(self) -> bool:
        if self._closing.is_set():
            return False
        if self._selector.select(self._patience_seconds()):
            self._read()
        self._serve()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        while self._scheduled and self._scheduled[0][0] <= time.time():
            _, _, packet, source, size = heapq.heappop(self._scheduled)
            self._dispatcher.dispatch(packet, source, now, size)
        if now - self._tidied_seconds > 1.0:
            self._tidied_seconds = now
            self._dispatcher.tidy(now)
        return True

    def _patience_seconds(self) -> float:
        """Seconds until something is due, at most WAIT_SECONDS."""
        wait = 0.0 if self._arrived else WAIT_SECONDS
        if self._scheduled:
            wait = min(wait, self._scheduled[0][0] - time.time())
        if self._timers:
            wait = min(wait, self._timers[0][0] - time.monotonic())
        return max(0.0, wait)

    def _read(self) -> None:
        """Read the datagrams that have arrived; those of senders who pause, or have too many waiting, are dropped."""
        counts, now = self._dispatcher.counts, time.monotonic()
        if self._on_refused is not None:
            for address in refusals(self._socket):
                self._on_refused(address)
        for _ in range(READ_MAX):
            try:
                n_bytes, source = self._socket.recvfrom_into(self._room)
            except BlockingIOError:
                return
            except ConnectionError:  # a client's port is closed, and nothing was read
                continue
            if self._shut.get(source, 0.0) > now or not self._arrived.put(bytes(self._room[:n_bytes]), source):
                counts.received += 1
                counts.shed += 1

    def _serve(self) -> None:
        for _ in range(min(SERVED_MAX, len(self._arrived))):
            if self._closing.is_set():
                return
            datagram, source = self._arrived.take()
            self._receive(datagram, source, time.monotonic())

    def _admit(self, source: Source, now: float, stranger: bool) -> bool:
        """Whether one more message of a sender is read; refusals are answered at a limited rate."""
        if stranger:
            passes = self._strangers.admit(source[0], now, self._dispatcher.trusts(source))
        else:
            passes = self._limiter.admit(source, now, self._dispatcher.clients.knows(source))
        if not passes:
            self._dispatcher.counts.shed += 1
            if len(self._shut) >= SHUT_MAX:
                self._shut.clear()
            self._shut[source] = now + SHUT_SECONDS
            if not stranger and self._shed_notices.admit(source, now):
                too_many = _too_many(self._limiter.per_second)
                self._dispatcher.complain(Packet("", ()), lambda: too_many, source, now)
        return passes

    def _charge(self, source: Source, stranger: bool, spent_seconds: float) -> None:
        """Charge a message that took long like several."""
        limiter, sender = (self._strangers, source[0]) if stranger else (self._limiter, source)
        cost = spent_seconds * limiter.per_second / SENDER_SHARE
        if cost > 1.0:
            limiter.charge(sender, cost - 1.0)

    def _receive(self, datagram: bytes, source: Source, now: float) -> None:
        counts = self._dispatcher.counts
        counts.received += 1
        stranger = self._dispatcher.stranger(source)
        if not self._admit(source, now, stranger):
            return
        began = time.thread_time()
        packets = self._parsed(datagram, source, now, stranger)
        for number, packet in enumerate(packets):
            if number:
                counts.received += 1
                if not self._admit(source, now, stranger):
                    counts.shed += len(packets) - number - 1
                    counts.received += len(packets) - number - 1
                    return
            self._when_due(packet, source, now, len(datagram))
            ended = time.thread_time()
            self._charge(source, stranger, ended - began)
            began = ended
        if not packets:
            self._charge(source, stranger, time.thread_time() - began)

    def _parsed(self, datagram: bytes, source: Source, now: float, stranger: bool) -> list[Packet]:
        """The messages of a datagram; none, and an error answer, if it is not OSC. Bundles of strangers are refused."""
        try:
            if stranger and is_bundle(datagram):
                raise PacketError("a bundle, from somebody who has not said the secret")
            return parse(datagram)
        except PacketError as error:
            address, id = salvage(datagram)
            fault = _with_limit(error, datagram, address)
            self._dispatcher.complain(Packet(address, (id,)), lambda: fault, source, now, len(datagram))
            return []

    def _when_due(self, packet: Packet, source: Source, now: float, size_bytes: int) -> None:
        due = packet.due_seconds or 0.0
        ahead = due - time.time()
        if ahead <= 0:
            self._dispatcher.dispatch(packet, source, now, size_bytes)
        elif ahead > AHEAD_SECONDS_MAX:
            text = f"timetag {ahead:.0f} s ahead, may be {AHEAD_SECONDS_MAX:.0f}; use the argument `at`"
            self._dispatcher.complain(packet, lambda: OutOfRange(text), source, now, size_bytes)
        elif len(self._scheduled) >= SCHEDULED_MAX:
            text = f"{SCHEDULED_MAX} messages wait for their timetags and there is room for no more"
            self._dispatcher.complain(packet, lambda: Busy(text), source, now, size_bytes)
        else:
            heapq.heappush(self._scheduled, (due, next(self._order), packet, source, size_bytes))

    def _send(self, datagram: bytes, where: Source) -> None:
        if where[1] < PORT_MIN:
            return
        try:
            with suppress(ConnectionRefusedError):  # of another datagram, sent before: this one was not sent
                self._socket.sendto(datagram, where)
                return
            self._socket.sendto(datagram, where)
        except OSError as fault:  # full buffer, closed socket: the client asks again
            _log.debug("no answer to %s: %s", where, fault)


def _too_many(per_second: float) -> Busy:
    return Busy(f"more than {per_second:.0f} messages a second: some were thrown away unread")


def _with_limit(fault: PacketError, datagram: bytes, address: str) -> PacketError:
    """For a datagram that is too long, name the limit of its longest text."""
    row = ROWS.get(address)
    texts = [a for a in row.arguments if a.kind == "s" and not a.choices] if row else []
    if len(datagram) <= DATAGRAM_BYTES_MAX or not texts:
        return fault
    limits = ", ".join(f"{a.name} may have {a.max_length} characters" for a in texts)
    return PacketError(f"{fault}; {limits}")
