"""The engine's door: a UDP endpoint that answers the message table and nothing else.

    datagram -> limits -> packet.parse -> (its time) -> Dispatcher -> answer to the sender's host

One thread, [control], does all of it; handlers run there and must not block. What takes longer is answered
through the request's responder from another thread, see `bridge.requests`.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType

from bridge.arguments import Message
from bridge.clients import PORT_MIN, Client, Source
from bridge.dispatch import ROWS, Counts, Dispatcher
from bridge.door import check_secret, open_socket
from bridge.errors import Busy, OutOfRange, PacketError
from bridge.limits import Limiter
from bridge.packet import DATAGRAM_BYTES_MAX, Packet, parse, salvage
from bridge.requests import Handler

MESSAGES_PER_SECOND = 4000.0  # of one sender; what comes above is thrown away unread, and said once a second
WAIT_SECONDS = 0.2  # longest sleep of the thread: how late an expiry or a close is noticed
AHEAD_SECONDS_MAX = 60.0  # of a bundle's timetag
SCHEDULED_MAX = 256
_log = logging.getLogger("segue.bridge")


class Endpoint:
    """Answers requests on a UDP port from `start` to `close`; also a context manager.

    `handlers` maps addresses of the table's requests to functions; without one a request is `unsupported`.
    Port 0 takes a free one (`port` says which). `on_gone` hears, on [control], of clients that left or fell
    silent. Raises PortInUse, UnsafeBind (more than this machine without `allow_network` and a `secret`) and
    ValueError for handlers of addresses that the table does not have.
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
    ) -> None:
        check_secret(host, secret, allow_network)
        self._dispatcher = Dispatcher(handlers, self._send, engine, secret, on_gone, time.monotonic())
        self._limiter = Limiter(messages_per_second, messages_per_second / 2)
        self._shed_notices = Limiter(1.0, 1.0)
        self._scheduled: list[tuple[float, int, Packet, Source]] = []
        self._order = itertools.count()
        self._expired_seconds = 0.0
        self._socket = open_socket(host, port)
        self._port = int(self._socket.getsockname()[1])
        self._wake_address = ("127.0.0.1" if host == "0.0.0.0" else host, self._port)  # noqa: S104 - not a bind
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-control", daemon=True)

    @property
    def port(self) -> int:
        """The UDP port that it listens on.  [any]"""
        return self._port

    @property
    def counts(self) -> Counts:
        """What came so far, a copy.  [any]"""
        return replace(self._dispatcher.counts)

    @property
    def clients(self) -> list[Client]:
        """Who is registered.  [any]"""
        return self._dispatcher.clients.all()

    def start(self) -> None:
        """Begin to answer, on the thread [control].  [main]"""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port; waits for the handler that runs. Twice does no harm.  [main]"""
        self._closing.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._send(b"", self._wake_address)  # or it would notice only after WAIT_SECONDS
            self._thread.join()
        self._socket.close()

    def notify(self, event: Message, *values: object) -> None:
        """Send an event to every registered client; WireError when the values do not fit its row.  [any]"""
        datagram = event.pack(*values)
        for client in self.clients:
            self._send(datagram, client.address)

    def __enter__(self) -> Endpoint:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._turn()
            except Exception:  # whatever it is, the next message is answered
                _log.exception("a message was lost to a fault of the endpoint")

    def _turn(self) -> None:
        received = self._wait()
        now = time.monotonic()
        if received:
            self._receive(*received, now)
        while self._scheduled and self._scheduled[0][0] <= time.time():
            _, _, packet, source = heapq.heappop(self._scheduled)
            self._dispatcher.dispatch(packet, source, now)
        if now - self._expired_seconds > 1.0:
            self._expired_seconds = now
            self._dispatcher.clients.expire(now)

    def _wait(self) -> tuple[bytes, Source] | None:
        """The next datagram, or None when something is due or nothing came for WAIT_SECONDS."""
        due = self._scheduled[0][0] - time.time() if self._scheduled else WAIT_SECONDS
        self._socket.settimeout(min(WAIT_SECONDS, max(0.001, due)))
        try:
            return self._socket.recvfrom(65535)
        except (TimeoutError, ConnectionResetError):  # the second: Windows, when a client's port is closed
            return None

    def _receive(self, datagram: bytes, source: Source, now: float) -> None:
        counts = self._dispatcher.counts
        counts.received += 1
        if not self._limiter.admit(source, now):
            counts.shed += 1
            if self._shed_notices.admit(source, now):
                self._dispatcher.complain(Packet("", ()), _too_many(self._limiter.per_second), source, now)
            return
        try:
            packets = parse(datagram)
        except PacketError as fault:
            address, id = salvage(datagram)
            self._dispatcher.complain(
                Packet(address, (id,)), _with_limit(fault, datagram, address), source, now
            )
            return
        for packet in packets:
            self._when_due(packet, source, now)

    def _when_due(self, packet: Packet, source: Source, now: float) -> None:
        due = packet.due_seconds or 0.0
        ahead = due - time.time()
        if ahead <= 0:
            self._dispatcher.dispatch(packet, source, now)
        elif ahead > AHEAD_SECONDS_MAX:
            text = f"timetag {ahead:.0f} s ahead, may be {AHEAD_SECONDS_MAX:.0f}; use the argument `at`"
            self._dispatcher.complain(packet, OutOfRange(text), source, now)
        elif len(self._scheduled) >= SCHEDULED_MAX:
            text = f"{SCHEDULED_MAX} messages wait for their timetags and there is room for no more"
            self._dispatcher.complain(packet, Busy(text), source, now)
        else:
            heapq.heappush(self._scheduled, (due, next(self._order), packet, source))

    def _send(self, datagram: bytes, where: Source) -> None:
        if where[1] < PORT_MIN:
            return
        try:
            self._socket.sendto(datagram, where)
        except OSError as fault:  # full buffer, closed socket: the client asks again
            _log.debug("no answer to %s: %s", where, fault)


def _too_many(per_second: float) -> Busy:
    return Busy(f"more than {per_second:.0f} messages a second: some were thrown away unread")


def _with_limit(fault: PacketError, datagram: bytes, address: str) -> PacketError:
    """For a datagram that is too long, name the limit of the text that made it so."""
    row = ROWS.get(address)
    texts = [a for a in row.arguments if a.kind == "s" and not a.choices] if row else []
    if len(datagram) <= DATAGRAM_BYTES_MAX or not texts:
        return fault
    limits = ", ".join(f"{a.name} may have {a.max_length} characters" for a in texts)
    return PacketError(f"{fault}; {limits}")
